package member_test

import (
	"context"
	"time"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/propagation/member"
)

type schemaProps = map[string]apiextensionsv1.JSONSchemaProps

// widgets defines Widgets, or changes what their schema knows of a spec beside groups.
func widgets(ctx context.Context, beside schemaProps) {
	text := apiextensionsv1.JSONSchemaProps{Type: "string"}
	spec := schemaProps{"groups": {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &text}}}
	for name, schema := range beside {
		spec[name] = schema
	}
	gvr := resources["Widget"].GVR
	crd := &apiextensionsv1.CustomResourceDefinition{}
	crd.Name = gvr.GroupResource().String()
	want := apiextensionsv1.CustomResourceDefinitionSpec{
		Group: gvr.Group, Scope: apiextensionsv1.NamespaceScoped,
		Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: gvr.Resource, Kind: "Widget"},
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
			Name: gvr.Version, Served: true, Storage: true,
			Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
				Type: "object", Properties: schemaProps{"spec": {Type: "object", Properties: spec}},
			}},
		}},
	}
	scheme := runtime.NewScheme()
	Expect(apiextensionsv1.AddToScheme(scheme)).To(Succeed())
	c, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	// The API server writes to a definition as well, for a while.
	Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(crd), crd); apierrors.IsNotFound(err) {
			crd.Spec = want
			return c.Create(ctx, crd)
		}
		crd.Spec.Versions = want.Versions
		return c.Update(ctx, crd)
	})).To(Succeed())
}

// knows waits until an apply of this spec is refused no more.
func knows(ctx context.Context, ref member.Ref, spec fields) {
	Eventually(func() error {
		probe := &unstructured.Unstructured{Object: fields{"spec": spec}}
		probe.SetGroupVersionKind(ref.Resource.GVK)
		probe.SetNamespace(ref.Key.Namespace)
		probe.SetName("probe")
		return cluster.Apply(ctx, client.ApplyConfigurationFromUnstructured(probe), client.FieldOwner("probe"), client.DryRunAll)
	}).WithPolling(200 * time.Millisecond).Should(Succeed())
}
