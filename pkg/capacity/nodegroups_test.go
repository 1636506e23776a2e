package capacity

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// groupIn reads an object of a kind, of a group, from YAML.
func groupIn(t *testing.T, group, kind, text string) (*unstructured.Unstructured, *groupKind) {
	t.Helper()
	u := &unstructured.Unstructured{}
	data, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = utiljson.Unmarshal(data, &u.Object) // whole numbers stay whole
	}
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(groupKinds, func(k groupKind) bool { return k.group == group && k.kind == kind })
	return u, &groupKinds[i]
}

// textOfGroup is what is kept, as a test expects it.
func textOfGroup(g *nodeGroup) string {
	words := []string{fmt.Sprintf("%s of %s: %d/%d", g.Name, g.cluster, g.Has, g.Most)}
	for _, name := range slices.Sorted(maps.Keys(g.Node)) {
		words = append(words, fmt.Sprintf("%s=%d", name, g.Node[name]))
	}
	for _, key := range slices.Sorted(maps.Keys(g.Labels)) {
		words = append(words, key+"="+g.Labels[key])
	}
	for _, taint := range g.Taints {
		words = append(words, taint.ToString())
	}
	return strings.Join(words, " ")
}

func TestNodeGroupOf(t *testing.T) {
	const annotations = `
metadata:
  namespace: infra
  name: gpus
  annotations:
    cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size: "0"
    cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size: "8"
    capacity.cluster-autoscaler.kubernetes.io/cpu: "16"
    capacity.cluster-autoscaler.kubernetes.io/memory: 128Gi
    capacity.cluster-autoscaler.kubernetes.io/ephemeral-disk: 100Gi
    capacity.cluster-autoscaler.kubernetes.io/maxPods: "110"
    capacity.cluster-autoscaler.kubernetes.io/gpu-type: nvidia.com/gpu
    capacity.cluster-autoscaler.kubernetes.io/gpu-count: "2"
    capacity.cluster-autoscaler.kubernetes.io/labels: nvidia.com/gpu.product=H100,zone=a, kubernetes.io/arch=amd64
    capacity.cluster-autoscaler.kubernetes.io/taints: "nvidia.com/gpu=present:NoSchedule,dedicated=b:NoExecute,bare:NoSchedule,none,odd:Sometimes"
`
	const full = "cpu=16000 memory=137438953472 nvidia.com/gpu=2 pods=110 nvidia.com/gpu.product=H100"
	for name, tt := range map[string]struct{ group, kind, object, want, problem string }{
		"a MachineDeployment": {clusterAPIGroup, "MachineDeployment", annotations + `
spec: {clusterName: prod, replicas: 3, template: {spec: {taints: [{key: dedicated, value: a, effect: NoExecute, propagation: Always}, {key: spec, effect: PreferNoSchedule}]}}}
status: {replicas: 4}`, "MachineDeployment infra/gpus of infra/prod: 4/8 " + full + " spec:PreferNoSchedule nvidia.com/gpu=present:NoSchedule dedicated=b:NoExecute bare:NoSchedule", ""},
		"a MachinePool": {clusterAPIGroup, "MachinePool", annotations + "spec: {clusterName: prod}", "MachinePool infra/gpus of infra/prod: 0/8 " + full + " nvidia.com/gpu=present:NoSchedule dedicated=b:NoExecute bare:NoSchedule", ""},
		"a MachineSet of a MachineDeployment": {clusterAPIGroup, "MachineSet", annotations + "  ownerReferences: [{kind: MachineDeployment, name: gpus}]\nspec: {clusterName: prod, replicas: 3}",
			"MachineSet infra/gpus of infra/prod: 3/0", ""},
		"one that is being deleted": {clusterAPIGroup, "MachineSet", annotations + "  deletionTimestamp: 2026-01-01T00:00:00Z\nspec: {clusterName: prod}", "MachineSet infra/gpus of infra/prod: 0/0", ""},
		"one that nothing scales": {clusterAPIGroup, "MachineDeployment", strings.Replace(annotations, `max-size: "8"`, `max-size: "0"`, 1) + "spec: {clusterName: prod}",
			"MachineDeployment infra/gpus of infra/prod: 0/0", ""},
		"one that does not say what a node has": {clusterAPIGroup, "MachineDeployment", strings.ReplaceAll(annotations, "capacity.", "") + "spec: {clusterName: prod}", "MachineDeployment infra/gpus of infra/prod: 0/8", ""},
		"a size that is none": {clusterAPIGroup, "MachineDeployment", strings.Replace(annotations, `"8"`, "many", 1) + "spec: {clusterName: prod}", "MachineDeployment infra/gpus of infra/prod: 0/0",
			`MachineDeployment infra/gpus: annotation cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size: "many" is not a number of nodes`},
		"an amount that is none": {clusterAPIGroup, "MachineDeployment", strings.Replace(annotations, `"2"`, `"`+strings.Repeat("2", 100)+`"`, 1) + "spec: {clusterName: prod}", "MachineDeployment infra/gpus of infra/prod: 0/0",
			`MachineDeployment infra/gpus: annotation capacity.cluster-autoscaler.kubernetes.io/gpu-count: "2222`},
		"an empty object": {clusterAPIGroup, "MachineDeployment", "{}", "MachineDeployment / of /: 0/0", ""},
		"odd types":       {clusterAPIGroup, "MachineDeployment", annotations + "spec: {clusterName: [a], replicas: many, template: [1]}\nstatus: none", "MachineDeployment infra/gpus of infra/: 0/8 " + full + " nvidia.com/gpu=present:NoSchedule dedicated=b:NoExecute bare:NoSchedule", ""},
		"a MachineSet of OpenShift's": {openShiftGroup, "MachineSet", `
metadata:
  namespace: openshift-machine-api
  name: gpus
  annotations: {machine.openshift.io/cluster-api-autoscaler-node-group-min-size: "1", machine.openshift.io/cluster-api-autoscaler-node-group-max-size: "4",
    machine.openshift.io/vCPU: "8", machine.openshift.io/memoryMb: "1024", machine.openshift.io/GPU: "1", capacity.cluster-autoscaler.kubernetes.io/labels: kubernetes.io/arch=amd64}
spec: {replicas: 1, template: {spec: {taints: [{key: workload, value: aiml, effect: NoSchedule}]}}}`,
			"MachineSet.machine.openshift.io openshift-machine-api/gpus of : 1/4 cpu=8000 memory=1073741824 nvidia.com/gpu=1 workload=aiml:NoSchedule", ""},
		"a pool of a cloud's by its tags": {"infrastructure.cluster.x-k8s.io", "AWSMachinePool", `
metadata: {namespace: infra, name: gpus, labels: {cluster.x-k8s.io/cluster-name: prod}}
spec:
  minSize: 0
  maxSize: 5
  additionalTags:
    k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/gpu: "8"
    k8s.io/cluster-autoscaler/node-template/resources/ephemeral-storage: 100G
    k8s.io/cluster-autoscaler/node-template/label/nvidia.com/gpu.product: A100
    k8s.io/cluster-autoscaler/node-template/taint/nvidia.com/gpu: "true:NoSchedule"
    k8s.io/cluster-autoscaler/node-template/taint/odd: "true"
    k8s.io/cluster-autoscaler/enabled: "true"
status: {replicas: 2}`, "AWSMachinePool infra/gpus of infra/prod: 2/5 nvidia.com/gpu=8 nvidia.com/gpu.product=A100 nvidia.com/gpu=true:NoSchedule", ""},
		"a managed pool": {"infrastructure.cluster.x-k8s.io", "AWSManagedMachinePool", `
metadata: {namespace: infra, name: gpus, labels: {cluster.x-k8s.io/cluster-name: prod}}
spec:
  scaling: {minSize: 1, maxSize: 3}
  labels: {nvidia.com/gpu.product: L4, team: a}
  taints: [{key: dedicated, value: gpuGroup, effect: no-schedule}, {key: b, effect: never}]
  additionalTags: {k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/gpu: "1"}`,
			"AWSManagedMachinePool infra/gpus of infra/prod: 0/3 nvidia.com/gpu=1 nvidia.com/gpu.product=L4 dedicated=gpuGroup:NoSchedule", ""},
		"a tag that is no amount": {"infrastructure.cluster.x-k8s.io", "AWSMachinePool", `{metadata: {namespace: infra, name: gpus}, spec: {maxSize: 3, additionalTags: {k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/gpu: eight}}}`,
			"AWSMachinePool infra/gpus of infra/: 0/0", `AWSMachinePool infra/gpus: spec.additionalTags[k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/gpu]: "eight" is not an amount`},
	} {
		t.Run(name, func(t *testing.T) {
			u, kind := groupIn(t, tt.group, tt.kind, tt.object)
			got, err := kind.nodeGroupOf(u)
			if err != nil {
				t.Fatal(err)
			}
			if textOfGroup(got) != tt.want || (got.problem == "") != (tt.problem == "") || !strings.HasPrefix(got.problem, tt.problem) || len(got.problem) > 1<<10 {
				t.Errorf("got %s\n%s, want\n%s", textOfGroup(got), got.problem, tt.want)
			}
		})
	}
}

