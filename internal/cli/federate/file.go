package federate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// runFile prints the federated objects of a file. As with kubefedctl, no cluster
// is asked, so the file may be for a host that is not there yet.
func (o *Options) runFile() error {
	in := o.factory.In
	if o.Filename != "-" {
		file, err := os.Open(o.Filename)
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // read only
		in = file
	}
	objects, err := decode(in)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Filename, err)
	}
	batches, left, err := o.federateAll(objects)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Filename, err)
	}
	left.print(o.factory.ErrOut)
	if len(batches) == 0 {
		return fmt.Errorf("%s: there is nothing in it that can be federated", o.Filename)
	}
	return o.print(batches)
}

// decode reads YAML or JSON documents, taking lists apart.
func decode(in io.Reader) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(in, 4096)
	var objects []*unstructured.Unstructured
	for document := 1; ; document++ {
		var raw runtime.RawExtension
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", document, err)
		}
		if data := bytes.TrimSpace(raw.Raw); len(data) == 0 || bytes.Equal(data, []byte("null")) {
			continue
		}
		found, err := decodeDocument(raw.Raw)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", document, err)
		}
		objects = append(objects, found...)
	}
}

func decodeDocument(data []byte) ([]*unstructured.Unstructured, error) {
	decoded, _, err := unstructured.UnstructuredJSONScheme.Decode(data, nil, nil)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	switch decoded := decoded.(type) {
	case *unstructured.Unstructured:
		objects = append(objects, decoded)
	case *unstructured.UnstructuredList:
		for i := range decoded.Items {
			objects = append(objects, &decoded.Items[i])
		}
	}
	for _, u := range objects {
		if u.GetName() == "" {
			return nil, fmt.Errorf("%s %q: metadata.name must be set", u.GetKind(), u.GetName())
		}
		if u.GetAPIVersion() == "" && versionOf(u.GetKind()) == "" {
			return nil, fmt.Errorf("%s %q: apiVersion must be set: Kubernetes has no such kind of its own", u.GetKind(), u.GetName())
		}
	}
	return objects, nil
}

// versionOf is the apiVersion of a kind of Kubernetes' own, for manifests that name none,
// which kubefedctl takes: the most stable and newest version that there is of the kind, in
// the group whose name is first. Empty if there is none.
func versionOf(kind string) string {
	best := schema.GroupVersion{}
	for _, gv := range scheme.Scheme.PrioritizedVersionsAllGroups() {
		if !scheme.Scheme.Recognizes(gv.WithKind(kind)) || gv.Group == "extensions" {
			continue
		}
		order := 1
		if best.Version != "" {
			order = cmp.Or(version.CompareKubeAwareVersionStrings(gv.Version, best.Version), cmp.Compare(best.Group, gv.Group))
		}
		if order > 0 {
			best = gv
		}
	}
	if best.Version == "" {
		return ""
	}
	return best.String()
}

// federateAll makes a batch for each object, in the order of the file.
func (o *Options) federateAll(objects []*unstructured.Unstructured) (batches []batch, left leftOut, err error) {
	for _, u := range objects {
		if u.GetAPIVersion() == "" {
			u.SetAPIVersion(versionOf(u.GetKind()))
			o.warn("%s %q names no apiVersion, and is taken for %s", u.GetKind(), u.GetName(), u.GetAPIVersion())
		}
		t, err := o.guessType(u)
		if err != nil {
			return nil, nil, fmt.Errorf("%s %q: %w", u.GetKind(), u.GetName(), err)
		}
		if why := refuseObject(u, o.factory.KubeFedNamespace); why != "" {
			left.add(t.Name, u.GetName(), why)
			continue
		}
		// Nobody has said yet which version of the type will be federated: the
		// template must say itself which one it is written in.
		template := federate.Strip(u)
		template["apiVersion"], template["kind"] = u.GetAPIVersion(), u.GetKind()
		federated := federatedObject(t, u, template)
		batches = append(batches, batch{typ: t, objects: []*unstructured.Unstructured{federated}})
	}
	return batches, left, nil
}

// guessType is what enabling the object's type would make of it. That an object
// has no namespace means that its type has none, or that kubectl is to add it.
func (o *Options) guessType(u *unstructured.Unstructured) (typeconfig.Type, error) {
	gvk := u.GroupVersionKind()
	plural, singular := meta.UnsafeGuessKindToResource(gvk)
	target := metav1.APIResource{
		Name: plural.Resource, SingularName: singular.Resource, Kind: gvk.Kind,
		Group: gvk.Group, Version: gvk.Version, Namespaced: u.GetNamespace() != "",
	}
	return o.disabledType(target)
}

// disabledType is the type that enabling target would make.
func (o *Options) disabledType(target metav1.APIResource) (typeconfig.Type, error) {
	return typeconfig.FromFederatedTypeConfig(enablement.TypeConfigFor(target, enablement.Directive{Spec: o.Federated}))
}
