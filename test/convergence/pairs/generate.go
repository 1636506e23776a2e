package pairs

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// Generate makes pairs from the seed and the type's schema: n fields of Full leave and
// come, and n fields that the schema knows and the seed does not name are set, unset
// and changed. Chance chooses them.
func (s *Seed) Generate(schema *Schema, chance *rand.Rand, n int) ([]*Pair, error) {
	full, err := merge(s.Base, s.Full)
	if err != nil {
		return nil, err
	}
	base, err := merge(s.Base, nil)
	if err != nil {
		return nil, err
	}
	var all []*Pair
	named := slices.DeleteFunc(paths(full, nil), func(path []string) bool { return len(path) == 1 && path[0] == "metadata" })
	for _, path := range some(named, chance, n) {
		without := runtime.DeepCopyJSON(full)
		remove(without, path)
		all = append(all, s.both(full, without, path)...)
	}
	if schema == nil {
		return all, nil
	}
	fields := slices.DeleteFunc(schema.fields(base), func(f field) bool { return slices.Contains(s.Single, strings.Join(f.path, ".")) })
	for _, f := range some(fields, chance, n) {
		var set []map[string]any
		for _, value := range f.values {
			with := runtime.DeepCopyJSON(base)
			put(with, f.path, value)
			set = append(set, with)
		}
		all = append(all, s.pair("set", base, set[0], f.path), s.pair("unset", set[0], base, f.path))
		if len(set) > 1 {
			all = append(all, s.pair("change", set[0], set[1], f.path))
		}
	}
	return all, nil
}

// some are n of the items, in their order.
func some[T any](items []T, chance *rand.Rand, n int) []T {
	if n >= len(items) {
		return items
	}
	chosen := chance.Perm(len(items))[:n]
	slices.Sort(chosen)
	var all []T
	for _, i := range chosen {
		all = append(all, items[i])
	}
	return all
}

// both are the pairs of a field that leaves and of one that comes.
func (s *Seed) both(with, without map[string]any, path []string) []*Pair {
	return []*Pair{s.pair("drop", with, without, path), s.pair("gain", without, with, path)}
}

func (s *Seed) pair(what string, from, to map[string]any, path []string) *Pair {
	return &Pair{Name: fmt.Sprintf("%s:%s:%s", s.Resource, what, word(path)), Seed: s, From: from, To: to, Generated: true}
}

// paths lists every field below a value: those of maps, and items of lists.
func paths(value any, prefix []string) [][]string {
	var all [][]string
	below := func(step string, item any) {
		path := append(slices.Clone(prefix), step)
		all = append(all, path)
		all = append(all, paths(item, path)...)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			below(key, v[key])
		}
	case []any:
		for i, item := range v {
			below(strconv.Itoa(i), item)
		}
	}
	return all
}

// remove takes away what a path leads to.
func remove(object map[string]any, path []string) {
	var parent any = object
	var grand func(any)
	for i, step := range path {
		last := i == len(path)-1
		switch v := parent.(type) {
		case map[string]any:
			if last {
				delete(v, step)
				return
			}
			parent, grand = v[step], func(to any) { v[step] = to }
		case []any:
			at, err := strconv.Atoi(step)
			if err != nil || at >= len(v) {
				return
			}
			if last {
				grand(slices.Delete(slices.Clone(v), at, at+1))
				return
			}
			parent, grand = v[at], func(to any) { v[at] = to }
		default:
			return
		}
	}
}

// put sets what a path leads to; maps that are missing are made, lists have to be there.
func put(object map[string]any, path []string, value any) {
	var parent any = object
	for i, step := range path {
		last := i == len(path)-1
		switch v := parent.(type) {
		case map[string]any:
			if last {
				v[step] = runtime.DeepCopyJSONValue(value)
				return
			}
			if v[step] == nil {
				v[step] = map[string]any{}
			}
			parent = v[step]
		case []any:
			at, err := strconv.Atoi(step)
			if err != nil || at >= len(v) {
				return
			}
			if last {
				v[at] = runtime.DeepCopyJSONValue(value)
				return
			}
			parent = v[at]
		default:
			return
		}
	}
}
