package cmdutil

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

func TestCredentials(t *testing.T) {
	there := &corev1.Secret{}
	there.Namespace, there.Name = "plane", "oslo"
	host := fake.NewClientBuilder().WithScheme(Scheme).WithObjects(there).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			switch key.Name {
			case "forbidden":
				return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, key.Name, errors.New("not yours"))
			case "":
				return errors.New("resource name may not be empty")
			}
			return c.Get(ctx, key, object, opts...)
		},
	}).Build()
	for name, want := range map[string]struct {
		found     bool
		forbidden bool
	}{"oslo": {found: true}, "gone": {}, "": {}, "forbidden": {forbidden: true}} {
		kfc := &fedcorev1beta1.KubeFedCluster{}
		kfc.Namespace, kfc.Spec.SecretRef.Name = "plane", name
		secret, err := Credentials(t.Context(), host, kfc)
		if (secret != nil) != want.found || apierrors.IsForbidden(err) != want.forbidden || (err != nil) != want.forbidden {
			t.Errorf("%q: %v, %v", name, secret, err)
		}
		if err != nil && !strings.Contains(err.Error(), "Secret plane/"+name) {
			t.Errorf("%q: %v does not name the Secret", name, err)
		}
	}
}
