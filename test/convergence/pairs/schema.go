package pairs

import (
	"maps"
	"slices"
	"strings"
)

// Schema is a type's schema in a document of OpenAPI v3, as an API server publishes it.
type Schema struct {
	root    map[string]any
	schemas map[string]any
}

// field is a field that a template may have, and values for it.
type field struct {
	path   []string
	values []any
}

// FindSchema finds the schema of a kind in the document of its group and version; nil
// if it is not there.
func FindSchema(document map[string]any, group, version, kind string) *Schema {
	components, _ := document["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		schema, _ := schemas[name].(map[string]any)
		gvks, _ := schema["x-kubernetes-group-version-kind"].([]any)
		for _, item := range gvks {
			gvk, _ := item.(map[string]any)
			if gvk["group"] == group && gvk["version"] == version && gvk["kind"] == kind {
				return &Schema{schema, schemas}
			}
		}
	}
	return nil
}

// deepest is how far below a template's root fields are looked for.
const deepest = 9

// fields lists the fields that the schema knows and an object does not name: below the
// maps and lists that it names, and what those that it does not name have as scalars.
func (s *Schema) fields(object map[string]any) []field { return s.below(s.root, object, nil) }

func (s *Schema) below(schema map[string]any, value any, path []string) []field {
	if len(path) > deepest {
		return nil
	}
	schema = s.resolve(schema)
	if list, ok := value.([]any); ok {
		items, _ := schema["items"].(map[string]any)
		if len(list) == 0 || items == nil {
			return nil
		}
		return s.below(items, list[0], append(slices.Clone(path), "0"))
	}
	there, _ := value.(map[string]any)
	properties, _ := schema["properties"].(map[string]any)
	var all []field
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		at := append(slices.Clone(path), name)
		if skipped(at) {
			continue
		}
		property := s.resolve(asMap(properties[name]))
		named := there[name] != nil
		switch {
		case property["type"] == "object" && property["properties"] != nil, named:
			all = append(all, s.below(property, there[name], at)...)
		default:
			if values := s.values(name, property, 0); len(values) > 0 {
				all = append(all, field{at, values})
			}
		}
	}
	return all
}

// skipped are fields of which templates have no use.
func skipped(path []string) bool {
	switch path[0] {
	case "apiVersion", "kind", "status":
		return true
	case "metadata":
		return len(path) > 1 && path[1] != "labels" && path[1] != "annotations"
	}
	return slices.Contains(path[1:], "metadata") && path[len(path)-1] != "labels" && path[len(path)-1] != "annotations"
}

// resolve follows references.
func (s *Schema) resolve(schema map[string]any) map[string]any {
	for range 10 {
		if all, ok := schema["allOf"].([]any); ok && len(all) == 1 {
			schema = asMap(all[0])
		}
		ref, ok := schema["$ref"].(string)
		if !ok {
			break
		}
		schema = asMap(s.schemas[strings.TrimPrefix(ref, "#/components/schemas/")])
	}
	return schema
}

// values invents up to two values for a field; none if that is not to be had.
func (s *Schema) values(name string, schema map[string]any, depth int) []any {
	schema = s.resolve(schema)
	if enum, ok := schema["enum"].([]any); ok && len(enum) > 0 {
		enum = slices.DeleteFunc(slices.Clone(enum), func(v any) bool { return v == "" })
		return enum[:min(2, len(enum))]
	}
	if preserving, _ := schema["x-kubernetes-preserve-unknown-fields"].(bool); preserving {
		return []any{map[string]any{"a": "b"}, map[string]any{"c": map[string]any{"d": "e"}}}
	}
	if schema["oneOf"] != nil { // a number or text
		return []any{int64(1), "2"}
	}
	switch schema["type"] {
	case "boolean":
		return []any{true, false}
	case "integer", "number":
		return []any{int64(7), int64(11)}
	case "string":
		return text(name, schema)
	case "array":
		items := s.item(name, asMap(schema["items"]), depth)
		if items == nil {
			return nil
		}
		return []any{[]any{items}}
	case "object":
		if additional := asMap(schema["additionalProperties"]); additional != nil {
			values := s.values(name, additional, depth+1)
			if len(values) == 0 {
				return nil
			}
			return []any{map[string]any{"one": values[0]}, map[string]any{"two": values[0]}}
		}
		if object := s.item(name, schema, depth); object != nil {
			return []any{object}
		}
	}
	return nil
}

// item invents an item of a list: with the fields that it requires, or the first that
// can be had.
func (s *Schema) item(name string, schema map[string]any, depth int) any {
	schema = s.resolve(schema)
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil || depth > 3 {
		if values := s.values(name, schema, depth+1); depth <= 3 && schema["type"] != "object" && len(values) > 0 {
			return values[0]
		}
		return nil
	}
	object := map[string]any{}
	required, _ := schema["required"].([]any)
	for _, item := range required {
		field, _ := item.(string)
		values := s.values(field, asMap(properties[field]), depth+1)
		if len(values) == 0 {
			return nil
		}
		object[field] = values[0]
	}
	for _, field := range slices.Sorted(maps.Keys(properties)) {
		if len(object) > 0 {
			break
		}
		if values := s.values(field, asMap(properties[field]), depth+1); len(values) > 0 {
			object[field] = values[0]
		}
	}
	return object
}

// text invents words by what a field is called.
func text(name string, schema map[string]any) []any {
	lower := strings.ToLower(name)
	switch {
	case schema["format"] == "byte":
		return []any{"YQ==", "Yg=="}
	case schema["format"] == "date-time":
		return []any{"2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"}
	case strings.HasSuffix(lower, "ip"), strings.Contains(lower, "address"):
		return []any{"10.0.0.7", "10.0.0.8"}
	case strings.Contains(lower, "cidr"):
		return []any{"10.0.0.0/8", "10.1.0.0/16"}
	case strings.HasSuffix(lower, "path"):
		return []any{"/a", "/b"}
	case strings.HasSuffix(lower, "url"):
		return []any{"https://a.example.com/", "https://b.example.com/"}
	case strings.HasSuffix(lower, "host"), strings.Contains(lower, "hostname"), strings.Contains(lower, "domain"):
		return []any{"a.example.com", "b.example.com"}
	}
	return []any{"a", "b"}
}

func asMap(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}
