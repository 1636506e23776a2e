package autoscaler

import "strings"

func splitPath(path string) []string { return strings.Split(path, ".") }

// mapAt is an object within another one; nil if there is none.
func mapAt(object map[string]any, path ...string) map[string]any {
	for _, name := range path {
		object, _ = object[name].(map[string]any)
	}
	return object
}

func textAt(object map[string]any, path ...string) string {
	text, _ := mapAt(object, path[:len(path)-1]...)[path[len(path)-1]].(string)
	return text
}
