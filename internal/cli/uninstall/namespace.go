package uninstall

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// othersAccounts are the accounts in the namespace by which other hosts have this cluster
// for a member: they would go with it. Where it goes already, there is nothing to keep.
func (o *Options) othersAccounts(ctx context.Context, host client.Client) ([]client.ObjectKey, error) {
	namespace := &corev1.Namespace{}
	err := host.Get(ctx, client.ObjectKey{Name: o.factory.KubeFedNamespace}, namespace)
	if apierrors.IsNotFound(err) || err == nil && !namespace.DeletionTimestamp.IsZero() {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading Namespace %s: %w", o.factory.KubeFedNamespace, err)
	}
	own, err := o.joined(ctx, host)
	if err != nil {
		return nil, err
	}
	system := &corev1.Namespace{}
	if err := host.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, system); err != nil {
		return nil, fmt.Errorf("reading Namespace %s: %w", metav1.NamespaceSystem, err)
	}
	return join.OthersAccounts(ctx, host, namespace.Name, string(system.UID), own)
}

// emptyNamespace deletes of the namespace what belongs to the control plane.
func (o *Options) emptyNamespace(ctx context.Context, host client.Client, others []client.ObjectKey) error {
	names := make([]string, len(others))
	for i, other := range others {
		names[i] = other.Name
	}
	o.say("kept namespace %s: another host, which has this cluster for a member, uses %s in it. When that host has let it go (fedctl unjoin), delete the namespace; "+
		"an account that nobody uses any more goes with: kubectl --namespace %[1]s delete serviceaccount NAME", o.factory.KubeFedNamespace, "ServiceAccount "+strings.Join(names, ", "))
	objects, err := manifests.Within(o.factory.KubeFedNamespace)
	if err != nil {
		return fmt.Errorf("building the manifests: %w", err)
	}
	objects = slices.DeleteFunc(objects, func(object *unstructured.Unstructured) bool {
		return object.GetKind() == "Deployment" && object.GetName() == kubefedconfig.Controller || object.GetKind() == "FederatedTypeConfig" // which are gone
	})
	own, err := o.joined(ctx, host)
	if err != nil {
		return err
	}
	for i := range own {
		objects = append(objects, o.object(fedcorev1beta1.SchemeGroupVersion.String(), "KubeFedCluster", own[i].Name))
	}
	credentials, err := join.HostObjects(ctx, host, o.factory.KubeFedNamespace, own)
	if err != nil {
		return err
	}
	for _, object := range credentials {
		apiVersion, kind := object.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
		objects = append(objects, o.object(apiVersion, kind, object.GetName()))
	}
	objects = append(objects,
		o.object("v1", "Secret", kubefedconfig.FleetAPI), // which install makes beside the manifests
		o.object("coordination.k8s.io/v1", "Lease", kubefedconfig.Controller))
	return o.deleteAll(ctx, host, objects)
}

func (o *Options) object(apiVersion, kind, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	object.SetNamespace(o.factory.KubeFedNamespace)
	object.SetName(name)
	return object
}

// joined are the KubeFedClusters of the control plane.
func (o *Options) joined(ctx context.Context, host client.Client) ([]fedcorev1beta1.KubeFedCluster, error) {
	var joined fedcorev1beta1.KubeFedClusterList
	err := host.List(ctx, &joined, client.InNamespace(o.factory.KubeFedNamespace))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("listing the KubeFedClusters: %w", err)
	}
	return joined.Items, nil
}

// removeNamespace deletes the control plane's namespace and waits until it is gone.
func (o *Options) removeNamespace(ctx context.Context, host client.Client) error {
	namespace := &corev1.Namespace{}
	namespace.Name = o.factory.KubeFedNamespace
	if o.DryRun {
		if err := host.Get(ctx, client.ObjectKeyFromObject(namespace), namespace); apierrors.IsNotFound(err) {
			return nil
		} else if err != nil && !apierrors.IsForbidden(err) {
			return fmt.Errorf("reading Namespace %s: %w", namespace.Name, err)
		}
	} else {
		if err := host.Delete(ctx, namespace); apierrors.IsNotFound(err) {
			return nil
		} else if err != nil && !apierrors.IsConflict(err) { // a conflict: it is being deleted already
			return fmt.Errorf("deleting Namespace %s: %w", namespace.Name, err)
		}
		defer o.factory.Tell(func() string { return "waiting until the namespace is gone" })()
		err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, o.Wait, true, func(ctx context.Context) (bool, error) {
			err := host.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
		if err != nil {
			var why []string
			for _, condition := range namespace.Status.Conditions {
				if condition.Status == corev1.ConditionTrue {
					why = append(why, condition.Message)
				}
			}
			return fmt.Errorf("Namespace %s has been deleted but is not gone: %s: %w", namespace.Name, strings.Join(why, "; "), err) //nolint:staticcheck // a kind begins it
		}
	}
	o.deleted("namespace/" + namespace.Name)
	return nil
}
