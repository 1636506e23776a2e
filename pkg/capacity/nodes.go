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
	mostOfName    = validation.DNS1123SubdomainMaxLength
	mostOfEffect  = 32
	mostOfProduct = validation.LabelValueMaxLength
	mostOfStatus  = 256 << 10
)

// nodeOf takes what is kept of a node.
func nodeOf(obj metav1.Object) (*accelerator.Node, error) {
	n, ok := obj.(*corev1.Node)
	if !ok {
		return nil, fmt.Errorf("a node is a %T", obj)
	}
	ready, since := readiness(n)
	kept := &accelerator.Node{Name: n.Name, Ready: ready && !n.Spec.Unschedulable, ReadySince: since, Allocatable: amountsOf(n.Status.Allocatable), Lost: lostBy(n)}
	kept.NodePool = shared(errtext.Bounded(n.Labels[nodePoolLabel], mostOfName))
	kept.Machines = machinesOf(n.Annotations)
	label, product := accelerator.Product(n.Labels)
	kept.ProductLabel, kept.Product = label, shared(errtext.Bounded(product, mostOfProduct))
	kept.Taints = taintsOf(n.Spec.Taints)
	return kept, nil
}

// taintsOf are the taints that are kept of a list.
func taintsOf(list []corev1.Taint) (taints []corev1.Taint) {
	for _, taint := range list {
		if len(taints) == mostTaints {
			// Nobody can say what else keeps pods out: nothing opens this.
			taints[mostTaints-1] = corev1.Taint{Key: "cluster.fedctl.io/too-many-taints", Effect: corev1.TaintEffectNoSchedule}
			break
		}
		taints = append(taints, corev1.Taint{
			Key: shared(errtext.Bounded(taint.Key, mostOfKey)), Value: shared(errtext.Bounded(taint.Value, validation.LabelValueMaxLength)),
			Effect: corev1.TaintEffect(shared(errtext.Bounded(string(taint.Effect), mostOfEffect))),
		})
	}
	return taints
}

// amountsOf are the amounts that pools are made of.
func amountsOf(list corev1.ResourceList) map[string]int64 {
	amounts := make(map[string]int64, min(len(list), mostResources))
	for name, quantity := range list {
		if accelerator.IsCounted(string(name)) && quantity.Sign() > 0 && isClean(string(name)) && len(amounts) < mostResources {
			amounts[shared(string(name))] = accelerator.Amount(string(name), quantity)
		}
	}
	return amounts
}

// shared is a text that many objects have, and hold once.
func shared(text string) string { return unique.Make(text).Value() }

// isClean says whether a name is one that can be shown as it is.
func isClean(name string) bool {
	return errtext.Bounded(name, mostOfKey) == name && !strings.ContainsAny(name, " =")
}

// readiness says whether a node is Ready, and since when.
func readiness(n *corev1.Node) (ready bool, since time.Time) {
	i := slices.IndexFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady })
	if i < 0 || n.Status.Conditions[i].Status != corev1.ConditionTrue {
		return false, time.Time{}
	}
	since = n.Status.Conditions[i].LastTransitionTime.Time
	if since.IsZero() {
		since = n.CreationTimestamp.Time
	}
	return true, since
}

// lostBy a node is the first accelerator that it names and has none of: kubelets go on
// naming what a device plugin that is gone has offered.
func lostBy(n *corev1.Node) string {
	var lost []string
	for name, quantity := range n.Status.Allocatable {
		if accelerator.IsAccelerator(string(name)) && quantity.Sign() == 0 && isClean(string(name)) {
			lost = append(lost, string(name))
		}
	}
	if len(lost) == 0 {
		return ""
	}
	return shared(slices.Min(lost))
}

