package definition

import (
	"encoding/json"
	"fmt"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// SizeBudget is the size, in bytes of JSON, that the CustomResourceDefinition
// of a federated type stays under: well below what etcd stores, and small enough
// for an API server to keep many of them in memory.
const SizeBudget = 128 << 10

// Input is what the CustomResourceDefinition of a federated type is made from.
type Input struct {
	// Type is the federated type.
	Type typeconfig.Type
	// ShortNames are the short names of the target; the federated type has the
	// same with an f in front.
	ShortNames []string
	// Definitions are the schemas that an API server publishes for the group and
	// version of the target (components.schemas of its OpenAPI v3 document). When
	// they do not have the target, the template takes any object.
	Definitions map[string]*spec.Schema
	// Rollup is what the status adds up of the members; nil for most types.
	Rollup *Rollup
}

// Rollup describes status.rollup of a federated type: what a federate.Rollup makes
// of the status of its objects in the members.
type Rollup struct {
	Schema apiextensionsv1.JSONSchemaProps
	// Columns are shown by kubectl get.
	Columns []apiextensionsv1.CustomResourceColumnDefinition
}

// deepest is how many levels of fields of a template are described at most.
const deepest = 24

// Generate returns the CustomResourceDefinition of a federated type. The same
// input always gives the same result. Descriptions of template fields, and then
// its deepest fields, are left out as far as it takes to stay under SizeBudget.
func Generate(in Input) *apiextensionsv1.CustomResourceDefinition {
	limits := templateLimits{Depth: deepest, Descriptions: deepest}
	for {
		crd := generate(in, limits)
		if size(crd) <= SizeBudget || limits.Depth == 0 {
			return crd
		}
		if limits.Descriptions > 0 {
			limits.Descriptions--
		} else {
			limits.Depth--
		}
	}
}

func size(crd *apiextensionsv1.CustomResourceDefinition) int {
	data, err := json.Marshal(crd)
	if err != nil {
		return 0 // a CRD that cannot be encoded has no size to reduce; writing it says why
	}
	return len(data)
}

func generate(in Input, limits templateLimits) *apiextensionsv1.CustomResourceDefinition {
	federated := in.Type.Federated
	scope := apiextensionsv1.ClusterScoped
	if federated.Namespaced {
		scope = apiextensionsv1.NamespaceScoped
	}
	var shortNames []string
	for _, name := range in.ShortNames {
		shortNames = append(shortNames, "f"+name)
	}
	return &apiextensionsv1.CustomResourceDefinition{
		TypeMeta: metav1.TypeMeta{
			APIVersion: apiextensionsv1.SchemeGroupVersion.String(),
			Kind:       "CustomResourceDefinition",
		},
		ObjectMeta: metav1.ObjectMeta{Name: typeconfig.QualifiedName(federated.GVR.Resource, federated.GVR.Group)},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: federated.GVR.Group,
			Names: apiextensionsv1.CustomResourceDefinitionNames{
				Kind:       federated.GVK.Kind,
				ListKind:   federated.GVK.Kind + "List",
				Plural:     federated.GVR.Resource,
				Singular:   strings.ToLower(federated.GVK.Kind),
				ShortNames: shortNames,
				Categories: []string{"federated"},
			},
			Scope: scope,
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name:                     federated.GVR.Version,
				Served:                   true,
				Storage:                  true,
				Schema:                   &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: federatedSchema(in, limits)},
				Subresources:             &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				AdditionalPrinterColumns: printerColumns(in.Rollup),
			}},
		},
	}
}

func printerColumns(rollup *Rollup) []apiextensionsv1.CustomResourceColumnDefinition {
	const propagation, ready = `.status.conditions[?(@.type=="Propagation")]`, `.status.conditions[?(@.type=="Ready")]`
	columns := []apiextensionsv1.CustomResourceColumnDefinition{
		{Name: "Clusters", Type: "string", JSONPath: ".status.summary", Description: "Clusters that are up to date, of the clusters of the placement."},
		{Name: "Propagated", Type: "string", JSONPath: propagation + ".status", Description: "Whether every cluster has what it should."},
		{Name: "Ready", Type: "string", JSONPath: ready + ".status", Description: "Whether it works in every cluster."},
		{Name: "Health", Type: "string", JSONPath: ready + ".reason", Description: "How it fares.", Priority: 1},
		{Name: "Reason", Type: "string", JSONPath: propagation + ".reason", Description: "Why it is not propagated."},
	}
	if rollup != nil {
		columns = append(columns, rollup.Columns...)
	}
	return append(columns, apiextensionsv1.CustomResourceColumnDefinition{Name: "Age", Type: "date", JSONPath: ".metadata.creationTimestamp"})
}

// templateSchema returns the schema of spec.template, and whether the target has
// replicas that another controller of a member may want to set.
func templateSchema(in Input, limits templateLimits) (schema apiextensionsv1.JSONSchemaProps, scalable bool) {
	target := in.Type.Target.GVK
	converter := newTemplateConverter(in.Definitions, limits)
	definition := definitionFor(in.Definitions, target.Group, target.Version, target.Kind)
	schema = converter.template(definition)
	schema.Description = fmt.Sprintf("Template of the %s that every cluster of the placement gets. Name and namespace are those of this object; "+
		"status is ignored.", target.Kind)
	return schema, definition != nil && converter.hasReplicas(definition)
}
