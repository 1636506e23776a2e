package capacity

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
)

const (
	// settle is how long news are waited for that come together.
	settle = 500 * time.Millisecond
	// pause is the least time between two writes of one ClusterCapacity.
	pause = 5 * time.Second
)

// Start implements manager.Runnable: it publishes until ctx ends.
func (r *Reader) Start(ctx context.Context) error {
	fleet.Follow(ctx, r.source, r.published)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.news:
			timer.Reset(settle)
		case <-timer.C:
			if next := r.publishAll(ctx); next > 0 {
				timer.Reset(next)
			}
		}
	}
}

// publishAll writes what has changed, and returns when to look again; 0 for when there are news.
func (r *Reader) publishAll(ctx context.Context) (next time.Duration) {
	for _, m := range r.due() {
		left := pause - time.Since(m.written)
		if left > 0 || !r.published.Synced() {
			left = max(left, settle)
			r.changedAgain(m)
		} else if !r.publish(ctx, m) {
			left = pause
			r.changedAgain(m)
		}
		if left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	return next
}

// due are the members whose ClusterCapacities may have to say something else, by name.
func (r *Reader) due() []*followed {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []*followed
	for _, m := range r.members {
		if m.changed {
			m.changed = false
			due = append(due, m)
		}
	}
	slices.SortFunc(due, func(a, b *followed) int { return strings.Compare(a.name, b.name) })
	return due
}

func (r *Reader) changedAgain(m *followed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.changed = true
}

// publish writes a member's ClusterCapacity if it says something else than is so; false if
// that has failed.
func (r *Reader) publish(ctx context.Context, m *followed) bool {
	info, joined := r.inventory.Info(m.name)
	if !joined {
		return true
	}
	key := types.NamespacedName{Namespace: r.opts.KubeFedNamespace, Name: m.name}
	stored := r.published.Get(key)
	var previous v1alpha1.ClusterCapacityStatus
	var startup []v1alpha1.StartupTaint
	if stored != nil {
		previous, startup = stored.Status, stored.Spec.StartupTaints
	}
	var status v1alpha1.ClusterCapacityStatus
	problem := m.watch.Problem()
	switch {
	case problem != nil:
		status = unreadable("the nodes cannot be read: "+errtext.Stable(problem), previous, time.Now())
	case !m.nodes.Synced():
		return true // it is told when they have been listed
	default:
		status = statusOf(m.all(), startup, previous, time.Now())
	}
	if stored != nil && equality.Semantic.DeepEqual(previous, status) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.RequestTimeout)
	defer cancel()
	err := r.write(ctx, key, stored, info.UID, status)
	if err != nil && ctx.Err() == nil {
		r.log.V(1).Info("Could not write a ClusterCapacity; will retry", "cluster", m.name, "error", errtext.Stable(err))
	}
	m.written = time.Now()
	return err == nil
}

// all are the nodes of a member.
func (m *followed) all() []accelerator.Node {
	keys := m.nodes.Keys("")
	nodes := make([]accelerator.Node, 0, len(keys))
	for _, key := range keys {
		if node := m.nodes.Get(key); node != nil {
			nodes = append(nodes, *node)
		}
	}
	return nodes
}

// write makes the ClusterCapacity where there is none, and writes its status.
func (r *Reader) write(ctx context.Context, key types.NamespacedName, stored *v1alpha1.ClusterCapacity, cluster types.UID, status v1alpha1.ClusterCapacityStatus) error {
	object := &v1alpha1.ClusterCapacity{ObjectMeta: metav1.ObjectMeta{
		Namespace: key.Namespace, Name: key.Name,
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: fedcorev1beta1.SchemeGroupVersion.String(), Kind: "KubeFedCluster", Name: key.Name, UID: cluster,
		}},
	}}
	if stored == nil {
		if err := r.host.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	// What is not said any more has to go, so that all fields are sent.
	body, err := json.Marshal(map[string]any{"status": map[string]any{
		"nodes": status.Nodes, "readyNodes": status.ReadyNodes, "pools": status.Pools, "conditions": status.Conditions,
	}})
	if err != nil {
		return err
	}
	return r.host.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, body))
}
