package definition

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Published is what an API server publishes of a kind. It judges objects before they are
// written: templates as the schema of their federated type will, and what clusters get as
// those of the server's version will.
type Published struct {
	converter *templateConverter
	gvk       schema.GroupVersionKind
	kind      *spec.Schema // nil where nothing is published
	// template is the schema of templates, with nothing left out for its size.
	template apiextensionsv1.JSONSchemaProps
}

// PublishedOf takes a kind from the schemas of its group and version.
func PublishedOf(definitions map[string]*spec.Schema, gvk schema.GroupVersionKind) *Published {
	p := &Published{
		gvk:       gvk,
		converter: newTemplateConverter(definitions, templateLimits{Depth: deepest}),
		kind:      definitionFor(definitions, gvk.Group, gvk.Version, gvk.Kind),
	}
	p.template = p.converter.template(p.kind)
	return p
}

// DefinedOf is what fedctl defines for a federated type, for who cannot ask the host: templates
// may be anything, and may have replicas.
func DefinedOf(t typeconfig.Type) *Published {
	crd := Generate(Input{Type: t})
	version := crd.Spec.Versions[0]
	version.Schema.OpenAPIV3Schema.Properties["spec"].Properties["retainReplicas"] = retainReplicasSchema()
	definitions, _ := CRDDefinitions(crd, version.Name) // it has the version
	return PublishedOf(definitions, t.Federated.GVK)
}

// Known says whether anything is published of the kind.
func (p *Published) Known() bool { return p.kind != nil }

// judges says whether an object is of the version that is known: in another one of its kind
// it may have other fields. One that does not say its version is.
func (p *Published) judges(object map[string]any) bool {
	version, said := object["apiVersion"]
	return p.kind != nil && (!said || version == p.gvk.GroupVersion().String())
}
