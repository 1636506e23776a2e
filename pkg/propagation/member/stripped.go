package member

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Admission in the member may take the managed label off what we write, as a policy on
// labels does. Nobody can see there any more that the object is ours, and no watch tells of
// it. So the caller remembers its UID.

// stripped says of an object that was written that it has not the managed label, with any value.
func stripped(result ApplyResult) ApplyResult {
	held := heldBy(result)
	if held == nil {
		return result
	}
	if _, labelled := held.GetLabels()[federate.ManagedLabel]; labelled {
		return result
	}
	return Stripped{held}
}

// isStripped says whether an object is the one of which that is known.
func isStripped(object *metav1.PartialObjectMetadata, known types.UID) bool {
	_, labelled := object.Labels[federate.ManagedLabel]
	switch {
	case labelled || known == "":
		return false
	case known == federate.UnknownUID:
		return slices.ContainsFunc(object.ManagedFields, func(e metav1.ManagedFieldsEntry) bool { return isOurs(&e) })
	}
	return object.UID == known
}

// removeStripped removes such an object, as it was read.
func (a *Applier) removeStripped(ctx context.Context, unwanted Unwanted, object *metav1.PartialObjectMetadata, journal Journal) RemoveResult {
	known := LiveOf(object)
	known.Managed = true
	switch {
	case unwanted.Keep || unwanted.KeepFound && !known.Created:
		return Unlabelled{} // it has no label
	case known.Deleting:
		return Deleting{}
	}
	ctx, err := a.pace.turn(ctx)
	switch {
	case err != nil:
		return Failed{err}
	case !journal.sending(&known):
		return Withheld{}
	}
	err = a.delete(ctx, unwanted.Ref, &known, unwanted.DeleteOptions)
	switch {
	case notFound(err, unwanted.Ref):
		return Gone{}
	case err != nil:
		return Failed{err}
	}
	return Deleted{}
}
