package devices

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

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

const leftOut = "1 DeviceTaintRules are left out, and devices that they taint count, such as of rule: there are too many, or the selector cannot be read or names a DeviceClass that is none"

// ruleOf is a DeviceTaintRule with a spec in YAML.
func ruleOf(t *testing.T, spec string) *TaintRule {
	t.Helper()
	read := map[string]any{}
	if err := yaml.Unmarshal([]byte("spec: "+spec), &read); err != nil {
		t.Fatal(err)
	}
	return TaintRuleOf("rule", read)
}

// TestManyRules: what a member may have of them costs no more than time.
func TestManyRules(t *testing.T) {
	var rules []*TaintRule
	for i := range mostRules + 1 {
		rules = append(rules, ruleOf(t, fmt.Sprintf("{deviceSelector: {device: %q}, taint: {effect: NoSchedule}}", fmt.Sprint(i))))
	}
	for i := range mostCriteria + 1 {
		rules[i] = ruleOf(t, fmt.Sprintf("{deviceSelector: {selectors: [{cel: {expression: 'device.driver == \"%d\"'}}]}, taint: {effect: NoSchedule}}", i))
	}
	count := NewJudge().Judge([]*Class{gpus}, []*Slice{slice("a", "a", 1, 1, device("0", "T4"), device("100", "T4"))}, rules).Count(nil)
	if got := count.Offered["a"][v1alpha1.DeviceClassPrefix+"gpu"]; got != 1 || len(count.Rules) != 1 || !strings.HasPrefix(count.Rules[0], "2 DeviceTaintRules") {
		t.Errorf("%d devices, %q", got, count.Rules)
	}
}

func TestCount(t *testing.T) {
	none, hard, running := resourcev1.DeviceTaintEffectNone, resourcev1.DeviceTaintEffectNoSchedule, resourcev1.DeviceTaintEffectNoExecute
	tests := []struct {
		name    string
		classes []*Class
		slices  []*Slice
		rules   []*TaintRule
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
	two := []*Slice{slice("a", "pool-a", 1, 1, device("0", "A100"), device("1", "T4")), slice("b", "pool-b", 1, 1, device("0", "A100"), device("1", "T4"))}
	for name, tt := range map[string]struct{ rules, want, problem string }{
		"no selector selects none":        {`{taint: {effect: NoSchedule}}`, "a/big=0/1 a/gpu=0/2 b/big=0/1 b/gpu=0/2", ""},
		"an empty one all":                {`{deviceSelector: {}, taint: {effect: NoExecute}}`, "", ""},
		"an effect that is none":          {`{deviceSelector: {}, taint: {effect: None}}`, "a/big=0/1 a/gpu=0/2 b/big=0/1 b/gpu=0/2", ""},
		"an effect that nobody knows":     {`{deviceSelector: {}, taint: {effect: Sometimes}}`, "a/big=0/1 a/gpu=0/2 b/big=0/1 b/gpu=0/2", ""},
		"of another driver":               {`{deviceSelector: {driver: other, pool: pool-a}, taint: {effect: NoSchedule}}`, "a/big=0/1 a/gpu=0/2 b/big=0/1 b/gpu=0/2", ""},
		"a pool":                          {`{deviceSelector: {driver: ` + driver + `, pool: pool-a}, taint: {effect: NoSchedule}}`, "b/big=0/1 b/gpu=0/2", ""},
		"a device of a pool":              {`{deviceSelector: {pool: pool-a, device: "0"}, taint: {effect: NoSchedule}}`, "a/gpu=0/1 b/big=0/1 b/gpu=0/2", ""},
		"a device of all pools":           {`{deviceSelector: {device: "1"}, taint: {effect: NoSchedule}}`, "a/big=0/1 a/gpu=0/1 b/big=0/1 b/gpu=0/1", ""},
		"a class":                         {`{deviceSelector: {pool: pool-b, deviceClassName: big}, taint: {effect: NoSchedule}}`, "a/big=0/1 a/gpu=0/2 b/gpu=0/1", ""},
		"a class that there is not":       {`{deviceSelector: {deviceClassName: bigger}, taint: {effect: NoSchedule}}`, "a/big=0/1 a/gpu=0/2 b/big=0/1 b/gpu=0/2", leftOut},
		"an expression":                   {`{deviceSelector: {selectors: [{cel: {expression: 'device.attributes["gpu.example.com"].productName == "T4"'}}]}, taint: {effect: NoSchedule}}`, "a/big=0/1 a/gpu=0/1 b/big=0/1 b/gpu=0/1", ""},
		"an expression that is none":      {`{deviceSelector: {selectors: [{cel: {expression: 'device.driver =='}}]}, taint: {effect: NoSchedule}}`, "a/big=0/1 a/gpu=0/2 b/big=0/1 b/gpu=0/2", leftOut},
		"a selector that nobody knows":    {`{deviceSelector: {selectors: [{wasm: {module: x}}]}, taint: {effect: NoSchedule}}`, "a/big=0/1 a/gpu=0/2 b/big=0/1 b/gpu=0/2", leftOut},
		"what cannot be read":             {`{deviceSelector: everything}`, "a/big=0/1 a/gpu=0/2 b/big=0/1 b/gpu=0/2", leftOut},
		"what is too long":                {`{deviceSelector: {pool: ` + strings.Repeat("a", 300) + `}, taint: {effect: NoSchedule}}`, "a/big=0/1 a/gpu=0/2 b/big=0/1 b/gpu=0/2", leftOut},
		"what is too long and closes not": {`{deviceSelector: {pool: ` + strings.Repeat("a", 300) + `}, taint: {effect: None}}`, "a/big=0/1 a/gpu=0/2 b/big=0/1 b/gpu=0/2", ""},
	} {
		test := tests[0]
		test.name, test.slices, test.want, test.problem = "a rule: "+name, two, tt.want, tt.problem
		test.rules = []*TaintRule{ruleOf(t, "{taint: {effect: NoExecute}}"), ruleOf(t, tt.rules)}
		tests = append(tests, test)
	}
	judge := NewJudge() // one for all: what it remembers is of slices and classes as they are
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				count := judge.Judge(tt.classes, tt.slices, tt.rules).Count(tt.taken)
				var got []string
				for _, node := range slices.Sorted(maps.Keys(count.Offered)) {
					for _, class := range []string{"big", "gpu", "lacking", "broken"} {
						resource := v1alpha1.DeviceClassPrefix + class
						if n := count.Offered[node][resource]; n > 0 {
							got = append(got, fmt.Sprintf("%s/%s=%d/%d", node, class, count.Taken[node][resource], n))
						}
					}
				}
				if strings.Join(got, " ") != tt.want || strings.Join(slices.Concat(count.Problems, count.Rules), ";") != tt.problem {
					t.Errorf("got %q, %q, %q", strings.Join(got, " "), count.Problems, count.Rules)
				}
			}
		})
	}
	if len(judge.known) != 1 {
		t.Errorf("what was judged of %d slices is remembered, though there is one", len(judge.known))
	}
}

