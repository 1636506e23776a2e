package capacity

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/membership"
)

// aWatch is a watch as drivers ask it.
type aWatch struct {
	problem  error
	unserved bool
	age      time.Duration
}

func (w *aWatch) Problem() error     { return w.problem }
func (w *aWatch) Lacks() bool        { return w.unserved }
func (w *aWatch) Age() time.Duration { return w.age }

// imagined are drivers whose lists a test delivers.
func imagined(watch *aWatch) *drivers {
	d := newDrivers()
	d.watches = append(d.watches, watch)
	return d
}

// list has drivers read and judge classes and slices.
func (d *drivers) list(t *testing.T, classes, slices []any) *drivers {
	t.Helper()
	for _, err := range []error{fleet.NewWatch(t.Context(), d.classes).Replace(classes, "1"), fleet.NewWatch(t.Context(), d.slices).Replace(slices, "1"), fleet.NewWatch(t.Context(), d.rules).Replace(nil, "1")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !d.judgeAll() {
		t.Fatal("it is not synced")
	}
	return d
}

func deviceClass(name, expression string) *resourcev1.DeviceClass {
	class := &resourcev1.DeviceClass{Spec: resourcev1.DeviceClassSpec{Selectors: []resourcev1.DeviceSelector{{CEL: &resourcev1.CELDeviceSelector{Expression: expression}}}}}
	class.Name = name
	return class
}

func deviceSlice(node string, devices ...string) *resourcev1.ResourceSlice {
	slice := &resourcev1.ResourceSlice{Spec: resourcev1.ResourceSliceSpec{Driver: "gpu.nvidia.com", NodeName: &node, Pool: resourcev1.ResourcePool{Name: node, ResourceSliceCount: 1}}}
	slice.Name = node + "-gpu"
	for _, name := range devices {
		slice.Spec.Devices = append(slice.Spec.Devices, resourcev1.Device{Name: name})
	}
	return slice
}

// surveyed is the status that nodes with GPUs have, if what drivers offer is read.
func surveyed(d *drivers, q *requests, previous v1alpha1.ClusterCapacityStatus, nodes ...string) v1alpha1.ClusterCapacityStatus {
	var s seen
	for _, name := range nodes {
		s.nodes = append(s.nodes, accelerator.Node{
			Name: name, Ready: true, ProductLabel: "nvidia.com/gpu.product", Product: "H100", Allocatable: map[string]int64{"cpu": 1000},
			Taints: []corev1.Taint{{Key: "nvidia.com/gpu", Effect: "NoSchedule"}},
		})
	}
	s.survey(d, q, previous)
	return statusOf(s, previous, time.Now())
}

// What was known of devices stays, whatever keeps them from being read: who was let onto their
// nodes by it would be sent away, and their nodes seem to lack a device plugin.
func TestDevicesThatCannotBeReadStay(t *testing.T) {
	watch := &aWatch{}
	d := imagined(watch)
	if !d.listing() {
		t.Error("they are being read")
	}
	d.list(t, []any{deviceClass("gpu", "true")}, []any{deviceSlice("n", "0")})
	known := surveyed(d, nil, v1alpha1.ClusterCapacityStatus{}, "n")
	if len(known.Pools) != 2 || known.Pools[0].Resource != v1alpha1.DeviceClassPrefix+"gpu" || !meta.IsStatusConditionTrue(known.Conditions, v1alpha1.ConditionDevicesKnown) || d.listing() {
		t.Fatalf("got %+v", known)
	}
	// One that was ready without its device plugin for long.
	lacking := v1alpha1.Pool{Resource: "nvidia.com/gpu", ProductLabel: "nvidia.com/gpu.product", Product: "L4", Nodes: 1, NodesWithoutPlugin: 1, Taints: []v1alpha1.PoolTaint{{Key: "team", Value: "a", Effect: "NoSchedule", Meaning: v1alpha1.TaintRestricted}}}
	known.Pools = accelerator.Join(known.Pools, []v1alpha1.Pool{lacking})
	meta.SetStatusCondition(&known.Conditions, metav1.Condition{Type: v1alpha1.ConditionPluginsRun, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNoDevicePlugin, Message: "as it was"})
	old, never := unreadable("refused", known, time.Now()), v1alpha1.ClusterCapacityStatus{}
	for name, tt := range map[string]struct {
		drivers  *drivers
		previous v1alpha1.ClusterCapacityStatus
		reason   string
		again    bool // by who has read them, and goes on with the nodes
	}{
		"by who has read them":                       {d, known, v1alpha1.ReasonDevicesStale, true},
		"by who has not":                             {imagined(watch), known, v1alpha1.ReasonDevicesStale, false},
		"by who has not, of a cluster that was away": {imagined(watch), old, v1alpha1.ReasonDevicesStale, false},
		"by who has not, and waits":                  {imagined(&aWatch{age: time.Hour}), known, v1alpha1.ReasonDevicesStale, false},
	} {
		watch.problem = errors.New("resourceslices is forbidden")
		got := surveyed(tt.drivers, nil, tt.previous, "n")
		condition, plugins := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionDevicesKnown), meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionPluginsRun)
		if condition == nil || condition.Status != "False" || condition.Reason != tt.reason {
			t.Errorf("%s: got %+v", name, got)
		}
		if tt.again {
			if plugins == nil || plugins.Status != "True" || len(got.Pools) != 2 {
				t.Errorf("%s: got %+v, %+v", name, plugins, got.Pools)
			}
			continue
		}
		if plugins == nil || plugins.Message != "as it was" || !equality.Semantic.DeepEqual(accelerator.Accelerators(got.Pools), accelerator.Accelerators(known.Pools)) {
			t.Errorf("%s: got %+v, %+v", name, plugins, got.Pools)
		}
	}
	for name, tt := range map[string]struct {
		drivers *drivers
		reason  string
	}{
		"never read":            {imagined(watch), v1alpha1.ReasonDevicesUnreadable},
		"never read, and waits": {imagined(&aWatch{age: time.Hour}), v1alpha1.ReasonListing},
	} {
		got := surveyed(tt.drivers, nil, never, "n")
		if condition := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionDevicesKnown); condition == nil || condition.Reason != tt.reason {
			t.Errorf("%s: got %+v", name, condition)
		}
	}
	got := surveyed(imagined(&aWatch{unserved: true}), nil, known, "n")
	if meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionDevicesKnown) != nil || slices.ContainsFunc(got.Pools, func(p v1alpha1.Pool) bool { return accelerator.IsDevice(p.Resource) }) {
		t.Errorf("they are not served, and got %+v", got)
	}
}

