package content

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// Difference is a field in which two objects differ. It holds no values: the
// object may be a Secret.
type Difference struct {
	// Path is a JSON pointer.
	Path string
	// What is "differs", "is missing" or "was not there".
	What string
}

func (d Difference) String() string { return d.Path + " " + d.What }

// Compare says in what a live object differs from a saved one, sorted by path,
// leaving aside the fields that are not the writer's (ownedFields). With more allowed,
// what only the live object has is not reported: a server of another version sets
// defaults that were not there. Neither object is changed.
func Compare(res Resource, saved, live map[string]any, allowMore bool) []Difference {
	rows := ownedBy(res, live)
	c := comparison{allowMore: allowMore}
	c.compare("", neutral(res, saved, rows), neutral(res, live, rows))
	return c.differences
}

// neutral is a copy of an object without what is not its writer's.
func neutral(res Resource, object map[string]any, rows []owned) map[string]any {
	object = runtime.DeepCopyJSON(object)
	for _, row := range rows {
		row.remove(res, object)
	}
	for _, owner := range elements(object, "metadata", "ownerReferences") {
		delete(owner, "uid")
	}
	return object
}

type comparison struct {
	allowMore   bool
	differences []Difference
}

func (c *comparison) add(path, what string) {
	c.differences = append(c.differences, Difference{path, what})
}

func (c *comparison) compare(path string, saved, live any) {
	switch saved := saved.(type) {
	case map[string]any:
		if live, ok := live.(map[string]any); ok {
			c.compareMaps(path, saved, live)
			return
		}
	case []any:
		if live, ok := live.([]any); ok {
			c.compareLists(path, saved, live)
			return
		}
	default:
		if equal(saved, live) {
			return
		}
	}
	if empty(saved) && empty(live) {
		return
	}
	c.add(path, "differs")
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

func (c *comparison) compareMaps(path string, saved, live map[string]any) {
	keys := slices.Collect(maps.Keys(saved))
	for key := range live {
		if _, both := saved[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		was, wasThere := saved[key]
		is, isThere := live[key]
		at := path + "/" + escape.Replace(key)
		switch {
		case wasThere && isThere:
			c.compare(at, was, is)
		case wasThere:
			c.alone(at, was, "is missing")
		case !c.allowMore:
			c.alone(at, is, "was not there")
		}
	}
}

// alone names what only one of them has, by the innermost fields.
func (c *comparison) alone(path string, value any, what string) {
	fields, ok := value.(map[string]any)
	if !ok {
		if !empty(value) {
			c.add(path, what)
		}
		return
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		c.alone(path+"/"+escape.Replace(key), fields[key], what)
	}
}

// compareLists compares element by element. Where one of them has more, and the
// elements have names, those that the other has not are named.
func (c *comparison) compareLists(path string, saved, live []any) {
	switch {
	case len(saved) == len(live):
		for i := range saved {
			c.compare(path+"/"+strconv.Itoa(i), saved[i], live[i])
		}
	case !named(saved) || !named(live):
		if len(saved) > 0 || !c.allowMore {
			c.add(path, "differs")
		}
	default:
		c.compareNamed(path, saved, live)
	}
}

func named(list []any) bool {
	for _, element := range list {
		m, _ := element.(map[string]any)
		if text(m, "name") == "" {
			return false
		}
	}
	return true
}

func (c *comparison) compareNamed(path string, saved, live []any) {
	for i, was := range saved {
		if is := elementLike(live, was.(map[string]any), -1); is != nil {
			c.compare(path+"/"+strconv.Itoa(i), was, is)
		} else {
			c.add(path+"/"+strconv.Itoa(i), "is missing")
		}
	}
	for i, is := range live {
		if elementLike(saved, is.(map[string]any), -1) == nil {
			c.add(path+"/"+strconv.Itoa(i), "was not there")
		}
	}
}

// elementLike finds the element of a list that is the same thing as another one: of
// the same name, or else the same port, or else at the same place.
func elementLike(list []any, like map[string]any, index int) map[string]any {
	for _, element := range list {
		m, ok := element.(map[string]any)
		if !ok {
			continue
		}
		switch {
		case text(like, "name") != "":
			if m["name"] == like["name"] {
				return m
			}
		case like["port"] != nil:
			if text(m, "name") == "" && equal(m["port"], like["port"]) && m["protocol"] == like["protocol"] {
				return m
			}
		default:
			if index >= 0 && index < len(list) {
				at, _ := list[index].(map[string]any)
				return at
			}
		}
	}
	return nil
}

// equal compares scalars; numbers by their value, whatever they were decoded to.
func equal(a, b any) bool {
	x, isX := number(a)
	y, isY := number(b)
	if isX && isY {
		return x == y
	}
	return a == b
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// empty says whether a value is what servers leave out.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}
