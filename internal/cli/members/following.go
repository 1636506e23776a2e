package members

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

const (
	mostWait = 15 * time.Second
	// answerTimeout is how long a member may take to answer a watch, steady how long one has to
	// last that tells nothing until its member is taken to be back.
	answerTimeout = 30 * time.Second
	steady        = 3 * time.Second
)

var (
	errSilent    = errors.New("no answer within " + answerTimeout.String())
	errOtherKind = errors.New("what it serves is of another kind than in other clusters")
)

// follower watches one member for as long as the watch of all lasts: what has become of what
// was listed there. A watch that ends is taken up again where it was; where the member does
// not know that place any more, its objects are listed and compared with those that were told of.
type follower struct {
	*jointWatch
	*caller
	cluster string

	version string
	objects *union.Known
	columns union.Columns

	answered time.Time // the watch; zero: there is none
	mu       sync.Mutex
	lost     bool
	fleeting bool // lost until a watch lasts, however often a list is of use
}

// follower follows from the version that the client names, which is that of what was listed
// last. A member that was missing there is told of as a whole.
func (w *jointWatch) follower(m Member) *follower {
	f := &follower{jointWatch: w, caller: w.caller(m), cluster: m.Name, version: w.ResourceVersion[m.Name], objects: union.NewKnown()}
	if before := w.first.parts[m.Name]; before != nil {
		f.objects, f.columns = before.objects, before.Columns
	}
	_, f.lost = w.missing[m.Name]
	return f
}

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) {
	for pauses := (union.Pauses{Most: mostWait}); ctx.Err() == nil; {
		f.answered = time.Time{}
		how := union.Ends
		err := f.round(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case Expired(err) && !f.objects.Complete:
			f.say(ctx, told{over: &metav1.Status{Code: http.StatusGone, Reason: metav1.StatusReasonExpired, Message: "cluster " + f.cluster + ": " + errtext.Stable(err)}})
			return
		case Expired(err):
			how, f.version = union.Expires, ""
		case err != nil:
			how = union.Fails
			f.failed(ctx, MissingOf(f.cluster, err))
		}
		wait := pauses.After(how, f.lasted())
		if how == union.Expires && pauses.Fleeting() {
			f.fleets(ctx, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// lasted is for how long there was a watch.
func (f *follower) lasted() time.Duration {
	if f.answered.IsZero() {
		return 0
	}
	return time.Since(f.answered)
}

// Expired says that a member does not remember where a watch was.
func Expired(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }

// say tells the watch of all, and waits until it listens; false if it does not any more.
func (f *follower) say(ctx context.Context, t told) bool {
	t.cluster = f.cluster
	select {
	case f.tells <- t:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *follower) failed(ctx context.Context, missing union.Missing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = true
	f.say(ctx, told{lost: &missing})
}

// fleets says that the member's watches do not hold. What it has is told as it is listed, which is
// ever more seldom.
func (f *follower) fleets(ctx context.Context, err error) {
	f.mu.Lock()
	f.fleeting = true
	f.mu.Unlock()
	f.failed(ctx, union.Missing{Cluster: f.cluster, Reason: union.Failed, Message: union.NoHold(errtext.Stable(err))})
}

// works says that the member is back, if it was lost.
func (f *follower) works(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost && !f.fleeting { // until it was told that it is back
		f.lost = !f.say(ctx, told{back: true})
	}
}

// lasting calls holds when the watch lasts: for a moment, or, where others did not hold, for as long
// as ends the count of these.
func (f *follower) lasting(ctx context.Context) *time.Timer {
	f.mu.Lock()
	defer f.mu.Unlock()
	long := steady
	if f.fleeting {
		long = mostWait
	}
	return time.AfterFunc(long, func() {
		if ctx.Err() == nil {
			f.holds(ctx)
		}
	})
}

// holds notes that a watch lasts.
func (f *follower) holds(ctx context.Context) {
	f.mu.Lock()
	f.fleeting = false
	f.mu.Unlock()
	f.works(ctx)
}

// round lists, if it is not known from where to watch, and watches until the watch ends.
func (f *follower) round(ctx context.Context) error {
	if f.version == "" {
		if err := f.list(ctx); err != nil {
			return err
		}
	}
	query := maps.Clone(f.ForMembers)
	query.Set("watch", "true")
	query.Set("allowWatchBookmarks", "true")
	query.Set("resourceVersion", f.version)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(answerTimeout, func() { cancel(errSilent) })
	body, err := f.stream(ctx, f.path, f.form.Object(), query)
	silent.Stop()
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	} else if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // only read
	f.answered = time.Now()
	defer f.lasting(ctx).Stop()
	return f.events(ctx, body)
}

// list tells what has changed since what was told before: all, if that was nothing.
func (f *follower) list(ctx context.Context) error {
	now, err := f.caller.list(ctx, f.path, f.form, f.ForMembers)
	if err != nil {
		return err
	}
	if !now.Same(f.first.head) {
		return errOtherKind
	}
	if now.Columns != nil {
		f.columns = now.Columns
	}
	for _, item := range now.items {
		id, err := f.form.IdentityOf(item)
		if err != nil {
			return err
		}
		kind, recreated := f.objects.Listed(id)
		if recreated != nil {
			f.remains(ctx, *recreated)
		}
		if kind != "" {
			f.say(ctx, told{kind: kind, object: item, columns: f.columns})
		}
	}
	if f.objects.Complete && now.objects.Complete {
		for _, id := range f.objects.Vanished(now.objects) {
			f.remains(ctx, id)
		}
	}
	f.objects, f.version = now.objects, now.ResourceVersion
	f.say(ctx, told{kind: union.Bookmark, version: f.version})
	f.works(ctx)
	return nil
}

// remains tells that an object is deleted of which nothing is left but which one it was.
func (f *follower) remains(ctx context.Context, id union.Identity) {
	f.say(ctx, told{kind: union.Deleted, object: f.form.Remains(id, f.first.head, f.columns), columns: f.columns})
}

// events tells what a watch tells, until it ends.
func (f *follower) events(ctx context.Context, from io.Reader) error {
	for events := union.NewEvents(from); ; {
		event, err := events.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case event.Type == union.Error:
			return &apierrors.StatusError{ErrStatus: union.StatusOf(event.Object)}
		case f.form.As != union.Table:
			if head := union.ObjectHead(event.Object); head.Kind != f.first.head.ItemKind() || head.APIVersion != f.first.head.APIVersion {
				return errOtherKind
			}
		}
		if err := f.changes(ctx, event); err != nil {
			return err
		}
	}
}

// changes tells what an event does.
func (f *follower) changes(ctx context.Context, event union.Event) error {
	columns, changes := f.form.Changes(event)
	if len(columns) > 0 {
		f.columns = columns
	}
	for change, err := range changes {
		if err != nil {
			return err
		}
		f.change(ctx, change)
	}
	return nil
}

// change tells of one object, or row, and remembers where the watch is.
func (f *follower) change(ctx context.Context, c union.Change) {
	if c.Kind != union.Bookmark {
		f.objects.Note(c.Kind, c.ID)
	}
	f.works(ctx)
	f.say(ctx, told{kind: c.Kind, object: slices.Clone(c.Object), columns: f.columns, version: c.Version})
	if c.Version != "" {
		f.version = c.Version
	}
}
