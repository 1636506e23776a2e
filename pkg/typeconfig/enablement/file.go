package enablement

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/version"

	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
)

// File is what a file says of a type to enable.
type File struct {
	// Directive names the type; with a CRD, nothing more.
	Directive Directive
	// CRD is the definition of the type, if the file holds one instead of a directive.
	CRD *apiextensionsv1.CustomResourceDefinition
}

// ReadFile reads the first YAML or JSON document of a file, or of stdin for "-":
// an EnableTypeDirective or a CustomResourceDefinition.
func ReadFile(path string, stdin io.Reader) (File, error) {
	reader := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return File{}, err
		}
		defer file.Close() //nolint:errcheck // read only
		reader = file
	}
	var raw runtime.RawExtension
	if err := yaml.NewYAMLOrJSONDecoder(reader, 4096).Decode(&raw); err != nil && !errors.Is(err, io.EOF) {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	out, err := parseFile(raw.Raw)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

func parseFile(raw []byte) (File, error) {
	var out File
	if len(raw) > 0 {
		if err := yaml.Unmarshal(raw, &out.Directive); err != nil {
			return File{}, err
		}
	}
	switch out.Directive.Kind {
	case "CustomResourceDefinition":
		out.CRD = &apiextensionsv1.CustomResourceDefinition{}
		if out.Directive.APIVersion != apiextensionsv1.SchemeGroupVersion.String() {
			return File{}, fmt.Errorf("apiVersion is %s, want %s", out.Directive.APIVersion, apiextensionsv1.SchemeGroupVersion)
		}
		if err := yaml.Unmarshal(raw, out.CRD); err != nil {
			return File{}, err
		}
		// Its name must be this, and a file may leave it out.
		out.Directive = Directive{ObjectMeta: metav1.ObjectMeta{Name: typeconfig.QualifiedName(out.CRD.Spec.Names.Plural, out.CRD.Spec.Group)}}
	case "", "EnableTypeDirective":
	default:
		return File{}, fmt.Errorf("kind is %s, want EnableTypeDirective or CustomResourceDefinition", out.Directive.Kind)
	}
	if out.Directive.Name == "" {
		return File{}, errors.New("metadata.name must name the type to enable, such as deployments.apps")
	}
	return out, nil
}

// PrepareCRD is Prepare for a type whose definition is given: the host need not
// have it. directive says the rest.
func (h *Host) PrepareCRD(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition, directive Directive) (*Enablement, error) {
	target, err := targetOfCRD(crd, directive.Spec.TargetVersion)
	if err != nil {
		return nil, err
	}
	directive, before, err := h.keep(ctx, target, directive)
	if err != nil {
		return nil, err
	}
	if kept, err := targetOfCRD(crd, directive.Spec.TargetVersion); err == nil && kept.Version != target.Version {
		h.note("kept version %s of the type, which was enabled with it; --version %s changes it", kept.Version, target.Version)
		target = kept
	}
	definitions, err := definition.CRDDefinitions(crd, target.Version)
	if err != nil {
		return nil, err
	}
	return h.enablement(target, directive, before, definitions)
}

// targetOfCRD is the resource that a CustomResourceDefinition defines. Without a
// version it is the one that an API server prefers: of those served, the most
// stable, then the newest.
func targetOfCRD(crd *apiextensionsv1.CustomResourceDefinition, wanted string) (metav1.APIResource, error) {
	name := typeconfig.QualifiedName(crd.Spec.Names.Plural, crd.Spec.Group)
	var served []string
	for _, v := range crd.Spec.Versions {
		if v.Served && (wanted == "" || v.Name == wanted) {
			served = append(served, v.Name)
		}
	}
	if len(served) == 0 {
		return metav1.APIResource{}, fmt.Errorf("CustomResourceDefinition %s serves no version %s", name, wanted)
	}
	names := crd.Spec.Names
	target := metav1.APIResource{
		Name: names.Plural, SingularName: names.Singular, Kind: names.Kind, ShortNames: names.ShortNames,
		Namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped,
		Group:      crd.Spec.Group, Version: slices.MaxFunc(served, version.CompareKubeAwareVersionStrings),
		Verbs: metav1.Verbs{"get", "list", "watch", "create", "update", "patch", "delete"},
	}
	if why := notFederable(target); why != "" {
		return metav1.APIResource{}, fmt.Errorf("%s cannot be federated: %s", name, why)
	}
	return target, nil
}
