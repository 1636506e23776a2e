package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/lines"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/turns"
)

// log is that of one container.
type log struct {
	lines.Source
	client    kubernetes.Interface
	namespace string
	pod       string
	container string
	stream    io.ReadCloser
	err       error
}

// once prints what there is, in the order of its times.
func (o *Options) once(ctx context.Context, reacher *members.Reacher, out *lines.Writer) error {
	reached, err := reacher.Reach(ctx)
	if err != nil {
		return err
	}
	logs, absent, empty := o.find(ctx, reached)
	missing := reached.Note(o.factory)
	for text, clusters := range map[string][]string{"there is no " + o.what(): absent, "there are no pods of " + o.what(): empty} {
		if len(clusters) > 0 {
			_, _ = fmt.Fprintf(o.factory.ErrOut, "note: %s in %s.\n", text, strings.Join(clusters, ", "))
		}
	}
	switch {
	case len(logs) == 0 && missing:
		return members.ErrMissing
	case len(logs) == 0:
		return fmt.Errorf("there are no logs of %s in namespace %s of the members", o.what(), o.Namespace)
	case len(logs) > o.MaxRequests:
		return fmt.Errorf("there are %d logs, and %d are read at a time: choose fewer clusters or pods, or more with --max-log-requests", len(logs), o.MaxRequests)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.open(ctx, logs)
	failed := func(from lines.Source, err error) {
		missing = true
		_, _ = fmt.Fprintf(o.factory.ErrOut, "Warning: the log of %s: %s\n", from, errtext.Stable(err))
	}
	var sources []lines.From
	for _, l := range logs {
		if l.err != nil {
			failed(l.Source, l.err)
			continue
		}
		sources = append(sources, lines.From{Source: l.Source, Lines: lines.NewReader(l.stream)})
	}
	if err := lines.Merge(sources, out.Write, failed); err != nil {
		return err
	}
	if missing {
		return members.ErrMissing
	}
	return nil
}

// what is how messages call what is asked for.
func (o *Options) what() string {
	if o.name == "" {
		return "the selector " + o.Selector
	}
	return o.name
}

// found is what one member has of what is meant.
type found struct {
	logs  []*log
	there bool // the object, or what it would take for one
	pods  int
}

// find are the logs in all members, in the order of their clusters and pods, the members
// that do not have what is meant, and those that have no pods of it. A member that cannot be
// read is missing.
func (o *Options) find(ctx context.Context, reached *members.Reached) (logs []*log, absent, empty []string) {
	notes := members.NewNotes(o.factory.ErrOut)
	all := members.Each(ctx, reached, func(ctx context.Context, m members.Member) (found, error) {
		f, err := o.findIn(ctx, m, notes)
		if apierrors.IsNotFound(err) {
			return found{}, nil
		}
		return f, err
	})
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		logs = append(logs, f.logs...)
		switch {
		case !f.there:
			absent = append(absent, name)
		case f.pods == 0:
			empty = append(empty, name)
		}
	}
	return logs, absent, empty
}

func (o *Options) findIn(ctx context.Context, m members.Member, notes *members.Notes) (f found, err error) {
	t, err := o.resolve(ctx, m)
	if err != nil {
		return f, err
	}
	c, err := kubernetes.NewForConfig(m.Config)
	if err != nil {
		return f, err
	}
	streams, err := kubernetes.NewForConfig(m.Streams)
	if err != nil {
		return f, err
	}
	pods, _, err := t.list(ctx, c, o.Namespace)
	if err != nil {
		return f, err
	}
	f.there, f.pods = true, len(pods)
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	for i := range pods {
		for _, container := range o.choose(m.Name, &pods[i], notes) {
			f.logs = append(f.logs, &log{
				Source: source(m.Name, &pods[i], container), client: streams, namespace: o.Namespace, pod: pods[i].Name, container: container,
			})
		}
	}
	return f, nil
}

// open begins to read all logs.
func (o *Options) open(ctx context.Context, logs []*log) {
	turns.New(members.AtOnce, members.Soon).Each(ctx, len(logs), func(i int) {
		l := logs[i]
		l.stream, l.err = openLog(ctx, l.client, l.namespace, l.pod, o.logOptions(l.container))
	})
}

var errSilent = errors.New("nothing came for " + answerTimeout.String())

// openLog reads a log. One that is to end does so with an error when nothing comes for too long
// while it is waited for.
func openLog(ctx context.Context, c kubernetes.Interface, namespace, pod string, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &patient{cancel: cancel, ctx: ctx}
	p.timer = time.AfterFunc(answerTimeout, func() { cancel(errSilent) })
	stream, err := c.CoreV1().Pods(namespace).GetLogs(pod, options).Stream(ctx)
	p.timer.Stop()
	if err != nil {
		cause := context.Cause(ctx)
		cancel(nil)
		if errors.Is(cause, errSilent) {
			err = errSilent
		}
		return nil, err
	}
	p.ReadCloser, p.endless = stream, options.Follow
	return p, nil
}

// patient waits for a log, for so long at a time.
type patient struct {
	io.ReadCloser
	ctx     context.Context //nolint:containedctx // of the one request
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	endless bool
}

// Read implements io.Reader.
func (p *patient) Read(into []byte) (int, error) {
	if !p.endless {
		p.timer.Reset(answerTimeout)
		defer p.timer.Stop()
	}
	n, err := p.ReadCloser.Read(into)
	if err != nil && errors.Is(context.Cause(p.ctx), errSilent) {
		err = errSilent
	}
	return n, err
}

// Close implements io.Closer.
func (p *patient) Close() error {
	p.timer.Stop()
	defer p.cancel(nil)
	return p.ReadCloser.Close()
}