// Groups of one kind are not taken for those of another: what was said of them would be there twice.
func TestKindsOfNodeGroupsAreTold(t *testing.T) {
	titles := map[string]bool{}
	for i := range groupKinds {
		titles[groupKinds[i].title()] = true
	}
	if len(titles) != len(groupKinds) {
		t.Errorf("%d kinds have %d titles", len(groupKinds), len(titles))
	}
}

// TestWhatIsKeptOfNodeGroups: a member may say whatever it likes.
func TestWhatIsKeptOfNodeGroups(t *testing.T) {
	long := strings.Repeat("x", 1<<16)
	u, kind := groupIn(t, clusterAPIGroup, "MachineDeployment", "spec: {clusterName: "+long+"}")
	tags, labels, taints := map[string]any{}, map[string]any{}, []any{}
	for i := range 10_000 {
		tags[fmt.Sprintf("%sresources/example.com/r%d", nodeTemplatePrefix, i)] = "1"
		labels[fmt.Sprintf("l%d", i)] = long
		taints = append(taints, map[string]any{"key": fmt.Sprint(i), "value": long, "effect": "NoSchedule"})
	}
	pool, awsKind := groupIn(t, "infrastructure.cluster.x-k8s.io", "AWSMachinePool", "{}")
	pool.Object["spec"] = map[string]any{"maxSize": int64(1) << 62, "additionalTags": tags, "labels": labels, "taints": taints}
	for _, object := range []*unstructured.Unstructured{u, pool} {
		object.SetName(long)
		object.SetAnnotations(map[string]string{
			clusterAPIGroup + sizePrefix + "max-size": "9223372036854775807", capacityPrefix + "cpu": "1", taintsKey: strings.Repeat("a=b:NoSchedule,", 10_000), labelsKey: strings.Repeat("nvidia.com/gpu.product=A,", 10_000), gpuTypeKey: long, gpuCountKey: "1",
		})
	}
	for _, tt := range []struct {
		kind   *groupKind
		object *unstructured.Unstructured
	}{{kind, u}, {awsKind, pool}} {
		got, err := tt.kind.nodeGroupOf(tt.object)
		if err != nil || got.Most != accelerator.MostNodes || got.weight() > 8<<10 || len(got.Taints) > mostTaints || len(got.Node) > mostResources {
			t.Errorf("it weighs %d: %v, %d nodes, %d taints, %d resources", got.weight(), err, got.Most, len(got.Taints), len(got.Node))
		}
	}
}

