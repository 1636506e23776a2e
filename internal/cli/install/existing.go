package install

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/serverapply"
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

// removeObsolete deletes what earlier versions have installed and this one does not need:
// a right that nobody uses is one that somebody may.
func (i *Installer) removeObsolete(ctx context.Context, namespace string) error {
	for _, object := range manifests.Obsolete(namespace) {
		existing := &metav1.PartialObjectMetadata{}
		existing.SetGroupVersionKind(object.GroupVersionKind())
		err := i.Client.Get(ctx, client.ObjectKeyFromObject(object), existing)
		if apierrors.IsNotFound(err) || err == nil && existing.Labels[manifests.PartOfLabel] != manifests.PartOf {
			continue
		} else if err != nil {
			return fmt.Errorf("%s: %w", serverapply.Describe(object), err)
		}
		options := []client.DeleteOption{client.Preconditions{UID: &existing.UID}}
		if i.DryRun {
			options = append(options, client.DryRunAll)
		}
		if err := i.Client.Delete(ctx, object, options...); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s: %w", serverapply.Describe(object), err)
		}
		i.say("%s deleted: this version does not need it", serverapply.Describe(object))
	}
	return nil
}
