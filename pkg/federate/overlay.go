package federate

import "maps"

// Overlay returns live with everything that desired says: objects are merged
// field by field, lists and single values are desired's. Neither is modified; the
// result shares their content.
//
// It is what an update writes where an apply cannot be used. Server-side apply
// merges lists by their items' keys as well, for which the type's schema is needed.
func Overlay(live, desired map[string]any) map[string]any {
	out := make(map[string]any, len(live)+len(desired))
	maps.Copy(out, live)
	for key, value := range desired {
		want, isObject := value.(map[string]any)
		have, wasObject := out[key].(map[string]any)
		if isObject && wasObject {
			out[key] = Overlay(have, want)
		} else {
			out[key] = value
		}
	}
	return out
}
