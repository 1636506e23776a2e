// Package devices counts what drivers of Dynamic Resource Allocation offer on nodes: of a
// member's ResourceSlices and DeviceClasses the devices of each class on each node, and of
// its ResourceClaims those that are taken. Which device is of which class is judged by the
// API's own evaluator (k8s.io/dynamic-resource-allocation/cel), as the scheduler does.
//
// It is pure: no client, no clock, no goroutine. It is apart from pkg/accelerator, because
// that evaluator brings all of CEL with it, which those who read pools do not need.
package devices

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	dracel "k8s.io/dynamic-resource-allocation/cel"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// What is taken of a member is bounded: no API server has slices and classes that are as
// large, but not every member need be one.
const (
	// Of all classes together: they, their expressions, and how long these are.
	mostClasses       = 64
	mostExpressions   = 256
	mostOfExpressions = 128 << 10
	// Of a slice: its devices, and of each of them what is said of it.
	mostDevices    = 2 * resourcev1.ResourceSliceMaxDevices
	mostOfDevice   = 256
	mostOfText     = 256
	mostOfValue    = 4 << 10
	mostOfQuantity = 64
	// mostCost is what all devices may cost to judge, in CEL's own units: some seconds, and
	// enough for 40,000 devices and seven classes. leastCost is what it costs to ask at all.
	mostCost  = 30_000_000
	leastCost = 100
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
	// Excessive says that it has more than is taken, and so no devices.
	Excessive bool
}

// Weight is about how many bytes the devices take, and what is left without them is Light.
func (s *Slice) Weight() (bytes int) {
	for i := range s.Devices {
		d := &s.Devices[i]
		bytes += 256 + len(d.Name)
		for name, attribute := range d.Attributes {
			bytes += 192 + len(name) + attribute.Size()
		}
		for name := range d.Capacity {
			bytes += 192 + len(name)
		}
		bytes += len(d.Taints) * 128
	}
	return bytes
}

// Light is the slice without its devices.
func (s *Slice) Light() *Slice {
	light := *s
	light.Devices, light.Excessive = nil, true
	return &light
}

// SliceOf keeps of a ResourceSlice what counts; nothing of devices that belong to no node.
func SliceOf(spec *resourcev1.ResourceSliceSpec) *Slice {
	s := &Slice{Driver: spec.Driver, Pool: spec.Pool.Name, Generation: spec.Pool.Generation, Slices: spec.Pool.ResourceSliceCount}
	if spec.NodeName == nil {
		return s
	}
	s.Node = *spec.NodeName
	if len(spec.Devices) > mostDevices || max(len(s.Driver), len(s.Pool), len(s.Node)) > mostOfText || slices.ContainsFunc(spec.Devices, isExcessive) {
		return s.short().Light()
	}
	s.Devices = make([]resourcev1.Device, 0, len(spec.Devices))
	for i := range spec.Devices {
		d := &spec.Devices[i]
		s.Devices = append(s.Devices, resourcev1.Device{
			Name: d.Name, Attributes: d.Attributes, Capacity: valuesOf(d.Capacity), Taints: d.Taints, AllowMultipleAllocations: d.AllowMultipleAllocations,
		})
	}
	return s
}

// short keeps no more of a slice's names than counts.
func (s *Slice) short() *Slice {
	for _, name := range []*string{&s.Driver, &s.Pool, &s.Node} {
		*name = strings.Clone((*name)[:min(len(*name), mostOfText)])
	}
	return s
}

// valuesOf are capacities without how they may be asked for.
func valuesOf(capacity map[resourcev1.QualifiedName]resourcev1.DeviceCapacity) map[resourcev1.QualifiedName]resourcev1.DeviceCapacity {
	if len(capacity) == 0 {
		return nil
	}
	values := make(map[resourcev1.QualifiedName]resourcev1.DeviceCapacity, len(capacity))
	for name, c := range capacity {
		values[name] = resourcev1.DeviceCapacity{Value: c.Value}
	}
	return values
}

