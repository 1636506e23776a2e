package members

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// lookAgain is how often members that cannot be reached are looked for while a watch lasts.
const lookAgain = 10 * time.Second

// told is what the watch of one member has to say to that of all.
type told struct {
	cluster string
	kind    string // of an event; empty: none
	object  []byte // or the row of a table
	columns union.Columns
	version string

	lost *union.Missing
	back bool
	// over ends the watch: only who begins anew will see what has become of the member.
	over *metav1.Status
}

// jointWatch merges the watches of members into one, in the order in which they tell, as the
// API of the fleet does. It begins with what was listed last. A member that is lost is named in
// a bookmark and tried again.
type jointWatch struct {
	*joint
	union.Parameters
	form  union.Form
	path  string
	first listing
	tells chan told
	found chan *Reached

	out     []byte
	version union.Version
	begun   bool // a table has had its columns
	ended   bool
	missing map[string]union.Missing
}

// watch answers a watch, whose events come until it is closed.
func (j *joint) watch(r *http.Request) (io.ReadCloser, error) {
	form, ok := union.Accept(r.Header["Accept"])
	if !ok {
		return nil, errNotJSON
	}
	parameters, err := union.ParseParameters(r.URL.RawQuery)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	j.mu.Lock()
	first := j.last
	j.mu.Unlock()
	w := &jointWatch{
		joint: j, Parameters: parameters, form: form, path: r.URL.Path, first: first, tells: make(chan told), found: make(chan *Reached),
		version: maps.Clone(parameters.ResourceVersion), missing: map[string]union.Missing{},
	}
	ctx, cancel := context.WithCancel(r.Context())
	body, to := io.Pipe()
	go func() {
		defer cancel()
		_ = to.CloseWithError(w.serve(ctx, to)) // never fails
	}()
	return &ending{body, cancel}, nil
}

// serve writes what the members tell, until the watch ends.
func (w *jointWatch) serve(ctx context.Context, to io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	followed := map[string]bool{}
	follow := func(of []Member) {
		for _, m := range of {
			if !followed[m.Name] {
				followed[m.Name] = true
				f := w.follower(m)
				all.Go(func() { f.run(ctx) })
			}
		}
	}
	for _, m := range w.first.missing {
		w.missing[m.Cluster] = m // the list has said it
	}
	follow(w.reached.Members)
	if len(w.reached.Missing) > 0 {
		all.Go(func() { w.look(ctx) })
	}
	for !w.ended {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t := <-w.tells:
			w.hear(t)
		case reached := <-w.found:
			follow(reached.Members)
		}
		if _, err := to.Write(w.out); err != nil {
			return err // nobody reads any more
		}
		w.out = w.out[:0]
	}
	return nil
}

// look finds the members that could not be reached, until all can be.
func (w *jointWatch) look(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAgain):
		}
		reached, err := w.again(ctx)
		if err != nil {
			continue // the host is away as well
		}
		select {
		case <-ctx.Done():
			return
		case w.found <- reached:
		}
		if len(reached.Missing) == 0 {
			return
		}
	}
}

// hear takes what a member has told.
func (w *jointWatch) hear(t told) {
	_, known := w.missing[t.cluster]
	switch {
	case t.over != nil:
		w.end(*t.over)
	case t.lost != nil && w.requireAll:
		w.end(metav1.Status{Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable, Message: t.lost.String()})
	case t.lost != nil && !known:
		w.missing[t.cluster] = *t.lost
		w.bookmark()
	case t.back && known:
		delete(w.missing, t.cluster)
		w.bookmark()
	case t.kind == union.Bookmark:
		w.version.Set(t.cluster, t.version)
	case t.kind != "":
		w.event(t)
	}
}

// event writes one.
func (w *jointWatch) event(t told) {
	before := len(w.out)
	w.version.Set(t.cluster, t.version)
	mark := union.Mark{Cluster: t.cluster, Version: w.version.String()}
	var err error
	w.out, err = union.AppendEvent(w.out, t.kind, func(to []byte) ([]byte, error) {
		if w.form.As != union.Table {
			mark.Kind, mark.APIVersion = w.first.head.ItemKind(), w.first.head.APIVersion
			return union.AppendObject(to, t.object, mark)
		}
		if w.first.columns == nil {
			w.first.columns = t.columns
		}
		return union.AppendTable(to, mark.Version, w.first.columns, !w.begun, func(to []byte) ([]byte, error) {
			return union.AppendRow(to, t.object, union.MappingOf(w.first.columns, t.columns), mark)
		})
	})
	if err != nil {
		w.out = w.out[:before]
		w.end(metav1.Status{Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError, Message: "cluster " + t.cluster + ": " + err.Error()})
		return
	}
	w.begun = true
}

// bookmark says who is missing.
func (w *jointWatch) bookmark() {
	missing := slices.Collect(maps.Values(w.missing))
	out, err := union.AppendBookmark(w.out, w.first.head.ItemKind(), w.first.head.APIVersion, w.version.String(), missing, false)
	if err == nil { // texts only: there is none
		w.out = out
	}
}

// end ends the watch with an error.
func (w *jointWatch) end(status metav1.Status) {
	w.ended = true
	if out, err := union.AppendError(w.out, status); err == nil { // the same
		w.out = out
	}
}
