package member

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/retries"
)

// What leaves the template leaves the member: fields that are ours, and ours alone.

// takeShared makes the fields of an object that was there before us, and that were wanted
// as they are, ours alone. Otherwise they would stay in the member when they leave the
// template. Others who write them again have them again.
func (w *application) takeShared(ctx context.Context, applied *metav1.PartialObjectMetadata) ApplyResult {
	if !w.First && w.Live != nil {
		return Applied{Object: applied}
	}
	err := retries.OnConflict(func() error {
		body, shared, err := unshare(applied)
		if err != nil || !shared {
			return err
		}
		taken, err := w.patch(ctx, w.Ref, types.JSONPatchType, body)
		if err == nil {
			applied = taken
			return nil
		}
		if existing, readErr := w.get(ctx, w.Ref); readErr == nil {
			if keptOut(existing) {
				return ErrKeptOut
			}
			applied = existing
		}
		return err
	})
	if err != nil {
		return failed(err)
	}
	return Applied{Object: applied}
}

// unshare returns a JSON patch that takes what is ours out of the entries of others; false
// if they have none of it. Those of subresources, an autoscaler's for example, stay.
func unshare(object *metav1.PartialObjectMetadata) (patch []byte, shared bool, err error) {
	ours := ownedFields(object.ManagedFields, false)
	if len(object.ManagedFields) < 2 || ours.Empty() {
		return nil, false, nil
	}
	entries := make([]metav1.ManagedFieldsEntry, 0, len(object.ManagedFields))
	for _, entry := range object.ManagedFields {
		theirs, err := federate.FieldsOf(&entry)
		if isOurs(&entry) || entry.Subresource != "" || err != nil || theirs.Intersection(ours).Empty() {
			entries = append(entries, entry) // what cannot be read is left alone
			continue
		}
		shared = true
		if theirs = theirs.Difference(ours); theirs.Empty() {
			continue
		}
		if entry.FieldsV1, err = fieldsV1(theirs); err != nil {
			return nil, false, err
		}
		entries = append(entries, entry)
	}
	if !shared {
		return nil, false, nil
	}
	patch, err = managedFieldsPatch(entries, object.ResourceVersion)
	return patch, true, err
}

// isOurs says whether an entry tells of fields that we have written for the template.
func isOurs(e *metav1.ManagedFieldsEntry) bool {
	return e.Subresource == "" && (e.Manager == federate.FieldManager && e.Operation == metav1.ManagedFieldsOperationApply ||
		e.Manager == replacingManager && e.Operation == metav1.ManagedFieldsOperationUpdate)
}

// ownedFields are the fields that we have written for the template. What cannot be read is
// none. keepReplicas: the replicas are the member's, whoever wrote them.
func ownedFields(entries []metav1.ManagedFieldsEntry, keepReplicas bool) *fieldpath.Set {
	owned := fieldpath.NewSet()
	for i := range entries {
		if !isOurs(&entries[i]) {
			continue
		}
		if fields, err := federate.FieldsOf(&entries[i]); err == nil {
			owned = owned.Union(fields)
		}
	}
	if keepReplicas {
		owned = owned.Difference(fieldpath.NewSet(fieldpath.MakePathOrDie("spec", "replicas")))
	}
	return owned
}

// leave removes from an object of the member the fields that are owned and not desired.
// Lists that are desired are left alone: they are replaced whole.
func leave(live map[string]any, owned *fieldpath.Set, desired map[string]any) {
	owned.Members.Iterate(func(e fieldpath.PathElement) {
		if e.FieldName == nil {
			return
		}
		if _, wanted := desired[*e.FieldName]; !wanted {
			delete(live, *e.FieldName)
		}
	})
	owned.Children.Iterate(func(e fieldpath.PathElement) {
		if e.FieldName == nil {
			return
		}
		name := *e.FieldName
		want, wanted := desired[name]
		inner := owned.WithPrefix(e)
		switch have := live[name].(type) {
		case map[string]any:
			within, _ := want.(map[string]any)
			if leave(have, inner, within); len(have) == 0 && !wanted {
				delete(live, name)
			}
		case []any:
			if wanted {
				return
			}
			if live[name] = leaveItems(have, inner); len(live[name].([]any)) == 0 {
				delete(live, name)
			}
		}
	})
}

// leaveItems returns the items of a list that are not owned.
func leaveItems(items []any, owned *fieldpath.Set) []any {
	return slices.DeleteFunc(slices.Clone(items), func(item any) bool {
		found := false
		owned.Members.Iterate(func(e fieldpath.PathElement) { found = found || federate.IsItem(&e, item) })
		return found
	})
}
