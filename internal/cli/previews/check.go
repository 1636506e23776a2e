package previews

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/pkg/policy"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// schemas are what the host publishes of kinds, each group and version read once.
type schemas struct {
	host  openapi.Client // nil: a host that is not asked, or does not say
	read  map[schema.GroupVersion]map[string]*spec.Schema
	kinds map[schema.GroupVersionKind]*definition.Published
}

// published are the schemas of the host, gathered once.
func (o *Options) published() *schemas {
	if o.schemas == nil {
		o.schemas = o.newSchemas()
	}
	return o.schemas
}

func (o *Options) newSchemas() *schemas {
	s := &schemas{read: map[schema.GroupVersion]map[string]*spec.Schema{}, kinds: map[schema.GroupVersionKind]*definition.Published{}}
	if o.FactsFile != "" {
		return s
	}
	config, err := o.factory.HostConfig()
	if err != nil {
		return s
	}
	if discoverer, err := discovery.NewDiscoveryClientForConfig(config); err == nil {
		s.host = discoverer.OpenAPIV3()
	}
	return s
}

// of is what is published of a kind; one that knows nothing, where that is not known.
func (s *schemas) of(gvk schema.GroupVersionKind) *definition.Published {
	if s.kinds[gvk] != nil {
		return s.kinds[gvk]
	}
	definitions, asked := s.read[gvk.GroupVersion()]
	if !asked && s.host != nil {
		definitions, _ = enablement.FetchDefinitions(s.host, gvk.GroupVersion()) // who is not told judges nothing
		s.read[gvk.GroupVersion()] = definitions
	}
	s.kinds[gvk] = definition.PublishedOf(definitions, gvk)
	return s.kinds[gvk]
}

// ofFederated is what is published of a federated type; what fedctl defines for it, where that
// is not known.
func (s *schemas) ofFederated(t typeconfig.Type) *definition.Published {
	published := s.of(t.Federated.GVK)
	if published.Known() {
		return published
	}
	return definition.DefinedOf(t)
}

// checkFiles refuses objects of files that the API server would refuse, as kubectl sends them:
// federated objects and policies with fields that there are none of, and policies that cannot be
// carried out. What is in templates the types of the members tell, see preview.Judge.
func (o *Options) checkFiles(facts *preview.Facts, objects []*unstructured.Unstructured) error {
	known := o.published()
	var errs []error
	for _, object := range objects {
		if preview.IsPolicy(object) {
			errs = append(errs, checkPolicy(object))
		} else if t, federated := facts.TypeOf(object); federated {
			errs = append(errs, checkFederated(object, known.ofFederated(t)))
		}
	}
	return errors.Join(errs...)
}

func checkPolicy(object *unstructured.Unstructured) error {
	if err := policy.CheckFields(object); err != nil {
		return err
	}
	read, _ := policy.Read(object)
	if problem := read.Problem(); problem != nil {
		return fmt.Errorf("%s: %w", read.Origin, problem)
	}
	return nil
}

// checkFederated says which fields of a federated object, outside of its template, there are none
// of, or are of another type.
func checkFederated(object *unstructured.Unstructured, published *definition.Published) error {
	outside := maps.Clone(object.Object)
	if spec, ok := outside["spec"].(map[string]any); ok {
		spec = maps.Clone(spec)
		delete(spec, "template")
		outside["spec"] = spec
	}
	delete(outside, "status")
	var wrong []string
	if unknown := slices.Concat(published.UnknownFields(outside), unknownMetadata(outside["metadata"])); len(unknown) > 0 {
		wrong = append(wrong, "there is no field "+strings.Join(unknown, ", "))
	}
	wrong = append(wrong, published.WrongTypes(outside)...)
	if len(wrong) == 0 {
		return nil
	}
	name := strings.TrimPrefix(object.GetNamespace()+"/"+object.GetName(), "/")
	return fmt.Errorf("%s %s: %s", object.GetKind(), name, strings.Join(wrong, "; "))
}

// unknownMetadata are the fields of an object's metadata that there are none of.
func unknownMetadata(metadata any) []string {
	fields, ok := metadata.(map[string]any)
	if !ok {
		return nil
	}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		one := map[string]any{name: nil}
		if runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(one, &metav1.ObjectMeta{}, true) != nil {
			unknown = append(unknown, "metadata."+name)
		}
	}
	return unknown
}
