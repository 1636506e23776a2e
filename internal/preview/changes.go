package preview

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/placement"
	"github.com/fedctl/fedctl/pkg/policy"
)

// Change is one field in which a cluster's object differs from the template, and what
// made it so.
type Change struct {
	// Field is its path, such as spec.template.spec.containers[name=web].image.
	Field string `json:"field"`
	// Before and After are the values; nil where the field is not there.
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
	// Origin is what wrote the value, such as spec.overrides[0].clusterOverrides[1].
	Origin string `json:"origin"`
	// Because says from what the value was derived, such as a taint and its nodes.
	Because []string `json:"because,omitempty"`
}

// Changes returns all changes of a cluster's object in the order in which they are
// made. A field that is changed twice is in it twice; the last counts. It is empty for a
// cluster whose object cannot be made.
func (p *Preview) Changes(cluster string) []Change {
	var changes []Change
	steps := p.steps(cluster)
	before, err := p.objectAfter(steps, 0, cluster)
	for k := 1; err == nil && k <= len(steps); k++ {
		var after map[string]any
		if after, err = p.objectAfter(steps, k, cluster); err == nil {
			first := len(changes)
			changes = appendChanges(changes, "", before, after, steps[k-1].origin)
			p.explain(changes[first:], &steps[k-1], cluster, before)
			before = after
		}
	}
	return changes
}

// explain adds to the changes of a step from what they were derived.
func (p *Preview) explain(changes []Change, s *step, cluster string, before map[string]any) {
	deriving, ok := p.intent.Layers[s.layer].Modifier.(interface {
		Derived(cluster string, tree map[string]any) []policy.Derived
	})
	if s.override != nil || !ok || len(changes) == 0 {
		return
	}
	for _, derived := range deriving.Derived(cluster, before) {
		for i := range changes {
			if derived.Explains(changes[i].Field, changes[i].After) {
				changes[i].Because = append(changes[i].Because, derived.Reason)
			}
		}
	}
}

// step is one operation that changes a cluster's object: an override, or all that a
// modifier does.
type step struct {
	layer    int
	override *federate.Override
	origin   string
}

// steps are the operations for a cluster, in their order.
func (p *Preview) steps(cluster string) []step {
	var steps []step
	for i, layer := range p.intent.Layers {
		if layer.Modifier != nil {
			steps = append(steps, step{layer: i, origin: originOf(layer)})
		}
		for j := range layer.Overrides {
			if layer.Overrides[j].ClusterName != cluster {
				continue
			}
			for k := range layer.Overrides[j].Overrides {
				steps = append(steps, step{i, &layer.Overrides[j].Overrides[k], fmt.Sprintf("spec.overrides[%d].clusterOverrides[%d]", j, k)})
			}
		}
	}
	return steps
}

// originOf names the rule of a policy.
func originOf(layer federate.Layer) string {
	if rule, ok := layer.Modifier.(interface{ Field() string }); ok {
		return layer.Origin.String() + ": " + rule.Field()
	}
	return layer.Origin.String()
}

// objectAfter renders the cluster's object with the first n steps alone.
func (p *Preview) objectAfter(steps []step, n int, cluster string) (map[string]any, error) {
	intent := p.intent
	intent.Layers = make([]federate.Layer, len(p.intent.Layers))
	for i := range intent.Layers {
		layer := federate.Layer{Origin: p.intent.Layers[i].Origin}
		overrides := federate.ClusterOverrides{ClusterName: cluster}
		for _, step := range steps[:n] {
			switch {
			case step.layer != i:
			case step.override == nil:
				layer.Modifier = p.intent.Layers[i].Modifier
			default:
				overrides.Overrides = append(overrides.Overrides, *step.override)
			}
		}
		layer.Overrides = []federate.ClusterOverrides{overrides}
		intent.Layers[i] = layer
	}
	renderer, err := intent.Renderer(p.Type.RenderTarget())
	if err != nil {
		return nil, err
	}
	made := Cluster{Verdict: placement.Verdict{Cluster: cluster}}
	if err := made.render(renderer); err != nil {
		return nil, err
	}
	return made.Object.Object, nil
}

// appendChanges appends the fields, as far down as they are maps or lists on both sides,
// in which two values differ.
func appendChanges(changes []Change, field string, before, after any, origin string) []Change {
	switch before := before.(type) {
	case map[string]any:
		if after, ok := after.(map[string]any); ok {
			keys := maps.Clone(before)
			maps.Copy(keys, after)
			for _, key := range slices.Sorted(maps.Keys(keys)) {
				changes = appendChanges(changes, federate.FieldIn(field, key), before[key], after[key], origin)
			}
			return changes
		}
	case []any:
		if after, ok := after.([]any); ok {
			return appendListChanges(changes, field, before, after, origin)
		}
	}
	if !reflect.DeepEqual(before, after) {
		changes = append(changes, Change{Field: field, Before: before, After: after, Origin: origin})
	}
	return changes
}

// appendListChanges compares items that are known by a key by that, wherever they are: one
// that is put before them changes none of them. Others are known by their places.
func appendListChanges(changes []Change, field string, before, after []any, origin string) []Change {
	was, is, keyed := byKey(before, after)
	if !keyed {
		for i := range max(len(before), len(after)) {
			changes = appendChanges(changes, field+"["+strconv.Itoa(i)+"]", at(before, i), at(after, i), origin)
		}
		return changes
	}
	for _, key := range was.order {
		changes = appendChanges(changes, field+"["+key+"]", was.items[key], is.items[key], origin)
	}
	for _, key := range is.order {
		if _, known := was.items[key]; !known {
			changes = appendChanges(changes, field+"["+key+"]", nil, is.items[key], origin)
		}
	}
	if kept, now := was.of(is), is.of(was); !slices.Equal(kept, now) {
		changes = append(changes, Change{Field: field + "[order]", Before: texts(kept), After: texts(now), Origin: origin})
	}
	return changes
}

// keyedList has the items of a list by what they are known by, such as name=web.
type keyedList struct {
	order []string
	items map[string]any
}

// of are the keys that another list has as well.
func (l *keyedList) of(other *keyedList) []string {
	return slices.DeleteFunc(slices.Clone(l.order), func(key string) bool { _, there := other.items[key]; return !there })
}

// itemKeys are the fields by which the API knows items of lists, in the order in which they
// are tried: not every one is one in all lists.
var itemKeys = []string{"name", "mountPath", "devicePath", "containerPort", "port", "key", "ip", "topologyKey"}

// byKey finds the field that tells the items of both lists apart.
func byKey(before, after []any) (was, is *keyedList, keyed bool) {
	for _, field := range itemKeys {
		if was, keyed = listBy(field, before); !keyed {
			continue
		}
		if is, keyed = listBy(field, after); keyed {
			return was, is, true
		}
	}
	return nil, nil, false
}

// listBy is a list by a field, if each item is an object that has it with another value.
func listBy(field string, list []any) (*keyedList, bool) {
	l := &keyedList{items: make(map[string]any, len(list))}
	for _, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, false
		}
		switch object[field].(type) {
		case string, int64, float64:
		default:
			return nil, false
		}
		key := fmt.Sprintf("%s=%v", field, object[field])
		if _, twice := l.items[key]; twice {
			return nil, false
		}
		l.items[key] = object
		l.order = append(l.order, key)
	}
	return l, true
}

func texts(of []string) []any {
	list := make([]any, len(of))
	for i := range of {
		list[i] = of[i]
	}
	return list
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}
