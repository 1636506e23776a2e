package capacity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unique"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// What is taken of a node is bounded: no API server takes longer names, but not every
// member need be one, and what is written has to fit into an object.
const (
	mostTaints    = 16
	mostResources = 32
	mostOfKey     = validation.DNS1123SubdomainMaxLength + 1 + validation.LabelValueMaxLength
	mostOfEffect  = 32
	mostOfStatus  = 256 << 10
)

// nodeOf takes what is kept of a node.
func nodeOf(obj metav1.Object) (*accelerator.Node, error) {
	n, ok := obj.(*corev1.Node)
	if !ok {
		return nil, fmt.Errorf("a node is a %T", obj)
	}
	kept := &accelerator.Node{Name: n.Name, Ready: !n.Spec.Unschedulable && isReady(n), Allocatable: amountsOf(n.Status.Allocatable)}
	label, product := accelerator.Product(n.Labels)
	kept.ProductLabel, kept.Product = label, shared(errtext.Bounded(product, validation.LabelValueMaxLength))
	for _, taint := range n.Spec.Taints {
		if len(kept.Taints) == mostTaints {
			// Nobody can say what else keeps pods out: nothing opens this.
			kept.Taints[mostTaints-1] = corev1.Taint{Key: "cluster.fedctl.io/too-many-taints", Effect: corev1.TaintEffectNoSchedule}
			break
		}
		kept.Taints = append(kept.Taints, corev1.Taint{
			Key: shared(errtext.Bounded(taint.Key, mostOfKey)), Value: shared(errtext.Bounded(taint.Value, validation.LabelValueMaxLength)),
			Effect: corev1.TaintEffect(shared(errtext.Bounded(string(taint.Effect), mostOfEffect))),
		})
	}
	return kept, nil
}

// amountsOf are the amounts that pools are made of.
func amountsOf(list corev1.ResourceList) map[string]int64 {
	amounts := make(map[string]int64, min(len(list), mostResources))
	for name, quantity := range list {
		if accelerator.IsCounted(string(name)) && quantity.Sign() > 0 && isClean(string(name), mostOfKey) && len(amounts) < mostResources {
			amounts[shared(string(name))] = accelerator.Amount(string(name), quantity)
		}
	}
	return amounts
}

// shared is a text that many objects have, and hold once.
func shared(text string) string { return unique.Make(text).Value() }

// isClean says whether a name is one that can be shown as it is.
func isClean(name string, most int) bool {
	return errtext.Bounded(name, most) == name && !strings.ContainsAny(name, " =")
}

func isReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// seen is what is known of a member.
type seen struct {
	nodes []accelerator.Node
	// startup are what people say of its taints.
	startup []v1alpha1.StartupTaint
	// requests are what its pods ask for, or nil, and requested says why.
	requests  accelerator.Requests
	requested metav1.Condition
}

// statusOf is what is known of a member. previous is what was said before, whose times stay
// where nothing has changed.
func statusOf(s seen, previous v1alpha1.ClusterCapacityStatus, now time.Time) v1alpha1.ClusterCapacityStatus {
	status := v1alpha1.ClusterCapacityStatus{Nodes: int32(min(len(s.nodes), 1<<30)), Conditions: slices.Clone(previous.Conditions)}
	for i := range s.nodes {
		if s.nodes[i].Ready {
			status.ReadyNodes++
		}
	}
	pools := accelerator.Pools(s.nodes, s.requests, s.startup)
	known := metav1.Condition{Type: v1alpha1.ConditionKnown, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFollowed,
		Message: "the nodes are followed", LastTransitionTime: metav1.NewTime(now)}
	s.requested.Type, s.requested.LastTransitionTime = v1alpha1.ConditionRequestsKnown, metav1.NewTime(now)
	meta.SetStatusCondition(&status.Conditions, s.requested)
	status.Pools = fitting(pools)
	if left := len(pools) - len(status.Pools); left > 0 {
		known.Reason, known.Message = v1alpha1.ReasonTooManyPools, fmt.Sprintf("%d more pools are left out: the nodes have more products and taints than fit", left)
	}
	meta.SetStatusCondition(&status.Conditions, known)
	return status
}

// fitting are the first pools, as many as an object holds.
func fitting(pools []v1alpha1.Pool) []v1alpha1.Pool {
	size := 0
	for i := range pools {
		data, err := json.Marshal(&pools[i])
		if size += len(data); err != nil || size > mostOfStatus || i == v1alpha1.MostPools {
			return pools[:i]
		}
	}
	return pools
}

// unreadable is what was said before, and that it is not known any more.
func unreadable(why string, previous v1alpha1.ClusterCapacityStatus, now time.Time) v1alpha1.ClusterCapacityStatus {
	status := *previous.DeepCopy()
	for _, condition := range []string{v1alpha1.ConditionKnown, v1alpha1.ConditionRequestsKnown} {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: condition, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonUnreadable,
			Message: errtext.Bounded(why, errtext.Cluster), LastTransitionTime: metav1.NewTime(now),
		})
	}
	return status
}
