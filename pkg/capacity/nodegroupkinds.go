package capacity

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// The annotations in which Cluster API's node groups say what a new node has.
// Source: cluster-autoscaler, cloudprovider/clusterapi/clusterapi_utils.go.
const (
	capacityPrefix = "capacity.cluster-autoscaler.kubernetes.io/"
	gpuTypeKey     = capacityPrefix + "gpu-type"
	gpuCountKey    = capacityPrefix + "gpu-count"
	labelsKey      = capacityPrefix + "labels"
	taintsKey      = capacityPrefix + "taints"

	sizePrefix      = "/cluster-api-autoscaler-node-group-"
	clusterAPIGroup = "cluster.x-k8s.io"
	openShiftGroup  = "machine.openshift.io"
	// clusterNameKey is the label with which objects of Cluster API's say whose they are, and
	// with clusterNamespaceKey the annotations of nodes.
	clusterNameKey      = clusterAPIGroup + "/cluster-name"
	clusterNamespaceKey = clusterAPIGroup + "/cluster-namespace"

	// nodeTemplatePrefix begins the tags with which groups of a cloud's say what a new node has.
	// Source: cluster-autoscaler, cloudprovider/aws/README.md.
	nodeTemplatePrefix = "k8s.io/cluster-autoscaler/node-template/"
)

const (
	mostGroupLabels = 64
	mostAnnotation  = 4 << 10 // what is read of one
)

// groupKind is a kind of node groups: where it is served, and what is read of an object.
type groupKind struct {
	kind, group, resource string
	versions              []string // the newest first
	// shared says that objects may be of other clusters than the one that they are in.
	shared bool
	read   func(*groupReading)
	source string
}

var groupKinds = []groupKind{
	{"MachineDeployment", clusterAPIGroup, "machinedeployments", []string{"v1beta2", "v1beta1"}, true, readMachines, "cluster-autoscaler, cloudprovider/clusterapi"},
	{"MachineSet", clusterAPIGroup, "machinesets", []string{"v1beta2", "v1beta1"}, true, readMachines, "cluster-autoscaler, cloudprovider/clusterapi"},
	{"MachinePool", clusterAPIGroup, "machinepools", []string{"v1beta2", "v1beta1"}, true, readMachines, "cluster-autoscaler, cloudprovider/clusterapi"},
	{"AWSMachinePool", "infrastructure.cluster.x-k8s.io", "awsmachinepools", []string{"v1beta2", "v1beta1"}, true, readAWSPool, "Cluster API Provider AWS, exp/api; cluster-autoscaler, cloudprovider/aws"},
	{"AWSManagedMachinePool", "infrastructure.cluster.x-k8s.io", "awsmanagedmachinepools", []string{"v1beta2", "v1beta1"}, true, readAWSPool, "Cluster API Provider AWS, exp/api; cluster-autoscaler, cloudprovider/aws"},
	{"MachineSet", openShiftGroup, "machinesets", []string{"v1beta1"}, false, readOpenShift, "OpenShift cluster-autoscaler, Machine API"},
}

// title is what groups of the kind are called: two kinds have one name.
func (k *groupKind) title() string {
	if k.shared {
		return k.kind
	}
	return k.kind + "." + k.group
}

// nodeGroup is what is kept of an object: a node group, or what is wrong with it.
type nodeGroup struct {
	accelerator.NodeGroup

	// cluster is the namespace and name of the cluster whose machines it has; empty for the one
	// that it is in.
	cluster string
	problem string
}

// weight is about how many bytes the group takes, and what is left without them is light.
func (g *nodeGroup) weight() (bytes int) {
	bytes = 128 + len(g.Name) + len(g.cluster) + len(g.problem)
	for name := range g.Node {
		bytes += 64 + len(name)
	}
	for key, value := range g.Labels {
		bytes += 64 + len(key) + len(value)
	}
	return bytes + 64*len(g.Taints)
}

func (g *nodeGroup) light() *nodeGroup {
	light := &nodeGroup{cluster: g.cluster, problem: g.Name + ": there are more node groups than are taken"}
	light.Name = g.Name
	return light
}

// groupReading is an object that is being read.
type groupReading struct {
	*nodeGroup

	object      *unstructured.Unstructured
	annotations map[string]string
	// least is how many nodes the group has at least.
	least int64
}

