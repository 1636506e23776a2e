package typeconfig

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/openapi"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Definitions fetches the schemas that an API server publishes for gv. They are
// nil when it publishes none, as an aggregated API server may.
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
		return nil, nil
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
		return nil, nil
	}
	return document.Components.Schemas, nil
}
