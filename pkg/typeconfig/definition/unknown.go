package definition

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

// UnknownFields names the fields of an object that the schema of its kind does not know,
// sorted, as paths: an API server leaves them out. Where nothing is published of a kind, or
// anything is taken, every field is known.
func (p *Published) UnknownFields(object map[string]any) []string {
	if !p.judges(object) {
		return nil
	}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch name {
		case "apiVersion", "kind", "metadata", "status": // those are judged elsewhere, or not propagated
		default:
			unknown = append(unknown, p.converter.unknownIn(p.kind, map[string]any{name: object[name]}, "")...)
		}
	}
	return unknown
}

// unknownIn names the fields of a value at a path that in does not know.
func (c *templateConverter) unknownIn(in *spec.Schema, value any, path string) (unknown []string) {
	in, _, _ = c.resolve(in)
	if in == nil || isIntOrString(in) {
		return nil
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			at := path + "." + name
			if path == "" {
				at = name
			}
			property, known := in.Properties[name]
			switch {
			case known:
				unknown = append(unknown, c.unknownIn(&property, value[name], at)...)
			case in.AdditionalProperties != nil && in.AdditionalProperties.Schema != nil:
				unknown = append(unknown, c.unknownIn(in.AdditionalProperties.Schema, value[name], at)...)
			case !takesAnything(in):
				unknown = append(unknown, at)
			}
		}
	case []any:
		if in.Items == nil || in.Items.Schema == nil {
			return nil
		}
		for i, item := range value {
			unknown = append(unknown, c.unknownIn(in.Items.Schema, item, fmt.Sprintf("%s[%d]", path, i))...)
		}
	}
	return unknown
}

// takesAnything says whether an object of this schema may have fields that it does not name.
// One that names none is how quantities, times and JSON are published.
func takesAnything(in *spec.Schema) bool {
	preserves, _ := in.Extensions.GetBool("x-kubernetes-preserve-unknown-fields")
	return preserves || len(in.Properties) == 0 || in.AdditionalProperties != nil && in.AdditionalProperties.Allows
}
