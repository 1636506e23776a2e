package main

import (
	"bytes"
	"context"
	"errors"
	stdlog "log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What is to be expected is no error, whoever logs it, and everything else is.
func TestExpectedConditionsAreNoErrors(t *testing.T) {
	terminating := apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "e", errors.New("unable to create new content in namespace x because it is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "e", errors.New("no right"))
	for _, test := range []struct {
		err   error
		level slog.Level
		want  string
	}{
		{terminating, slog.LevelInfo, ""},
		{terminating, slog.LevelDebug, "level=DEBUG+3"},
		{&url.Error{Op: "Get", URL: "https://a", Err: context.Canceled}, slog.LevelInfo, ""},
		{context.DeadlineExceeded, slog.LevelInfo, "level=ERROR"},
		{forbidden, slog.LevelInfo, "level=ERROR"},
		{nil, slog.LevelInfo, "level=ERROR"},
	} {
		var out bytes.Buffer
		log := logr.FromSlogHandler(calm{slog.NewTextHandler(&out, &slog.HandlerOptions{Level: test.level})})
		log.WithName("client-go").WithValues("a", "b").Error(test.err, "Server rejected event (will not retry!)")
		if got := out.String(); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%v at %s: %q", test.err, test.level, got)
		}
	}
}

// TestWhatServersSendIsNotLogged: a server that sends more than was asked for is told of,
// and not quoted.
func TestWhatServersSendIsNotLogged(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = connection.Close() }()
		_, _ = connection.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nthe password is hunter2"))
		<-r.Context().Done()
	}))
	defer server.Close()
	lines := make(chan string, 10)
	before := stdlog.Writer()
	defer stdlog.SetOutput(before)
	stdlog.SetOutput(unquoted{funcr.New(func(_, args string) { lines <- args }, funcr.Options{})})
	response, err := server.Client().Head(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if line := <-lines; !strings.Contains(line, "Unsolicited response") || strings.Contains(line, "hunter2") {
		t.Error(line)
	}
}
