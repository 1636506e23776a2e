package fleetapi

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
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
		case f.form.As == union.Table:
			err = f.table(ctx, event)
		default:
			head := union.ObjectHead(event.Object)
			if err = f.fits(ctx, head.Kind, head.APIVersion); err == nil {
				err = f.object(ctx, event.Type, event.Object, "")
			}
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

func (f *following) table(ctx context.Context, event union.Event) error {
	version, columns, rows := union.TableHead(event.Object)
	if len(columns) > 0 {
		f.columns = columns
	}
	if event.Type == union.Bookmark {
		return f.object(ctx, event.Type, event.Object, version)
	}
	for _, row := range rows {
		if err := f.object(ctx, event.Type, row, version); err != nil {
			return err
		}
	}
	return nil
}

// object tells of one object, or row, and remembers where the watch is.
func (f *following) object(ctx context.Context, kind string, object []byte, version string) error {
	id, err := f.identity(object)
	if err != nil {
		return err
	}
	if id.ResourceVersion != "" && kind != union.Bookmark || version == "" {
		version = id.ResourceVersion
	}
	if kind != union.Bookmark {
		if err := f.writable(object); err != nil {
			return err
		}
		f.known.Note(kind, id)
	}
	f.works(ctx)
	f.say(ctx, told{kind: kind, object: slices.Clone(object), columns: f.columns, version: version})
	if version != "" {
		f.version = version
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

func (f *following) identity(object []byte) (union.Identity, error) {
	if f.form.As == union.Table {
		if inner := union.ObjectOf(object); inner != nil {
			object = inner
		}
	}
	return union.IdentityOf(object)
}

// expired lists anew what the cluster does not remember, if it is known what was told.
func (f *following) expired(ctx context.Context, status metav1.Status) *refusal {
	if !f.known.Complete {
		return f.beginAnew(ctx, status.Message)
	}
	f.list = true
	return &refusal{Missing: union.Missing{Cluster: f.cluster, Reason: union.Failed, Message: union.NoHold(status.Message)}, status: status, anew: true}
}

func (f *following) beginAnew(ctx context.Context, why string) *refusal {
	f.say(ctx, told{begun: !f.begun, over: &metav1.Status{
		Code: http.StatusGone, Reason: metav1.StatusReasonExpired, Message: errtext.Bounded("cluster "+f.cluster+": "+why, errtext.Cluster),
	}})
	f.over = true
	return nil
}

// tellAll lists, and tells what has changed since what was told before: the first time all.
func (f *following) tellAll(ctx context.Context) *refusal {
	listed, token, size, trail := union.NewKnown(), "", pageSize, trail{}
	if f.silent {
		size = 1
	}
	for {
		p, refused := f.open(ctx, f.cluster, f.query(size, token))
		if refused != nil {
			return refused
		}
		if refused := p.keep(0); refused != nil {
			return refused
		}
		f.head, f.columns = p.Head, p.Columns
		f.answers(ctx)
		if err := f.fits(ctx, p.ItemKind(), p.APIVersion); err != nil {
			p.close()
			return errorOf(f.cluster, err)
		}
		objects := 0
		refused, err := p.each(func(item []byte) error {
			objects++
			return f.compare(ctx, listed, item)
		})
		if refused == nil && err != nil {
			refused = errorOf(f.cluster, err)
		}
		if refused != nil {
			return refused
		}
		f.head, f.version = p.Head, p.ResourceVersion
		if trail.endless(p.Continue, objects) {
			return errorOf(f.cluster, errEndless)
		}
		if token = p.Continue; token == "" || f.silent {
			break
		}
	}
	f.lists++
	switch {
	case f.silent:
		f.known.Complete = false
	case f.lists > 1 && (!listed.Complete || !f.known.Complete):
		return f.beginAnew(ctx, "it has more objects than are compared, and does not remember what has changed")
	default:
		f.vanished(ctx, listed)
	}
	f.list = false
	f.works(ctx)
	f.say(ctx, told{synced: true, version: f.version, head: f.head})
	return nil
}

func (f *following) compare(ctx context.Context, listed *union.Known, item []byte) error {
	id, err := f.identity(item)
	if err == nil && !f.silent {
		err = f.writable(item)
	}
	if err != nil || f.silent {
		return err
	}
	listed.Note(union.Added, id)
	kind, recreated := f.known.Listed(id)
	if recreated != nil {
		f.remains(ctx, *recreated)
	}
	f.known.Note(union.Added, id)
	if kind != "" {
		f.say(ctx, told{kind: kind, object: slices.Clone(item), columns: f.columns, mark: union.Mark{Kind: f.head.ItemKind(), APIVersion: f.head.APIVersion}})
	}
	return nil
}

// vanished tells of what is not there any more.
func (f *following) vanished(ctx context.Context, listed *union.Known) {
	if f.known.Complete && listed.Complete {
		for _, id := range f.known.Vanished(listed) {
			f.remains(ctx, id)
		}
	}
	f.known = listed
}

// remains tells that an object is deleted of which nothing is left but which one it was.
func (f *following) remains(ctx context.Context, id union.Identity) {
	object := union.Remains(id, f.head.ItemKind(), f.head.APIVersion)
	if f.form.As == union.Table {
		object = union.RemainsRow(id, f.columns)
	}
	f.say(ctx, told{kind: union.Deleted, object: object, columns: f.columns})
}