func TestClaimOf(t *testing.T) {
	claim := &resourcev1.ResourceClaim{}
	if c := ClaimOf(claim); c.Taken != nil || c.Excessive {
		t.Errorf("got %v", c)
	}
	result := func(device string) resourcev1.DeviceRequestAllocationResult {
		return resourcev1.DeviceRequestAllocationResult{Driver: driver, Pool: "a", Device: device}
	}
	looking := result("1")
	looking.AdminAccess = ptr.To(true)
	results := []resourcev1.DeviceRequestAllocationResult{result("0"), looking, result(strings.Repeat("x", 1<<20))}
	claim.Status.Allocation = &resourcev1.AllocationResult{Devices: resourcev1.DeviceAllocationResult{Results: results}}
	if c := ClaimOf(claim); !reflect.DeepEqual(c, &Claim{Taken: []ID{{driver, "a", "0"}}}) || c.Weight() < 48 {
		t.Errorf("got %+v", c)
	}
	claim.Status.Allocation.Devices.Results = slices.Repeat(results[:1], mostTaken+1)
	if c := ClaimOf(claim); !c.Excessive || c.Weight() > 0 {
		t.Errorf("got %+v", c)
	}
}

// A member that has more, or longer, or dearer ones than any API server would take costs what
// it may, and is told of it; what it has beside that counts.
func TestWhatAMemberMayCost(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	many := make([]resourcev1.Device, mostDevices+1)
	for i := range many {
		many[i] = device(fmt.Sprint(i), "A100")
	}
	loud := device("0", "A100")
	for i := range mostOfDevice {
		loud.Attributes[resourcev1.QualifiedName(fmt.Sprint(i))] = resourcev1.DeviceAttribute{StringValue: ptr.To("x")}
	}
	fine := slice("a", "a", 1, 1, device("0", "A100"))
	for name, excessive := range map[string]*Slice{
		"devices": slice("b", "b", 1, 1, many...), "names": slice(long, "b", 1, 1, device("0", "A100")), "names of devices": slice("b", "b", 1, 1, device(long, "A100")),
		"values": slice("b", "b", 1, 1, device("0", long)), "attributes": slice("b", "b", 1, 1, loud), "held": slice("b", "b", 1, 1, device("0", "A100")).Light(),
	} {
		count := NewJudge().Judge([]*Class{gpus}, []*Slice{excessive, fine}, nil).Count(nil)
		if excessive.Weight() > 0 || len(excessive.Node) > mostOfText || count.Offered["a"][v1alpha1.DeviceClassPrefix+"gpu"] != 1 || len(count.Offered) != 1 ||
			len(count.Problems) != 1 || !strings.HasPrefix(count.Problems[0], "1 ResourceSlices are left out: they have more") {
			t.Errorf("%s: got %+v", name, count)
		}
	}
	var classes []*Class
	for i := range mostClasses + 6 {
		classes = append(classes, &Class{Name: fmt.Sprintf("class-%03d", i), Expressions: slices.Repeat([]string{"true"}, mostExpressions/32)})
	}
	if count := NewJudge().Judge(classes, []*Slice{fine}, nil).Count(nil); len(count.Offered["a"]) != 32 || len(count.Problems) != 2 {
		t.Errorf("of %d classes: got %+v", len(classes), count)
	}
	of := func(expressions ...string) *resourcev1.DeviceClass {
		class := &resourcev1.DeviceClass{}
		for _, e := range expressions {
			class.Spec.Selectors = append(class.Spec.Selectors, resourcev1.DeviceSelector{CEL: &resourcev1.CELDeviceSelector{Expression: e}})
		}
		return class
	}
	for _, class := range []*resourcev1.DeviceClass{of(slices.Repeat([]string{"true"}, mostExpressions+1)...), of(long), of("true || '" + long[:resourcev1.CELSelectorExpressionMaxLength] + "' == ''")} {
		if count := NewJudge().Judge([]*Class{ClassOf(class)}, []*Slice{fine}, nil).Count(nil); len(count.Offered) != 0 || len(count.Problems) != 1 {
			t.Errorf("got %+v", count)
		}
	}
}

