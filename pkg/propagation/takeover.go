package propagation

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/retries"
)

// kubeFedManagers are the field managers of KubeFed's controller: the names of its
// programs, which API servers take from the user agent. Our own updates, in place of
// an apply that was refused, are taken over in the same way.
var kubeFedManagers = sets.New("controller-manager", "hyperfed", replacingManager)

// mayBeKubeFeds says whether fields are to be taken over before the object is applied
// to: there are such, and no record says that we were the last to write. A federation
// can go back to KubeFed and return; KubeFed drops our record when it writes. As long
// as there is one, a manager of KubeFed's name is somebody else's controller. What we
// have written by an update is taken over in any case.
func (a *attempt) mayBeKubeFeds(l *live) bool {
	return l != nil && (l.replaced || l.kubeFeds && (a.first || l.owned == 0))
}

// wroteByKubeFed says whether KubeFed's controller owns fields of the object.
func wroteByKubeFed(entries []metav1.ManagedFieldsEntry) bool {
	return slices.ContainsFunc(entries, func(e metav1.ManagedFieldsEntry) bool {
		return e.Operation == metav1.ManagedFieldsOperationUpdate && e.Subresource == "" && kubeFedManagers.Has(e.Manager)
	})
}

// takeOver makes the fields ours that KubeFed's controller wrote, or we by an update. Otherwise they
// would stay its own beside ours, and a field that is later removed from the
// template would stay in the member.
//
// It returns the object's metadata if there is nothing left to write: KubeFed had
// brought the object up to date, and the member holds all that is wanted.
func (a *attempt) takeOver(ctx context.Context) (*metav1.PartialObjectMetadata, error) {
	var held *metav1.PartialObjectMetadata
	err := retries.OnConflict(func() error {
		held = nil
		object, err := a.readToWrite(ctx)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading whose fields there are: %w", err)
		}
		patch, err := csaupgrade.UpgradeManagedFieldsPatch(object, kubeFedManagers, federate.FieldManager)
		if err != nil {
			return fmt.Errorf("taking over KubeFed's fields: %w", err)
		}
		if patch == nil {
			return nil // the watch is behind: they are ours already
		}
		taken, err := a.client.patchMetadata(ctx, a.resource, a.key, types.JSONPatchType, patch)
		if err == nil && a.heldFromKubeFed(object) {
			held = taken
		}
		return err
	})
	return held, err
}

// heldFromKubeFed says whether the object in the member is what is wanted, as
// KubeFed's last write left it. That KubeFed has reported this generation means that
// it has removed what left the template before; what is in the template is looked at.
func (a *attempt) heldFromKubeFed(object *unstructured.Unstructured) bool {
	reported := a.host.fed.Status
	if reported.ObservedGeneration != a.host.fed.Generation {
		return false
	}
	cluster := a.item.ClusterName.String()
	if !slices.ContainsFunc(reported.Clusters, func(c federate.ClusterStatus) bool {
		return c.Name == cluster && c.Status == federate.ClusterPropagationOK
	}) {
		return false
	}
	var wanted map[string]any
	return utiljson.Unmarshal(a.rendered.JSON, &wanted) == nil && federate.Holds(object.Object, wanted)
}
