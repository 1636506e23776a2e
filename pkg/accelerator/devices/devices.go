// Package devices counts what drivers of Dynamic Resource Allocation offer on nodes: of a
// member's ResourceSlices and DeviceClasses the devices of each class on each node, and of
// its ResourceClaims those that are taken. Which device is of which class is judged by the
// API's own evaluator (k8s.io/dynamic-resource-allocation/cel), as the scheduler does.
//
// It is pure: no client, no clock, no goroutine. It is apart from pkg/accelerator, because
// that evaluator brings all of CEL with it, which those who read pools do not need.
package devices

import (
	"context"
	"fmt"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	dracel "k8s.io/dynamic-resource-allocation/cel"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// What is taken of a member is bounded.
const (
	mostClasses  = 64
	mostCompiled = 1024
)

// ID is which device something is about.
type ID struct{ Driver, Pool, Device string }

// Slice is what is kept of a ResourceSlice.
type Slice struct {
	Driver, Pool string
	// Generation is that of the pool, and Slices how many it has of that.
	Generation, Slices int64
	// Node is the node that the devices are on.
	Node    string
	Devices []resourcev1.Device
}

// SliceOf keeps of a ResourceSlice what counts; nothing of devices that belong to no node.
func SliceOf(spec *resourcev1.ResourceSliceSpec) *Slice {
	s := &Slice{Driver: spec.Driver, Pool: spec.Pool.Name, Generation: spec.Pool.Generation, Slices: spec.Pool.ResourceSliceCount}
	if spec.NodeName == nil {
		return s
	}
	s.Node = *spec.NodeName
	s.Devices = make([]resourcev1.Device, 0, len(spec.Devices))
	for i := range spec.Devices {
		d := &spec.Devices[i]
		s.Devices = append(s.Devices, resourcev1.Device{
			Name: d.Name, Attributes: d.Attributes, Capacity: d.Capacity, Taints: d.Taints, AllowMultipleAllocations: d.AllowMultipleAllocations,
		})
	}
	return s
}

// Class is a DeviceClass: its name, and the expressions that a device of it meets.
type Class struct {
	Name        string
	Expressions []string
}

// ClassOf keeps of a DeviceClass what counts.
func ClassOf(class *resourcev1.DeviceClass) *Class {
	c := &Class{Name: class.Name}
	for _, selector := range class.Spec.Selectors {
		if selector.CEL != nil {
			c.Expressions = append(c.Expressions, selector.CEL.Expression)
		}
	}
	return c
}

// TakenBy are the devices that a ResourceClaim has been given, without those it only looks at.
func TakenBy(claim *resourcev1.ResourceClaim) []ID {
	if claim.Status.Allocation == nil {
		return nil
	}
	var taken []ID
	for _, result := range claim.Status.Allocation.Devices.Results {
		if result.AdminAccess == nil || !*result.AdminAccess {
			taken = append(taken, ID{result.Driver, result.Pool, result.Device})
		}
	}
	return taken
}

// Counter counts devices. It remembers what classes a slice's devices are of: slices change
// seldom, and expressions cost. It is used by one goroutine.
type Counter struct {
	compiled *dracel.Cache
	classes  string // what known was judged by
	known    map[*Slice][]judged
}

// judged are the classes that a device is of, or that none can be given now.
type judged struct {
	classes []string
	closed  bool
}

// NewCounter returns a counter that has judged nothing.
func NewCounter() *Counter {
	return &Counter{compiled: dracel.NewCache(mostCompiled, dracel.Features{EnableConsumableCapacity: true}), known: map[*Slice][]judged{}}
}

// Count is what there is on nodes, by node and resource.
type Count struct {
	// Offered are the devices that claims can be given, and Taken those of them that some have.
	Offered, Taken map[string]map[string]int64
	// Products are what the devices of a node say they are, and Drivers who offers any there,
	// taken, tainted or not.
	Products map[string]string
	Drivers  map[string][]string
	// Problems say which classes cannot be judged, and why.
	Problems []string
}

// Count counts the devices of each class on each node. Devices with a taint that keeps
// claims away are none, nor are those of pools of which not all slices are there. A device
// of two classes is counted in both. taken may be nil where nobody wants to know.
func (c *Counter) Count(classes []*Class, all []*Slice, taken []ID) Count {
	classes, problems := c.judging(classes)
	count := Count{
		Offered: map[string]map[string]int64{}, Taken: map[string]map[string]int64{}, Products: map[string]string{},
		Drivers: map[string][]string{}, Problems: problems,
	}
	var text strings.Builder
	for _, class := range classes {
		fmt.Fprintf(&text, "%q%q", class.Name, class.Expressions)
	}
	if text.String() != c.classes {
		c.classes, c.known = text.String(), map[*Slice][]judged{}
	}
	gone := make(map[ID]bool, len(taken))
	for _, id := range taken {
		gone[id] = true
	}
	known := make(map[*Slice][]judged, len(all))
	for _, slice := range complete(all) {
		verdicts, found := c.known[slice]
		if !found {
			verdicts = c.judge(classes, slice)
		}
		known[slice] = verdicts
		count.add(slice, verdicts, gone)
	}
	c.known = known
	return count
}

// judging are the classes that can be judged, the first ones by name.
func (c *Counter) judging(classes []*Class) (judging []*Class, problems []string) {
	classes = slices.Clone(classes)
	slices.SortFunc(classes, func(a, b *Class) int { return strings.Compare(a.Name, b.Name) })
	if left := len(classes) - mostClasses; left > 0 {
		problems = append(problems, fmt.Sprintf("%d more DeviceClasses are left out", left))
		classes = classes[:mostClasses]
	}
	for _, class := range classes {
		i := slices.IndexFunc(class.Expressions, func(e string) bool { return c.compiled.GetOrCompile(e).Error != nil })
		if i >= 0 {
			problems = append(problems, fmt.Sprintf("DeviceClass %s: spec.selectors[%d].cel.expression cannot be read", class.Name, i))
			continue
		}
		judging = append(judging, class)
	}
	return judging, problems
}

// complete are the slices of each pool's newest generation, where all of them are there: a
// scheduler gives nothing of others.
func complete(all []*Slice) []*Slice {
	type pool struct{ driver, name string }
	pools := map[pool][]*Slice{}
	for _, slice := range all {
		key := pool{slice.Driver, slice.Pool}
		switch others := pools[key]; {
		case len(others) == 0 || others[0].Generation < slice.Generation:
			pools[key] = []*Slice{slice}
		case others[0].Generation == slice.Generation:
			pools[key] = append(others, slice)
		}
	}
	var whole []*Slice
	for _, of := range pools {
		if int64(len(of)) == of[0].Slices {
			whole = append(whole, of...)
		}
	}
	return whole
}

func (c *Counter) judge(classes []*Class, slice *Slice) []judged {
	verdicts := make([]judged, len(slice.Devices))
	for i := range slice.Devices {
		device := &slice.Devices[i]
		verdicts[i].closed = slices.ContainsFunc(device.Taints, func(t resourcev1.DeviceTaint) bool {
			return t.Effect == resourcev1.DeviceTaintEffectNoSchedule || t.Effect == resourcev1.DeviceTaintEffectNoExecute
		})
		for _, class := range classes {
			if c.matches(class, slice.Driver, device) {
				verdicts[i].classes = append(verdicts[i].classes, class.Name)
			}
		}
	}
	return verdicts
}

// matches says whether a device meets all expressions of a class. One that cannot be
// evaluated, because the device lacks an attribute, is not met.
func (c *Counter) matches(class *Class, driver string, device *resourcev1.Device) bool {
	for _, expression := range class.Expressions {
		matches, _, err := c.compiled.GetOrCompile(expression).DeviceMatches(context.Background(), dracel.Device{
			Driver: driver, AllowMultipleAllocations: device.AllowMultipleAllocations, Attributes: device.Attributes, Capacity: device.Capacity,
		})
		if err != nil || !matches {
			return false
		}
	}
	return true
}

func (count *Count) add(slice *Slice, verdicts []judged, taken map[ID]bool) {
	if len(slice.Devices) > 0 && !slices.Contains(count.Drivers[slice.Node], slice.Driver) {
		count.Drivers[slice.Node] = append(count.Drivers[slice.Node], slice.Driver)
	}
	for i := range slice.Devices {
		if product := productOf(slice.Driver, &slice.Devices[i]); product != "" && (count.Products[slice.Node] == "" || product < count.Products[slice.Node]) {
			count.Products[slice.Node] = product
		}
		if verdicts[i].closed {
			continue
		}
		for _, class := range verdicts[i].classes {
			increase(count.Offered, slice.Node, v1alpha1.DeviceClassPrefix+class)
			if taken[ID{slice.Driver, slice.Pool, slice.Devices[i].Name}] {
				increase(count.Taken, slice.Node, v1alpha1.DeviceClassPrefix+class)
			}
		}
	}
}

func increase(counts map[string]map[string]int64, node, resource string) {
	if counts[node] == nil {
		counts[node] = map[string]int64{}
	}
	counts[node][resource]++
}

// productNames are the attributes in which drivers name a device's product.
var productNames = []struct{ name, source string }{
	{"productName", "NVIDIA k8s-dra-driver-gpu, ROCm k8s-gpu-dra-driver"},
	{"model", "Intel resource drivers; dra-example-driver"},
}

func productOf(driver string, device *resourcev1.Device) string {
	for _, known := range productNames {
		for _, name := range []string{known.name, driver + "/" + known.name} {
			if value := device.Attributes[resourcev1.QualifiedName(name)].StringValue; value != nil && *value != "" {
				return *value
			}
		}
	}
	return ""
}
