package capacity

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/membership"
)

// Start implements manager.Runnable: it publishes until ctx ends.
func (r *Reader) Start(ctx context.Context) error {
	fleet.Follow(ctx, r.source, r.published)
	timer := time.NewTimer(0)
	defer timer.Stop()
	at := time.Now()
	in := func(wait time.Duration) {
		// What comes while something is waited for does not put that off.
		if then := time.Now().Add(wait); at.IsZero() || then.Before(at) {
			at = then
			timer.Reset(wait)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.news:
			in(settle)
		case <-timer.C:
			at = time.Time{}
			if next := r.publishAll(ctx); next > 0 {
				in(next)
			}
		}
	}
}

// publishAll writes what has changed, and returns when to look again; 0 for when there are news.
func (r *Reader) publishAll(ctx context.Context) (next time.Duration) {
	for _, d := range r.due() {
		if !r.published.Synced() {
			r.dueIn(d.followed, settle, d.urgent)
			continue
		}
		wait, early := d.pace.next(time.Now(), d.urgent)
		if wait > 0 {
			r.dueIn(d.followed, wait, d.urgent)
			continue
		}
		if wait = r.publish(ctx, d.followed, early); wait > 0 {
			r.dueIn(d.followed, wait, false)
		}
	}
	return r.nextDue()
}

// due is a member to look at.
type due struct {
	*followed

	urgent bool
}

// due are the members whose ClusterCapacities may have to say something else, by name.
func (r *Reader) due() []due {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []due
	now := time.Now()
	for _, m := range r.members {
		if m.changed || !m.again.IsZero() && !m.again.After(now) {
			all = append(all, due{m, m.urgent})
			m.changed, m.urgent, m.again = false, false, time.Time{}
		}
	}
	slices.SortFunc(all, func(a, b due) int { return strings.Compare(a.name, b.name) })
	return all
}

// dueIn has a member looked at again after a while.
func (r *Reader) dueIn(m *followed, wait time.Duration, urgent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.again, m.urgent = time.Now().Add(wait), m.urgent || urgent
}

// nextDue is how long it takes until a member is to be looked at again; 0 if none is.
func (r *Reader) nextDue() (next time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m.again.IsZero() {
			continue
		}
		if wait := max(time.Until(m.again), time.Millisecond); next == 0 || wait < next {
			next = wait
		}
	}
	return next
}

// publish writes a member's ClusterCapacity if it says something else than is so, and
// returns after what time that is to be looked at again; 0 for when there are news. Where it is
// early to write again, only what is urgent is written.
func (r *Reader) publish(ctx context.Context, m *followed, early bool) (again time.Duration) {
	info, joined := r.inventory.Info(m.name)
	if !joined {
		r.forget(m)
		return 0
	}
	key := types.NamespacedName{Namespace: r.opts.KubeFedNamespace, Name: m.name}
	stored := r.published.Get(key)
	if stored == nil {
		stored = &v1alpha1.ClusterCapacity{}
	}
	var (
		status  *v1alpha1.ClusterCapacityStatus
		changes time.Time
		wait    time.Duration
	)
	if m.watch != nil {
		again = r.followRequests(m, stored.Spec.FollowRequestsUntil)
		facts, _ := r.inventory.Facts(m.name)
		began := time.Now()
		status, changes, wait = m.status(stored, facts.Scalable)
		m.pace.looked, m.pace.took = time.Now(), time.Since(began)
	}
	if said := away(info, stored, status); said != nil {
		status, wait = said, 0
	}
	if left := time.Until(changes); !changes.IsZero() && (again == 0 || left < again) {
		again = max(left, settle)
	}
	if early && wait == 0 {
		wait = max(pause-time.Since(m.pace.written), settle)
	}
	switch {
	case status == nil || equality.Semantic.DeepEqual(stored.Status, *status):
		return again
	case wait > 0 && !accelerator.Narrows(stored.Status.Pools, status.Pools):
		return wait
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.RequestTimeout)
	defer cancel()
	err := r.write(ctx, key, stored, info.UID, *status)
	m.pace.written = time.Now()
	if err == nil {
		return again
	}
	if ctx.Err() == nil {
		r.log.V(1).Info("Could not write a ClusterCapacity; will retry", "cluster", m.name, "error", errtext.Stable(err))
	}
	return pause
}