// nodeGroupOf takes what is kept of an object of this kind. One that is no node group, since
// nothing scales it, is kept with no most; one that is not understood does not keep the others
// from being read.
func (k *groupKind) nodeGroupOf(obj metav1.Object) (*nodeGroup, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("a %s is a %T", k.kind, obj)
	}
	kept := &nodeGroup{}
	kept.Name = k.title() + " " + errtext.Bounded(u.GetNamespace()+"/"+u.GetName(), 2*mostOfName)
	if k.shared {
		cluster, found, err := unstructured.NestedString(u.Object, "spec", "clusterName")
		if !found || err != nil {
			cluster = u.GetLabels()[clusterNameKey]
		}
		kept.cluster = shared(errtext.Bounded(u.GetNamespace()+"/"+cluster, 2*mostOfName))
	}
	if u.GetDeletionTimestamp() != nil {
		return kept, nil
	}
	r := &groupReading{nodeGroup: kept, object: u, annotations: u.GetAnnotations()}
	r.Has = min(max(r.number("spec", "replicas"), r.number("status", "replicas")), accelerator.MostNodes)
	k.read(r)
	if r.Most <= r.least || kept.problem != "" { // the cluster-autoscaler does not scale it either
		kept.Most, kept.Node, kept.Labels, kept.Taints = 0, nil, nil, nil
	}
	if len(kept.Node) == 0 {
		kept.Labels, kept.Taints = nil, nil
	}
	return kept, nil
}

// fail notes what is wrong, of the first.
func (r *groupReading) fail(format string, args ...any) {
	if r.problem == "" {
		r.problem = r.Name + ": " + fmt.Sprintf(format, args...)
	}
}

// number is a whole number at a path; 0 where there is none.
func (r *groupReading) number(path ...string) int64 {
	n, _, _ := unstructured.NestedInt64(r.object.Object, path...)
	return max(n, 0)
}

// sizes reads how many nodes there are, at least and at most, from annotations of a group.
func (r *groupReading) sizes(group string) {
	size := func(which string) int64 {
		key := group + sizePrefix + which
		text, found := r.annotations[key]
		if !found {
			return 0
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			r.fail("annotation %s: %q is not a number of nodes", key, errtext.Bounded(text, mostOfQuantity))
		}
		return min(n, accelerator.MostNodes)
	}
	r.least, r.Most = size("min-size"), size("max-size")
}

// has notes what a new node has of a resource.
func (r *groupReading) has(name, field, text string) {
	if text == "" || !accelerator.IsCounted(name) || !isClean(name) || len(r.Node) == mostResources {
		return
	}
	quantity, err := resource.ParseQuantity(text[:min(len(text), mostOfQuantity)])
	if err != nil || len(text) > mostOfQuantity || quantity.Sign() < 0 {
		r.fail("%s: %q is not an amount", field, errtext.Bounded(text, mostOfQuantity))
		return
	}
	if quantity.Sign() == 0 {
		return
	}
	if r.Node == nil {
		r.Node = map[string]int64{}
	}
	r.Node[shared(name)] = accelerator.Amount(name, quantity)
}

// annotated is has of what an annotation says.
func (r *groupReading) annotated(name, key string) {
	r.has(name, "annotation "+key, r.annotations[key])
}

// labelled notes a label of new nodes.
func (r *groupReading) labelled(key, value string) {
	if len(r.Labels) == mostGroupLabels || errtext.Bounded(key, mostOfKey) != key || len(value) > validation.LabelValueMaxLength {
		return
	}
	if label, _ := accelerator.Product(map[string]string{key: value}); label == "" {
		return // nobody asks for it
	}
	if r.Labels == nil {
		r.Labels = map[string]string{}
	}
	r.Labels[key] = shared(errtext.Bounded(value, mostOfProduct))
}

// tainted notes a taint of new nodes; one of the same key and effect that was there is replaced.
func (r *groupReading) tainted(key, value, effect string) {
	if key == "" || !isEffect(corev1.TaintEffect(effect)) {
		return
	}
	r.Taints = slices.DeleteFunc(r.Taints, func(t corev1.Taint) bool { return t.Key == key && string(t.Effect) == effect })
	r.Taints = append(r.Taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)})
}

// specTaints notes the taints of a list.
func (r *groupReading) specTaints(path ...string) {
	list, _, _ := unstructured.NestedSlice(r.object.Object, path...)
	for _, item := range list[:min(len(list), mostStartupTaints)] {
		taint, _ := item.(map[string]any)
		text := func(field string) string { value, _ := taint[field].(string); return value }
		r.tainted(text("key"), text("value"), awsEffect(text("effect")))
	}
}

