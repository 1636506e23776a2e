package fleetapi

import (
	"strings"

	apiextensionsopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/util"
	"k8s.io/kube-openapi/pkg/validation/spec"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

// definitions are the types of this API, and those of every API, which are generated in
// apiextensions-apiserver for all that the group of CustomResourceDefinitions needs.
func definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := apiextensionsopenapi.GetOpenAPIDefinitions(ref)
	own := func(name string) spec.Ref { return ref(modelName(name)) }
	for name, definition := range fleetv1alpha1.GetOpenAPIDefinitions(own) {
		for i, dependency := range definition.Dependencies {
			definition.Dependencies[i] = modelName(dependency)
		}
		all[name] = definition
	}
	return all
}

// modelName is how a type is called, which openapi-gen refers to by its name in Go where
// it is of another package.
func modelName(name string) string {
	if strings.Contains(name, "/") {
		return util.ToRESTFriendlyName(name)
	}
	return name
}
