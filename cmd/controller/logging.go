package main

import (
	"context"
	"errors"
	stdlog "log"
	"log/slog"
	"os"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/settings"
)

// setUpLogging sends all logs, client-go's too, to standard error in the chosen format.
func setUpLogging(process settings.Process) {
	options := &slog.HandlerOptions{Level: slog.Level(-min(process.LogLevel, settings.MostLogLevel))}
	var handler slog.Handler = slog.NewJSONHandler(os.Stderr, options)
	if process.LogFormat == "text" {
		handler = slog.NewTextHandler(os.Stderr, options)
	}
	log := logr.FromSlogHandler(calm{handler})
	ctrl.SetLogger(log)
	klog.SetLogger(log.WithName("client-go"))
	stdlog.SetFlags(0)
	stdlog.SetOutput(unquoted{log.WithName("go")})
}

// unquoted takes what Go's own packages log. The HTTP client quotes what a server has sent
// that nobody has asked for, which is left out: it may be a page that few may read.
type unquoted struct{ logr.Logger }

const longestLine = 1 << 10

// Write implements io.Writer.
func (u unquoted) Write(line []byte) (int, error) {
	text, _, _ := strings.Cut(string(line), " starting with ")
	u.Info(errtext.Bounded(text, longestLine))
	return len(line), nil
}

// calm passes on what libraries log as an error and is none, as what it is: an event
// about something in a namespace that is being deleted finds no place there any more, and
// what is under way when the controller ends, or a member leaves, is given up.
type calm struct{ slog.Handler }

const levelExpected = slog.Level(-1) // as the controller's own V(1)

// Handle implements slog.Handler.
func (c calm) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelError && isExpected(record) {
		record.Level = levelExpected
		if !c.Enabled(ctx, record.Level) {
			return nil
		}
	}
	return c.Handler.Handle(ctx, record)
}

func isExpected(record slog.Record) (expected bool) {
	record.Attrs(func(attr slog.Attr) bool {
		err, ok := attr.Value.Any().(error)
		expected = ok && (apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || errors.Is(err, context.Canceled))
		return !expected
	})
	return expected
}

// WithAttrs implements slog.Handler.
func (c calm) WithAttrs(attrs []slog.Attr) slog.Handler { return calm{c.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (c calm) WithGroup(name string) slog.Handler { return calm{c.Handler.WithGroup(name)} }
