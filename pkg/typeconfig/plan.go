package typeconfig

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/retries"
)

// pause says why a type does not run.
type pause struct {
	// Warn is set for what the owner of the FederatedTypeConfig should know.
	Warn            bool
	Reason, Message string
	// Release is set when the type is switched off on purpose: finalizers on its
	// federated objects would then never be removed by anyone.
	Release bool
	// Powerless is set when the controller lacks rights to the federated type. Nothing
	// tells when it gets them, so that has to be looked at again.
	Powerless bool
}

// plan says what config asks for: a type to run, or why none should.
func (r *reconciler) plan(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig) (Type, *pause, error) {
	wanted, err := FromFederatedTypeConfig(config)
	if err != nil {
		return Type{}, &pause{Warn: true, Reason: "InvalidTypeConfig", Message: err.Error()}, nil //nolint:nilerr // a mistake to report; trying again does not mend it
	}
	if config.Spec.Propagation != fedcorev1beta1.PropagationEnabled {
		return Type{}, &pause{Reason: "PropagationDisabled", Release: true}, nil
	}
	if r.LimitedScope && !wanted.Target.Namespaced {
		return Type{}, &pause{Reason: "LimitedScope"}, nil
	}
	wanted.StatusCollection = wanted.StatusCollection && r.CollectStatus
	if wanted.StatusObjects, err = r.statusObjects(ctx, config, wanted); err != nil {
		return Type{}, nil, err
	}
	if wanted.Target.Namespaced {
		if wanted.FederatedNamespace, err = r.federatedNamespace(ctx, config); err != nil {
			return Type{}, nil, err
		}
	}
	if r.registered[wanted.Name] == wanted {
		// It ran a moment ago; only its definition can have gone away since.
		crd := crdMetadata()
		err := r.client.Get(ctx, client.ObjectKey{Name: wanted.CRDName()}, crd)
		if apierrors.IsNotFound(err) {
			return Type{}, missingCRD(wanted), nil
		}
		return wanted, nil, err
	}
	why, err := r.served(ctx, wanted)
	if why == nil && err == nil {
		why, err = r.allowed(ctx, wanted)
	}
	return wanted, why, err
}

// federatedNamespace returns the resource of FederatedNamespaces, empty while the
// type namespaces is not enabled. The placement of objects in namespaces cannot be
// known then: what is there stays as it is, and only deletions are carried out.
func (r *reconciler) federatedNamespace(ctx context.Context, of *fedcorev1beta1.FederatedTypeConfig) (Resource, error) {
	config := &fedcorev1beta1.FederatedTypeConfig{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: fedcommon.NamespaceName}, config)
	if client.IgnoreNotFound(err) != nil {
		return Resource{}, err
	}
	var why string
	if err != nil || config.DeletionTimestamp != nil {
		why = fmt.Sprintf("types in namespaces need the FederatedTypeConfig %s/%s, which does not exist: fedctl enable namespaces", r.Namespace, fedcommon.NamespaceName)
	} else {
		namespaces, err := FromFederatedTypeConfig(config)
		if err == nil {
			return namespaces.Federated, nil
		}
		why = "types in namespaces need " + err.Error()
	}
	if running, ok := r.registered[of.Name]; !r.LimitedScope && (!ok || running.FederatedNamespace != Resource{}) {
		r.warn(of, "NamespacesNotEnabled", why)
	}
	return Resource{}, nil
}

// statusObjects returns the resource of the type's status objects, empty while the
// host does not define it: it is no reason not to propagate.
func (r *reconciler) statusObjects(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, t Type) (Resource, error) {
	if !t.HasStatusObjects() {
		return Resource{}, nil
	}
	name := t.StatusObjects.crdName()
	err := r.client.Get(ctx, client.ObjectKey{Name: name}, crdMetadata())
	if client.IgnoreNotFound(err) != nil {
		return Resource{}, err
	}
	if err == nil {
		return t.StatusObjects, nil
	}
	if running, ok := r.registered[t.Name]; !ok || running.HasStatusObjects() || config.Status.ObservedGeneration != config.Generation {
		r.warn(config, "StatusTypeMissing", fmt.Sprintf(
			"the CustomResourceDefinition %s, which spec.statusType names, does not exist; objects of it are written when it does", name))
	}
	return Resource{}, nil
}

