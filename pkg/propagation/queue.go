package propagation

import (
	"sync"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"
)

// fairQueue is a work queue with one lane for each cluster. Lanes are served in
// turn, and no lane has more than its limit of items in work, so a member that
// answers slowly, or not at all, holds only its own share of the workers.
// Within a lane the namespaces are served in turn. In the host's lane, where items
// compute more than they wait, a namespace leaves a quarter of the places, one
// at least, to the others, so objects that take long to render delay those of their own namespace only.
//
// An item that is added while it is in work is queued again when that is done;
// one that is already queued is not queued twice, as in client-go's queue.
type fairQueue struct {
	laneLimit, hostLimit int

	mu         sync.Mutex
	ready      *sync.Cond
	lanes      map[multicluster.ClusterName]*lane
	rotation   []*lane // the lanes that have items to be worked on, in the order they are served
	queued     map[Item]struct{}
	inWork     map[Item]struct{}
	again      map[Item]struct{} // added while in work
	stopping   bool
	drainedSig *sync.Cond
}

// lane holds the items of one cluster.
type lane struct {
	limit, namespaceLimit int
	namespaces            map[string]*laneNamespace
	rotation              []*laneNamespace // those that have items to be worked on
	waiting, inWork       int
	listed                bool // in the queue's rotation
}

// laneNamespace holds the items of one namespace in a lane.
type laneNamespace struct {
	items  []Item
	inWork int
	listed bool // in the lane's rotation
}

var _ workqueue.TypedInterface[Item] = &fairQueue{}

// newFairQueue returns a queue in which a member cluster has at most laneLimit
// items in work at a time and the host at most hostLimit.
func newFairQueue(laneLimit, hostLimit int) *fairQueue {
	q := &fairQueue{
		laneLimit: laneLimit,
		hostLimit: hostLimit,
		lanes:     map[multicluster.ClusterName]*lane{},
		queued:    map[Item]struct{}{},
		inWork:    map[Item]struct{}{},
		again:     map[Item]struct{}{},
	}
	q.ready = sync.NewCond(&q.mu)
	q.drainedSig = sync.NewCond(&q.mu)
	return q
}

// Add implements workqueue.TypedInterface.
func (q *fairQueue) Add(item Item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopping {
		return
	}
	if _, ok := q.inWork[item]; ok {
		q.again[item] = struct{}{}
		return
	}
	q.push(item)
}

func (q *fairQueue) push(item Item) {
	if _, ok := q.queued[item]; ok {
		return
	}
	q.queued[item] = struct{}{}
	l := q.lane(item.ClusterName)
	l.push(item)
	q.list(l)
	q.ready.Signal()
}

func (q *fairQueue) lane(cluster multicluster.ClusterName) *lane {
	l, ok := q.lanes[cluster]
	if !ok {
		l = &lane{limit: q.laneLimit, namespaceLimit: q.laneLimit, namespaces: map[string]*laneNamespace{}}
		if cluster == "" {
			l.limit, l.namespaceLimit = q.hostLimit, max(1, q.hostLimit-max(1, q.hostLimit/4))
		}
		q.lanes[cluster] = l
	}
	return l
}

// list puts a lane into the rotation if it has an item that may be worked on.
func (q *fairQueue) list(l *lane) {
	if l.listed || len(l.rotation) == 0 || l.inWork >= l.limit {
		return
	}
	l.listed = true
	q.rotation = append(q.rotation, l)
}

func (l *lane) push(item Item) {
	n := l.namespaces[item.Object.Namespace]
	if n == nil {
		n = &laneNamespace{}
		l.namespaces[item.Object.Namespace] = n
	}
	n.items = append(n.items, item)
	l.waiting++
	l.list(n)
}

// list puts a namespace into the lane's rotation if it has an item that may be worked on.
func (l *lane) list(n *laneNamespace) {
	if n.listed || len(n.items) == 0 || n.inWork >= l.namespaceLimit {
		return
	}
	n.listed = true
	l.rotation = append(l.rotation, n)
}

// pop takes the next item into work; the lane's rotation must not be empty.
func (l *lane) pop() Item {
	n := l.rotation[0]
	l.rotation[0] = nil
	l.rotation = l.rotation[1:]
	n.listed = false
	item := n.items[0]
	n.items[0] = Item{}
	n.items = n.items[1:]
	n.inWork++
	l.inWork++
	l.waiting--
	l.list(n)
	return item
}

// done gives the place of an item back.
func (l *lane) done(item Item) {
	n := l.namespaces[item.Object.Namespace]
	n.inWork--
	l.inWork--
	l.list(n)
	if n.inWork == 0 && len(n.items) == 0 {
		delete(l.namespaces, item.Object.Namespace)
	}
}

// Get implements workqueue.TypedInterface.
func (q *fairQueue) Get() (Item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.rotation) == 0 && !q.stopping {
		q.ready.Wait()
	}
	if len(q.rotation) == 0 {
		return Item{}, true
	}
	l := q.rotation[0]
	q.rotation = q.rotation[1:]
	l.listed = false

	item := l.pop()
	q.list(l)

	delete(q.queued, item)
	q.inWork[item] = struct{}{}
	if len(q.rotation) > 0 {
		q.ready.Signal() // there is more: wake the next worker
	}
	return item, false
}

// Done implements workqueue.TypedInterface.
func (q *fairQueue) Done(item Item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.inWork[item]; !ok {
		return
	}
	delete(q.inWork, item)
	l := q.lane(item.ClusterName)
	if _, ok := q.again[item]; ok {
		delete(q.again, item)
		q.push(item)
	}
	l.done(item)
	q.list(l)
	if l.listed {
		q.ready.Signal()
	}
	if l.inWork == 0 && l.waiting == 0 {
		delete(q.lanes, item.ClusterName) // a cluster that has left leaves nothing behind
	}
	if len(q.inWork) == 0 {
		q.drainedSig.Broadcast()
	}
}

// Len implements workqueue.TypedInterface: the items that wait.
func (q *fairQueue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queued)
}

// LenByCluster returns how many items wait for each cluster.
func (q *fairQueue) LenByCluster() map[multicluster.ClusterName]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	lengths := make(map[multicluster.ClusterName]int, len(q.lanes))
	for cluster, l := range q.lanes {
		lengths[cluster] = l.waiting
	}
	return lengths
}

// ShutDown implements workqueue.TypedInterface: what waits is dropped.
func (q *fairQueue) ShutDown() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopping = true
	q.rotation = nil
	q.ready.Broadcast()
}

// ShutDownWithDrain implements workqueue.TypedInterface: it returns when what is in work is done.
func (q *fairQueue) ShutDownWithDrain() {
	q.ShutDown()
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.inWork) > 0 {
		q.drainedSig.Wait()
	}
}

// ShuttingDown implements workqueue.TypedInterface.
func (q *fairQueue) ShuttingDown() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stopping
}