// seen is what is known of a member.
type seen struct {
	nodes []accelerator.Node
	// startup are what people say of its taints.
	startup []v1alpha1.StartupTaint
	// requests are what its pods ask for, or nil, and requested says why.
	requests  accelerator.Requests
	requested metav1.Condition
	// devices says what is known of the devices on the nodes; nil where there are none.
	devices *metav1.Condition
	// claimsUnknown says that it is not known which of them are taken.
	claimsUnknown bool
	// kept are pools that were known last, where devices have not been read, or not all.
	kept []v1alpha1.Pool
	// devicesStale says that they have not been read now, and were earlier: that a node without
	// any other accelerator lacks its device plugin cannot be told then.
	devicesStale bool
	// limited is how far Karpenter's NodePools let the cluster grow, and nodePools says what
	// is known of them; nil where there are none.
	limited   []v1alpha1.Growth
	nodePools *metav1.Condition
	// grouped is how far node groups let it grow, and nodeGroups says what is known of them; nil
	// where there are none.
	grouped    []v1alpha1.Growth
	nodeGroups *metav1.Condition
	// starting are the NodePools whose nodes have taints that pass.
	starting []v1alpha1.StartingNodePool
	// scalable is what people say of how far the cluster can grow.
	scalable string
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
	for i := range pools {
		if s.claimsUnknown && accelerator.IsDevice(pools[i].Resource) {
			pools[i].Requested, pools[i].Free, pools[i].LargestFree = nil, nil, nil
		}
	}
	pools = accelerator.Join(pools, s.kept)
	status.Pools = fitting(pools)
	status.StartingNodePools = fitting(s.starting)
	plugins := pluginsRun(s.nodes)
	if s.devicesStale {
		plugins = meta.FindStatusCondition(previous.Conditions, v1alpha1.ConditionPluginsRun).DeepCopy()
	}
	declared, scalable := declaredBy(s)
	growth := slices.Concat(declared, s.limited, s.grouped)
	status.Growth, status.Resources = fitting(growth), accelerator.Totals(pools, growth)
	status.Resources = status.Resources[:min(len(status.Resources), v1alpha1.MostPools)]
	for name, condition := range map[string]*metav1.Condition{
		v1alpha1.ConditionKnown:           known(len(pools) - len(status.Pools)),
		v1alpha1.ConditionRequestsKnown:   &s.requested,
		v1alpha1.ConditionPluginsRun:      plugins,
		v1alpha1.ConditionScalable:        scalable,
		v1alpha1.ConditionDevicesKnown:    s.devices,
		v1alpha1.ConditionNodePoolsKnown:  growthKnown(s.nodePools, leftOut(growth[len(status.Growth):], v1alpha1.GrowthNodePool), "NodePools"),
		v1alpha1.ConditionNodeGroupsKnown: growthKnown(s.nodeGroups, leftOut(growth[len(status.Growth):], v1alpha1.GrowthNodeGroup), "node groups"),
	} {
		setCondition(&status.Conditions, name, condition, now)
	}
	// In one order, whatever the one of the map.
	slices.SortFunc(status.Conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
	return status
}

// setCondition sets a condition; one that is nil has nothing to say.
func setCondition(conditions *[]metav1.Condition, name string, condition *metav1.Condition, now time.Time) {
	if condition == nil {
		meta.RemoveStatusCondition(conditions, name)
		return
	}
	condition.Type, condition.LastTransitionTime = name, metav1.NewTime(now)
	condition.Message = errtext.Bounded(condition.Message, errtext.Cluster)
	meta.SetStatusCondition(conditions, *condition)
}

// known says that the nodes are, and how many pools have no place in the status.
func known(left int) *metav1.Condition {
	if left > 0 {
		return &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonTooManyPools,
			Message: fmt.Sprintf("%d more pools are left out: the nodes have more products and taints than fit", left)}
	}
	return &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFollowed, Message: "the nodes are followed"}
}

// pluginsRun says whether nodes offer what they should; nil where none has anything to offer.
func pluginsRun(nodes []accelerator.Node) *metav1.Condition {
	if why := accelerator.WithoutPlugin(nodes); why != "" {
		return &metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoDevicePlugin, Message: why}
	}
	if why := accelerator.Divided(nodes); why != "" {
		return &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDivided, Message: why}
	}
	if !slices.ContainsFunc(nodes, func(n accelerator.Node) bool { return n.ProductLabel != "" || n.Missing != "" }) {
		return nil
	}
	return &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRunning, Message: "all nodes offer what they should, or have not been ready for long"}
}

// declaredBy people is how far the cluster can grow, and whether what they say can be read;
// nil where nothing is said.
func declaredBy(s seen) ([]v1alpha1.Growth, *metav1.Condition) {
	if s.scalable == "" {
		return nil, nil
	}
	most, err := accelerator.ParseScalable(s.scalable)
	if err != nil {
		return nil, &metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInvalidScalable,
			Message: "annotation " + v1alpha1.ScalableAnnotation + " of the KubeFedCluster: " + err.Error()}
	}
	return accelerator.Declared(most, s.nodes), &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDeclared, Message: "it is declared how far the cluster can grow"}
}

// fitting are the first pools, or rows of growth, as many as an object holds.
func fitting[T any](rows []T) []T {
	size := 0
	for i := range rows {
		data, err := json.Marshal(&rows[i])
		if size += len(data); err != nil || size > mostOfStatus || i == v1alpha1.MostPools {
			return rows[:i]
		}
	}
	return rows
}

// unreadable is what was said before, and that it is not known any more. Of what the member
// does not have, nothing is said, and of devices it stays known whether they were ever read.
func unreadable(why string, previous v1alpha1.ClusterCapacityStatus, now time.Time) v1alpha1.ClusterCapacityStatus {
	status := *previous.DeepCopy()
	optionals := []string{v1alpha1.ConditionDevicesKnown, v1alpha1.ConditionNodePoolsKnown, v1alpha1.ConditionNodeGroupsKnown}
	for _, name := range append([]string{v1alpha1.ConditionKnown, v1alpha1.ConditionRequestsKnown}, optionals...) {
		optional, reason := slices.Contains(optionals, name), v1alpha1.ReasonUnreadable
		before := meta.FindStatusCondition(status.Conditions, name)
		if optional && before == nil {
			continue
		}
		if name == v1alpha1.ConditionDevicesKnown && !accelerator.DevicesRead(before) {
			reason = v1alpha1.ReasonDevicesUnreadable // they were not read earlier either
		}
		setCondition(&status.Conditions, name, &metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: why}, now)
	}
	return status
}
