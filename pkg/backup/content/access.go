package content

// at returns the value at a path of keys, or nil.
func at(object map[string]any, path ...string) any {
	var value any = object
	for _, key := range path {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[key]
	}
	return value
}

func text(object map[string]any, path ...string) string {
	s, _ := at(object, path...).(string)
	return s
}

func mapping(object map[string]any, path ...string) map[string]any {
	m, _ := at(object, path...).(map[string]any)
	return m
}

// elements returns the elements of the list at a path that are maps.
func elements(object map[string]any, path ...string) []map[string]any {
	list, _ := at(object, path...).([]any)
	out := make([]map[string]any, 0, len(list))
	for _, element := range list {
		if m, ok := element.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func name(object map[string]any) string      { return text(object, "metadata", "name") }
func namespace(object map[string]any) string { return text(object, "metadata", "namespace") }

func isNamed(object map[string]any, inNamespace, named string) bool {
	return namespace(object) == inNamespace && name(object) == named
}

func label(object map[string]any, key string) string {
	return text(object, "metadata", "labels", key)
}

func annotation(object map[string]any, key string) string {
	return text(object, "metadata", "annotations", key)
}

// isOwned says whether a controller has made the object and makes it again.
func isOwned(object map[string]any) bool {
	for _, owner := range elements(object, "metadata", "ownerReferences") {
		if owner["controller"] == true {
			return true
		}
	}
	return false
}

// remove deletes the field at a path, and the maps around it that this leaves empty.
func remove(object map[string]any, field string, inner ...string) {
	if len(inner) == 0 {
		delete(object, field)
		return
	}
	value, ok := object[field].(map[string]any)
	if !ok || len(value) == 0 {
		return
	}
	if remove(value, inner[0], inner[1:]...); len(value) == 0 {
		delete(object, field)
	}
}

// filter keeps the elements of the list at object[key] that keep wants, and
// removes a list that this leaves empty.
func filter(object map[string]any, key string, keep func(element any) bool) {
	list, ok := object[key].([]any)
	if !ok {
		return
	}
	kept := make([]any, 0, len(list))
	for _, element := range list {
		if keep(element) {
			kept = append(kept, element)
		}
	}
	if len(kept) == 0 {
		delete(object, key)
		return
	}
	object[key] = kept
}