// written notes the labels and taints of the annotations of Cluster API's.
func (r *groupReading) written() {
	for _, word := range words(r.annotations[labelsKey]) {
		if key, value, found := strings.Cut(word, "="); found {
			r.labelled(key, value)
		}
	}
	for _, word := range words(r.annotations[taintsKey]) {
		if i := strings.LastIndexByte(word, ':'); i > 0 {
			key, value, _ := strings.Cut(word[:i], "=")
			r.tainted(key, value, word[i+1:])
		}
	}
}

// words are the parts of a list in an annotation.
func words(text string) (list []string) {
	for word := range strings.SplitSeq(text[:min(len(text), mostAnnotation)], ",") {
		if word = strings.TrimSpace(word); word != "" {
			list = append(list, word)
		}
	}
	return list
}

// finish keeps of taints as many as count.
func (r *groupReading) finish() { r.Taints = taintsOf(r.Taints) }

// readMachines reads what has Cluster API's annotations.
func readMachines(r *groupReading) {
	if slices.ContainsFunc(r.object.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.Kind == "MachineDeployment" }) {
		return // that is the node group
	}
	r.sizes(clusterAPIGroup)
	r.annotated("cpu", capacityPrefix+"cpu")
	r.annotated("memory", capacityPrefix+"memory")
	r.annotated("pods", capacityPrefix+"maxPods")
	r.annotated(r.annotations[gpuTypeKey], gpuCountKey)
	r.specTaints("spec", "template", "spec", "taints")
	r.written()
	r.finish()
}

// readOpenShift reads a MachineSet of OpenShift's Machine API. Its accelerators are NVIDIA's, if
// nothing else is said.
func readOpenShift(r *groupReading) {
	r.sizes(openShiftGroup)
	r.annotated("cpu", openShiftGroup+"/vCPU")
	memory := r.annotations[openShiftGroup+"/memoryMb"]
	if _, err := strconv.ParseUint(memory, 10, 64); err == nil {
		memory += "Mi"
	}
	r.has("memory", "annotation "+openShiftGroup+"/memoryMb", memory)
	r.annotated("pods", openShiftGroup+"/maxPods")
	gpu := "nvidia.com/gpu"
	if named := r.annotations[gpuTypeKey]; named != "" {
		gpu = named
	}
	r.annotated(gpu, openShiftGroup+"/GPU")
	r.annotated(gpu, gpuCountKey)
	r.specTaints("spec", "template", "spec", "taints")
	r.written()
	r.finish()
}

// readAWSPool reads an AWSMachinePool or AWSManagedMachinePool, whose tags become those of the
// group in the cloud.
func readAWSPool(r *groupReading) {
	r.least, r.Most = r.number("spec", "minSize"), r.number("spec", "maxSize")
	if most := r.number("spec", "scaling", "maxSize"); most > 0 {
		r.least, r.Most = r.number("spec", "scaling", "minSize"), most
	}
	r.Most = min(r.Most, accelerator.MostNodes)
	r.specTaints("spec", "taints")
	labels, _, _ := unstructured.NestedStringMap(r.object.Object, "spec", "labels")
	tags, _, _ := unstructured.NestedStringMap(r.object.Object, "spec", "additionalTags")
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		r.labelled(key, labels[key])
	}
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		said, found := strings.CutPrefix(tag, nodeTemplatePrefix)
		if !found {
			continue
		}
		switch what, name, _ := strings.Cut(said, "/"); what {
		case "resources":
			r.has(name, "spec.additionalTags["+errtext.Bounded(tag, mostOfName)+"]", tags[tag])
		case "label":
			r.labelled(name, tags[tag])
		case "taint":
			if i := strings.LastIndexByte(tags[tag], ':'); i >= 0 {
				r.tainted(name, tags[tag][:i], tags[tag][i+1:])
			}
		}
	}
	r.finish()
}

// awsEffect is an effect as nodes have it; AWS has words of its own.
func awsEffect(text string) string {
	switch text {
	case "no-schedule":
		return string(corev1.TaintEffectNoSchedule)
	case "no-execute":
		return string(corev1.TaintEffectNoExecute)
	case "prefer-no-schedule":
		return string(corev1.TaintEffectPreferNoSchedule)
	}
	return text
}
