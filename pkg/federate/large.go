package federate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Where a field has 32 bits, server-side apply makes another number of one that is too large,
// without a word; create and update refuse it. Which fields have them the API server knows.

// Large is a whole number that does not fit into 32 bits.
type Large struct {
	// Path is where it is, without the places in lists.
	Path  string
	Value int64
}

// LargeIn are the large numbers of an object, sorted.
func LargeIn(object map[string]any) []Large {
	var all []Large
	eachLeaf(object, "", func(path string, value any) {
		if number, ok := value.(int64); ok && (number > math.MaxInt32 || number < math.MinInt32) {
			all = append(all, Large{path, number})
		}
	})
	slices.SortFunc(all, func(a, b Large) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// Wrapped says which of the large numbers an API server would make another one of, by its
// answer to a dry run; empty if none.
func Wrapped(answer map[string]any, large []Large) string {
	for _, l := range large {
		is, made := false, any(nil)
		eachLeaf(answer, "", func(path string, value any) {
			if path == l.Path {
				is, made = is || sameNumber(value, l.Value), value
			}
		})
		if number, isNumber := made.(int64); isNumber && !is {
			return fmt.Sprintf("%s: %d is too large: the cluster would make %d of it", strings.TrimPrefix(l.Path, "."), l.Value, number)
		}
	}
	return ""
}

// sameNumber says whether a value is the number, as such or as a quantity.
func sameNumber(value any, number int64) bool {
	switch value := value.(type) {
	case int64:
		return value == number
	case string:
		quantity, err := resource.ParseQuantity(value)
		return err == nil && quantity.CmpInt64(number) == 0
	}
	return false
}

// eachLeaf calls do with every value that is neither an object nor a list.
func eachLeaf(value any, path string, do func(path string, value any)) {
	switch value := value.(type) {
	case map[string]any:
		for field, inner := range value {
			eachLeaf(inner, path+"."+field, do)
		}
	case []any:
		for _, inner := range value {
			eachLeaf(inner, path+"[]", do)
		}
	default:
		do(path, value)
	}
}
