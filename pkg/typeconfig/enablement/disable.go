package enablement

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// DisableOptions says how to disable a type.
type DisableOptions struct {
	// DeleteCRD deletes the CustomResourceDefinition of the federated type as
	// well, unless federated objects exist.
	DeleteCRD bool
	// DryRun only says what would be done.
	DryRun bool
	// Wait is how long the controller may take to stop the propagation, and then to let go of
	// the FederatedTypeConfig; 0 does not wait.
	Wait time.Duration
	// Disabled is given the FederatedTypeConfig that was deleted, or with DryRun would be.
	// Nil means nobody is.
	Disabled func(*fedcorev1beta1.FederatedTypeConfig)
}

// Disable stops the propagation of the type that directive names and deletes its
// FederatedTypeConfig. What is in the member clusters stays there. The target
// need not exist any more if the directive gives its name as <plural>.<group>.
func (h *Host) Disable(ctx context.Context, directive Directive, options DisableOptions) error {
	name := strings.ToLower(directive.Name) // as enabling takes it in any case
	if !strings.Contains(name, ".") {
		target, err := LookupTarget(h.Discovery, name, "")
		if err != nil {
			return err
		}
		name = typeconfig.QualifiedName(target.Name, target.Group)
	}
	config := &fedcorev1beta1.FederatedTypeConfig{}
	err := h.Client.Get(ctx, client.ObjectKey{Namespace: h.Namespace, Name: name}, config)
	exists := err == nil
	switch {
	case apierrors.IsNotFound(err):
		h.say("federatedtypeconfig.core.kubefed.io/%s does not exist in namespace %s", name, h.Namespace)
		if !options.DeleteCRD {
			return nil
		}
		target, err := LookupTarget(h.Discovery, directive.Name, directive.Spec.TargetVersion)
		if err != nil {
			return err
		}
		config = TypeConfigFor(target, directive)
	case meta.IsNoMatchError(err):
		return errors.New("the host cluster has no control plane, so no type is enabled there: choose the host with --host-cluster-context")
	case err != nil:
		return fmt.Errorf("reading FederatedTypeConfig %s/%s: %w", h.Namespace, name, err)
	}
	config = typeconfig.WithDefaults(config)

	if options.DeleteCRD {
		// Looked at first: a refusal must not leave the type half disabled.
		if err := errors.Join(h.refuseWhileShared(ctx, config), h.refuseWhileInUse(ctx, config)); err != nil {
			return err
		}
	}
	if exists {
		if err := h.stopPropagation(ctx, config, options); err != nil {
			return err
		}
	}
	if options.DeleteCRD {
		if err := h.deleteCRD(ctx, config, options.DryRun); err != nil {
			return err
		}
	}
	if !exists {
		return nil
	}
	notKept := errors.New("its definition, at which it could be kept, goes as well")
	if !options.DeleteCRD {
		notKept = h.keepDisabled(ctx, config, options.DryRun)
	}
	if err := h.delete(ctx, config, "federatedtypeconfig.core.kubefed.io/"+name, options.DryRun); err != nil {
		return err
	}
	h.sayChosen(config, notKept)
	h.sayWhatStays(ctx, config)
	if options.Disabled != nil {
		options.Disabled(config)
	}
	if options.DryRun {
		return nil
	}
	return h.waitGone(ctx, name, options.Wait)
}

// waitGone waits until the controller has let go of a FederatedTypeConfig, so that the type can
// be enabled otherwise then. That it takes longer is no failure: the type is disabled.
func (h *Host) waitGone(ctx context.Context, name string, timeout time.Duration) error {
	if timeout <= 0 {
		return nil
	}
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
		err := h.Client.Get(ctx, client.ObjectKey{Namespace: h.Namespace, Name: name}, &fedcorev1beta1.FederatedTypeConfig{})
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
	switch {
	case wait.Interrupted(err) && ctx.Err() == nil:
		h.say("federatedtypeconfig.core.kubefed.io/%s is still being deleted after %s: the type can be enabled again when it is gone", name, timeout)
		return nil
	case err != nil:
		return fmt.Errorf("reading FederatedTypeConfig %s/%s: %w", h.Namespace, name, err)
	}
	return nil
}

// sayWhatStays tells of the objects that nobody looks after any more. That it
// cannot be found out is no failure: the type is disabled.
func (h *Host) sayWhatStays(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig) {
	objects, err := h.federatedObjects(ctx, config, 1)
	if err != nil || len(objects.Items) == 0 {
		return
	}
	target, all := config.Spec.TargetType, " -A"
	if target.Scope == "Cluster" {
		all = ""
	}
	name := typeconfig.QualifiedName(target.PluralName, target.Group)
	h.say("")
	h.say("Its federated objects stay in the host, and what they propagated stays in the members, labelled as managed.")
	h.say("To be rid of both: enable the type again, delete the federated objects, disable it again.")
	h.say("To keep what is in the members for good, take off the label in each:")
	h.say("  kubectl --context MEMBER label %s%s -l %s=true %s-", name, all, federate.ManagedLabel, federate.ManagedLabel)
}