// isExcessive says whether a device has more to it than is taken.
func isExcessive(d resourcev1.Device) bool {
	if len(d.Name) > mostOfText || len(d.Attributes)+len(d.Capacity)+len(d.Taints) > mostOfDevice {
		return true
	}
	for name, attribute := range d.Attributes {
		if len(name) > mostOfText || attribute.Size() > mostOfValue {
			return true
		}
	}
	for name, c := range d.Capacity {
		if len(name) > mostOfText || len(c.Value.String()) > mostOfQuantity {
			return true
		}
	}
	return slices.ContainsFunc(d.Taints, func(t resourcev1.DeviceTaint) bool { return max(len(t.Key), len(t.Value), len(t.Effect)) > mostOfText })
}

// Class is a DeviceClass: its name, and the expressions that a device of it meets.
type Class struct {
	Name        string
	Expressions []string
	// Excessive says that it has more than is taken, and so no expressions.
	Excessive bool
}

// Weight is how many bytes the expressions take.
func (c *Class) Weight() (bytes int) {
	for _, expression := range c.Expressions {
		bytes += 16 + len(expression)
	}
	return bytes
}

// Light is the class without its expressions.
func (c *Class) Light() *Class { return &Class{Name: c.Name, Excessive: true} }

// ClassOf keeps of a DeviceClass what counts.
func ClassOf(class *resourcev1.DeviceClass) *Class {
	c := &Class{Name: class.Name}
	for _, selector := range class.Spec.Selectors {
		if selector.CEL != nil {
			c.Expressions = append(c.Expressions, selector.CEL.Expression)
		}
	}
	if len(c.Name) > mostOfText || len(c.Expressions) > mostExpressions || c.Weight() > mostOfExpressions {
		c.Name = strings.Clone(c.Name[:min(len(c.Name), mostOfText)])
		return c.Light()
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
	// text is what the classes say that judging and problems are of, and known was judged by.
	text     string
	judging  []*Class
	problems []string
	known    map[*Slice]verdict
	mostCost uint64
}

// verdict is what a slice's devices are, and what it has cost to find out.
type verdict struct {
	devices []judged
	cost    uint64
	// most is what it was not to cost, where it has cost more and was left; 0 where not.
	most uint64
}

// judged are the classes that a device is of, or that none can be given now.
type judged struct {
	classes []string
	closed  bool
}

// NewCounter returns a counter that has judged nothing.
func NewCounter() *Counter {
	return &Counter{
		compiled: dracel.NewCache(mostExpressions, dracel.Features{EnableConsumableCapacity: true}), known: map[*Slice]verdict{}, mostCost: mostCost,
	}
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
	c.read(classes)
	count := Count{
		Offered: map[string]map[string]int64{}, Taken: map[string]map[string]int64{}, Products: map[string]string{},
		Drivers: map[string][]string{}, Problems: slices.Clone(c.problems),
	}
	gone := make(map[ID]bool, len(taken))
	for _, id := range taken {
		gone[id] = true
	}
	known := make(map[*Slice]verdict, len(all))
	left := c.mostCost
	var excessive, costly int
	for _, slice := range complete(all) {
		switch {
		case slice.Excessive:
			excessive++
			continue
		case costly > 0:
			costly++
			continue
		}
		found, judged := c.known[slice]
		if !judged || found.most > 0 && found.most < left {
			found = c.judge(slice, left)
		}
		if known[slice] = found; found.cost > left {
			costly++
			continue
		}
		left -= found.cost
		count.add(slice, found.devices, gone)
	}
	c.known = known
	if excessive > 0 {
		count.Problems = append(count.Problems, fmt.Sprintf("%d ResourceSlices are left out: they have more, or longer, attributes or devices than are taken", excessive))
	}
	if costly > 0 {
		count.Problems = append(count.Problems, fmt.Sprintf("%d ResourceSlices are left out: the expressions of the DeviceClasses cost too much", costly))
	}
	return count
}

// read finds the classes that can be judged, unless it is those that were found before.
func (c *Counter) read(classes []*Class) {
	classes = slices.Clone(classes)
	slices.SortFunc(classes, func(a, b *Class) int { return strings.Compare(a.Name, b.Name) })
	var problems []string
	leave := func(n int) {
		problems = append(problems, fmt.Sprintf("%d more DeviceClasses are left out", n))
		classes = classes[:len(classes)-n]
	}
	if left := len(classes) - mostClasses; left > 0 {
		leave(left)
	}
	var text strings.Builder
	expressions, length := 0, 0
	for i, class := range classes {
		expressions, length = expressions+len(class.Expressions), length+class.Weight()
		if expressions > mostExpressions || length > mostOfExpressions {
			leave(len(classes) - i)
			break
		}
		fmt.Fprintf(&text, "%q%q%t", class.Name, class.Expressions, class.Excessive)
	}
	if left := strings.Join(problems, "; "); text.String()+left != c.text {
		c.text, c.known = text.String()+left, map[*Slice]verdict{}
		c.judging, c.problems = c.compile(classes, problems)
	}
}

// compile are the classes whose expressions can be read.
func (c *Counter) compile(classes []*Class, before []string) (judging []*Class, problems []string) {
	problems = before
	for _, class := range classes {
		i := slices.IndexFunc(class.Expressions, func(e string) bool {
			return len(e) > resourcev1.CELSelectorExpressionMaxLength || c.compiled.GetOrCompile(e).Error != nil
		})
		switch {
		case class.Excessive:
			problems = append(problems, fmt.Sprintf("DeviceClass %s: has more expressions than are taken", class.Name))
		case i >= 0:
			problems = append(problems, fmt.Sprintf("DeviceClass %s: spec.selectors[%d].cel.expression cannot be read", class.Name, i))
		default:
			judging = append(judging, class)
		}
	}
	return judging, problems
}

// complete are the slices of each pool's newest generation, where all of them are there, in
// one order: a scheduler gives nothing of others.
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
	slices.SortFunc(whole, func(a, b *Slice) int {
		return cmp.Or(cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Node, b.Node), cmp.Compare(a.first(), b.first()))
	})
	return whole
}

