package capacity

import (
	"context"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/accelerator/devices"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
)

const (
	// mostOfPods is how much the pods of a member may be when they are listed. They are let
	// go one by one: what is kept of each is some hundred bytes.
	mostOfPods = 1 << 30
	// listingTime is how long the status waits for the list of pods, so that it is written once.
	listingTime = 4 * time.Second
)

// requests is what the pods of a member ask for, while they are followed.
type requests struct {
	pods  *fleet.Table[pod]
	watch *fleet.Watch[pod]
	usage usage
	// claims are the ResourceClaims, which hold devices.
	claims      *fleet.Table[devices.Claim]
	claimsWatch *fleet.Watch[devices.Claim]
	// counted says that all pods of a list are in usage.
	counted atomic.Bool
}

// newRequests returns what pods ask for before any is known; changed is told of news.
func newRequests(changed func()) *requests {
	q := &requests{usage: usage{nodes: accelerator.Requests{}}}
	q.pods = fleet.NewTable(fleet.Rules[pod]{
		Read: podOf,
		Same: func(before, after *pod) bool { return *before == *after },
		OnChange: func(_ types.NamespacedName, before, after *pod) {
			if before != nil && after != nil && *before == *after {
				return
			}
			if q.usage.moved(before, after); q.counted.Load() {
				changed()
			}
		},
		OnSynced: func() {
			q.counted.Store(true)
			changed()
		},
	})
	return q
}

// followPods begins to follow a member's pods, of which only those are sent that are on a
// node and have not ended.
func (r *Reader) followPods(m *followed) *requests {
	changed := func() { r.changed(m.name) }
	q := newRequests(changed)
	q.watch = fleet.Follow(m.ctx, fleet.Source{
		List: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return m.core.Pods("").List(ctx, options)
		},
		Watch: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return m.core.Pods("").Watch(ctx, options)
		},
		Example: &corev1.Pod{}, Type: "pods", Fields: podsWithRequests, Streams: mostOfPods,
		Name: "member " + m.name + ": pods", Log: r.log.WithValues("cluster", m.name), OnTrouble: changed,
	}, q.pods)
	q.claims, q.claimsWatch = followClaims(m.ctx, m.devices, m.served, m.name, r.log.WithValues("cluster", m.name), changed)
	return q
}

// known says what pods ask for, as the condition RequestsKnown; listing is true while they
// are being read and nothing is wrong.
func (q *requests) known() (condition metav1.Condition, listing bool) {
	condition = metav1.Condition{Status: metav1.ConditionFalse}
	if q == nil {
		condition.Reason, condition.Message = v1alpha1.ReasonNotFollowed, "nobody wants to know what pods ask for; spec.followRequestsUntil says until when somebody does"
		return condition, false
	}
	problem := q.watch.Problem()
	switch {
	case problem != nil:
		condition.Reason, condition.Message = v1alpha1.ReasonPodsUnreadable, "the pods cannot be read: "+errtext.Stable(problem)
	case !q.counted.Load() || !q.claims.Synced() && q.claimsWatch.Problem() == nil:
		condition.Reason, condition.Message = v1alpha1.ReasonListing, "the pods are being read"
		return condition, q.watch.Age() < listingTime
	default:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionTrue, v1alpha1.ReasonFollowed, "the pods are followed"
	}
	return condition, false
}

func (q *requests) stop() {
	if q != nil {
		q.watch.Stop()
		q.claimsWatch.Stop()
	}
}
