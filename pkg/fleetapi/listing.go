package fleetapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
	"github.com/fedctl/fedctl/pkg/turns"
)

// listing writes one page of a list over several clusters, one cluster after the other.
//
// Clusters are asked for their first objects at once, which says who is missing before
// anything is written, and at which version the list is of each: later pages, and the rest
// of this one, are of that. What comes after is read when it is written.
type listing struct {
	*everywhere
	out      *holding
	clusters []string
	begun    []*beginning
	turns    *turns.Turns
	next     *nextPages
	at       int // the cluster that is written

	versions union.Version
	head     union.Head
	columns  union.Columns
	count    int
	goesOn   *union.Token
	// kindAtEnd: it was not known when the first item was written, since servers write it
	// behind the items of custom resources.
	kindAtEnd bool
	refused   []*refusal
}

// ahead is how many clusters of a later page are asked before it is their turn.
const ahead = 4

// mostOfList is how long a list may take, with a client that reads slowly.
const mostOfList = 10 * time.Minute

// list answers a list, or one object of each cluster.
func (e *everywhere) list(ctx context.Context, w http.ResponseWriter, clusters []string) error {
	l := &listing{everywhere: e, clusters: clusters, turns: turns.New(mostAtOnce, turns.Soon(e.Timeout/2, len(clusters), mostAtOnce)), next: newNextPages(e.room), versions: union.Version{}}
	end := time.Now().Add(mostOfList)
	l.out = &holding{w: w, most: mostHeldOfAll, header: e.warn, until: func() time.Time { return end }}
	if e.Limit > 0 {
		l.out.most = mostHeldOfPage
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	defer l.close()
	if e.Continue != nil {
		l.goOn()
	}
	if len(l.clusters) == 0 {
		return apierrors.NewResourceExpired("the list cannot go on: none of the clusters that are left of it can be read any more")
	}
	if err := l.start(ctx); err != nil {
		return err
	}
	if err := l.write(ctx); err != nil {
		return l.out.fail(err)
	}
	if e.target.name != "" && l.count == 0 {
		return e.nowhere()
	}
	if len(l.refused) == len(l.clusters) { // what was written of them is taken back
		return together(l.refused)
	}
	l.end()
	return l.out.fail(l.out.flush())
}

// end writes the end of the list, and its beginning if it has no items.
func (l *listing) end() {
	if l.count == 0 {
		l.out.buf = union.AppendHead(l.out.buf, l.head, l.columns)
	}
	l.out.buf = append(l.out.buf, ']')
	if l.kindAtEnd {
		l.out.buf = union.AppendKind(append(l.out.buf, ','), l.head)
	}
	l.out.buf = union.AppendTail(l.out.buf, l.versions, l.goesOn, l.absent.list())
}

// nowhere is the error where no cluster has an object of the name.
func (e *everywhere) nowhere() error {
	if refused := e.notFound.Load(); refused != nil {
		status := refused.status
		status.Status, status.Details = metav1.StatusFailure, nil
		return &apierrors.StatusError{ErrStatus: status}
	}
	return apierrors.NewNotFound(e.target.GroupResource(), e.target.name)
}

// goOn takes up the list at the place of the token.
func (l *listing) goOn() {
	for cluster, reason := range l.Continue.Missing {
		l.absent.note(union.Missing{Cluster: cluster, Reason: reason, Message: "since an earlier page"})
	}
	left, gone := l.Continue.Left(l.clusters)
	for _, cluster := range gone {
		l.absent.note(union.Missing{Cluster: cluster, Reason: union.Gone, Message: "it was in an earlier page, and cannot be read any more"})
	}
	l.clusters, l.versions = left, l.Continue.Versions
	if l.form.As == "" && l.Continue.Kind != "" {
		l.head = union.Head{Kind: l.Continue.Kind, APIVersion: l.target.GroupVersion().String()}
	}
}

// beginningOf is the query for the first objects of a cluster, and how much of them is kept.
func (l *listing) beginningOf(i int) (query url.Values, most int) {
	size, most := beginningSize, max(mostAhead/len(l.clusters), leastAhead)
	if i == 0 {
		size, most = pageSize, mostOfPage
	}
	if l.Limit > 0 {
		size = min(size, l.Limit)
	}
	cluster, token := l.clusters[i], ""
	if l.Continue != nil && l.Continue.At == cluster {
		token = l.Continue.Continue
	}
	query = l.query(size, token)
	version, known := l.versions[cluster], l.Continue != nil
	switch {
	case known:
		query = exact(query, version)
	case l.target.name == "" && l.ResourceVersion[cluster] != "":
		query.Set("resourceVersion", l.ResourceVersion[cluster])
		query.Set("resourceVersionMatch", string(metav1.ResourceVersionMatchNotOlderThan))
		if l.Match != "" {
			query.Set("resourceVersionMatch", string(l.Match))
		}
	}
	return query, most
}

// ask has clusters asked up to this one.
func (l *listing) askUpTo(ctx context.Context, last int) {
	for i := len(l.begun); i <= last && i < len(l.clusters); i++ {
		query, most := l.beginningOf(i)
		l.begun = append(l.begun, l.begin(ctx, l.turns, l.clusters[i], query, most, i == 0))
	}
}

// start asks all clusters of a first page, or the first one of a later page, and writes the
// head of the list.
func (l *listing) start(ctx context.Context) error {
	last := len(l.clusters) - 1
	if l.Continue != nil {
		last = 0
	}
	l.askUpTo(ctx, last)
	l.readOn(ctx)
	var right []union.Head
	for _, b := range l.begun {
		<-b.done
		if b.refused == nil && l.right(b.head) {
			right = append(right, b.head)
		}
	}
	if l.head.Kind == "" {
		l.head = union.MostSay(right)
	}
	for i, b := range l.begun {
		if b.refused == nil && !l.fits(b.head) {
			b.refused = errorOf(l.clusters[i], errOtherKind)
		}
		if b.refused != nil {
			if err := l.missing(b.refused); err != nil {
				return err
			}
			b.told = true
			continue
		}
		l.columns = l.columns.Union(b.head.Columns)
		if l.Continue == nil {
			l.versions.Set(l.clusters[i], b.head.ResourceVersion)
		}
	}
	if len(l.refused) == len(l.clusters) {
		return together(l.refused)
	}
	return l.incomplete()
}

var (
	errOtherKind = errors.New("what it serves is of another kind than in other clusters")
	errEndless   = errors.New("its list has no end: its pages are followed by themselves, or by empty ones")
	errInvalid   = errors.New("an item that cannot be written")
)

// right says whether a list can be one of what is asked for.
func (l *listing) right(h union.Head) bool {
	return l.form.As != "" || h.APIVersion == l.target.GroupVersion().String()
}

// fits says whether a member's list is of the kind of the others: what most beginnings say,
// or, where none did, the first one that does.
func (l *listing) fits(h union.Head) bool {
	if h.Kind == "" {
		return true
	}
	if l.head.Kind == "" && l.right(h) {
		l.head = union.Head{Kind: h.Kind, APIVersion: h.APIVersion}
	}
	return l.head.Same(h)
}

// missing notes that a cluster is missing. The error is for what a client is to begin anew.
func (l *listing) missing(r *refusal) error {
	l.next.forget(r.Cluster)
	if union.Expired(r.status) && (l.Continue != nil || len(l.ResourceVersion) > 0) { // of a first page nothing can be too old
		status := apierrors.NewResourceExpired("cluster " + r.Cluster + ": " + r.status.Message)
		return status
	}
	l.absent.note(r.Missing)
	l.refused = append(l.refused, r)
	delete(l.versions, r.Cluster)
	return nil
}

// write writes the clusters, until the page is full.
func (l *listing) write(ctx context.Context) error {
	for i, cluster := range l.clusters {
		l.at = i
		if l.Continue != nil {
			l.askUpTo(ctx, i+min(i, ahead))
		}
		b := l.begun[i]
		<-b.done
		if b.told {
			continue
		}
		if b.refused != nil {
			if err := l.lost(b.refused, len(l.out.buf), l.count); err != nil {
				return err
			}
			continue
		}
		full, err := l.cluster(ctx, cluster, b)
		if err != nil || full {
			return err
		}
	}
	return nil
}

// cluster writes one cluster. full: the page has no place for more, and goesOn says where the
// next one begins.
func (l *listing) cluster(ctx context.Context, cluster string, b *beginning) (full bool, err error) {
	mark, count := len(l.out.buf), l.count
	var token string
	var refused *refusal
	switch {
	case b.again || l.Limit > 0 && b.page.whole && l.count+len(b.page.kept) > l.Limit:
		if l.left() == 0 {
			l.endAt(cluster, "")
			return true, nil
		}
		token, refused, err = l.page(ctx, cluster, "")
	default:
		token, refused, err = l.rest(ctx, b.page)
	}
	for trail := (trail{token: token}); token != "" && refused == nil && err == nil; {
		if l.left() == 0 {
			l.endAt(cluster, token)
			return true, nil
		}
		before := l.count
		token, refused, err = l.page(ctx, cluster, token)
		if refused == nil && err == nil && trail.endless(token, l.count-before) {
			refused = errorOf(cluster, errEndless)
		}
	}
	if refused != nil && err == nil {
		err = l.lost(refused, mark, count)
	}
	return false, err
}

// left is how many objects the page has place for, and at most those of a member's page.
func (l *listing) left() int {
	if l.Limit == 0 {
		return pageSize
	}
	return min(max(l.Limit-l.count, 0), pageSize)
}

// endAt ends the page.
func (l *listing) endAt(cluster, token string) {
	l.goesOn = &union.Token{Versions: l.versions, At: cluster, Continue: token, Missing: map[string]string{}}
	if l.form.As == "" {
		l.goesOn.Kind = l.head.Kind
	}
	for _, m := range l.absent.list() {
		l.goesOn.Missing[m.Cluster] = m.Reason
	}
	for _, c := range l.clusters {
		if _, missing := l.goesOn.Missing[c]; c > cluster && l.versions[c] == "" && !missing {
			l.goesOn.Rest = append(l.goesOn.Rest, c)
		}
	}
}

// rest writes a page of a member, and returns that member's token for its next one.
func (l *listing) rest(ctx context.Context, p *page) (token string, refused *refusal, err error) {
	mark, mapping, mapped := union.Mark{Cluster: p.reply.cluster}, union.Mapping{}, false
	var invalid *refusal
	refused, err = p.each(func(item []byte) error {
		if !mapped {
			if l.count == 0 && l.columns == nil {
				l.columns = p.Columns
			}
			mapping, mapped = union.MappingOf(l.columns, p.Columns), true
			l.readAhead(ctx, p)
		}
		if invalid = l.item(item, mapping, mark); invalid != nil {
			return errInvalid
		}
		return l.out.settle()
	})
	switch {
	case invalid != nil:
		return "", invalid, nil
	case err == nil && refused == nil && !l.fits(p.Head):
		return "", errorOf(p.reply.cluster, errOtherKind), nil
	}
	if err == nil && refused == nil && p.ResourceVersion != "" && l.Continue == nil {
		l.versions.Set(p.reply.cluster, p.ResourceVersion)
	}
	return p.Continue, refused, err
}

// item writes one item, and before the first one the beginning of the list.
func (l *listing) item(item []byte, mapping union.Mapping, mark union.Mark) (refused *refusal) {
	before := len(l.out.buf)
	var err error
	if l.count == 0 {
		l.kindAtEnd = l.head.Kind == ""
		l.out.buf = union.AppendHead(l.out.buf, l.head, l.columns)
	} else {
		l.out.buf = append(l.out.buf, ',')
	}
	if l.form.As == union.Table {
		l.out.buf, err = union.AppendRow(l.out.buf, item, mapping, mark)
	} else {
		l.out.buf, err = union.AppendObject(l.out.buf, item, mark)
	}
	if err != nil {
		l.out.buf = l.out.buf[:before]
		return errorOf(mark.Cluster, err)
	}
	l.count++
	return nil
}

// lost is a cluster that fails while it is written: what is there of it is taken back, if
// nothing was sent yet.
func (l *listing) lost(r *refusal, mark, count int) error {
	if err := l.missing(r); err != nil {
		return err
	}
	if l.out.begun {
		return r
	}
	l.out.buf, l.count = l.out.buf[:mark], count
	return l.incomplete()
}

// close ends what was asked for and not written.
func (l *listing) close() {
	l.next.close()
	for _, b := range l.begun {
		go func() {
			<-b.done
			if b.page != nil {
				b.page.close()
			}
		}()
	}
}

// stopped is a timer that does not run.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
