package install

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
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

// The annotations of what belongs to a Helm release.
const (
	releaseName      = "meta.helm.sh/release-name"
	releaseNamespace = "meta.helm.sh/release-namespace"
)

// refuseRelease refuses a control plane that Helm has installed: two programs that write the
// same objects would each undo what the other does. The controller's account is what every
// installation has, and nothing that a release leaves behind.
func (i *Installer) refuseRelease(ctx context.Context, namespace string) error {
	account := &metav1.PartialObjectMetadata{}
	account.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
	key := client.ObjectKey{Namespace: namespace, Name: controllerName}
	if err := i.Client.Get(ctx, key, account); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("reading ServiceAccount %s: %w", key, err)
	}
	release, in := account.Annotations[releaseName], account.Annotations[releaseNamespace]
	if release == "" {
		return nil
	}
	return fmt.Errorf("the control plane in namespace %[1]s belongs to the Helm release %[2]s in namespace %[3]s: bring it up to date with \"helm upgrade %[2]s CHART -n %[3]s\"; or run \"helm uninstall %[2]s -n %[3]s\", which leaves settings, types, members and all that is federated, and then this command again",
		namespace, release, in)
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
