package definition

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/fedctl/fedctl/pkg/federate"
)

// WrongTypes says which fields of an object have values of another type than theirs, and
// what to write: in a template the schema of the federated type refuses them, in what a
// cluster gets its API server.
func (p *Published) WrongTypes(object map[string]any) []string {
	if !p.judges(object) {
		return nil
	}
	return wrongTypes(&p.template, object, "")
}

func wrongTypes(in *apiextensionsv1.JSONSchemaProps, value any, path string) (wrong []string) {
	if in == nil || value == nil && in.Nullable {
		return nil
	}
	if want := wanted(in); want != "" && !fits(in, value) {
		return []string{path + " must be " + want + ", is " + federate.DescribeValue(value) + whatToWrite(in, value)}
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if property, known := in.Properties[name]; known {
				wrong = append(wrong, wrongTypes(&property, value[name], strings.TrimPrefix(path+"."+name, "."))...)
			} else if in.AdditionalProperties != nil {
				wrong = append(wrong, wrongTypes(in.AdditionalProperties.Schema, value[name], path+"["+name+"]")...)
			}
		}
	case []any:
		for i := range value {
			if in.Items != nil {
				wrong = append(wrong, wrongTypes(in.Items.Schema, value[i], path+"["+strconv.Itoa(i)+"]")...)
			}
		}
	}
	return wrong
}

// wanted names the type of a schema; empty where any is taken.
func wanted(in *apiextensionsv1.JSONSchemaProps) string {
	if in.XIntOrString {
		return "a whole number or a string"
	}
	return map[string]string{
		"object": "an object", "array": "a list", "string": "a string", "boolean": "true or false",
		"integer": "a whole number", "number": "a number",
	}[in.Type]
}

// fits says whether a value is of the type of a schema, as API servers do.
func fits(in *apiextensionsv1.JSONSchemaProps, value any) bool {
	switch value := value.(type) {
	case string:
		return in.Type == "string" || in.XIntOrString
	case bool:
		return in.Type == "boolean"
	case int64:
		return in.Type == "integer" || in.Type == "number" || in.XIntOrString
	case float64:
		return in.Type == "number" || value == math.Trunc(value) && (in.Type == "integer" || in.XIntOrString)
	case map[string]any:
		return in.Type == "object"
	case []any:
		return in.Type == "array"
	}
	return value == nil && in.Nullable
}

// whatToWrite is how the same is written rightly, where that can be told.
func whatToWrite(in *apiextensionsv1.JSONSchemaProps, value any) string {
	switch value := value.(type) {
	case string:
		_, notNumber := strconv.ParseFloat(value, 64)
		if (in.Type == "integer" || in.Type == "number") && notNumber == nil || in.Type == "boolean" && (value == "true" || value == "false") {
			return ": write it without quotes"
		}
	case bool, int64, float64:
		if in.Type == "string" {
			return ": put it in quotes"
		}
	}
	return ""
}