// TestNodeGroups: those of other clusters do not count, and what was known of those that cannot
// be read stays.
func TestNodeGroups(t *testing.T) {
	object := func(namespace, name string, most int) *unstructured.Unstructured {
		u, _ := groupIn(t, clusterAPIGroup, "MachineDeployment", fmt.Sprintf(`{metadata: {namespace: %s, name: %s, annotations: {cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size: "%d",
capacity.cluster-autoscaler.kubernetes.io/gpu-type: nvidia.com/gpu, capacity.cluster-autoscaler.kubernetes.io/gpu-count: "8"}}, spec: {clusterName: prod, replicas: 1}}`, namespace, name, most))
		return u
	}
	silent := object("infra", "silent", 3)
	delete(silent.Object["metadata"].(map[string]any)["annotations"].(map[string]any), gpuCountKey) //nolint:forcetypeassert // made above
	broken := object("infra", "broken", 3)
	broken.SetAnnotations(map[string]string{clusterAPIGroup + sizePrefix + "max-size": "x"})

	table := newGroups(&groupKinds[0], func() {})
	watch := fleet.NewWatch(t.Context(), table)
	all := nodeGroups{{groupKind: &groupKinds[0], table: table, watch: watch}}
	status := func(previous v1alpha1.ClusterCapacityStatus) v1alpha1.ClusterCapacityStatus {
		s := seen{nodes: []accelerator.Node{{Name: "n", Machines: machinesOf(map[string]string{clusterNameKey: "prod", clusterNamespaceKey: "infra"})}, {Name: "bare"}}}
		all.describe(&s, previous)
		return statusOf(s, previous, time.Now())
	}
	expect := func(got v1alpha1.ClusterCapacityStatus, rows int, reason, message string) {
		t.Helper()
		c := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionNodeGroupsKnown)
		if len(got.Growth) != rows || c == nil || c.Reason != reason || !strings.Contains(c.Message, message) || (c.Status == "True") != (reason == v1alpha1.ReasonFollowed) {
			t.Errorf("got %+v, %+v", got.Growth, c)
		}
	}
	if !all.listing() {
		t.Error("they are being read")
	}
	expect(status(v1alpha1.ClusterCapacityStatus{}), 0, v1alpha1.ReasonListing, "")
	if err := watch.Replace([]any{object("infra", "gpus", 4), object("other", "gpus", 9), silent}, "1"); err != nil {
		t.Fatal(err)
	}
	known := status(v1alpha1.ClusterCapacityStatus{})
	expect(known, 1, v1alpha1.ReasonFollowed, "1 do not say what a new node has, such as MachineDeployment infra/silent; 1 are of other clusters")
	if known.Growth[0].More.String() != "24" || known.Resources[0].Growth.String() != "24" {
		t.Errorf("got %+v", known.Growth)
	}
	if err := watch.Replace([]any{object("infra", "gpus", 4), broken}, "1"); err != nil {
		t.Fatal(err)
	}
	expect(status(known), 1, v1alpha1.ReasonInvalidNodeGroup, `MachineDeployment infra/broken: annotation`)

	another := newGroups(&groupKinds[0], func() {}) // of a controller that has just begun
	all[0].table, all[0].watch = another, fleet.NewWatch(t.Context(), another)
	expect(status(known), 1, v1alpha1.ReasonListing, "what was known last")
	expect(unreadable("away", known, time.Now()), 1, v1alpha1.ReasonUnreadable, "away")
}
