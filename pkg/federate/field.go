package federate

import "strings"

// FieldIn is the path of a field in another one, empty for the object itself, as kubectl
// explain and JSONPath write it: a key with a dot or a slash in brackets.
func FieldIn(outer, key string) string {
	switch {
	case strings.ContainsAny(key, "./[]"):
		return outer + "[" + key + "]"
	case outer == "":
		return key
	}
	return outer + "." + key
}
