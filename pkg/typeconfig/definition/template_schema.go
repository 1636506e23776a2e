package definition

import (
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/utils/ptr"
)

// The ends of the names under which API servers publish these types.
const (
	objectMetaSuffix = ".apis.meta.v1.ObjectMeta"
	podSpecSuffix    = ".api.core.v1.PodSpec"
)

// templateLimits bounds the size of a template's schema.
type templateLimits struct {
	// Depth is how many levels of fields are described; deeper ones are accepted unseen.
	Depth int
	// Descriptions is down to which level fields keep their description.
	Descriptions int
}

// templateConverter turns the published OpenAPI v3 schema of a target into the
// structural schema of a template.
//
// A template is less than an object: parts of it may come from overrides or
// member-side defaults, and the members may serve a newer version of the API
// than the host. So the result knows the names and types of fields, for
// "kubectl explain" and for mistakes of type, but never requires a field, nor
// refuses an unknown one, a null, or a value that only the members can judge.
type templateConverter struct {
	definitions map[string]*spec.Schema
	limits      templateLimits
	// expanding holds the names of the definitions that are being converted, to
	// cut recursion.
	expanding map[string]bool
}

func newTemplateConverter(definitions map[string]*spec.Schema, limits templateLimits) *templateConverter {
	return &templateConverter{definitions: definitions, limits: limits, expanding: map[string]bool{}}
}

// template returns the schema of a template of the target that definition is; any object
// is taken where there is none.
func (c *templateConverter) template(definition *spec.Schema) apiextensionsv1.JSONSchemaProps {
	out := apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: ptr.To(true), Properties: map[string]apiextensionsv1.JSONSchemaProps{}}
	if definition != nil {
		maps.Copy(out.Properties, c.convert(definition, 1).Properties)
	}
	delete(out.Properties, "status")
	for _, name := range []string{"apiVersion", "kind"} {
		out.Properties[name] = apiextensionsv1.JSONSchemaProps{Type: "string", Nullable: true}
	}
	return out
}

// convert returns the structural form of in, which lies level fields below the template.
func (c *templateConverter) convert(in *spec.Schema, level int) apiextensionsv1.JSONSchemaProps {
	in, names, description := c.resolve(in)
	out := apiextensionsv1.JSONSchemaProps{Nullable: true}
	if level <= c.limits.Descriptions {
		out.Description = firstSentence(description)
	}
	recursive := slices.ContainsFunc(names, func(name string) bool { return c.expanding[name] })
	for _, name := range names {
		if !c.expanding[name] {
			c.expanding[name] = true
			defer delete(c.expanding, name)
		}
	}
	switch {
	case in == nil:
		anything(&out)
	case isIntOrString(in):
		out.XIntOrString = true
	case len(in.Type) != 1:
		anything(&out)
	case in.Type[0] == "object":
		out.Type = "object"
		if recursive || level >= c.limits.Depth {
			out.XPreserveUnknownFields = ptr.To(true)
			break
		}
		c.convertObject(in, names, level, &out)
	case in.Type[0] == "array":
		out.Type = "array"
		c.convertArray(in, level, &out)
	default:
		out.Type = in.Type[0]
	}
	return out
}

func (c *templateConverter) convertObject(in *spec.Schema, names []string, level int, out *apiextensionsv1.JSONSchemaProps) {
	if in.AdditionalProperties != nil && in.AdditionalProperties.Schema != nil && len(in.Properties) == 0 {
		value := c.convert(in.AdditionalProperties.Schema, level+1)
		out.AdditionalProperties = &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true, Schema: &value}
		return
	}
	out.XPreserveUnknownFields = ptr.To(true)
	for name, property := range meaningful(in.Properties, names) {
		if out.Properties == nil {
			out.Properties = make(map[string]apiextensionsv1.JSONSchemaProps, len(in.Properties))
		}
		out.Properties[name] = c.convert(&property, level+1)
	}
}

