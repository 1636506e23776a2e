package propagation

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"k8s.io/client-go/util/retry"

	"github.com/fedctl/fedctl/pkg/federate"
)

// kubeFedManagers are the field managers of KubeFed's controller: the names of its
// programs, which API servers take from the user agent.
var kubeFedManagers = sets.New("controller-manager", "hyperfed")

// takeOver makes the fields that KubeFed's controller wrote ours. Otherwise they
// would stay its own beside ours, and a field that is later removed from the
// template would stay in the member.
func (a *attempt) takeOver(ctx context.Context) error {
	return retry.OnError(retry.DefaultRetry, apierrors.IsConflict, func() error {
		object, err := a.client.Get(ctx, a.resource, a.key)
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
			return nil // KubeFed has written nothing here
		}
		return a.client.patchMetadata(ctx, a.resource, a.key, types.JSONPatchType, patch)
	})
}

// mayBeKubeFeds says whether the object is managed, but nothing of it was applied by us.
func (l *live) mayBeKubeFeds() bool { return l != nil && l.managed && l.owned == 0 }
