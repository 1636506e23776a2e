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
// leaving aside what a cluster sets by itself: UIDs, versions, the status,
// addresses, bindings of volumes. With more allowed, fields that only the live
// object has are not reported; another version of Kubernetes may set defaults.
// Neither object is changed.
func Compare(res Resource, saved, live map[string]any, allowMore bool) []Difference {
	c := comparison{allowMore: allowMore}
	c.compare("", neutral(res, saved), neutral(res, live))
	return c.differences
}

// neutral is a copy of an object without what clusters set by themselves.
func neutral(res Resource, object map[string]any) map[string]any {
	object = runtime.DeepCopyJSON(object)
	delete(object, "status")
	removeServerSet(res, object)
	Relax(res, object)
	if metadata := mapping(object, "metadata"); metadata != nil {
		for _, field := range []string{"uid", "creationTimestamp"} {
			delete(metadata, field)
		}
		prepareFinalizers(metadata, false)
		for _, owner := range elements(metadata, "ownerReferences") {
			delete(owner, "uid")
		}
	}
	switch res.Name() {
	case "persistentvolumeclaims":
		for _, field := range []string{"volumeName", "dataSource", "dataSourceRef"} {
			remove(object, "spec", field)
		}
	case "services":
		remove(object, "spec", "ipFamilies")
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
		case wasThere && !empty(was):
			c.add(at, "is missing")
		case isThere && !empty(is) && !c.allowMore:
			c.add(at, "was not there")
		}
	}
}

func (c *comparison) compareLists(path string, saved, live []any) {
	if len(saved) != len(live) {
		c.add(path, "differs")
		return
	}
	for i := range saved {
		c.compare(path+"/"+strconv.Itoa(i), saved[i], live[i])
	}
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