// taintRule is a DeviceTaintRule for a device of any driver.
func taintRule(name, device string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"deviceSelector": map[string]any{"device": device}, "taint": map[string]any{"key": "broken", "effect": "NoExecute"},
	}}}
	u.SetName(name)
	return u
}

// Devices that a rule taints are none. Nobody judges before it is known whether there are rules,
// and where they cannot be read, devices are still known.
func TestTaintRules(t *testing.T) {
	d := imagined(&aWatch{})
	d.rulesWatch = fleet.NewWatch(t.Context(), d.rules)
	for _, err := range []error{
		fleet.NewWatch(t.Context(), d.classes).Replace([]any{deviceClass("gpu", "true")}, "1"), fleet.NewWatch(t.Context(), d.slices).Replace([]any{deviceSlice("n", "0", "1", "2")}, "1"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if d.judgeAll() {
		t.Fatal("it is judged, and the rules are being read")
	}
	expect := func(devices int64, reason, message string) {
		t.Helper()
		if !d.judgeAll() {
			t.Fatal("it is not synced")
		}
		got := surveyed(d, nil, v1alpha1.ClusterCapacityStatus{}, "n")
		condition := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionDevicesKnown)
		if got.Pools[0].Allocatable.Value() != devices || condition.Status != "True" || condition.Reason != reason || !strings.Contains(condition.Message, message) || !accelerator.DevicesRead(condition) {
			t.Errorf("got %+v, %+v", got.Pools[0], condition)
		}
	}
	for _, step := range []struct {
		rules   []any
		devices int64
		reason  string
		message string
	}{
		{[]any{taintRule("a", "0"), taintRule("b", "9")}, 2, v1alpha1.ReasonFollowed, "devices are followed"},
		{[]any{taintRule("a", "0"), taintRule("b", "1")}, 1, v1alpha1.ReasonFollowed, "devices are followed"},
		{[]any{taintRule("a", "0"), taintRule("too-long", strings.Repeat("1", 300))}, 2, v1alpha1.ReasonTaintRulesUnreadable, "1 DeviceTaintRules are left out, and devices that they taint count, such as of too-long"},
		{nil, 3, v1alpha1.ReasonFollowed, ""},
	} {
		if err := d.rulesWatch.Replace(step.rules, "1"); err != nil {
			t.Fatal(err)
		}
		expect(step.devices, step.reason, step.message)
	}
}

// Nobody waits until devices are judged: who publishes says what was known last, and is told when
// they are.
func TestJudgingIsNotWaitedFor(t *testing.T) {
	d, told := imagined(&aWatch{age: time.Hour}), make(chan struct{}, 1)
	deliver := func(slices ...any) {
		t.Helper()
		for _, err := range []error{fleet.NewWatch(t.Context(), d.classes).Replace([]any{deviceClass("gpu", "true")}, "1"), fleet.NewWatch(t.Context(), d.slices).Replace(slices, "1"), fleet.NewWatch(t.Context(), d.rules).Replace(nil, "1")} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	expect := func(when, reason, largest string) {
		t.Helper()
		got := surveyed(d, nil, v1alpha1.ClusterCapacityStatus{}, "n")
		condition := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionDevicesKnown)
		if condition.Reason != reason || largest != "" && got.Pools[0].LargestNode.String() != largest {
			t.Errorf("%s: got %+v, %+v", when, condition, got.Pools)
		}
	}
	deliver(deviceSlice("n", "0"))
	expect("before they are judged", v1alpha1.ReasonListing, "")
	go d.keepJudging(t.Context(), func() {
		select {
		case told <- struct{}{}:
		default: // it has been told already
		}
	})
	<-told
	expect("when they are", v1alpha1.ReasonFollowed, "1")
	deliver(deviceSlice("n", "0", "1"))
	for began := time.Now(); d.judged.Load().Count(nil).Offered["n"][v1alpha1.DeviceClassPrefix+"gpu"] != 2; {
		select {
		case <-told:
		case <-time.After(time.Minute - time.Since(began)):
			t.Fatal("what is new is not judged")
		}
	}
}

// Devices that our own bounds leave out stay as they were known, and so do pools of which some
// were left out; those of classes that are gone go.
func TestDevicesThatAreLeftOutStay(t *testing.T) {
	all := []any{deviceClass("gone", "true"), deviceClass("gpu", "true"), deviceClass("mig", "true")}
	known := surveyed(imagined(&aWatch{}).list(t, all, []any{deviceSlice("n", "0", "1"), deviceSlice("o", "0")}), nil, v1alpha1.ClusterCapacityStatus{}, "n", "o")
	large := deviceSlice("n", strings.Repeat("x", 1000))
	for name, tt := range map[string]struct {
		classes, slices []any
		want            string
	}{
		"all slices of a node": {all[1:], []any{large}, "gpu 2, mig 2"},
		"a slice of a pool":    {all[1:], []any{large, deviceSlice("o", "0")}, "gpu 2, mig 2"},
		"a class":              {[]any{all[1], deviceClass("mig", "!")}, []any{deviceSlice("n", "0", "1")}, "gpu 2, mig 2"},
		"nothing":              {all[1:2], []any{deviceSlice("o", "0")}, "gpu 1"},
	} {
		got := surveyed(imagined(&aWatch{}).list(t, tt.classes, tt.slices), nil, known, "n", "o")
		var pools []string
		for _, p := range accelerator.Accelerators(got.Pools) {
			if accelerator.IsDevice(p.Resource) {
				pools = append(pools, strings.TrimPrefix(p.Resource, v1alpha1.DeviceClassPrefix)+" "+p.LargestNode.String())
			}
		}
		condition := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionDevicesKnown)
		if strings.Join(pools, ", ") != tt.want || (condition.Reason == v1alpha1.ReasonDevicesStale) != (name != "nothing") {
			t.Errorf("%s: got %v, %s: %s", name, pools, condition.Reason, condition.Message)
		}
	}
}

