package devices

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	dracel "k8s.io/dynamic-resource-allocation/cel"
)

const (
	// mostCost is what all devices may cost to judge, in CEL's own units: some seconds, and
	// enough for 40,000 devices and seven classes. leastCost is what it costs to ask at all.
	mostCost  = 30_000_000
	leastCost = 100
)

// Judge finds which devices are of which classes. It remembers that: slices change seldom, and
// expressions cost. It is used by one goroutine.
type Judge struct {
	compiled *dracel.Cache
	// text is what the classes say that classes are of, and known was judged by.
	text string
	classes
	known    map[alike]*verdict
	mostCost uint64
}

// classes are those that can be judged, and what is wrong with the others.
type classes struct {
	judging []*Class
	// criteria are what rules ask for of devices, and judged as the classes are.
	criteria []*Class
	left     []string
	problems []string
}

// alike are slices whose devices are of the same classes.
type alike struct{ driver, packed string }

// verdict is what a slice's devices are, and what it has cost to find out.
type verdict struct {
	// devices are those that claims can be given and that are of some class.
	devices []judged
	// offers says that there is any device, and product what they say they are.
	offers  bool
	product string
	cost    uint64
	// most is what it was not to cost, where it has cost more and was left; 0 where not.
	most uint64
	// unread says that what is kept of the slice cannot be read.
	unread bool
}

// judged is a device and the classes that it is of. Many share these.
type judged struct {
	name    string
	classes []string
}

// NewJudge returns a judge that knows nothing.
func NewJudge() *Judge {
	return &Judge{
		compiled: dracel.NewCache(mostExpressions, dracel.Features{EnableConsumableCapacity: true}), known: map[alike]*verdict{}, mostCost: mostCost,
	}
}

// Judged are devices whose classes are known. It is not changed any more.
type Judged struct {
	slices   []judgedSlice
	problems []string
	// rules says which rules are not carried out.
	rules []string
	// incomplete are the classes of which not all devices are in it.
	incomplete []string
}

type judgedSlice struct {
	driver, pool, node string
	// closed are those of the devices that a rule taints; nil where none is.
	closed []bool
	*verdict
}

// Judge finds the classes of the devices there are, and which of them rules close. Those of
// pools of which not all slices are there are none.
func (j *Judge) Judge(all []*Class, offered []*Slice, rules []*TaintRule) *Judged {
	by := closersOf(rules, all, j.compiles)
	j.read(all, by.criteria)
	found := &Judged{problems: slices.Clone(j.problems), rules: by.problems, incomplete: slices.Clone(j.left)}
	known := make(map[alike]*verdict, len(offered))
	left := j.mostCost
	var excessive, costly int
	for _, slice := range complete(offered) {
		switch {
		case slice.Excessive:
			excessive++
			continue
		case costly > 0:
			costly++
			continue
		}
		key := alike{slice.Driver, slice.packed}
		of := j.known[key]
		if of == nil || of.most > 0 && of.most < left {
			of = j.judge(slice, left)
		}
		known[key] = of
		switch {
		case of.cost > left:
			costly++
		case of.unread:
			excessive++
		default:
			left -= of.cost
			found.slices = append(found.slices, judgedSlice{slice.Driver, slice.Pool, slice.Node, by.closed(slice, of.devices), of})
		}
	}
	j.known = known
	if excessive > 0 {
		found.problems = append(found.problems, fmt.Sprintf("%d ResourceSlices are left out: they have more, or longer, attributes or devices than are taken", excessive))
	}
	if costly > 0 {
		found.problems = append(found.problems, fmt.Sprintf("%d ResourceSlices are left out: the expressions of the DeviceClasses cost too much", costly))
	}
	if excessive+costly > 0 { // they may have devices of any class
		for _, class := range j.judging {
			found.incomplete = append(found.incomplete, class.Name)
		}
	}
	return found
}