// What costs too much is left out in one order, and not tried again and again.
func TestCostOfExpressions(t *testing.T) {
	ten := "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
	dear := &Class{Name: "dear", Expressions: []string{fmt.Sprintf("%[1]s.all(a, %[1]s.all(b, %[1]s.all(c, a + b + c >= 0)))", ten)}}
	var all []*Slice
	for i := range 10 {
		node := fmt.Sprint("n", i)
		all = append(all, slice(node, node, 1, 1, device("0", "A100"), device(node, "A100")))
	}
	of := func(s *Slice) alike { return alike{s.Driver, s.packed} }
	c := NewJudge()
	if count := c.Judge([]*Class{dear}, all[:1], nil).Count(nil); len(count.Problems) > 0 || count.Offered["n0"][v1alpha1.DeviceClassPrefix+"dear"] != 2 {
		t.Fatalf("got %+v", count)
	}
	each := c.known[of(all[0])].cost
	if each < 2000 {
		t.Fatalf("it costs %d", each)
	}
	c.mostCost = 3*each + each/4
	backward := slices.Clone(all)
	slices.Reverse(backward)
	for _, order := range [][]*Slice{all, backward} {
		count := c.Judge([]*Class{dear}, order, nil).Count(nil)
		if got := slices.Sorted(maps.Keys(count.Offered)); !slices.Equal(got, []string{"n0", "n1", "n2"}) || !slices.Equal(count.Problems, []string{"7 ResourceSlices are left out: the expressions of the DeviceClasses cost too much"}) {
			t.Errorf("got %v, %q", got, count.Problems)
		}
	}
	known := c.known[of(all[3])]
	if known.most == 0 || known.cost > c.mostCost+each {
		t.Errorf("it has cost %d", known.cost)
	}
	c.Judge([]*Class{dear}, all, nil)
	if again := c.known[of(all[3])]; again != known {
		t.Error("it was tried again")
	}
	if count := c.Judge([]*Class{dear}, all[3:6], nil).Count(nil); len(count.Offered) != 3 || len(count.Problems) != 0 {
		t.Errorf("there is room for it now: %+v", count)
	}
}

