package checkup

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// Whoever may not read the KubeFedConfig does not know the control plane's scope, and is
// told nothing wrong about what the scope decides.
func TestShippedOfEachScope(t *testing.T) {
	for _, scope := range manifests.Scopes {
		objects, err := manifests.Build(manifests.Options{Namespace: cmdutil.DefaultKubeFedNamespace, Scope: scope})
		if err != nil {
			t.Fatal(err)
		}
		for _, forbidden := range []bool{false, true} {
			g := installed(objects, scope, forbidden)
			if err := g.config(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.shipped(t.Context())
			for _, row := range g.in.Shipped {
				if row.Missing || row.Differs {
					t.Errorf("%s, forbidden %t: %s %s: missing %t, differs %t", scope, forbidden, row.Kind, row.Name, row.Missing, row.Differs)
				}
			}
			if len(g.in.Shipped) == 0 {
				t.Errorf("%s, forbidden %t: nothing was looked at", scope, forbidden)
			}
			if complete := len(g.in.Unread) == 0; complete == forbidden {
				t.Errorf("%s, forbidden %t: %v", scope, forbidden, g.in.Unread)
			}
		}
	}
}

// installed looks at a host that has what an installation of the scope brings.
func installed(objects []*unstructured.Unstructured, scope string, forbidden bool) *gatherer {
	const namespace = cmdutil.DefaultKubeFedNamespace
	builder := fake.NewClientBuilder().WithScheme(cmdutil.Scheme)
	for _, object := range objects {
		if object.GetKind() != "KubeFedConfig" {
			builder.WithObjects(object.DeepCopy())
		}
	}
	config := &fedcorev1beta1.KubeFedConfig{}
	config.Namespace, config.Name, config.Spec.Scope = namespace, kubefedconfig.Name, "Cluster"
	if scope == manifests.ScopeNamespaced {
		config.Spec.Scope = "Namespaced"
	}
	host := builder.WithObjects(config).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			if _, ok := object.(*fedcorev1beta1.KubeFedConfig); ok && forbidden {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "kubefedconfigs"}, key.Name, errors.New("not yours"))
			}
			return c.Get(ctx, key, object, opts...)
		},
	}).Build()
	return &gatherer{host: host, clock: &clock{}, namespace: namespace, in: &diagnosis.Input{Namespace: namespace, Troubles: &diagnosis.Troubles{}}}
}
