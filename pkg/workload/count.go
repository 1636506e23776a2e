package workload

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// count is a number of an object: less is taken off it.
type count struct {
	path Path
	less int64
}

// parseCount reads the path of a number, with -1 at its end for one less.
func parseCount(path string) count {
	rest, isLess := strings.CutSuffix(path, "-1")
	c := count{path: parsePath(rest)}
	if isLess {
		c.less = 1
	}
	return c
}

// counted is a group of pods: as many, wherever there is something, as the product of its
// replicas. unknown: nothing in the object tells how many.
type counted struct {
	at       Path
	replicas []count
	unknown  bool
}

// Pods is how many pods an object asks for, over all its components; known is false of an
// object that does not say it: others decide, or nobody knows its kind.
func (k *Kinds) Pods(kind schema.GroupKind, object map[string]any) (pods int64, known bool) {
	row := k.rows[kind]
	if row == nil {
		return 0, false
	}
	known = true
	for i := range row.counted {
		c := &row.counted[i]
		each(object, c.at, nil, func(stars []string) {
			pods += c.pods(object, stars)
			known = known && !c.unknown
		})
	}
	return pods, known
}

// pods is how many there are of a group at one place. Each Each in its path stands for the
// item or key that stars has; so do those in the paths of its replicas.
func (c *counted) pods(object map[string]any, stars []string) int64 {
	pods := int64(1)
	for _, factor := range c.replicas {
		n, says := number(find(object, factor.path, stars))
		if !says {
			n = 1 // what API servers and controllers take it for
		}
		n = max(0, n-factor.less)
		if n > 0 && pods > math.MaxInt32/n {
			return math.MaxInt32
		}
		pods *= n
	}
	return pods
}

// each calls do for everything that is at a path, with what each Each in it stands for.
func each(node any, path Path, stars []string, do func(stars []string)) {
	if len(path) == 0 {
		if _, isObject := node.(map[string]any); isObject {
			do(stars)
		}
		return
	}
	keys := []string{path[0]}
	if path[0] == Each {
		keys = keysOf(node)
	}
	for _, key := range keys {
		if path[0] == Each {
			each(child(node, key), path[1:], append(slices.Clone(stars), key), do)
		} else if value := child(node, key); value != nil {
			each(value, path[1:], stars, do)
		}
	}
}

// find is what is at a path; nil if there is nothing.
func find(node any, path Path, stars []string) any {
	for _, key := range path {
		if key == Each {
			if len(stars) == 0 {
				return nil
			}
			key, stars = stars[0], stars[1:]
		}
		node = child(node, key)
	}
	return node
}

func keysOf(node any) []string {
	switch node := node.(type) {
	case map[string]any:
		return slices.Sorted(maps.Keys(node))
	case []any:
		keys := make([]string, len(node))
		for i := range node {
			keys[i] = strconv.Itoa(i)
		}
		return keys
	}
	return nil
}

func child(node any, key string) any {
	switch node := node.(type) {
	case map[string]any:
		return node[key]
	case []any:
		if i, isIndex := number(key); isIndex && i >= 0 && i < int64(len(node)) {
			return node[i]
		}
	}
	return nil
}
