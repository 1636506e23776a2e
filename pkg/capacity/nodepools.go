package capacity

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// nodePoolLabel is what Karpenter writes on its nodes: the name of their NodePool.
const nodePoolLabel = "karpenter.sh/nodepool"

var karpenterVersion = schema.GroupVersion{Group: "karpenter.sh", Version: "v1"}

const (
	mostStartupTaints = 64
	mostOfQuantity    = 64
)

// nodePool is a NodePool, or what is wrong with it.
type nodePool struct {
	accelerator.NodePool

	problem string
}

// karpenter are the NodePools of a member.
type karpenter struct {
	pools *fleet.Table[nodePool]
	watch *fleet.Watch[nodePool]
}

// followNodePools begins to follow a member's NodePools, until ctx ends. Not every member
// has any.
func followNodePools(ctx context.Context, client dynamic.Interface, served fleet.Discovery, cluster string, log logr.Logger, changed func()) *karpenter {
	same := func(before, after *nodePool) bool { return reflect.DeepEqual(before, after) }
	k := &karpenter{pools: fleet.NewTable(fleet.Rules[nodePool]{
		Read: nodePoolOf, Same: same,
		OnChange: func(_ types.NamespacedName, before, after *nodePool) {
			if !same(before, after) {
				changed()
			}
		},
		OnSynced: changed,
	})}
	nodePools := karpenterVersion.WithResource("nodepools")
	source := fleet.Objects(client, typeconfig.Resource{GVR: nodePools, GVK: karpenterVersion.WithKind("NodePool")}, "")
	source.Name, source.Log, source.OnTrouble = "member "+cluster+": nodepools", log, changed
	source.RetryMax = unservedRetry
	k.watch = fleet.Follow(ctx, served.Explain(source, nodePools), k.pools)
	return k
}

// unserved says that the member has no Karpenter, as far as that is known.
func (k *karpenter) unserved() bool { return k.watch.Lacks() }

// written is what is read of a NodePool.
type written struct {
	Spec struct {
		Replicas *int64         `json:"replicas"`
		Limits   map[string]any `json:"limits"`
		Template struct {
			Metadata struct {
				Labels map[string]string `json:"labels"`
			} `json:"metadata"`
			Spec struct {
				Requirements  []corev1.NodeSelectorRequirement `json:"requirements"`
				Taints        []corev1.Taint                   `json:"taints"`
				StartupTaints []corev1.Taint                   `json:"startupTaints"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		Resources  map[string]any `json:"resources"`
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"conditions"`
	} `json:"status"`
}

// nodePoolOf takes what is kept of a NodePool. One that is not understood does not keep the
// others from being read.
func nodePoolOf(obj metav1.Object) (*nodePool, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("a NodePool is a %T", obj)
	}
	kept := &nodePool{}
	kept.Name = errtext.Bounded(u.GetName(), mostOfName)
	var w written
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &w); err != nil {
		kept.problem = "NodePool " + kept.Name + ": " + err.Error()
		return kept, nil //nolint:nilerr // it is said of this one
	}
	limits, err := quantitiesOf(w.Spec.Limits, "spec.limits")
	if err != nil {
		kept.problem = "NodePool " + kept.Name + ": " + err.Error()
	}
	has, err := quantitiesOf(w.Status.Resources, "status.resources")
	if err != nil && kept.problem == "" {
		kept.problem = "NodePool " + kept.Name + ": " + err.Error()
	}
	kept.Limits, kept.Has = limits, make(map[string]int64, len(has))
	for name, quantity := range has {
		kept.Has[name] = accelerator.Amount(name, quantity)
	}
	_, kept.NodesLimited = w.Spec.Limits["nodes"]
	// A fixed number of replicas is there, whatever pods there are.
	kept.Grows = u.GetDeletionTimestamp() == nil && w.Spec.Replicas == nil
	for _, condition := range w.Status.Conditions {
		kept.Grows = kept.Grows && (condition.Type != "Ready" || condition.Status != string(metav1.ConditionFalse))
	}
	kept.ProductLabel, kept.Product = accelerator.Product(w.labels())
	kept.Product = errtext.Bounded(kept.Product, mostOfProduct)
	kept.Taints = taintsOf(w.Spec.Template.Spec.Taints)
	kept.Startup = startupOf(w.Spec.Template.Spec.StartupTaints, kept.Taints)
	return kept, nil
}

