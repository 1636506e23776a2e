package devices

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

const driver = "gpu.example.com"

func device(name, product string, taints ...resourcev1.DeviceTaintEffect) resourcev1.Device {
	d := resourcev1.Device{Name: name, Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{"productName": {StringValue: ptr.To(product)}}}
	for _, effect := range taints {
		d.Taints = append(d.Taints, resourcev1.DeviceTaint{Key: driver + "/xid", Effect: effect})
	}
	return d
}

func slice(node, pool string, generation, of int64, devices ...resourcev1.Device) *Slice {
	return SliceOf(&resourcev1.ResourceSliceSpec{
		Driver: driver, NodeName: &node, Devices: devices, Pool: resourcev1.ResourcePool{Name: pool, Generation: generation, ResourceSliceCount: of},
	})
}

var (
	gpus = &Class{Name: "gpu", Expressions: []string{`device.driver == "gpu.example.com"`}}
	big  = &Class{Name: "big", Expressions: []string{`device.driver == "gpu.example.com"`, `device.attributes["gpu.example.com"].productName == "A100"`}}
)

func TestCount(t *testing.T) {
	none, hard, running := resourcev1.DeviceTaintEffectNone, resourcev1.DeviceTaintEffectNoSchedule, resourcev1.DeviceTaintEffectNoExecute
	tests := []struct {
		name    string
		classes []*Class
		slices  []*Slice
		taken   []ID
		want    string // node/class=taken/offered
		problem string
	}{
		{name: "devices of each class", classes: []*Class{gpus, big}, slices: []*Slice{slice("a", "a", 1, 1, device("0", "A100"), device("1", "T4")), slice("b", "b", 1, 1, device("0", "T4"))},
			want: "a/big=0/1 a/gpu=0/2 b/gpu=0/1"},
		{name: "what is taken, also of devices that are gone", classes: []*Class{gpus}, slices: []*Slice{slice("a", "a", 1, 1, device("0", "A100"), device("1", "T4"))},
			taken: []ID{{driver, "a", "1"}, {driver, "a", "7"}, {"other", "a", "0"}, {driver, "b", "0"}}, want: "a/gpu=1/2"},
		{name: "taints that keep claims away", classes: []*Class{gpus}, slices: []*Slice{slice("a", "a", 1, 1, device("0", "A100", none), device("1", "A100", hard), device("2", "A100", none, running))},
			want: "a/gpu=0/1"},
		{name: "an older generation is none", classes: []*Class{gpus}, slices: []*Slice{slice("a", "a", 1, 1, device("0", "T4"), device("1", "T4")), slice("a", "a", 2, 1, device("0", "T4"))}, want: "a/gpu=0/1"},
		{name: "a pool that is not all there is none", classes: []*Class{gpus}, slices: []*Slice{slice("a", "a", 1, 2, device("0", "T4"))}, want: ""},
		{name: "a pool of two slices", classes: []*Class{gpus}, slices: []*Slice{slice("a", "a", 1, 2, device("0", "T4")), slice("a", "a", 1, 2, device("1", "T4"))}, want: "a/gpu=0/2"},
		{name: "devices that are on no node", classes: []*Class{gpus}, slices: []*Slice{SliceOf(&resourcev1.ResourceSliceSpec{
			Driver: driver, AllNodes: ptr.To(true), Devices: []resourcev1.Device{device("0", "T4")}, Pool: resourcev1.ResourcePool{Name: "net", ResourceSliceCount: 1}})}, want: ""},
		{name: "a class that cannot be read leaves the others", classes: []*Class{gpus, {Name: "broken", Expressions: []string{"device.driver =="}}}, slices: []*Slice{slice("a", "a", 1, 1, device("0", "T4"))},
			want: "a/gpu=0/1", problem: "DeviceClass broken: spec.selectors[0].cel.expression cannot be read"},
		{name: "an attribute that a device lacks", classes: []*Class{{Name: "lacking", Expressions: []string{`device.attributes["gpu.example.com"].memory == "1"`}}}, slices: []*Slice{slice("a", "a", 1, 1, device("0", "T4"))}, want: ""},
	}
	counter := NewCounter() // one for all: what it remembers is of slices and classes as they are
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				count := counter.Count(tt.classes, tt.slices, tt.taken)
				var got []string
				for _, node := range slices.Sorted(maps.Keys(count.Offered)) {
					for _, class := range []string{"big", "gpu", "lacking", "broken"} {
						resource := v1alpha1.DeviceClassPrefix + class
						if n := count.Offered[node][resource]; n > 0 {
							got = append(got, fmt.Sprintf("%s/%s=%d/%d", node, class, count.Taken[node][resource], n))
						}
					}
				}
				if strings.Join(got, " ") != tt.want || strings.Join(count.Problems, ";") != tt.problem {
					t.Errorf("got %q, %q", strings.Join(got, " "), count.Problems)
				}
			}
		})
	}
	if len(counter.known) != 1 {
		t.Errorf("what was judged of %d slices is remembered, though there is one", len(counter.known))
	}
}

func TestTakenBy(t *testing.T) {
	claim := &resourcev1.ResourceClaim{}
	if taken := TakenBy(claim); taken != nil {
		t.Errorf("got %v", taken)
	}
	claim.Status.Allocation = &resourcev1.AllocationResult{Devices: resourcev1.DeviceAllocationResult{Results: []resourcev1.DeviceRequestAllocationResult{
		{Driver: driver, Pool: "a", Device: "0"}, {Driver: driver, Pool: "a", Device: "1", AdminAccess: ptr.To(true)},
	}}}
	if taken := TakenBy(claim); !reflect.DeepEqual(taken, []ID{{driver, "a", "0"}}) {
		t.Errorf("got %v", taken)
	}
}
