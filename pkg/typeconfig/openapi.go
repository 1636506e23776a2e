package typeconfig

import (
	"encoding/json"
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/openapi"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Definitions fetches the schemas that an API server publishes for gv; none when
// it publishes none, as an aggregated API server may.
func Definitions(client openapi.Client, gv schema.GroupVersion) (map[string]*spec.Schema, error) {
	paths, err := client.Paths()
	if err != nil {
		return nil, fmt.Errorf("reading the index of the OpenAPI v3 schemas: %w", err)
	}
	path := "apis/" + gv.String()
	if gv.Group == "" {
		path = "api/" + gv.Version
	}
	document, ok := paths[path]
	if !ok {
		return map[string]*spec.Schema{}, nil
	}
	data, err := document.Schema("application/json")
	if err != nil {
		return nil, fmt.Errorf("reading the OpenAPI v3 schema of %s: %w", gv, err)
	}
	return ParseDefinitions(data)
}

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

// CRDDefinitions returns what Definitions will, once the API server has published
// a CustomResourceDefinition: it does that some time after it has been created or
// changed. version is one of those of crd.
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