// away is what is said of a member that is not ready: what was said of it before is not known
// any more, whatever its watches have noticed of it, and also if it has not been ready since
// this process started. It is nil for one that is ready, that status says this of already, or
// that nothing was ever said of.
func away(info membership.Info, stored *v1alpha1.ClusterCapacity, status *v1alpha1.ClusterCapacityStatus) *v1alpha1.ClusterCapacityStatus {
	if info.Ready || !info.Probed || stored.UID == "" || status != nil && meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionKnown) {
		return nil
	}
	said := unreadable("the nodes cannot be read: the cluster is not ready ("+info.Reason+")", stored.Status, time.Now())
	return &said
}

// longest is how long nobody looks whether the time has come: clocks are set.
const longest = time.Hour

// followRequests follows what a member's pods ask for until then, and returns after what
// time that is over.
func (r *Reader) followRequests(m *followed, until *metav1.Time) (over time.Duration) {
	if until == nil || !time.Now().Before(until.Time) {
		m.requests.stop()
		m.requests = nil
		return 0
	}
	if m.requests == nil {
		m.requests = r.followPods(m)
	}
	return min(time.Until(until.Time), longest)
}

// status is what a member's ClusterCapacity has to say, and when that changes by itself; nil
// while the nodes have not been read. wait is after what time more of it will be known.
func (m *followed) status(stored *v1alpha1.ClusterCapacity, scalable string) (status *v1alpha1.ClusterCapacityStatus, again time.Time, wait time.Duration) {
	var said v1alpha1.ClusterCapacityStatus
	if problem := m.watch.Problem(); problem != nil {
		said = unreadable("the nodes cannot be read: "+errtext.Stable(problem), stored.Status, time.Now())
		return &said, again, 0
	}
	if !m.nodes.Synced() {
		return nil, again, 0 // it is told when they have been listed
	}
	s := seen{nodes: m.all(), startup: stored.Spec.StartupTaints, scalable: scalable}
	var listing bool
	if s.requested, listing = m.requests.known(); listing || m.karpenter.listing() || m.groups.listing() || m.drivers.listing() {
		wait = settle
	}
	m.karpenter.describe(&s, stored.Status)
	m.groups.describe(&s, stored.Status)
	survey := func(asked *requests) {
		again = s.survey(m.drivers, asked, stored.Status)
		said = statusOf(s, stored.Status, time.Now())
	}
	if s.requested.Status != metav1.ConditionTrue {
		survey(nil)
		return &said, again, wait
	}
	m.requests.usage.read(func(asked accelerator.Requests) {
		s.requests = asked
		survey(m.requests)
	})
	return &said, again, wait
}

// all are the nodes of a member.
func (m *followed) all() []accelerator.Node {
	values := valuesOf(m.nodes)
	nodes := make([]accelerator.Node, len(values))
	for i, node := range values {
		nodes[i] = *node
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
	if stored.UID == "" {
		if err := r.host.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	body, err := patchOf(stored.Status, status)
	if err != nil {
		return err
	}
	return r.host.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, body))
}

// patchOf makes a status of another one: what is not said any more goes.
func patchOf(before, after v1alpha1.ClusterCapacityStatus) ([]byte, error) {
	old, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&before)
	if err != nil {
		return nil, err
	}
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&after)
	if err != nil {
		return nil, err
	}
	for field := range old {
		if _, said := status[field]; !said {
			status[field] = nil
		}
	}
	return json.Marshal(map[string]any{"status": status})
}
