// Package workload says what kinds of workloads look like: where their pod templates are,
// and what makes an object healthy.
//
// What it knows is data (kinds.go), a row for each kind, with its source;
// what it does not know is judged by kstatus, the library of Flux and Helm. It is pure:
// no client, no clock. Of this module it imports pkg/errtext and the
// API of WorkloadKinds alone.
package workload

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Path leads to pod templates, that is, to what has metadata and spec of pods. Each step is
// the name of a field, or Each for every item of a list or value of a map. The empty path
// is the object itself.
type Path []string

// Each stands for every item of a list, or every value of a map.
const Each = "*"

// Edit returns an object with its pod templates as edit makes them. edit is given a copy of
// the spec of each, one level deep, and where it is, such as
// spec.workerGroupSpecs[0].template.spec. The object is not modified. A template that is
// absent, or that is no object, is left alone.
func Edit(object map[string]any, templates []Template, edit func(spec map[string]any, at string) error) (map[string]any, error) {
	var node any = object
	for _, t := range templates {
		path := t.Path
		if !t.PodSpec {
			path = append(slices.Clone(path), "spec")
		}
		var err error
		if node, err = editAt(node, path, "", edit); err != nil {
			return nil, err
		}
	}
	return node.(map[string]any), nil // editAt returns the kind that it is given
}

func editAt(node any, path Path, at string, edit func(spec map[string]any, at string) error) (any, error) {
	if len(path) == 0 {
		spec, ok := node.(map[string]any)
		if !ok {
			return node, nil
		}
		spec = maps.Clone(spec)
		return spec, edit(spec, at)
	}
	switch node := node.(type) {
	case map[string]any:
		keys := []string{path[0]}
		if path[0] == Each {
			keys = slices.Sorted(maps.Keys(node))
		}
		changed := maps.Clone(node)
		for _, key := range keys {
			child, found := node[key]
			if !found {
				continue
			}
			edited, err := editAt(child, path[1:], strings.TrimPrefix(at+"."+key, "."), edit)
			if err != nil {
				return nil, err
			}
			changed[key] = edited
		}
		return changed, nil
	case []any:
		if path[0] != Each {
			return node, nil
		}
		changed := slices.Clone(node)
		for i := range node {
			edited, err := editAt(node[i], path[1:], at+"["+strconv.Itoa(i)+"]", edit)
			if err != nil {
				return nil, err
			}
			changed[i] = edited
		}
		return changed, nil
	}
	return node, nil
}
