package policy

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"sync"

	"github.com/fedctl/fedctl/pkg/federate"
)

// pod changes the spec of one pod template, which is a copy, one level deep.
func (w *work) pod(spec map[string]any, at string) error {
	if w.derive != nil {
		if err := w.deriveFor(spec); err != nil {
			return err
		}
	}
	addTolerations(spec, w.tolerations)
	if w.changesContainers() {
		for _, list := range []string{"initContainers", "containers"} {
			if err := w.containers(spec, list); err != nil {
				return err
			}
		}
	}
	if err := w.addParts(spec, at); err != nil {
		return err
	}
	if len(w.NodeSelector) > 0 {
		maps.Copy(spec, withStrings(spec, "nodeSelector", w.NodeSelector))
	}
	for field, value := range map[string]string{
		"priorityClassName": w.PriorityClassName, "schedulerName": w.SchedulerName, "runtimeClassName": w.RuntimeClassName,
	} {
		if value != "" {
			spec[field] = value
		}
	}
	if w.PriorityClassName != "" {
		delete(spec, "priority") // the class says it
	}
	return nil
}

// addParts adds volumes, init containers and sidecars.
func (w *work) addParts(spec map[string]any, at string) error {
	for _, add := range []struct {
		rule, list string
		items      []any
		first      bool
	}{{"volumes", "volumes", w.volumes, false}, {"initContainers", "initContainers", w.inits, true}, {"sidecars", "containers", w.sidecars, false}} {
		list, _ := spec[add.list].([]any)
		var missing []any
		for i, item := range add.items {
			present := find(list, "name", item)
			if present == nil {
				present = find(missing, "name", item)
			}
			switch {
			case present == nil:
				missing = append(missing, item)
			case !same(present, item):
				return fault(w.field+"."+add.rule+"["+strconv.Itoa(i)+"].name", "there is another one of this name in "+at+"."+add.list)
			}
		}
		if len(missing) == 0 {
			continue
		}
		if add.first {
			spec[add.list] = slices.Concat(missing, list)
		} else {
			spec[add.list] = slices.Concat(list, missing)
		}
	}
	return nil
}

// find returns the item of a list that has the same key as one; nil if none has.
func find(list []any, key string, one any) any {
	if i := index(list, key, one); i >= 0 {
		return list[i]
	}
	return nil
}

func index(list []any, key string, one any) int {
	wanted := one.(map[string]any)[key] // one is of a rule
	return slices.IndexFunc(list, func(item any) bool {
		m, ok := item.(map[string]any)
		return ok && m[key] == wanted
	})
}

// containers changes those of one list that the rule is for.
func (w *work) containers(spec map[string]any, field string) error {
	list, ok := spec[field].([]any)
	if !ok {
		return nil
	}
	changed := slices.Clone(list)
	for i := range list {
		container, ok := list[i].(map[string]any)
		if !ok {
			continue
		}
		name, _ := container["name"].(string)
		if len(w.Containers) > 0 && !slices.Contains(w.Containers, name) {
			continue
		}
		w.met[name] = true
		if err := w.add(w.perContainer); err != nil {
			return err
		}
		made := w.made.find(container)
		if made.container == nil {
			made = w.make(container, name)
			w.made.keep(container, made)
		}
		if made.err != nil {
			return made.err
		}
		w.notes = append(w.notes, made.notes...)
		changed[i] = made.container
	}
	spec[field] = changed
	return nil
}

// madeContainers is what a rule has made of containers. What it makes of one depends on
// nothing else, and clusters share the containers in which they do not differ. nil remembers
// nothing.
type madeContainers struct {
	mu sync.Mutex
	of map[uintptr]madeContainer // by where the container is in memory
}

type madeContainer struct {
	from, container map[string]any // from keeps the place in memory
	notes           []federate.Note
	err             error
}

func (m *madeContainers) find(container map[string]any) madeContainer {
	if m == nil {
		return madeContainer{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of[reflect.ValueOf(container).Pointer()]
}

func (m *madeContainers) keep(container map[string]any, made madeContainer) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	made.from = container
	m.of[reflect.ValueOf(container).Pointer()] = made
}

// make makes another container of one, which is not modified.
func (w *work) make(from map[string]any, name string) madeContainer {
	alone := work{rule: w.rule, paths: w.paths}
	container := maps.Clone(from)
	err := alone.container(container, name)
	return madeContainer{container: container, notes: alone.notes, err: err}
}

// container changes a copy of a container.
func (w *work) container(container map[string]any, name string) error {
	if err := w.images(container, name); err != nil {
		return err
	}
	if len(w.env) > 0 {
		container["env"] = replaced(container["env"], "name", w.env)
	}
	if len(w.envFrom) > 0 {
		list, _ := container["envFrom"].([]any)
		for _, item := range w.envFrom {
			if !slices.ContainsFunc(list, func(present any) bool { return same(present, item) }) {
				list = append(slices.Clip(list), item)
			}
		}
		container["envFrom"] = list
	}
	if err := w.mountIn(container, name); err != nil {
		return err
	}
	if w.Resources != nil {
		w.setResources(container)
	}
	for field, value := range map[string][]string{"command": w.Command, "args": w.Args} {
		if len(value) > 0 {
			list := make([]any, len(value))
			for i := range value {
				list[i] = value[i]
			}
			container[field] = list
		}
	}
	return nil
}

// replaced returns a list with items in the place of those of the same key, or at its end.
func replaced(of any, key string, items []any) []any {
	list, _ := of.([]any)
	list = slices.Clone(list)
	for _, item := range items {
		if i := index(list, key, item); i >= 0 {
			list[i] = item
		} else {
			list = append(list, item)
		}
	}
	return list
}

func (w *work) mountIn(container map[string]any, name string) error {
	if len(w.mounts) == 0 {
		return nil
	}
	list, _ := container["volumeMounts"].([]any)
	list = slices.Clone(list)
	for i, mount := range w.mounts {
		present := find(list, "mountPath", mount)
		switch {
		case present == nil:
			list = append(list, mount)
		case !same(present, mount):
			return fault(w.field+".volumeMounts["+strconv.Itoa(i)+"].mountPath", "container "+strconv.Quote(name)+" has something else mounted there")
		}
	}
	container["volumeMounts"] = list
	return nil
}

func (w *work) setResources(container map[string]any) {
	resources, _ := container["resources"].(map[string]any)
	resources = maps.Clone(resources)
	if resources == nil {
		resources = map[string]any{}
	}
	for field, values := range map[string]map[string]any{"requests": w.requests, "limits": w.limits} {
		if len(values) == 0 {
			continue
		}
		present, _ := resources[field].(map[string]any)
		present = maps.Clone(present)
		if present == nil {
			present = map[string]any{}
		}
		maps.Copy(present, values)
		resources[field] = present
	}
	container["resources"] = resources
}
