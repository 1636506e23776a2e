package install

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/manifests"
)

// scope returns the scope to install: that of the KubeFedConfig that is there,
// else the one asked for. The two must not differ.
func (i *Installer) scope(ctx context.Context, options manifests.Options) (string, error) {
	config := &fedcorev1beta1.KubeFedConfig{}
	key := client.ObjectKey{Namespace: options.Namespace, Name: "kubefed"}
	switch err := i.Client.Get(ctx, key, config); {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return options.Scope, nil
	case err != nil:
		return "", fmt.Errorf("reading KubeFedConfig %s: %w", key, err)
	}
	scope := string(config.Spec.Scope)
	if options.Scope != "" && options.Scope != scope {
		return "", fmt.Errorf("the control plane in namespace %s has scope %s (KubeFedConfig %s), which cannot be changed; leave out --scope, or install into another namespace with --kubefed-namespace",
			options.Namespace, scope, key)
	}
	if scope != "" && !slices.Contains(manifests.Scopes, scope) {
		return "", fmt.Errorf("KubeFedConfig %s: spec.scope is %q: it must be %s or %s", key, scope, manifests.ScopeCluster, manifests.ScopeNamespaced)
	}
	return scope, nil
}

// keepAddress leaves the address of a webhook out of configuration where the
// controller has written one: it runs elsewhere and is not behind the Service.
func (i *Installer) keepAddress(ctx context.Context, configuration *unstructured.Unstructured) error {
	existing := &unstructured.Unstructured{}
	existing.SetGroupVersionKind(configuration.GroupVersionKind())
	if err := i.Client.Get(ctx, client.ObjectKeyFromObject(configuration), existing); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("MutatingWebhookConfiguration %s: %w", configuration.GetName(), err)
	}
	if hooks, _, _ := unstructured.NestedSlice(existing.Object, "webhooks"); len(hooks) == 0 || !hasURL(hooks[0]) {
		return nil
	}
	hooks, _, _ := unstructured.NestedSlice(configuration.Object, "webhooks")
	for _, hook := range hooks {
		if fields, ok := hook.(map[string]any); ok {
			fields["clientConfig"] = map[string]any{}
		}
	}
	return unstructured.SetNestedSlice(configuration.Object, hooks, "webhooks")
}

func hasURL(hook any) bool {
	fields, _ := hook.(map[string]any)
	url, _, _ := unstructured.NestedString(fields, "clientConfig", "url")
	return url != ""
}
