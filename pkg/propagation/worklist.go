package propagation

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/propagation/ledger"
)

// worklist is what is to be worked on, and how long what has failed waits for the next try.
type worklist struct {
	queue workqueue.TypedRateLimitingInterface[Item]
	// fair is what the queue hands out from.
	fair *fairQueue
	// backoff counts the failures of items. It is not the queue's own limiter: the
	// controller forgets an item there when it is asked to come back to it, which would
	// make every wait the first one.
	backoff workqueue.TypedRateLimiter[Item]
	// late is how long a status is put off that no longer waits for all clusters.
	late time.Duration
}

func newWorklist(opts Options) *worklist {
	limiter := func() workqueue.TypedRateLimiter[Item] {
		return workqueue.NewTypedItemExponentialFailureRateLimiter[Item](retryInitial, opts.RetryMax)
	}
	fair := newFairQueue(opts.WorkersPerCluster, opts.HostWorkers)
	return &worklist{
		fair: fair, backoff: limiter(), late: statusInterval,
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(limiter(), workqueue.TypedRateLimitingQueueConfig[Item]{
			DelayingQueue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[Item]{Queue: fair}),
		}),
	}
}

// hostItem is the item of the host that decides about a federated object; memberItem
// that of a member, which carries out what was decided.
func hostItem(t *runningType, key types.NamespacedName) Item {
	return Item{Type: t.Name, Object: key}
}

func memberItem(t *runningType, key types.NamespacedName, cluster string) Item {
	return Item{Type: t.Name, Object: key, ClusterName: multicluster.ClusterName(cluster)}
}

// decide queues the host's item, decideAfter does so later.
func (w *worklist) decide(t *runningType, key types.NamespacedName) { w.queue.Add(hostItem(t, key)) }

func (w *worklist) decideAfter(t *runningType, key types.NamespacedName, wait time.Duration) {
	w.queue.AddAfter(hostItem(t, key), wait)
}

// decideAll queues the host's items of all federated objects of a type.
func (w *worklist) decideAll(t *runningType) {
	for _, key := range t.federated.Keys("") {
		w.decide(t, key)
	}
}

// carryOut queues the item of a member.
func (w *worklist) carryOut(t *runningType, key types.NamespacedName, cluster string) {
	w.queue.Add(memberItem(t, key, cluster))
}

// follow queues what the ledger asks for after an event in a member.
func (w *worklist) follow(t *runningType, item Item, next ledger.Next) {
	if next.Forget {
		w.backoff.Forget(item)
	}
	switch {
	case next.Decide:
		w.decide(t, item.Object)
	case next.Report:
		w.decideAfter(t, item.Object, w.late)
	}
}
