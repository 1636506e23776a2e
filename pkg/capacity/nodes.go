package capacity

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

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
	mostTaints       = 16
	mostAccelerators = 32
	mostOfKey        = validation.DNS1123SubdomainMaxLength + 1 + validation.LabelValueMaxLength
	mostOfEffect     = 32
	mostOfStatus     = 256 << 10
)

// nodeOf takes what is kept of a node.
func nodeOf(obj metav1.Object) (*accelerator.Node, error) {
	n, ok := obj.(*corev1.Node)
	if !ok {
		return nil, fmt.Errorf("a node is a %T", obj)
	}
	kept := &accelerator.Node{Ready: !n.Spec.Unschedulable && isReady(n)}
	for name, quantity := range n.Status.Allocatable {
		if accelerator.IsAccelerator(string(name)) && quantity.Sign() > 0 && isClean(string(name), mostOfKey) && len(kept.Allocatable) < mostAccelerators {
			if kept.Allocatable == nil {
				kept.Allocatable = map[string]int64{}
			}
			kept.Allocatable[string(name)] = quantity.Value()
		}
	}
	if kept.Allocatable == nil {
		return kept, nil // a node without accelerators is only counted
	}
	label, product := accelerator.Product(n.Labels)
	kept.ProductLabel, kept.Product = label, errtext.Bounded(product, validation.LabelValueMaxLength)
	for _, taint := range n.Spec.Taints {
		if len(kept.Taints) == mostTaints {
			// Nobody can say what else keeps pods out: nothing opens this.
			kept.Taints[mostTaints-1] = corev1.Taint{Key: "cluster.fedctl.io/too-many-taints", Effect: corev1.TaintEffectNoSchedule}
			break
		}
		kept.Taints = append(kept.Taints, corev1.Taint{
			Key: errtext.Bounded(taint.Key, mostOfKey), Value: errtext.Bounded(taint.Value, validation.LabelValueMaxLength),
			Effect: corev1.TaintEffect(errtext.Bounded(string(taint.Effect), mostOfEffect)),
		})
	}
	return kept, nil
}

// isClean says whether a name is one that can be shown as it is.
func isClean(name string, most int) bool { return errtext.Bounded(name, most) == name }

func isReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// statusOf is what nodes say. previous is what was said before, whose times stay where
// nothing has changed.
func statusOf(nodes []accelerator.Node, startup []v1alpha1.StartupTaint, previous v1alpha1.ClusterCapacityStatus, now time.Time) v1alpha1.ClusterCapacityStatus {
	status := v1alpha1.ClusterCapacityStatus{Nodes: int32(min(len(nodes), 1<<30)), Conditions: slices.Clone(previous.Conditions)}
	for i := range nodes {
		if nodes[i].Ready {
			status.ReadyNodes++
		}
	}
	pools := accelerator.Pools(nodes, startup)
	known := metav1.Condition{Type: v1alpha1.ConditionKnown, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFollowed,
		Message: "the nodes are followed", LastTransitionTime: metav1.NewTime(now)}
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
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionKnown, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonUnreadable,
		Message: errtext.Bounded(why, errtext.Cluster), LastTransitionTime: metav1.NewTime(now),
	})
	return status
}
