package fleetapi

import (
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
	// openapi-gen refers to types of other packages by their names in Go.
	own := func(path string) spec.Ref { return ref(util.ToRESTFriendlyName(path)) }
	for name, definition := range fleetv1alpha1.GetOpenAPIDefinitions(own) {
		for i, dependency := range definition.Dependencies {
			definition.Dependencies[i] = util.ToRESTFriendlyName(dependency)
		}
		all[name] = definition
	}
	return all
}
