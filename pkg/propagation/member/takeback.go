package member

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fedctl/fedctl/pkg/federate"
)

// What other managers have added to an object that is exact leaves it. The fields are given
// to a manager of our own, which then applies nothing: what it alone owns goes, and what
// the API server fills in by itself is filled in again. Only names of fields are read for
// that, never their values.

// mostTakeBacks bounds how often one Apply takes something back: once for each API version
// that fields were written in, and again where others write meanwhile.
const mostTakeBacks = 5

var errNeverOurs = errors.New("others keep adding fields to the object")

// takeBack takes back what others have added, after result has said what the member holds.
func (w *application) takeBack(ctx context.Context, result ApplyResult) ApplyResult {
	held := heldBy(result)
	if !w.Exact || held == nil {
		return result
	}
	gk := w.Resource.GVK.GroupKind()
	for range mostTakeBacks {
		entries := held.GetManagedFields()
		claims := federate.Claims(gk, entries, w.RetainReplicas)
		if len(claims) == 0 {
			return withObject(result, held)
		}
		next, err := w.takeBackOnce(ctx, held, claims)
		if apierrors.IsConflict(err) {
			next, err = w.get(ctx, w.Ref)
			if err == nil && keptOut(next) {
				return KeptOut{}
			}
		}
		if Astray(err) {
			err = errors.New(err.Error()) // the object is there: it says nothing of the version that it was applied in
		}
		if err != nil {
			return failed(fmt.Errorf("taking back what others have added (%s): %w; name the fields in the template, or set the annotation %s to %s",
				federate.DescribeClaims(entries, claims), err, federate.OwnershipAnnotation, federate.Shared))
		}
		held = next
	}
	return Failed{errNeverOurs}
}

// takeBackOnce takes back what is claimed in one version, of the object as it is known.
func (w *application) takeBackOnce(ctx context.Context, held metav1.Object, claims []federate.Claim) (*metav1.PartialObjectMetadata, error) {
	entries, version, moved, err := assign(held.GetManagedFields(), claims)
	if err != nil {
		return nil, err
	}
	resourceVersion := held.GetResourceVersion()
	if moved {
		body, err := managedFieldsPatch(entries, resourceVersion)
		if err != nil {
			return nil, err
		}
		assigned, err := w.patch(ctx, w.Ref, types.JSONPatchType, body)
		if err != nil {
			return nil, err
		}
		resourceVersion = assigned.ResourceVersion
	}
	gv, err := schema.ParseGroupVersion(version)
	if err != nil {
		return nil, err
	}
	ref := w.Ref
	ref.Resource.GVR.Version, ref.Resource.GVK.Version = gv.Version, gv.Version
	body, err := json.Marshal(map[string]any{
		"apiVersion": version,
		"kind":       ref.Resource.GVK.Kind,
		// With the UID, nothing is created where the object has gone meanwhile.
		"metadata": map[string]any{"name": ref.Key.Name, "uid": held.GetUID(), "resourceVersion": resourceVersion},
	})
	if err != nil {
		return nil, err
	}
	return w.apply(ctx, ref, body, federate.TakingBackManager, true)
}

// assign gives what is claimed in one version to our manager. What it has been given before,
// and has not been taken back, comes first: it has one entry.
func assign(before []metav1.ManagedFieldsEntry, claims []federate.Claim) (entries []metav1.ManagedFieldsEntry, version string, moved bool, err error) {
	ours := slices.IndexFunc(claims, func(c federate.Claim) bool { return before[c.Entry].Manager == federate.TakingBackManager })
	version = before[claims[max(ours, 0)].Entry].APIVersion
	taken := &fieldpath.Set{}
	claimed := map[int]*fieldpath.Set{}
	for _, claim := range claims {
		if e := &before[claim.Entry]; e.APIVersion == version {
			taken = taken.Union(claim.Fields)
			claimed[claim.Entry] = claim.Fields
			moved = moved || e.Manager != federate.TakingBackManager
		}
	}
	for i, entry := range before {
		if claimed[i] != nil {
			theirs, err := federate.FieldsOf(&entry)
			if err != nil {
				return nil, "", false, err
			}
			if theirs = theirs.Difference(claimed[i]); theirs.Empty() || entry.Manager == federate.TakingBackManager {
				continue
			}
			if entry.FieldsV1, err = fieldsV1(theirs); err != nil {
				return nil, "", false, err
			}
		}
		entries = append(entries, entry)
	}
	fields, err := fieldsV1(taken)
	return append(entries, metav1.ManagedFieldsEntry{
		Manager: federate.TakingBackManager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: version,
		Time: before[claims[0].Entry].Time, FieldsType: "FieldsV1", FieldsV1: fields,
	}), version, moved, err
}

func fieldsV1(fields *fieldpath.Set) (*metav1.FieldsV1, error) {
	raw, err := fields.ToJSON()
	if err != nil {
		return nil, err
	}
	return metav1.NewFieldsV1(string(raw)), nil
}
