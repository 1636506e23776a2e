package fleetapi

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

const (
	// leastWatch is after how long a watch ends at the earliest whose client does not say
	// it, as with API servers: half an hour up to an hour.
	leastWatch = 30 * time.Minute
	// bookmarkPeriod is how often a bookmark is sent at most, of what members say in theirs.
	bookmarkPeriod = 10 * time.Second
)

// watching merges the watches of several clusters into one, in the order in which they
// tell. The version of each event is that of all clusters after it, so that a client goes
// on where it was. Clusters of which not all is told yet are not in it: whoever goes on
// there is told of them as a whole.
//
// Which cluster is missing at the beginning is said in headers. One that is lost later is
// named in a bookmark; a client that takes none would not hear of it, nor one that requires
// all: for them the watch ends with an error.
type watching struct {
	*everywhere
	out      *holding
	clusters []string
	// begins has what a cluster tells first, tells everything after it.
	begins    chan told
	tells     chan told
	version   union.Version
	columns   union.Columns
	head      union.Head // of an object
	told      bool       // the columns
	news      bool       // for a bookmark
	unsynced  map[string]bool
	ended     bool
	initially bool // the end of what was there first is still to be said
	agreed    *agreed
}

// agreed is the kind of objects that is told, which most clusters say at the beginning; empty
// if none says it before there is an object.
type agreed struct {
	known            chan struct{} // closed when it is
	kind, apiVersion string
}

func (a *agreed) has(kind, apiVersion string) bool {
	return apiVersion == a.apiVersion && (a.kind == "" || kind == a.kind)
}

// watch answers a watch.
func (e *everywhere) watch(ctx context.Context, w http.ResponseWriter, clusters []string) error {
	ends := e.Ends
	if ends == 0 {
		ends = leastWatch + rand.N(leastWatch) //nolint:gosec // so that not all end at once
	}
	ctx, cancel := context.WithTimeout(ctx, min(ends, 2*leastWatch))
	defer cancel()
	defer context.AfterFunc(e.streams.over, cancel)()
	v := &watching{
		everywhere: e, clusters: clusters, begins: make(chan told), tells: make(chan told), version: union.Version{},
		out: &holding{w: w, header: e.warn, until: func() time.Time { return time.Now().Add(patience) }}, unsynced: map[string]bool{}, initially: e.InitialEnd,
		agreed: &agreed{known: make(chan struct{}), apiVersion: e.target.GroupVersion().String()},
	}
	for _, cluster := range clusters {
		go v.following(cluster).run(ctx)
	}
	if err := v.begin(ctx, min(e.Timeout, ends/2)); err != nil {
		return err
	}
	v.serve(ctx)
	return nil
}

// following begins at the version that the client names. A cluster of which it names none,
// because it has joined since or was missing, is told of as a whole.
func (v *watching) following(cluster string) *following {
	f := &following{everywhere: v.everywhere, cluster: cluster, begins: v.begins, tells: v.tells, known: union.NewKnown(), agreed: v.agreed}
	f.version = v.ResourceVersion[cluster]
	if f.version == "" || v.InitialEnd {
		f.list, f.version = true, ""
		f.silent = !v.Initial && len(v.ResourceVersion) == 0
		v.unsynced[cluster] = true
	} else {
		f.known.Complete = false
		v.version.Set(cluster, f.version)
	}
	return f
}