// labels are those that all nodes of a NodePool will have: its template's, and those that its
// requirements leave one value for.
func (w *written) labels() map[string]string {
	labels := maps.Clone(w.Spec.Template.Metadata.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	for _, r := range w.Spec.Template.Spec.Requirements {
		if r.Operator == corev1.NodeSelectorOpIn && len(r.Values) == 1 {
			labels[r.Key] = r.Values[0]
		}
	}
	return labels
}

// startupOf are the taints that pass, without those that stay as well.
func startupOf(list, stay []corev1.Taint) (startup []v1alpha1.StartupTaint) {
	for _, taint := range list[:min(len(list), mostStartupTaints)] {
		stays := slices.ContainsFunc(stay, func(t corev1.Taint) bool { return t.Key == taint.Key && t.Effect == taint.Effect })
		if !stays && taint.Key != "" && isClean(taint.Key) && isEffect(taint.Effect) {
			startup = append(startup, v1alpha1.StartupTaint{Key: taint.Key, Effect: taint.Effect})
		}
	}
	return startup
}

// isEffect says whether nodes can have taints of an effect.
func isEffect(effect corev1.TaintEffect) bool {
	return effect == corev1.TaintEffectNoSchedule || effect == corev1.TaintEffectNoExecute || effect == corev1.TaintEffectPreferNoSchedule
}

// quantitiesOf are the amounts that are counted of those that a field holds. They are kept
// as they are: limits are for many nodes.
func quantitiesOf(field map[string]any, path string) (map[string]resource.Quantity, error) {
	quantities := map[string]resource.Quantity{}
	for _, name := range slices.Sorted(maps.Keys(field)) {
		if !accelerator.IsCounted(name) || !isClean(name) || len(quantities) == mostResources {
			continue
		}
		text := fmt.Sprint(field[name])
		quantity, err := resource.ParseQuantity(text[:min(len(text), mostOfQuantity)])
		if err != nil || len(text) > mostOfQuantity || quantity.Sign() < 0 {
			return nil, fmt.Errorf("%s.%s: %q is not an amount", path, name, errtext.Bounded(text, mostOfQuantity))
		}
		quantities[name] = quantity
	}
	return quantities, nil
}

// listing says that the NodePools are being read, and nothing is wrong.
func (k *karpenter) listing() bool {
	return !k.pools.Synced() && k.watch.Problem() == nil && k.watch.Age() < listingTime
}

// describe adds what is known of NodePools: how far they let the cluster grow, and which
// taints of nodes pass. previous is what was said before, which is what is known while they
// have not been read.
func (k *karpenter) describe(s *seen, previous v1alpha1.ClusterCapacityStatus) {
	if k.unserved() {
		return
	}
	problem := k.watch.Problem()
	if !k.pools.Synced() {
		s.keepNodePools(problem, previous)
		return
	}
	var pools []accelerator.NodePool
	var problems []string
	for _, pool := range valuesOf(k.pools) {
		if len(pool.Startup) > 0 {
			s.starting = append(s.starting, v1alpha1.StartingNodePool{Name: pool.Name, StartupTaints: pool.Startup})
		}
		if pool.problem != "" {
			problems = append(problems, pool.problem)
			continue
		}
		pools = append(pools, pool.NodePool)
	}
	slices.SortFunc(s.starting, func(a, b v1alpha1.StartingNodePool) int { return strings.Compare(a.Name, b.Name) })
	s.start()
	s.limited = accelerator.Limited(pools, s.nodes)
	s.nodePools = &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFollowed, Message: "NodePools are followed"}
	switch {
	case problem != nil:
		s.nodePools = nodePoolsUnreadable(problem)
	case len(problems) > 0:
		slices.Sort(problems)
		s.nodePools = &metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInvalidNodePool, Message: strings.Join(problems, "; ")}
	}
}

// keepNodePools has what was said before of NodePools said again: a taint that passes is not
// to close a pool because nobody knows of it any more.
func (s *seen) keepNodePools(problem error, previous v1alpha1.ClusterCapacityStatus) {
	s.limited = slices.DeleteFunc(slices.Clone(previous.Growth), func(g v1alpha1.Growth) bool { return g.Source != v1alpha1.GrowthNodePool })
	s.starting = previous.StartingNodePools
	s.start()
	s.nodePools = &metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonListing, Message: "NodePools are being read, and what is said of them is what was known last"}
	if problem != nil {
		s.nodePools = nodePoolsUnreadable(problem)
	}
}

// start tells the nodes of NodePools which of their taints pass.
func (s *seen) start() {
	startup := make(map[string][]v1alpha1.StartupTaint, len(s.starting))
	for _, pool := range s.starting {
		startup[pool.Name] = pool.StartupTaints
	}
	for i := range s.nodes {
		s.nodes[i].Startup = startup[s.nodes[i].NodePool]
	}
}

func nodePoolsUnreadable(problem error) *metav1.Condition {
	return &metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNodePoolsUnreadable,
		Message: "NodePools cannot be read, and what is said of them is what was known last: " + errtext.Stable(problem)}
}

// leftOut is how many rows of growth by a source have no place in the status.
func leftOut(rows []v1alpha1.Growth, source v1alpha1.GrowthSource) (n int) {
	for i := range rows {
		if rows[i].Source == source {
			n++
		}
	}
	return n
}

// growthKnown is a condition that says as well how many rows of growth by these have no place in
// the status.
func growthKnown(condition *metav1.Condition, left int, these string) *metav1.Condition {
	if condition == nil || left == 0 || condition.Status != metav1.ConditionTrue {
		return condition
	}
	return &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonTooManyPools,
		Message: fmt.Sprintf("%d more rows of growth are left out: there are more %s than fit", left, these)}
}