// served says why the API server does not serve the federated type, if it does not.
func (r *reconciler) served(ctx context.Context, t Type) (*pause, error) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := r.live.Get(ctx, client.ObjectKey{Name: t.CRDName()}, crd); apierrors.IsNotFound(err) {
		return missingCRD(t), nil
	} else if err != nil {
		return nil, err
	}
	for _, version := range crd.Spec.Versions {
		if version.Name != t.Federated.GVR.Version || !version.Served {
			continue
		}
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return nil, nil //nolint:nilnil // nothing stands in the way
			}
		}
		// Not worth a warning: it is about to be, and changes when it is.
		return &pause{Reason: "FederatedTypeNotServed"}, nil
	}
	return &pause{Warn: true, Reason: "FederatedTypeNotServed", Message: fmt.Sprintf(
		"the CustomResourceDefinition %s does not serve version %s, which spec.federatedType.version names", t.CRDName(), t.Federated.GVR.Version)}, nil
}

func missingCRD(t Type) *pause {
	return &pause{Warn: true, Reason: "FederatedTypeMissing", Message: fmt.Sprintf(
		"the CustomResourceDefinition %s does not exist; propagation starts when it does: fedctl enable %s", t.CRDName(), t.Name)}
}

// stopped tells whether the status already says that this generation does not run.
func stopped(config *fedcorev1beta1.FederatedTypeConfig) bool {
	return config.Status.ObservedGeneration == config.Generation &&
		config.Status.PropagationController == fedcorev1beta1.ControllerStatusNotRunning
}

// release stops a type and removes the finalizers from its federated objects.
func (r *reconciler) release(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig) error {
	if _, running := r.registered[config.Name]; running {
		if err := r.stop(ctx, config.Name); err != nil {
			return err
		}
	} else if stopped(config) && config.DeletionTimestamp == nil {
		return nil // written after they were removed
	}
	// Listed from the API server: the type may have run in an earlier process, or
	// have been stopped before it knew its objects.
	federated := federatedResource(WithDefaults(config))
	return removeFinalizers(ctx, r.live, r.client, federated)
}

// removeFinalizers removes the finalizer of propagation from all objects of a
// federated type, or of those within the options, in pages.
func removeFinalizers(ctx context.Context, reader client.Reader, writer client.Writer, federated Resource, within ...client.ListOption) error {
	var page metav1.PartialObjectMetadataList
	for {
		page.SetGroupVersionKind(federated.GVK.GroupVersion().WithKind(federated.GVK.Kind + "List"))
		err := reader.List(ctx, &page, append([]client.ListOption{client.Limit(500), client.Continue(page.Continue)}, within...)...)
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return nil // no type, no objects
		}
		if err != nil {
			return fmt.Errorf("listing %s: %w", federated.GVR.Resource, err)
		}
		for i := range page.Items {
			if err := removeFinalizer(ctx, reader, writer, &page.Items[i], federated); err != nil {
				return err
			}
		}
		if page.Continue == "" {
			return nil
		}
	}
}

// removeFinalizer removes the finalizer of propagation from an object as it was
// listed; others may be writing to it as well.
func removeFinalizer(ctx context.Context, reader client.Reader, writer client.Writer, obj *metav1.PartialObjectMetadata, federated Resource) error {
	obj.SetGroupVersionKind(federated.GVK)
	listed := true
	err := retries.OnConflict(func() error {
		if !listed {
			if err := reader.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
				return err
			}
		}
		listed = false
		before := obj.DeepCopy()
		if !controllerutil.RemoveFinalizer(obj, federate.Finalizer) {
			return nil
		}
		return writer.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the finalizer from %s %s/%s: %w", federated.GVK.Kind, obj.Namespace, obj.Name, err)
	}
	return nil
}

func (r *reconciler) warn(config *fedcorev1beta1.FederatedTypeConfig, reason, message string) {
	r.events.Eventf(config, nil, corev1.EventTypeWarning, reason, "Propagate", "%s", message)
}
