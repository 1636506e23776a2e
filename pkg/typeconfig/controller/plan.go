package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/finalizers"
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
func (r *reconciler) plan(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig) (typeconfig.Type, *pause, error) {
	wanted, err := typeconfig.FromFederatedTypeConfig(config)
	if err != nil {
		return typeconfig.Type{}, &pause{Warn: true, Reason: "InvalidTypeConfig", Message: err.Error()}, nil //nolint:nilerr // a mistake to report; trying again does not mend it
	}
	if config.Spec.Propagation != fedcorev1beta1.PropagationEnabled {
		return typeconfig.Type{}, &pause{Reason: "PropagationDisabled", Release: true}, nil
	}
	if r.LimitedScope && !wanted.Target.Namespaced {
		return typeconfig.Type{}, &pause{Reason: "LimitedScope"}, nil
	}
	if fault := federate.OwnershipFault(wanted.Ownership); fault != "" && r.registered[wanted.Name].Ownership != wanted.Ownership {
		r.warn(config, "InvalidOwnership", fault)
	}
	if _, fault := federate.CollectsHealth(wanted.HealthCollection, false); fault != "" && r.registered[wanted.Name].HealthCollection != wanted.HealthCollection {
		r.warn(config, "InvalidHealthCollection", fault)
	}
	wanted.StatusCollection = wanted.StatusCollection && r.CollectStatus
	if wanted.StatusObjects, err = r.statusObjects(ctx, config, wanted); err != nil {
		return typeconfig.Type{}, nil, err
	}
	if wanted.Target.Namespaced {
		if wanted.FederatedNamespace, err = r.federatedNamespace(ctx, config); err != nil {
			return typeconfig.Type{}, nil, err
		}
	}
	if r.registered[wanted.Name] == wanted {
		// It ran a moment ago; only its definition can have gone away since.
		crd := crdMetadata()
		err := r.client.Get(ctx, client.ObjectKey{Name: wanted.CRDName()}, crd)
		if apierrors.IsNotFound(err) {
			return typeconfig.Type{}, missingCRD(wanted), nil
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
func (r *reconciler) federatedNamespace(ctx context.Context, of *fedcorev1beta1.FederatedTypeConfig) (typeconfig.Resource, error) {
	config := &fedcorev1beta1.FederatedTypeConfig{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: fedcommon.NamespaceName}, config)
	if client.IgnoreNotFound(err) != nil {
		return typeconfig.Resource{}, err
	}
	var why string
	if err != nil || config.DeletionTimestamp != nil {
		why = fmt.Sprintf("types in namespaces need the FederatedTypeConfig %s/%s, which does not exist: fedctl enable namespaces", r.Namespace, fedcommon.NamespaceName)
	} else {
		namespaces, err := typeconfig.FromFederatedTypeConfig(config)
		if err == nil {
			return namespaces.Federated, nil
		}
		why = "types in namespaces need " + err.Error()
	}
	if running, ok := r.registered[of.Name]; !r.LimitedScope && (!ok || running.FederatedNamespace != typeconfig.Resource{}) {
		r.warn(of, "NamespacesNotEnabled", why)
	}
	return typeconfig.Resource{}, nil
}

// statusObjects returns the resource of the type's status objects, empty while the
// host does not define it: it is no reason not to propagate.
func (r *reconciler) statusObjects(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, t typeconfig.Type) (typeconfig.Resource, error) {
	if !t.HasStatusObjects() {
		return typeconfig.Resource{}, nil
	}
	name := t.StatusObjects.CRDName()
	err := r.client.Get(ctx, client.ObjectKey{Name: name}, crdMetadata())
	if client.IgnoreNotFound(err) != nil {
		return typeconfig.Resource{}, err
	}
	if err == nil {
		return t.StatusObjects, nil
	}
	if running, ok := r.registered[t.Name]; !ok || running.HasStatusObjects() || config.Status.ObservedGeneration != config.Generation {
		r.warn(config, "StatusTypeMissing", fmt.Sprintf(
			"the CustomResourceDefinition %s, which spec.statusType names, does not exist; objects of it are written when it does", name))
	}
	return typeconfig.Resource{}, nil
}

// served says why the API server does not serve the federated type, if it does not.
func (r *reconciler) served(ctx context.Context, t typeconfig.Type) (*pause, error) {
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

func missingCRD(t typeconfig.Type) *pause {
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
	return finalizers.Remove(ctx, r.live, r.client, typeconfig.FederatedResource(config))
}

func (r *reconciler) warn(config *fedcorev1beta1.FederatedTypeConfig, reason, message string) {
	r.events.Eventf(config, nil, corev1.EventTypeWarning, reason, "Propagate", "%s", message)
}
