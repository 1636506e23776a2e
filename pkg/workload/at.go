package workload

import "strings"

// at is the value of a field of an object, such as status.phase; nil if there is none.
func at(object map[string]any, field string) any {
	var value any = object
	for field != "" {
		var name string
		name, field, _ = strings.Cut(field, ".")
		inner, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = inner[name]
	}
	return value
}