// read finds the classes that can be judged, unless it is those that were found before, for the
// same criteria.
func (j *Judge) read(all, criteria []*Class) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *Class) int { return strings.Compare(a.Name, b.Name) })
	of := classes{judging: all, criteria: criteria}
	leave := func(n int) {
		of.problems = append(of.problems, fmt.Sprintf("%d more DeviceClasses are left out", n))
		for _, class := range of.judging[len(of.judging)-n:] {
			of.left = append(of.left, class.Name)
		}
		of.judging = of.judging[:len(of.judging)-n]
	}
	if left := len(all) - mostClasses; left > 0 {
		leave(left)
	}
	var text strings.Builder
	expressions, length := 0, 0
	for i, class := range of.judging {
		expressions, length = expressions+len(class.Expressions), length+class.Weight()
		if expressions > mostExpressions || length > mostOfExpressions {
			leave(len(of.judging) - i)
			break
		}
		fmt.Fprintf(&text, "%q%q%t", class.Name, class.Expressions, class.Excessive)
	}
	fmt.Fprintf(&text, "%q", of.left)
	for _, criterion := range criteria {
		text.WriteString(criterion.Name)
	}
	if text.String() != j.text {
		j.text, j.known = text.String(), map[alike]*verdict{}
		j.classes = j.compile(of)
	}
}

// compile leaves those classes whose expressions can be read.
func (j *Judge) compile(of classes) classes {
	all := of.judging
	of.judging = nil
	for _, class := range all {
		i := slices.IndexFunc(class.Expressions, func(e string) bool { return !j.reads(e) })
		switch {
		case class.Excessive:
			of.problems = append(of.problems, fmt.Sprintf("DeviceClass %s: has more expressions than are taken", class.Name))
		case i >= 0:
			of.problems = append(of.problems, fmt.Sprintf("DeviceClass %s: spec.selectors[%d].cel.expression cannot be read", class.Name, i))
		default:
			of.judging = append(of.judging, class)
			continue
		}
		of.left = append(of.left, class.Name)
	}
	return of
}

// reads says whether an expression can be read.
func (j *Judge) reads(expression string) bool {
	return len(expression) <= resourcev1.CELSelectorExpressionMaxLength && j.compiled.GetOrCompile(expression).Error == nil
}

// compiles says whether all expressions of a class can be read.
func (j *Judge) compiles(class *Class) bool {
	return !slices.ContainsFunc(class.Expressions, func(e string) bool { return !j.reads(e) })
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
		return cmp.Or(cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Node, b.Node), cmp.Compare(a.First, b.First))
	})
	return whole
}

// judge finds what classes a slice's devices are of, unless that costs more than most.
func (j *Judge) judge(slice *Slice, most uint64) *verdict {
	devices, err := slice.devices()
	if err != nil {
		return &verdict{unread: true}
	}
	found := &verdict{offers: len(devices) > 0}
	sets, all := map[string][]string{}, slices.Concat(j.judging, j.criteria)
	for i := range devices {
		device := &devices[i]
		if product := productOf(slice.Driver, device); product != "" && (found.product == "" || product < found.product) {
			found.product = shared(product)
		}
		if isClosed(device) {
			continue
		}
		var of []string
		for i, class := range all {
			if i == len(j.judging) && len(of) == 0 {
				break // nobody asks whether it is closed
			}
			if found.cost > most {
				return &verdict{cost: found.cost, most: most}
			}
			matches, cost := j.matches(class, slice.Driver, device)
			if found.cost += cost; matches {
				of = append(of, class.Name)
			}
		}
		if len(of) == 0 {
			continue
		}
		key := strings.Join(of, " ")
		if sets[key] == nil {
			sets[key] = of
		}
		found.devices = append(found.devices, judged{shared(device.Name), sets[key]})
	}
	found.devices = slices.Clip(found.devices)
	return found
}

// matches says whether a device meets all expressions of a class, and what that has cost. One
// that cannot be evaluated, because the device lacks an attribute, is not met.
func (j *Judge) matches(class *Class, driver string, device *resourcev1.Device) (matches bool, cost uint64) {
	for _, expression := range class.Expressions {
		matches, details, err := j.compiled.GetOrCompile(expression).DeviceMatches(context.Background(), dracel.Device{
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
