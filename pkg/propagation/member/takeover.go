package member

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/csaupgrade"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/retries"
)

// takeOver makes the fields ours that KubeFed's controller wrote, or we by an update.
// Otherwise they would stay its own beside ours, and a field that is later removed
// from the template would stay in the member.
//
// There is nothing left to write if KubeFed had done so already.
func (w *application) takeOver(ctx context.Context) ApplyResult {
	if !w.mayBeKubeFeds() {
		return nil
	}
	var held *metav1.PartialObjectMetadata
	err := retries.OnConflict(func() (err error) {
		held, err = w.takeFields(ctx)
		return err
	})
	switch {
	case err != nil:
		return failed(err)
	case held != nil && !w.Live.Replaced:
		return TakenOver{Object: held}
	}
	return nil
}

// mayBeKubeFeds says whether fields are to be taken over before the object is applied
// to: there are such, and no record says that we were the last to write. A federation
// can go back to KubeFed and return; KubeFed drops our record when it writes. As long
// as there is one, a manager of KubeFed's name is somebody else's controller. What we
// have written by an update is taken over in any case.
func (w *application) mayBeKubeFeds() bool {
	return w.Live != nil && (w.Live.Replaced || w.Live.KubeFeds && (w.First || w.Live.Owned == 0))
}

// takeFields returns the object's metadata if it holds what is wanted now.
func (w *application) takeFields(ctx context.Context) (held *metav1.PartialObjectMetadata, err error) {
	object, err := w.readToWrite(ctx, w.Ref)
	if notFound(err, w.Ref) {
		return nil, nil //nolint:nilnil // documented: it does not
	}
	if err != nil {
		return nil, fmt.Errorf("reading whose fields there are: %w", err)
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(object, kubeFedManagers, federate.FieldManager)
	if err != nil {
		return nil, fmt.Errorf("taking over KubeFed's fields: %w", err)
	}
	if patch == nil {
		return nil, nil //nolint:nilnil // the watch is behind: they are ours already
	}
	if w.Resource.GVR == namespaces {
		if patch, err = noteKubeFeds(object, patch); err != nil {
			return nil, err
		}
	}
	taken, err := w.patch(ctx, w.Ref, types.JSONPatchType, patch)
	if err != nil || !w.heldFromKubeFed(object) {
		return nil, err
	}
	return taken, nil
}

// heldFromKubeFed says whether the object in the member is what is wanted, as
// KubeFed's last write left it. That KubeFed has reported so means that
// it has removed what left the template before; what is in the template is looked at.
func (w *application) heldFromKubeFed(object *unstructured.Unstructured) bool {
	if !w.Reported {
		return false
	}
	wanted, err := w.object()
	return err == nil && federate.Holds(object.Object, wanted.Object)
}