func (c *templateConverter) convertArray(in *spec.Schema, level int, out *apiextensionsv1.JSONSchemaProps) {
	item := apiextensionsv1.JSONSchemaProps{Nullable: true}
	if in.Items != nil && in.Items.Schema != nil {
		// An item is no field of its own in a path: it stays on the level of its list.
		item = c.convert(in.Items.Schema, level)
		item.Description = ""
	} else {
		anything(&item)
	}
	out.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &item}
}

// resolve follows references, and the single-element allOf that publishes a
// reference with a description of its own. It returns the schema (nil when the
// reference leads nowhere), the names it went by, and the outermost description.
func (c *templateConverter) resolve(in *spec.Schema) (out *spec.Schema, names []string, description string) {
	for out = in; out != nil; {
		if description == "" {
			description = out.Description
		}
		if ref := out.Ref.String(); ref != "" {
			name := ref[strings.LastIndex(ref, "/")+1:]
			if slices.Contains(names, name) {
				return nil, names, description
			}
			names = append(names, name)
			out = c.definitions[name]
			continue
		}
		if len(out.AllOf) == 1 && len(out.Type) == 0 && len(out.Properties) == 0 {
			out = &out.AllOf[0]
			continue
		}
		return out, names, description
	}
	return nil, names, description
}

// hasReplicas tells whether objects of this schema have a number at spec.replicas.
func (c *templateConverter) hasReplicas(in *spec.Schema) bool {
	for _, field := range []string{"spec", "replicas"} {
		if in, _, _ = c.resolve(in); in == nil {
			return false
		}
		property, ok := in.Properties[field]
		if !ok {
			return false
		}
		in = &property
	}
	in, _, _ = c.resolve(in)
	return in != nil && in.Type.Contains("integer")
}

// meaningful leaves out the fields that mean nothing in a template, of those
// Kubernetes types that make up most of the size of a schema.
func meaningful(in map[string]spec.Schema, names []string) map[string]spec.Schema {
	is := func(suffix string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, suffix) })
	}
	out := maps.Clone(in)
	switch {
	case is(objectMetaSuffix):
		maps.DeleteFunc(out, func(name string, _ spec.Schema) bool {
			return !slices.Contains([]string{"name", "namespace", "labels", "annotations"}, name)
		})
	case is(podSpecSuffix):
		delete(out, "ephemeralContainers") // only ever added to running pods
	}
	return out
}

// anything makes out accept every JSON value.
func anything(out *apiextensionsv1.JSONSchemaProps) {
	out.XPreserveUnknownFields = ptr.To(true)
}

func isIntOrString(in *spec.Schema) bool {
	if in.Format == "int-or-string" {
		return true
	}
	is, _ := in.Extensions.GetBool("x-kubernetes-int-or-string")
	return is
}

// maxDescription is the length that descriptions of template fields are cut to.
const maxDescription = 160

// firstSentence shortens an API description to what fits a line or two.
func firstSentence(description string) string {
	description, _, _ = strings.Cut(description, "\n")
	if end := strings.Index(description, ". "); end >= 0 {
		description = description[:end+1]
	}
	description = strings.TrimSpace(description)
	if len(description) <= maxDescription {
		return description
	}
	cut := strings.LastIndex(description[:maxDescription-2], " ")
	if cut <= 0 {
		return ""
	}
	return description[:cut] + " …"
}

// definitionFor returns the published schema of kind, nil when there is none.
func definitionFor(definitions map[string]*spec.Schema, group, version, kind string) *spec.Schema {
	for _, name := range slices.Sorted(maps.Keys(definitions)) {
		kinds, _ := definitions[name].Extensions["x-kubernetes-group-version-kind"].([]any)
		for _, entry := range kinds {
			gvk, _ := entry.(map[string]any)
			if gvk["group"] == group && gvk["version"] == version && gvk["kind"] == kind {
				return definitions[name]
			}
		}
	}
	return nil
}
