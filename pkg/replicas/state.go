package replicas

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/replicas/planner"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// listTimeout is how long the first list of a member's workloads is waited for.
const listTimeout = 5 * time.Second

// clusterState is how the replicas of one object fare in a cluster.
type clusterState struct {
	planner.Cluster

	unschedulable int64
	// wait is when to look again; 0: when something changes.
	wait time.Duration
	// left says that an autoscaler there decides on the replicas, or has: Current is the
	// number that it has set.
	left bool
	// unknown: the member's workloads are still being listed; wait is how long
	// that is waited for.
	unknown bool
}

// observe says how the replicas fare in each cluster. Of a cluster that does not
// tell it is assumed that it runs what it was given: nothing is moved because
// something could not be read, and nobody waits for it.
func (c *Controller) observe(ctx context.Context, t typeconfig.Type, fed *federate.Object, clusters []string) []clusterState {
	states := make([]clusterState, len(clusters))
	var group sync.WaitGroup
	for i, name := range clusters {
		group.Go(func() { states[i] = c.observeCluster(ctx, t, fed, name) })
	}
	group.Wait()
	return states
}

func (c *Controller) observeCluster(ctx context.Context, t typeconfig.Type, fed *federate.Object, name string) clusterState {
	state := clusterState{Cluster: planner.Cluster{Name: name, Current: present(fed, name)}}
	m, watch := c.members.Get(name, t.Name)
	if watch == nil {
		return state // about to be connected, which queues the preference again
	}
	if !watch.Synced() {
		state.wait = listTimeout - watch.Age()
		state.unknown = state.wait > 0
		return state
	}
	w := watch.Get(fed.NamespacedName())
	if c := fed.Status.Cluster(name); c != nil && w != nil && c.Autoscaling.LeavesReplicas() && c.Autoscaling.Replicas != federate.ReplicasKept {
		state.left, state.Current = true, w.replicas
		return state // its pods are not ours to move
	}
	switch {
	case w == nil:
		state.Current = 0
		return state
	case w.ready == w.replicas:
		state.Current = w.ready
		return state
	}
	counts, err := c.countPods(ctx, m, fed.NamespacedName(), w.selector)
	if err != nil {
		c.log.V(1).Info("Could not list the pods of a member cluster", "cluster", name, "object", fed.NamespacedName(), "error", errtext.Stable(err))
		state.wait = c.opts.UnschedulableAfter / 4
		return state
	}
	// A rollout runs more pods for a while; they are no reason to keep more
	// replicas here than the cluster was given.
	state.Current = min(counts.Running, w.replicas)
	if counts.Unschedulable > 0 {
		state.unschedulable = counts.Unschedulable
		state.Capacity = new(max(0, w.replicas-counts.Unschedulable))
	}
	// Nothing tells when a pod that has been created gets no node.
	state.wait = min(15*time.Second, max(time.Second, c.opts.UnschedulableAfter/4))
	if counts.Next > 0 {
		state.wait = min(state.wait, counts.Next+100*time.Millisecond)
	}
	return state
}

// countPods lists a workload's pods from the memory of the member's API server.
func (c *Controller) countPods(ctx context.Context, m *member, key types.NamespacedName, selector string) (podCounts, error) {
	ctx, cancel := context.WithTimeout(ctx, min(c.opts.RequestTimeout, listTimeout))
	defer cancel()
	pods, err := m.core.Pods(key.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector, ResourceVersion: "0"})
	if err != nil {
		return podCounts{}, err
	}
	return countPods(pods.Items, m.clock.at(time.Now()), c.opts.UnschedulableAfter), nil
}
