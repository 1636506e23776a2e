package capacity

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/accelerator/devices"
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
func (w *aWatch) Unserved() bool     { return w.unserved }
func (w *aWatch) Age() time.Duration { return w.age }

// imagined are drivers whose lists a test delivers.
func imagined(watch *aWatch) *drivers {
	d := &drivers{counter: devices.NewCounter()}
	d.slices = fleet.NewTable(fleet.Rules[devices.Slice]{Read: read(func(s *resourcev1.ResourceSlice) *devices.Slice { return devices.SliceOf(&s.Spec) })})
	d.classes = fleet.NewTable(fleet.Rules[devices.Class]{Read: read(devices.ClassOf)})
	d.watches = append(d.watches, watch)
	return d
}

// offeredBy is the status that a node with devices has, if what drivers offer is read.
func offeredBy(d *drivers, previous v1alpha1.ClusterCapacityStatus) v1alpha1.ClusterCapacityStatus {
	s := seen{nodes: []accelerator.Node{{Name: "n", Ready: true, Allocatable: map[string]int64{"cpu": 1000}, Taints: []corev1.Taint{{Key: "nvidia.com/gpu", Effect: "NoSchedule"}}}}}
	s.devices = d.offer(&s, nil, previous)
	return statusOf(s, previous, time.Now())
}

// What was known of devices stays, whatever keeps them from being read: who was let onto their
// nodes by it would be sent away.
func TestDevicesThatCannotBeReadStay(t *testing.T) {
	watch := &aWatch{}
	d := imagined(watch)
	if !d.listing() {
		t.Error("they are being read")
	}
	class, slice, name := &resourcev1.DeviceClass{}, &resourcev1.ResourceSlice{}, "n"
	class.Name, slice.Name = "gpu", "n-gpu"
	slice.Spec = resourcev1.ResourceSliceSpec{Driver: "gpu.nvidia.com", NodeName: &name, Pool: resourcev1.ResourcePool{Name: name, ResourceSliceCount: 1}, Devices: []resourcev1.Device{{Name: "0"}}}
	for _, err := range []error{
		fleet.NewWatch(t.Context(), d.classes).Replace([]any{class}, "1"), fleet.NewWatch(t.Context(), d.slices).Replace([]any{slice}, "1"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	known := offeredBy(d, v1alpha1.ClusterCapacityStatus{})
	if len(known.Pools) != 2 || known.Pools[0].Resource != v1alpha1.DeviceClassPrefix+"gpu" || !meta.IsStatusConditionTrue(known.Conditions, v1alpha1.ConditionDevicesKnown) || d.listing() {
		t.Fatalf("got %+v", known)
	}
	for name, tt := range map[string]struct {
		drivers *drivers
		reason  string
	}{
		"by who has read them":               {d, v1alpha1.ReasonDevicesUnreadable},
		"by who has not":                     {imagined(watch), v1alpha1.ReasonDevicesUnreadable},
		"by who has not, and waits":          {imagined(&aWatch{age: time.Hour}), v1alpha1.ReasonListing},
		"by who is told that there are none": {imagined(&aWatch{unserved: true}), ""},
	} {
		watch.problem = errors.New("resourceslices is forbidden")
		got := offeredBy(tt.drivers, known)
		condition := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionDevicesKnown)
		if tt.reason == "" {
			if condition != nil || len(got.Pools) != 1 {
				t.Errorf("%s: not served, and got %+v", name, got)
			}
			continue
		}
		if condition == nil || condition.Status != "False" || condition.Reason != tt.reason || !equality.Semantic.DeepEqual(accelerator.Accelerators(got.Pools), accelerator.Accelerators(known.Pools)) {
			t.Errorf("%s: got %+v", name, got)
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