// What is free is not said where a claim is left out: it would be more than there is.
func TestClaimsThatAreLeftOut(t *testing.T) {
	claim := func(name string, devices int) *resourcev1.ResourceClaim {
		claim := &resourcev1.ResourceClaim{}
		claim.Name, claim.Status.Allocation = name, &resourcev1.AllocationResult{}
		for range devices {
			claim.Status.Allocation.Devices.Results = append(claim.Status.Allocation.Devices.Results, resourcev1.DeviceRequestAllocationResult{Driver: "gpu.nvidia.com", Pool: "n", Device: "0"})
		}
		return claim
	}
	d := imagined(&aWatch{}).list(t, []any{deviceClass("gpu", "true")}, []any{deviceSlice("n", "0", "1")})
	q := newRequests(func() {})
	q.claims = newClaims(func() {})
	q.claimsWatch = fleet.NewWatch(t.Context(), q.claims)
	for _, tt := range []struct {
		claims []any
		free   string
		reason string
	}{
		{[]any{claim("a", 1), claim("unallocated", 0)}, "1", v1alpha1.ReasonFollowed},
		{[]any{claim("a", 1), claim("b", 1000)}, "", v1alpha1.ReasonClaimsUnreadable},
	} {
		if err := q.claimsWatch.Replace(tt.claims, "1"); err != nil {
			t.Fatal(err)
		}
		s := seen{nodes: []accelerator.Node{{Name: "n", Ready: true}}, requests: accelerator.Requests{}}
		s.survey(d, q, v1alpha1.ClusterCapacityStatus{})
		got := statusOf(s, v1alpha1.ClusterCapacityStatus{}, time.Now())
		condition := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionDevicesKnown)
		free := ""
		if got.Pools[0].Free != nil {
			free = got.Pools[0].Free.String()
		}
		if len(got.Pools) != 1 || free != tt.free || condition.Reason != tt.reason {
			t.Errorf("got %+v, %+v", got.Pools, condition)
		}
	}
}

