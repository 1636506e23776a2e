package fleetapi

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// told is what the watch of one cluster has to say to that of all. Its object is its own.
type told struct {
	cluster string
	kind    string // of an event; empty: no event
	object  []byte // or the row of a table
	mark    union.Mark
	columns union.Columns
	version string

	begun  bool // it has answered, or refused to, for the first time
	lost   *refusal
	back   bool
	synced bool // all that was there has been told
	head   union.Head
	// over ends the watch of all: only who begins anew will see what has become of the cluster.
	over *metav1.Status
}

// following watches one cluster for as long as its request lasts: what was there first where
// that is asked for, and then what becomes of it. A watch that ends is taken up again
// where it was. Where the cluster does not know that place any more, its objects are listed
// and compared with those that were told of; if these are not known, all has to begin anew.
type following struct {
	*everywhere
	cluster string
	begins  chan<- told
	tells   chan<- told

	version string
	list    bool // before the next watch
	silent  bool // what is there is not told
	lists   int
	known   *union.Known
	head    union.Head
	columns union.Columns

	agreed  *agreed
	scratch []byte // what can be written of an object

	begun, over bool
	answered    time.Time // the watch; zero: there is none
	// mu is for what a timer may change: that of a watch which is quiet.
	mu       sync.Mutex
	lost     bool
	fleeting bool // lost until a watch lasts, however often a list is of use
	failing  time.Time
}

const (
	leastWait = time.Second
	mostWait  = 30 * time.Second
)

// run follows until ctx ends.
func (f *following) run(ctx context.Context) {
	for pauses := (union.Pauses{Most: mostWait}); ; {
		f.answered = time.Time{}
		how := union.Ends
		refused := f.advance(ctx)
		switch {
		case ctx.Err() != nil || f.over:
			return
		case refused == nil:
		case refused.anew:
			how = union.Expires
		default:
			how = union.Fails
			f.failed(ctx, refused)
		}
		wait := pauses.After(how, f.lasted())
		if how == union.Expires && pauses.Fleeting() {
			f.fleets(ctx, refused)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait/2)): //nolint:gosec // so that not all come at once
		}
		if !f.stillAllowed(ctx) {
			f.say(ctx, told{lost: &refusal{Missing: union.Missing{Cluster: f.cluster, Reason: union.Forbidden}}})
			return
		}
	}
}

// lasted is for how long there was a watch.
func (f *following) lasted() time.Duration {
	if f.answered.IsZero() {
		return 0
	}
	return time.Since(f.answered)
}

// stillAllowed asks the host again, until it answers: a right that cannot be looked up is none.
func (f *following) stillAllowed(ctx context.Context) bool {
	for {
		allowed, err := f.mayRead(ctx, f.cluster)
		if err == nil || ctx.Err() != nil {
			return allowed
		}
		select {
		case <-ctx.Done():
		case <-time.After(leastWait):
		}
	}
}

// say tells the watch of all, and waits until it listens. It is false if that is over.
func (f *following) say(ctx context.Context, t told) bool {
	t.cluster = f.cluster
	to := f.tells
	if t.begun {
		to = f.begins
	}
	select {
	case to <- t:
		return true
	case <-ctx.Done():
		return false
	}
}

// answers says that the cluster has answered for the first time.
func (f *following) answers(ctx context.Context) {
	if !f.begun {
		f.say(ctx, told{begun: true, columns: f.columns, head: f.head})
		f.begun = true
	}
}

// works notes that what the cluster has answered is of use: it has told something, or lasts.
func (f *following) works(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = time.Time{}
	if f.lost && !f.fleeting {
		f.lost = !f.say(ctx, told{back: true, head: f.head})
	}
}

// lasting calls works when the watch has lasted for longer than a member may take, or, where
// others did not hold, for as long as ends the count of these. stop waits for it.
func (f *following) lasting(ctx context.Context) (stop func()) {
	long := f.Timeout
	if f.fleeting {
		long = mostWait
	}
	ctx, cancel := context.WithCancel(ctx)
	var timer sync.WaitGroup
	timer.Go(func() {
		select {
		case <-ctx.Done():
		case <-time.After(long):
			f.holds(ctx)
		}
	})
	return func() { cancel(); timer.Wait() }
}

// holds notes that a watch lasts.
func (f *following) holds(ctx context.Context) {
	f.mu.Lock()
	f.fleeting = false
	f.mu.Unlock()
	f.works(ctx)
}