// begin waits until all clusters have answered, or their time is over, and begins the
// answer. A watch that is to end soon does not spend all of its time on it.
func (v *watching) begin(ctx context.Context, patience time.Duration) error {
	waiting := map[string]bool{}
	for _, cluster := range v.clusters {
		waiting[cluster] = true
	}
	var refusals []*refusal
	var begun []told
	// Nothing else is listened to: it can be written only when the columns of all are known.
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for len(waiting) > 0 {
		select {
		case t := <-v.begins:
			delete(waiting, t.cluster)
			if t.over != nil {
				return &statusError{*t.over}
			}
			if t.lost != nil {
				v.absent.note(t.lost.Missing)
				delete(v.unsynced, t.cluster)
				refusals = append(refusals, t.lost)
				continue
			}
			begun = append(begun, t)
			v.columns = v.columns.Union(t.columns)
		case <-timer.C:
			for cluster := range waiting {
				r := late(cluster, patience)
				v.absent.note(r.Missing)
				refusals = append(refusals, r)
			}
			waiting = nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	refusals = append(refusals, v.agree(begun)...)
	if len(refusals) == len(v.clusters) {
		return together(refusals)
	}
	if err := v.incomplete(); err != nil {
		return err
	}
	return v.out.fail(v.out.flush())
}

// agree finds out what the objects are of, and refuses the clusters whose are of another kind.
func (v *watching) agree(begun []told) (refusals []*refusal) {
	defer close(v.agreed.known)
	var right []union.Head
	for _, t := range begun {
		if v.form.As != "" || t.head.APIVersion == v.agreed.apiVersion {
			right = append(right, t.head)
		}
	}
	v.note(told{head: union.MostSay(right)})
	if v.form.As != "" {
		return nil
	}
	v.agreed.kind = v.head.Kind
	for _, t := range begun {
		if t.head.Kind != "" && !v.agreed.has(t.head.ItemKind(), t.head.APIVersion) {
			r := errorOf(t.cluster, errOtherKind)
			v.absent.note(r.Missing)
			delete(v.unsynced, t.cluster)
			refusals = append(refusals, r)
		}
	}
	return refusals
}

// serve writes what the clusters tell, until the watch ends.
func (v *watching) serve(ctx context.Context) {
	bookmarks := time.NewTicker(bookmarkPeriod)
	defer bookmarks.Stop()
	for !v.ended {
		var err error
		select {
		case <-ctx.Done():
			return
		case t := <-v.tells:
			err = v.hear(t)
		case t := <-v.begins: // late
			err = v.hear(t)
		case <-bookmarks.C:
			err = v.bookmark(false)
		}
		if err == nil && len(v.out.buf) > 0 {
			err = v.out.flush()
		}
		if err != nil {
			return // the client has gone, or what it has got is all that can be said
		}
	}
}

// hear takes what a cluster has told.
func (v *watching) hear(t told) error {
	switch {
	case t.over != nil:
		return v.end(*t.over)
	case t.lost != nil:
		return v.lost(t)
	case t.kind == union.Bookmark:
		v.note(t)
		v.version.Set(t.cluster, t.version)
		v.news = true
		return nil
	case t.kind != "":
		return v.event(t)
	}
	v.note(t)
	if t.back || t.begun {
		v.absent.clear(t.cluster)
		v.news = true
	}
	if t.synced {
		v.version.Set(t.cluster, t.version)
		delete(v.unsynced, t.cluster)
		v.news = true
	}
	return v.initialEnd()
}

// note remembers what the objects are of.
func (v *watching) note(t told) {
	if v.head.Kind != "" {
		return
	}
	switch {
	case v.form.As == union.Table:
		v.head = union.Head{Kind: union.Table, APIVersion: "meta.k8s.io/v1"}
	case t.head.Kind != "":
		v.head = union.Head{Kind: t.head.ItemKind(), APIVersion: t.head.APIVersion}
	case t.object != nil:
		v.head = union.ObjectHead(t.object)
	}
}

// event writes one, of which its follower has found that it can be written.
func (v *watching) event(t told) error {
	v.note(t)
	before, version := len(v.out.buf), ""
	v.version.Set(t.cluster, t.version)
	version = cmp.Or(v.version.String(), "0")
	t.mark.Cluster, t.mark.Version = t.cluster, version
	var err error
	v.out.buf, err = union.AppendEvent(v.out.buf, t.kind, func(to []byte) ([]byte, error) {
		if v.form.As != union.Table {
			return union.AppendObject(to, t.object, t.mark)
		}
		if v.columns == nil {
			v.columns = t.columns
		}
		return union.AppendTable(to, version, v.columns, !v.told, func(to []byte) ([]byte, error) {
			t.mark.Kind, t.mark.APIVersion = "", ""
			return union.AppendRow(to, t.object, union.MappingOf(v.columns, t.columns), t.mark)
		})
	})
	if err != nil {
		v.out.buf = v.out.buf[:before]
		return v.end(metav1.Status{Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError, Message: errorOf(t.cluster, err).Error()})
	}
	v.told, v.news = true, true
	return nil
}

// lost names a cluster, or ends the watch where nobody would hear of it.
func (v *watching) lost(t told) error {
	known := !v.absent.note(t.lost.Missing)
	delete(v.unsynced, t.cluster)
	if known {
		return v.initialEnd()
	}
	if v.RequireAll || !v.Bookmarks || v.head.Kind == "" {
		return v.end(metav1.Status{Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable, Message: t.lost.Error()})
	}
	if err := v.initialEnd(); err != nil {
		return err
	}
	v.news = true
	return v.bookmark(false)
}

// initialEnd says once that all that was there has been told.
func (v *watching) initialEnd() error {
	if !v.initially || len(v.unsynced) > 0 || v.head.Kind == "" {
		return nil
	}
	v.initially, v.news = false, true
	return v.bookmark(true)
}

// bookmark says where the watch is, and who is missing, if that is news.
func (v *watching) bookmark(initialEnd bool) (err error) {
	if !v.Bookmarks || !v.news || v.head.Kind == "" || v.initially {
		return nil
	}
	v.news = false
	v.out.buf, err = union.AppendBookmark(v.out.buf, v.head.Kind, v.head.APIVersion, v.version.String(), v.absent.list(), initialEnd)
	return err
}

// end ends the watch with an error.
func (v *watching) end(status metav1.Status) (err error) {
	v.ended = true
	v.out.buf, err = union.AppendError(v.out.buf, status)
	return err
}

// statusError answers with a status.
type statusError struct{ status metav1.Status }

func (e *statusError) Error() string { return fmt.Sprint(e.status.Message) }

// Status implements apierrors.APIStatus.
func (e *statusError) Status() metav1.Status {
	e.status.Status = metav1.StatusFailure
	return e.status
}