// federatedObjects lists at most limit objects of the federated type.
func (h *Host) federatedObjects(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, limit int64) (metav1.PartialObjectMetadataList, error) {
	federated := config.Spec.FederatedType
	var objects metav1.PartialObjectMetadataList
	objects.SetGroupVersionKind(typeconfig.ResourceOf(federated).GVK.GroupVersion().WithKind(federated.Kind + "List"))
	err := h.Client.List(ctx, &objects, client.Limit(limit))
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return metav1.PartialObjectMetadataList{}, nil
	}
	if err != nil {
		return objects, fmt.Errorf("listing %s: %w", federated.PluralName, err)
	}
	return objects, nil
}

// stopPropagation switches the propagation off and waits for the controller to
// let go of the federated objects, so that no finalizer outlives it.
func (h *Host) stopPropagation(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, options DisableOptions) error {
	if config.Spec.Propagation == fedcorev1beta1.PropagationEnabled {
		before := config.DeepCopy()
		config.Spec.Propagation = fedcorev1beta1.PropagationDisabled
		if !options.DryRun {
			if err := h.Client.Patch(ctx, config, client.MergeFrom(before)); err != nil {
				return fmt.Errorf("disabling the propagation of FederatedTypeConfig %s/%s: %w", h.Namespace, config.Name, err)
			}
		}
		h.say("federatedtypeconfig.core.kubefed.io/%s propagation disabled%s", config.Name, dryRunSuffix(options.DryRun))
	}
	if options.DryRun || options.Wait == 0 {
		return nil
	}
	return h.waitStatus(ctx, config.Name, fedcorev1beta1.ControllerStatusNotRunning, options.Wait)
}

// refuseWhileInUse returns an error that names federated objects of the type, if
// there are any.
func (h *Host) refuseWhileInUse(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig) error {
	objects, err := h.federatedObjects(ctx, config, 4)
	if err != nil {
		return err
	}
	if len(objects.Items) == 0 {
		return nil
	}
	var names []string
	for _, object := range objects.Items {
		names = append(names, strings.TrimPrefix(object.Namespace+"/"+object.Name, "/"))
	}
	if objects.Continue != "" {
		names = append(names, "…")
	}
	return fmt.Errorf("CustomResourceDefinition %s is not deleted while federated objects exist (%s): delete them, or leave out --delete-crd", definitionOf(config), strings.Join(names, ", "))
}

// refuseWhileShared returns an error that names other control planes of the host that use the
// federated type, if there are any.
func (h *Host) refuseWhileShared(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig) error {
	var configs fedcorev1beta1.FederatedTypeConfigList
	if err := h.Client.List(ctx, &configs); err != nil {
		return fmt.Errorf("whether another control plane uses CustomResourceDefinition %s: listing FederatedTypeConfigs: %w", definitionOf(config), err)
	}
	var namespaces []string
	for i := range configs.Items {
		other := typeconfig.WithDefaults(&configs.Items[i])
		if other.Namespace != h.Namespace && definitionOf(other) == definitionOf(config) {
			namespaces = append(namespaces, other.Namespace)
		}
	}
	if len(namespaces) == 0 {
		return nil
	}
	return fmt.Errorf("CustomResourceDefinition %s is not deleted while other control planes federate with it (in namespace %s): leave out --delete-crd", definitionOf(config), strings.Join(namespaces, ", "))
}

func (h *Host) deleteCRD(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, dryRun bool) error {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	crd.Name = definitionOf(config)
	return h.delete(ctx, crd, "customresourcedefinition.apiextensions.k8s.io/"+crd.Name, dryRun)
}

func (h *Host) delete(ctx context.Context, obj client.Object, what string, dryRun bool) error {
	if dryRun {
		h.sayDeleted(what, " (dry run)")
		return nil
	}
	err := h.Client.Delete(ctx, obj)
	switch {
	case apierrors.IsNotFound(err):
		h.say("%s does not exist", what)
	case err != nil:
		return fmt.Errorf("deleting %s: %w", what, err)
	default:
		h.sayDeleted(what, "")
	}
	return nil
}

func (h *Host) sayDeleted(what, suffix string) {
	if h.Deleted != nil {
		h.Deleted(what)
		return
	}
	h.say("%s deleted%s", what, suffix)
}
