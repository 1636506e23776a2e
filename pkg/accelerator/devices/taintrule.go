package devices

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
)

// Of all rules together: they, and what they ask of devices beside the classes.
const (
	mostRules    = 4096
	mostCriteria = 64
)

// TaintRule is what is kept of a DeviceTaintRule: which devices it taints so that claims are
// kept away from them.
type TaintRule struct {
	Name string
	// Closes says that its taint keeps claims away, and that it selects devices at all.
	Closes bool
	// Driver, Pool and Device are those that it selects; nil for all.
	Driver, Pool, Device *string
	// Class and Expressions are what else a device has to meet. API servers since 1.35 know
	// neither.
	Class       string
	Expressions []string
	// Excessive says that it has more than is taken, and so selects nobody knows what.
	Excessive bool
}

// writtenTaintRule is what is read of a DeviceTaintRule, in all versions.
type writtenTaintRule struct {
	Spec struct {
		DeviceSelector *struct {
			DeviceClassName      string  `json:"deviceClassName"`
			Driver, Pool, Device *string // as in JSON
			Selectors            []resourcev1.DeviceSelector
		} `json:"deviceSelector"`
		Taint struct {
			Effect resourcev1.DeviceTaintEffect `json:"effect"`
		} `json:"taint"`
	} `json:"spec"`
}

// TaintRuleOf keeps of a DeviceTaintRule what counts. One that cannot be read, or is longer
// than is taken, is Excessive.
func TaintRuleOf(name string, object map[string]any) *TaintRule {
	r := &TaintRule{Name: strings.Clone(name[:min(len(name), mostOfText)])}
	var w writtenTaintRule
	data, err := json.Marshal(map[string]any{"spec": object["spec"]})
	if err != nil || json.Unmarshal(data, &w) != nil {
		r.Excessive = true
		return r
	}
	r.Closes = w.Spec.DeviceSelector != nil && closes(w.Spec.Taint.Effect)
	if !r.Closes {
		return r
	}
	s := w.Spec.DeviceSelector
	r.Driver, r.Pool, r.Device, r.Class = s.Driver, s.Pool, s.Device, s.DeviceClassName
	for _, selector := range s.Selectors {
		if selector.CEL == nil { // a kind of selector that came later
			return r.Light()
		}
		r.Expressions = append(r.Expressions, selector.CEL.Expression)
	}
	if r.Weight() > mostOfExpressions || len(r.Class) > mostOfText || slices.ContainsFunc([]*string{s.Driver, s.Pool, s.Device}, func(text *string) bool {
		return text != nil && len(*text) > mostOfText
	}) {
		return r.Light()
	}
	return r
}

// Weight is about how many bytes the rule takes, and what is left without them is Light.
func (r *TaintRule) Weight() (bytes int) {
	bytes = 64 + len(r.Class)
	for _, text := range []*string{r.Driver, r.Pool, r.Device} {
		if text != nil {
			bytes += 16 + len(*text)
		}
	}
	for _, expression := range r.Expressions {
		bytes += 16 + len(expression)
	}
	return bytes
}

// Light is the rule without what it selects.
func (r *TaintRule) Light() *TaintRule {
	return &TaintRule{Name: r.Name, Closes: true, Excessive: true}
}

// closes says whether a taint of this effect keeps claims away. Effects that nobody knows do
// not, as the API says.
func closes(effect resourcev1.DeviceTaintEffect) bool {
	return effect == resourcev1.DeviceTaintEffectNoSchedule || effect == resourcev1.DeviceTaintEffectNoExecute
}

// criterionPrefix begins what stands for a rule's criterion among the classes. No DeviceClass
// is called so.
const criterionPrefix = "\x00"

// criterion is the rule's class and expressions, as a class of its own; nil where it has none.
// known is false where its class cannot be read, or is none.
func (r *TaintRule) criterion(all []*Class) (criterion *Class, known bool) {
	if r.Class == "" && len(r.Expressions) == 0 {
		return nil, true
	}
	c := &Class{Expressions: slices.Clone(r.Expressions)}
	if r.Class != "" {
		i := slices.IndexFunc(all, func(class *Class) bool { return class.Name == r.Class })
		if i < 0 || all[i].Excessive {
			return nil, false
		}
		c.Expressions = append(c.Expressions, all[i].Expressions...)
	}
	c.Name = criterionPrefix + fmt.Sprintf("%q", c.Expressions)
	return c, true
}

// closers are the rules that close devices, by the pool that they select; "" for all pools.
type closers struct {
	rules map[string][]closer
	// criteria are what is judged of devices for them, beside the classes, and weight is theirs.
	criteria []*Class
	weight   int
	problems []string
}

type closer struct {
	*TaintRule

	criterion string // empty for none
}

// closersOf reads rules. Those that cannot be carried out close nothing, which is said. compiles
// says whether the expressions of a class can be read.
func closersOf(rules []*TaintRule, all []*Class, compiles func(*Class) bool) closers {
	c := closers{rules: map[string][]closer{}}
	rules = slices.Clone(rules)
	slices.SortFunc(rules, func(a, b *TaintRule) int { return strings.Compare(a.Name, b.Name) })
	var unread []string
	for i, rule := range rules {
		if !rule.Closes && !rule.Excessive {
			continue
		}
		criterion, known := rule.criterion(all)
		if i >= mostRules || rule.Excessive || !known || !c.judges(criterion, compiles) {
			unread = append(unread, rule.Name)
			continue
		}
		r, pool := closer{TaintRule: rule}, ""
		if criterion != nil {
			r.criterion = criterion.Name
		}
		if rule.Pool != nil {
			pool = *rule.Pool
		}
		c.rules[pool] = append(c.rules[pool], r)
	}
	if len(unread) > 0 {
		c.problems = append(c.problems, fmt.Sprintf("%d DeviceTaintRules are left out, and devices that they taint count, such as of %s: there are too many, or the selector cannot be read or names a DeviceClass that is none", len(unread), unread[0]))
	}
	return c
}

// judges adds a criterion to what is judged, once, if there is room for it and it can be read.
func (c *closers) judges(criterion *Class, compiles func(*Class) bool) bool {
	switch {
	case criterion == nil, slices.ContainsFunc(c.criteria, func(other *Class) bool { return other.Name == criterion.Name }):
		return true
	case len(c.criteria) == mostCriteria, c.weight+criterion.Weight() > mostOfExpressions, !compiles(criterion):
		return false
	}
	c.criteria, c.weight = append(c.criteria, criterion), c.weight+criterion.Weight()
	return true
}

// closed says which of a slice's devices the rules close; nil where that is none.
func (c *closers) closed(slice *Slice, devices []judged) (closed []bool) {
	pools := []string{"", slice.Pool}
	for _, pool := range pools {
		for i := range c.rules[pool] {
			rule := &c.rules[pool][i]
			if rule.Driver != nil && *rule.Driver != slice.Driver || rule.Pool != nil && *rule.Pool != slice.Pool {
				continue
			}
			for d := range devices {
				if rule.selects(&devices[d]) {
					if closed == nil {
						closed = make([]bool, len(devices))
					}
					closed[d] = true
				}
			}
		}
	}
	return closed
}

// selects says whether a rule is for a device of the driver and pool that it names.
func (r *closer) selects(device *judged) bool {
	return (r.Device == nil || *r.Device == device.name) && (r.criterion == "" || slices.Contains(device.classes, r.criterion))
}