// Whether devices were ever read is known while the nodes cannot be read.
func TestUnreadableDevices(t *testing.T) {
	for reason, want := range map[string]string{
		v1alpha1.ReasonFollowed: v1alpha1.ReasonUnreadable, v1alpha1.ReasonDevicesStale: v1alpha1.ReasonUnreadable, v1alpha1.ReasonUnreadable: v1alpha1.ReasonUnreadable,
		v1alpha1.ReasonDevicesUnreadable: v1alpha1.ReasonDevicesUnreadable, v1alpha1.ReasonListing: v1alpha1.ReasonDevicesUnreadable,
	} {
		var before v1alpha1.ClusterCapacityStatus
		condition := metav1.Condition{Type: v1alpha1.ConditionDevicesKnown, Status: metav1.ConditionFalse, Reason: reason}
		if reason == v1alpha1.ReasonFollowed {
			condition.Status = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&before.Conditions, condition)
		got := meta.FindStatusCondition(unreadable("refused", before, time.Now()).Conditions, v1alpha1.ConditionDevicesKnown)
		if got.Status != metav1.ConditionFalse || got.Reason != want || got.Message != "refused" {
			t.Errorf("after %s: got %+v", reason, got)
		}
	}
}

// The taints of new nodes that pass are known while NodePools cannot be read: they would close
// the pool otherwise.
func TestNodePoolsThatCannotBeReadStay(t *testing.T) {
	follow := func() *karpenter {
		k := &karpenter{pools: fleet.NewTable(fleet.Rules[nodePool]{Read: nodePoolOf})}
		k.watch = fleet.NewWatch(t.Context(), k.pools)
		return k
	}
	said := func(k *karpenter, previous v1alpha1.ClusterCapacityStatus) v1alpha1.ClusterCapacityStatus {
		s := seen{nodes: []accelerator.Node{{Name: "n", Ready: true, NodePool: "gpus", Allocatable: map[string]int64{"nvidia.com/gpu": 8}, Taints: []corev1.Taint{{Key: "driver", Effect: "NoSchedule"}}}}}
		k.describe(&s, previous)
		return statusOf(s, previous, time.Now())
	}
	k := follow()
	startup := []any{map[string]any{"key": "driver", "effect": "NoSchedule"}, map[string]any{"key": "", "effect": "NoSchedule"}, map[string]any{"key": "k", "effect": "None"}}
	pool := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"limits": map[string]any{"nvidia.com/gpu": "64"}, "template": map[string]any{"spec": map[string]any{"startupTaints": startup}},
	}}}
	pool.SetName("gpus")
	if err := k.watch.Replace([]any{pool}, "1"); err != nil {
		t.Fatal(err)
	}
	known := said(k, v1alpha1.ClusterCapacityStatus{})
	if len(known.Pools) != 1 || len(known.Pools[0].Taints) != 0 || len(known.StartingNodePools) != 1 || len(known.StartingNodePools[0].StartupTaints) != 1 {
		t.Fatalf("got %+v", known)
	}
	got := said(follow(), known)
	if meta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionNodePoolsKnown) {
		t.Error("they are said to be known")
	}
	known.Conditions, got.Conditions = nil, nil
	if !equality.Semantic.DeepEqual(got, known) {
		t.Errorf("got %+v, want %+v", got, known)
	}
}

