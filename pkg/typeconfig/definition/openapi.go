package definition

import (
	"encoding/json"
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// ParseDefinitions reads the schemas of an OpenAPI v3 document in JSON.
func ParseDefinitions(data []byte) (map[string]*spec.Schema, error) {
	var document spec3.OpenAPI
	if err := document.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("parsing an OpenAPI v3 document: %w", err)
	}
	if document.Components == nil {
		return map[string]*spec.Schema{}, nil
	}
	return document.Components.Schemas, nil
}

// CRDDefinitions returns what an API server publishes for a CustomResourceDefinition
// some time after it has been created or changed. version is one of those of crd.
func CRDDefinitions(crd *apiextensionsv1.CustomResourceDefinition, version string) (map[string]*spec.Schema, error) {
	i := slices.IndexFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == version })
	if i < 0 {
		return nil, fmt.Errorf("CustomResourceDefinition %s has no version %s", crd.Name, version)
	}
	var definition spec.Schema
	if validation := crd.Spec.Versions[i].Schema; validation != nil && validation.OpenAPIV3Schema != nil {
		data, err := json.Marshal(validation.OpenAPIV3Schema)
		if err != nil {
			return nil, fmt.Errorf("CustomResourceDefinition %s: %w", crd.Name, err)
		}
		if err := definition.UnmarshalJSON(data); err != nil {
			return nil, fmt.Errorf("CustomResourceDefinition %s: %w", crd.Name, err)
		}
	}
	definition.Type = spec.StringOrArray{"object"}
	if definition.Properties == nil {
		definition.Properties = map[string]spec.Schema{}
	}
	definition.Properties["metadata"] = objectMeta()
	definition.AddExtension("x-kubernetes-group-version-kind", []any{
		map[string]any{"group": crd.Spec.Group, "version": version, "kind": crd.Spec.Names.Kind},
	})
	return map[string]*spec.Schema{crd.Spec.Names.Kind: &definition}, nil
}

// objectMeta is what a template can say in its metadata.
func objectMeta() spec.Schema {
	texts := spec.MapProperty(spec.StringProperty())
	return *new(spec.Schema).Typed("object", "").WithDescription("Metadata of the object.").
		SetProperty("name", *spec.StringProperty()).
		SetProperty("namespace", *spec.StringProperty()).
		SetProperty("labels", *texts).
		SetProperty("annotations", *texts)
}