// first is the name of the first device, which is in no other slice of the pool.
func (s *Slice) first() string {
	if len(s.Devices) == 0 {
		return ""
	}
	return s.Devices[0].Name
}

// judge finds what classes a slice's devices are of, unless that costs more than most.
func (c *Counter) judge(slice *Slice, most uint64) verdict {
	found := verdict{devices: make([]judged, len(slice.Devices))}
	for i := range slice.Devices {
		device := &slice.Devices[i]
		found.devices[i].closed = slices.ContainsFunc(device.Taints, func(t resourcev1.DeviceTaint) bool {
			return t.Effect == resourcev1.DeviceTaintEffectNoSchedule || t.Effect == resourcev1.DeviceTaintEffectNoExecute
		})
		for _, class := range c.judging {
			if found.cost > most {
				found.most = most
				return found
			}
			matches, cost := c.matches(class, slice.Driver, device)
			if found.cost += cost; matches {
				found.devices[i].classes = append(found.devices[i].classes, class.Name)
			}
		}
	}
	return found
}

// matches says whether a device meets all expressions of a class, and what that has cost. One
// that cannot be evaluated, because the device lacks an attribute, is not met.
func (c *Counter) matches(class *Class, driver string, device *resourcev1.Device) (matches bool, cost uint64) {
	for _, expression := range class.Expressions {
		matches, details, err := c.compiled.GetOrCompile(expression).DeviceMatches(context.Background(), dracel.Device{
			Driver: driver, AllowMultipleAllocations: device.AllowMultipleAllocations, Attributes: device.Attributes, Capacity: device.Capacity,
		})
		cost += leastCost
		if details != nil && details.ActualCost() != nil {
			cost += *details.ActualCost()
		}
		if err != nil || !matches {
			return false, cost
		}
	}
	return true, cost
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