// fleets says, once, that the cluster's watches do not hold. What it has is told as it is listed,
// which is ever more seldom.
func (f *following) fleets(ctx context.Context, r *refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fleeting = true
	if !f.lost {
		f.lost = f.say(ctx, told{lost: r})
	}
}

// failed says that the cluster is lost, if it has failed for as long as a member may take.
func (f *following) failed(ctx context.Context, r *refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing.IsZero() {
		f.failing = time.Now()
	}
	if !f.begun || !f.lost && time.Since(f.failing) > f.Timeout {
		f.say(ctx, told{begun: !f.begun, lost: r})
		f.begun, f.lost = true, true
	}
}

// advance lists, if that is to be, and watches until the watch ends.
func (f *following) advance(ctx context.Context) *refusal {
	if f.form.As == union.Table && f.columns == nil && !f.list {
		head, refused := f.peek(ctx, f.cluster, f.query(1, ""))
		if refused != nil {
			return refused
		}
		f.columns = head.Columns
	}
	if f.list {
		if refused := f.tellAll(ctx); refused != nil || f.over {
			return refused
		}
	}
	query := f.query(0, "")
	query.Set("watch", "true")
	query.Set("allowWatchBookmarks", "true")
	if f.version != "" {
		query.Set("resourceVersion", f.version)
	}
	r, refused := f.ask(ctx, f.cluster, f.path, f.form.Object(), query)
	if refused != nil {
		if union.Expired(refused.status) {
			return f.expired(ctx, refused.status)
		}
		return refused
	}
	defer r.Close()
	r.pause()
	f.answered = time.Now()
	f.answers(ctx)
	defer f.lasting(ctx)()
	return f.events(ctx, r)
}

// events tells what a watch tells.
func (f *following) events(ctx context.Context, r *reply) *refusal {
	for events := union.NewEvents(r); ctx.Err() == nil; {
		event, err := events.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return r.failed(err)
		case event.Type == union.Error:
			status := union.StatusOf(event.Object)
			status.Message = errtext.Bounded(status.Message, errtext.Cluster)
			if union.Expired(status) {
				return f.expired(ctx, status)
			}
			return &refusal{Missing: union.Missing{Cluster: f.cluster, Reason: union.Failed, Message: status.Message}, status: status}
		case f.form.As != union.Table:
			head := union.ObjectHead(event.Object)
			err = f.fits(ctx, head.Kind, head.APIVersion)
		}
		if err == nil {
			err = f.changes(ctx, event)
		}
		if err != nil {
			return r.failed(err)
		}
	}
	return nil
}

// fits says whether objects are of the kind that all clusters tell of, once that is known. A
// cluster whose are not is lost at once: nothing of it is told.
func (f *following) fits(ctx context.Context, kind, apiVersion string) error {
	if f.form.As != "" || kind == "" && apiVersion == "" {
		return nil
	}
	select {
	case <-f.agreed.known:
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.agreed.has(kind, apiVersion) {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.lost {
		f.lost = f.say(ctx, told{lost: errorOf(f.cluster, errOtherKind)})
	}
	return errOtherKind
}

// changes tells what an event does.
func (f *following) changes(ctx context.Context, event union.Event) error {
	columns, changes := f.form.Changes(event)
	if len(columns) > 0 {
		f.columns = columns
	}
	for change, err := range changes {
		if err == nil {
			err = f.change(ctx, change)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// change tells of one object, or row, and remembers where the watch is.
func (f *following) change(ctx context.Context, c union.Change) error {
	if c.Kind != union.Bookmark {
		if err := f.writable(c.Object); err != nil {
			return err
		}
		f.known.Note(c.Kind, c.ID)
	}
	f.works(ctx)
	f.say(ctx, told{kind: c.Kind, object: slices.Clone(c.Object), columns: f.columns, version: c.Version})
	if c.Version != "" {
		f.version = c.Version
	}
	return nil
}

// writable says whether an object, or row, can be told.
func (f *following) writable(object []byte) (err error) {
	if f.form.As == union.Table {
		f.scratch, err = union.AppendRow(f.scratch[:0], object, union.MappingOf(f.columns, f.columns), union.Mark{})
	} else {
		f.scratch, err = union.AppendObject(f.scratch[:0], object, union.Mark{})
	}
	if cap(f.scratch) > flushed {
		f.scratch = nil
	}
	return err
}
