package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
)

// Contest is a field that two policies set to something else: the later one wins.
type Contest struct {
	Field         string
	Loser, Winner federate.Origin
}

// String says it to who looks at the object.
func (c Contest) String() string {
	return fmt.Sprintf("%s: %s sets it as well, and %s wins, which comes later", c.Field, c.Loser, c.Winner)
}

// mostContests is how many are told of an object in a cluster.
const mostContests = 5

// contests finds the fields in which two policies disagree. steps are what the layers have
// made of one object, in their order.
func contests(steps []step) []Contest {
	var found []Contest
	last := map[string]write{}
	for i := range steps {
		if steps[i].origin == (federate.Origin{}) {
			continue
		}
		for _, w := range writes(steps[i].before, steps[i].after) {
			before, again := last[w.field]
			if again && before.origin != steps[i].origin && !same(before.value, w.value) {
				field, _, _ := strings.Cut(w.field, "[{") // an item of a set is its value
				found = append(found, Contest{Field: field, Loser: before.origin, Winner: steps[i].origin})
			}
			w.origin = steps[i].origin
			last[w.field] = w
		}
	}
	if len(found) > mostContests {
		found = found[:mostContests]
	}
	return found
}

// write is a value that was given to a field; nil, where it was removed.
type write struct {
	field  string
	value  any
	origin federate.Origin
}

// writes are the differences of two objects, down to single values. Items of lists are
// known by their names, or by all that they are: who adds one of their own takes none away.
func writes(before, after any) []write {
	var all []write
	differ("", before, after, &all)
	return all
}

func differ(field string, before, after any, all *[]write) {
	_, wasMap := before.(map[string]any)
	_, isMap := after.(map[string]any)
	_, wasList := before.([]any)
	_, isList := after.([]any)
	switch {
	case (wasMap || before == nil) && (isMap || after == nil) && (wasMap || isMap):
		was, _ := before.(map[string]any)
		is, _ := after.(map[string]any)
		for _, key := range keysOf(was, is) {
			differ(federate.FieldIn(field, key), was[key], is[key], all)
		}
	case (wasList || before == nil) && (isList || after == nil) && (wasList || isList):
		was, _ := before.([]any)
		is, _ := after.([]any)
		differLists(field, was, is, all)
	case same(before, after):
	case strings.HasSuffix(field, ".image") && before != nil:
		differImages(field, before, after, all)
	default:
		*all = append(*all, write{field: field, value: after})
	}
}

// differImages compares images part by part: rules change parts.
func differImages(field string, before, after any, all *[]write) {
	was, is := ImageParts(before), ImageParts(after)
	for _, part := range slices.Sorted(maps.Keys(is)) {
		if was[part] != is[part] {
			*all = append(*all, write{field: field + " (" + part + ")", value: is[part]})
		}
	}
}

// ImageParts are what rules change of an image, each alone; of what is no image, all is its
// repository.
func ImageParts(image any) map[string]string {
	text := fmt.Sprint(image)
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return map[string]string{"registry": "", "repository": text, "tag or digest": ""}
	}
	return map[string]string{"registry": reference.Domain(named), "repository": reference.Path(named), "tag or digest": suffix(named, &v1alpha1.ImageOverride{})}
}

func keysOf(a, b map[string]any) []string {
	keys := maps.Clone(a)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, b)
	return slices.Sorted(maps.Keys(keys))
}

// itemKeys are the fields that items of lists of pods are known by.
var itemKeys = []string{"name", "mountPath", "containerPort", "ip"}

// differLists compares lists. Of objects, those of the same key are compared; lists of single
// values are values themselves, since their order counts.
func differLists(field string, before, after []any, all *[]write) {
	if strings.HasSuffix(field, "nodeSelectorTerms") {
		return // rules narrow what there is, and take nothing away
	}
	was, wasKeyed := byKey(before)
	is, isKeyed := byKey(after)
	if !wasKeyed || !isKeyed {
		if !same(before, after) {
			*all = append(*all, write{field: field, value: after})
		}
		return
	}
	for _, key := range keysOf(was, is) {
		if was[key] == nil && isAdded(field) {
			continue
		}
		differ(field+"["+key+"]", was[key], is[key], all)
	}
}

// isAdded says whether a list has items that rules add whole. Who comes later may change
// them as they change what a template has.
func isAdded(list string) bool {
	return strings.HasSuffix(list, ".containers") || strings.HasSuffix(list, ".initContainers") || strings.HasSuffix(list, ".volumes")
}

// byKey are the items of a list by what they are known by. keyed is false for lists of
// anything but objects.
func byKey(list []any) (items map[string]any, keyed bool) {
	items = make(map[string]any, len(list))
	for _, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, false
		}
		key := ""
		for _, name := range itemKeys {
			if value := object[name]; value != nil {
				key = name + "=" + fmt.Sprint(value)
				break
			}
		}
		if key == "" { // it is one of a set
			items[text(item)] = text(item)
			continue
		}
		items[key] = item
	}
	return items, true
}

// mayContest says whether two policies may set the same field: what they say tells, and if
// that is not certain, what they make of the object.
func mayContest(a, b *Policy) bool {
	for slot := range a.slots {
		if b.slots[slot] {
			return true
		}
	}
	return a.patches || b.patches // these may change any field
}

// slotsOf are the fields that a rule sets, in short; not those of what it adds.
func slotsOf(r *rule, slots map[string]bool) {
	claim := func(kind string, names ...string) {
		for _, name := range names {
			slots[kind+"/"+name] = true
		}
	}
	claim("labels", slices.Collect(maps.Keys(r.Labels))...)
	claim("annotations", slices.Collect(maps.Keys(r.Annotations))...)
	claim("nodeSelector", slices.Collect(maps.Keys(r.NodeSelector))...)
	claim("requests", slices.Collect(maps.Keys(r.requests))...)
	claim("limits", slices.Collect(maps.Keys(r.limits))...)
	for i := range r.Env {
		claim("env", r.Env[i].Name)
	}
	for name, set := range map[string]bool{
		"replicas": r.Replicas != nil, "images": len(r.Images) > 0, "command": len(r.Command) > 0, "args": len(r.Args) > 0,
		"priority": r.PriorityClassName != "", "scheduler": r.SchedulerName != "", "runtime": r.RuntimeClassName != "",
	} {
		if set {
			slots[name] = true
		}
	}
}
