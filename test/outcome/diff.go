package outcome

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// Difference is one place in which two values differ.
type Difference struct {
	// Path is a JSON pointer to it.
	Path string
	// Left and Right are what is there; nil: nothing.
	Left, Right any
}

// String tells the difference, shortened.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s | %s", d.Path, short(d.Left), short(d.Right))
}

// short is a value as JSON, as far as a line of a report has room for it.
func short(value any) string {
	if value == nil {
		return "(none)"
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	const room = 160
	if len(raw) > room {
		return string(raw[:room]) + "…"
	}
	return string(raw)
}

// Diff returns where two values of JSON differ, in the order of their paths. What
// only one of them has is one difference, however much it is; null is nothing.
func Diff(left, right any) []Difference { return diff("", left, right) }

func diff(path string, left, right any) []Difference {
	switch l := left.(type) {
	case map[string]any:
		if r, ok := right.(map[string]any); ok {
			return diffMaps(path, l, r)
		}
	case []any:
		if r, ok := right.([]any); ok {
			return diffLists(path, l, r)
		}
	}
	if reflect.DeepEqual(left, right) || sameNumber(left, right) {
		return nil
	}
	return []Difference{{path, left, right}}
}

func diffMaps(path string, left, right map[string]any) []Difference {
	keys := slices.Collect(maps.Keys(left))
	for key := range right {
		if _, both := left[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var all []Difference
	for _, key := range keys {
		all = append(all, diff(Join(path, key), left[key], right[key])...)
	}
	return all
}

func diffLists(path string, left, right []any) []Difference {
	var all []Difference
	for i := range max(len(left), len(right)) {
		var l, r any
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		all = append(all, diff(Join(path, strconv.Itoa(i)), l, r)...)
	}
	return all
}

// sameNumber compares numbers of JSON, whose type in Go depends on who read them.
func sameNumber(left, right any) bool {
	l, ok := number(left)
	r, also := number(right)
	return ok && also && l == r
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case int:
		return float64(v), true
	}
	return 0, false
}
