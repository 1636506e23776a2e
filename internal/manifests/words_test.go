package manifests

import (
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// A word means one thing to kubectl: where a category is called as a type is, "kubectl get
// TYPE NAME" asks for all types of the category by that name, and fails.
func TestCategoriesAreNoNamesOfTypes(t *testing.T) {
	host, err := Build(Options{})
	if err != nil {
		t.Fatal(err)
	}
	member, err := ForMember(Options{}, MemberOptions{Rights: RightsSave})
	if err != nil {
		t.Fatal(err)
	}
	definitions := ofKind[apiextensionsv1.CustomResourceDefinition](t, slices.Concat(host, member), "CustomResourceDefinition")
	if len(definitions) == 0 {
		t.Fatal("there are no definitions")
	}
	named := map[string]string{}
	for i := range definitions {
		names := &definitions[i].Spec.Names
		for _, word := range append(names.ShortNames, names.Plural, names.Singular, strings.ToLower(names.Kind)) {
			named[word] = definitions[i].Name
		}
	}
	for i := range definitions {
		for _, category := range definitions[i].Spec.Names.Categories {
			if other, taken := named[category]; taken {
				t.Errorf("%s: the category %s is a name of %s", definitions[i].Name, category, other)
			}
		}
	}
}
