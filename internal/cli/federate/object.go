package federate

import (
	"cmp"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// batch is the federated objects of one type.
type batch struct {
	typ typeconfig.Type
	// enabled says that there is a FederatedTypeConfig for the type.
	enabled bool
	objects []*unstructured.Unstructured
}

// federatedObject makes the federated object of u with a template: placed in all
// clusters, in the words that kubefedctl uses for that.
func federatedObject(t typeconfig.Type, u *unstructured.Unstructured, template map[string]any) *unstructured.Unstructured {
	namespace := u.GetNamespace()
	if t.IsNamespace {
		namespace = u.GetName()
	}
	out := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{
			"template":  template,
			"placement": map[string]any{"clusterSelector": map[string]any{"matchLabels": map[string]any{}}},
		},
	}}
	out.SetGroupVersionKind(t.Federated.GVK)
	out.SetName(u.GetName())
	if t.Federated.Namespaced && namespace != "" {
		out.SetNamespace(namespace)
	}
	return out
}

// print prints the objects; those of a file, as YAML unless something else was asked for.
func (o *Options) print(batches []batch) error {
	var objects []*unstructured.Unstructured
	for i := range batches {
		objects = append(objects, batches[i].objects...)
	}
	output := o.Output
	output.Format = cmp.Or(output.Format, "yaml")
	return output.PrintAll(o.factory.Out, objects)
}
