package enablement

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/finalizers"
)

// ReleaseAll ends the federation of all types of the control plane and takes the
// finalizers off their federated objects, without the help of a controller: none
// may be left, and those of objects would stay for ever. The objects themselves
// stay, and so does what is in the member clusters.
//
// Several control planes may share the federated types; then only the objects in
// the namespace of this one are released. alone says that there is no other.
func (h *Host) ReleaseAll(ctx context.Context, dryRun bool) (alone bool, err error) {
	var configs fedcorev1beta1.FederatedTypeConfigList
	if err := h.Client.List(ctx, &configs); meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return true, nil // the API is not there
	} else if err != nil {
		return false, fmt.Errorf("listing the FederatedTypeConfigs: %w", err)
	}
	if alone, err = h.alone(ctx); err != nil {
		return false, err
	}
	var ours []*fedcorev1beta1.FederatedTypeConfig
	for i := range configs.Items {
		if config := &configs.Items[i]; config.Namespace == h.Namespace {
			ours = append(ours, config)
		} else {
			alone = false
		}
	}
	var within []client.ListOption
	if !alone {
		within = append(within, client.InNamespace(h.Namespace))
	}
	for _, config := range ours {
		if err := h.releaseType(ctx, config, dryRun, within...); err != nil {
			return alone, err
		}
	}
	// A controller that had not yet seen the deletions may have put some back.
	for _, config := range ours {
		if dryRun {
			break
		}
		if err := finalizers.Remove(ctx, h.Client, h.Client, typeconfig.FederatedResource(config), within...); err != nil {
			return alone, err
		}
	}
	return alone, nil
}

// alone says whether no other namespace has the settings of a control plane. One
// that federates no type has nothing but those.
func (h *Host) alone(ctx context.Context) (bool, error) {
	var settings fedcorev1beta1.KubeFedConfigList
	if err := h.Client.List(ctx, &settings); meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return true, nil // the API is not there
	} else if err != nil {
		return false, fmt.Errorf("listing the KubeFedConfigs: %w", err)
	}
	return !slices.ContainsFunc(settings.Items, func(config fedcorev1beta1.KubeFedConfig) bool {
		return config.Namespace != h.Namespace
	}), nil
}

// releaseType deletes a FederatedTypeConfig and takes the finalizers off. A
// controller that still runs does the same when it sees the deletion.
func (h *Host) releaseType(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, dryRun bool, within ...client.ListOption) error {
	if !dryRun {
		if err := client.IgnoreNotFound(h.Client.Delete(ctx, config)); err != nil {
			return fmt.Errorf("deleting FederatedTypeConfig %s/%s: %w", config.Namespace, config.Name, err)
		}
		if err := finalizers.Remove(ctx, h.Client, h.Client, typeconfig.FederatedResource(config), within...); err != nil {
			return err
		}
		err := h.Client.Get(ctx, client.ObjectKeyFromObject(config), config)
		if err == nil && controllerutil.ContainsFinalizer(config, typeconfig.Finalizer) {
			before := config.DeepCopy()
			controllerutil.RemoveFinalizer(config, typeconfig.Finalizer)
			err = h.Client.Patch(ctx, config, client.MergeFrom(before))
		}
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("releasing FederatedTypeConfig %s/%s: %w", config.Namespace, config.Name, err)
		}
	}
	h.sayDeleted("federatedtypeconfig.core.kubefed.io/"+config.Name, ", its federated objects released"+dryRunSuffix(dryRun))
	return nil
}