// What a member has that is beside its nodes is not known either when they are not; of what it
// does not have, nothing is said.
func TestUnreadable(t *testing.T) {
	followed := func(name string) (all v1alpha1.ClusterCapacityStatus) {
		meta.SetStatusCondition(&all.Conditions, metav1.Condition{Type: name, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFollowed})
		return all
	}
	for _, name := range []string{v1alpha1.ConditionDevicesKnown, v1alpha1.ConditionNodePoolsKnown} {
		got := unreadable("refused", followed(name), time.Now())
		if len(got.Conditions) != 3 || !meta.IsStatusConditionFalse(got.Conditions, name) {
			t.Errorf("got %+v", got.Conditions)
		}
	}
}

// A member that is not ready is not known any more, also if its watches have not noticed, or it
// has never been engaged since the process started.
func TestAway(t *testing.T) {
	known := func(status metav1.ConditionStatus) *v1alpha1.ClusterCapacity {
		c := &v1alpha1.ClusterCapacity{}
		c.UID, c.Status.Nodes = "u", 3
		meta.SetStatusCondition(&c.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionKnown, Status: status, Reason: v1alpha1.ReasonFollowed})
		return c
	}
	stored, unready := known(metav1.ConditionTrue), membership.Info{Probed: true, Reason: "ClusterNotReachable"}
	for name, status := range map[string]*v1alpha1.ClusterCapacityStatus{"not engaged": nil, "not noticed": &stored.Status} {
		said := away(unready, stored, status)
		if said == nil || said.Nodes != 3 || !meta.IsStatusConditionFalse(said.Conditions, v1alpha1.ConditionKnown) || !meta.IsStatusConditionFalse(said.Conditions, v1alpha1.ConditionRequestsKnown) {
			t.Errorf("%s: got %+v", name, said)
		}
	}
	for name, said := range map[string]*v1alpha1.ClusterCapacityStatus{
		"ready":                    away(membership.Info{Probed: true, Ready: true}, stored, &stored.Status),
		"not probed":               away(membership.Info{}, stored, nil),
		"never known":              away(unready, &v1alpha1.ClusterCapacity{}, nil),
		"noticed, and said better": away(unready, stored, &known(metav1.ConditionFalse).Status),
	} {
		if said != nil {
			t.Errorf("%s: got %+v", name, said)
		}
	}
}