// What is left out by our bounds may be of any class that is judged, and what nobody judges of
// those that are not: what was known of them is not to be dropped.
func TestWhatIsIncomplete(t *testing.T) {
	fine, light := slice("a", "a", 1, 1, device("0", "A100")), slice("b", "b", 1, 1, device("0", "A100")).Light()
	broken := &Class{Name: "broken", Expressions: []string{"device.driver =="}}
	var many []*Class
	for i := range mostClasses + 1 {
		many = append(many, &Class{Name: fmt.Sprintf("class-%03d", i)})
	}
	for name, tt := range map[string]struct {
		classes []*Class
		slices  []*Slice
		want    string
	}{
		"nothing":                   {[]*Class{gpus}, []*Slice{fine}, ""},
		"a slice":                   {[]*Class{gpus, big}, []*Slice{fine, light}, "big gpu"},
		"a slice and a class":       {[]*Class{gpus, broken}, []*Slice{fine, light}, "broken gpu"},
		"a class":                   {[]*Class{gpus, broken}, []*Slice{fine}, "broken"},
		"one class too many":        {many, []*Slice{fine}, fmt.Sprintf("class-%03d", mostClasses)},
		"a class that is too large": {[]*Class{gpus, big.Light()}, []*Slice{fine}, "big"},
	} {
		judge := NewJudge()
		for range 2 {
			var got []string
			for resource := range judge.Judge(tt.classes, tt.slices, nil).Count(nil).Incomplete {
				got = append(got, strings.TrimPrefix(resource, v1alpha1.DeviceClassPrefix))
			}
			if slices.Sort(got); strings.Join(got, " ") != tt.want {
				t.Errorf("%s: got %v, want %s", name, got, tt.want)
			}
		}
	}
}

// Devices are the same after they were packed, as far as they are judged by it, and what a list
// tells again is not judged again.
func TestWhatIsKeptOfDevices(t *testing.T) {
	full := device("0", "A100", resourcev1.DeviceTaintEffectNone, resourcev1.DeviceTaintEffectNoExecute)
	full.AllowMultipleAllocations = ptr.To(true)
	full.Attributes["version"] = resourcev1.DeviceAttribute{VersionValue: ptr.To("1.2.3")}
	full.Capacity = map[resourcev1.QualifiedName]resourcev1.DeviceCapacity{"memory": {Value: resource.MustParse("80Gi"), RequestPolicy: &resourcev1.CapacityRequestPolicy{}}}
	one, again := slice("a", "a", 1, 1, full, device("1", "T4")), slice("a", "a", 1, 1, full, device("1", "T4"))
	got, err := one.devices()
	if err != nil || len(got) != 2 || !isClosed(&got[0]) || isClosed(&got[1]) || got[1].Name != "1" {
		t.Fatalf("got %+v, %v", got, err)
	}
	memory := got[0].Capacity["memory"]
	if !reflect.DeepEqual(got[0].Attributes, full.Attributes) || !*got[0].AllowMultipleAllocations || memory.Value.String() != "80Gi" || memory.RequestPolicy != nil {
		t.Errorf("got %+v", got[0])
	}
	judge := NewJudge()
	before := judge.Judge([]*Class{gpus}, []*Slice{one}, nil)
	if after := judge.Judge([]*Class{gpus}, []*Slice{again}, nil); before.slices[0].verdict != after.slices[0].verdict {
		t.Error("it was judged again")
	}
	again.packed = again.packed[1:]
	if count := judge.Judge([]*Class{gpus}, []*Slice{again}, nil).Count(nil); len(count.Problems) != 1 {
		t.Errorf("nobody is told of what cannot be read: %+v", count)
	}
}

// BenchmarkCost is what may be spent on a member.
func BenchmarkCost(b *testing.B) {
	ten := "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
	for name, expression := range map[string]string{
		"loops": fmt.Sprintf("%[1]s.all(a, %[1]s.all(b, %[1]s.all(c, a + b + c >= 0)))", ten), "simple": gpus.Expressions[0], "usual": big.Expressions[1],
	} {
		b.Run(name, func(b *testing.B) {
			var all []*Slice
			for i := range 100 {
				node := fmt.Sprint("n", i)
				all = append(all, slice(node, node, 1, 1, device("0", "A100"), device(node, "A100")))
			}
			class := &Class{Name: "c", Expressions: []string{expression}}
			var cost uint64
			for b.Loop() {
				c := NewJudge()
				c.Judge([]*Class{class}, all, nil)
				for _, v := range c.known {
					cost += v.cost
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(cost), "ns/cost")
		})
	}
}
