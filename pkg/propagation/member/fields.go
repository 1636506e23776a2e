package member

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"io"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Whose the fields of an object are, as its managedFields tell. What is applied has
// the field manager federate.FieldManager; the others of ours are here.
const (
	// replacingManager is the field manager of an update in place of an apply. Its
	// entry stays only while apply is refused: it would not remove what another manager
	// owns as well.
	replacingManager = federate.ReplacingManager
	// retainingManager is the field manager that holds spec.replicas where they are
	// the member's. Applying without a field that we alone own removes it, and the
	// API server would put its default, 1, in its place.
	retainingManager = federate.RetainingManager
)

// kubeFedManagers are the field managers of KubeFed's controller: the names of its
// programs, which API servers take from the user agent. Our own updates, in place of
// an apply that was refused, are taken over in the same way.
var kubeFedManagers = sets.New("controller-manager", "hyperfed", replacingManager)

// ownedHash returns a hash of which fields were written by fedctl, and when, which
// tells two writes of the same fields apart; 0 if none were. replaced: some were
// written by an update, because an apply was refused.
func ownedHash(entries []metav1.ManagedFieldsEntry) (hash uint64, replaced bool) {
	for i := range entries {
		e := &entries[i]
		applied := e.Manager == federate.FieldManager && e.Operation == metav1.ManagedFieldsOperationApply
		updated := e.Manager == replacingManager && e.Operation == metav1.ManagedFieldsOperationUpdate
		if !applied && !updated || e.Subresource != "" || e.FieldsV1 == nil {
			continue
		}
		h := fnv.New64a()
		writeEntry(h, e)
		hash ^= h.Sum64() // in any order
		replaced = replaced || updated
	}
	return hash, replaced
}

// writeEntry writes what an entry says was written, and when.
func writeEntry(h io.Writer, e *metav1.ManagedFieldsEntry) {
	_, _ = h.Write([]byte(e.APIVersion)) // a hash's Write never fails
	if e.FieldsV1 != nil {
		_, _ = h.Write(e.FieldsV1.GetRawBytes())
	}
	if e.Time != nil {
		_, _ = h.Write([]byte(strconv.FormatInt(e.Time.Unix(), 10)))
	}
}

// writersHash returns a hash of who has written which fields, and when; 0 if nobody has.
// A write leaves it as it was only where its manager had written the same fields within
// the same second.
func writersHash(entries []metav1.ManagedFieldsEntry) (hash uint64) {
	for i := range entries {
		e := &entries[i]
		h := fnv.New64a()
		_, _ = h.Write([]byte(e.Manager + "\x00" + string(e.Operation) + "\x00" + e.Subresource + "\x00"))
		writeEntry(h, e)
		hash ^= h.Sum64() // in any order
	}
	return hash
}

// contentHash returns a hash that differs where the content may differ, as far as the
// metadata tells. A generation stays as it is when only the status or the metadata changes:
// controllers note in annotations what they have done, several times in a second. Of an object
// that was scaled it tells nothing: who scales again changes the content, and API servers leave
// the time in managedFields as it was (k8s.io/apimachinery, ScaleHandler.ToParent).
func contentHash(object metav1.Object) uint64 {
	h := fnv.New64a()
	if slices.ContainsFunc(object.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool { return e.Subresource == "scale" }) {
		return h.Sum64()
	}
	generation := object.GetGeneration()
	_, _ = h.Write([]byte(strconv.FormatInt(generation, 10)))
	if generation == 0 {
		_, _ = h.Write([]byte(object.GetResourceVersion()))
	}
	return h.Sum64()
}

// metadataOf is the metadata of an object that was read whole, as it is when it is read alone:
// with whose the fields are in the bytes of the API server, which ownedHash compares. An
// unstructured object has them in another order.
func metadataOf(object *unstructured.Unstructured) *metav1.PartialObjectMetadata {
	m := meta.AsPartialObjectMetadata(object)
	for i := range m.ManagedFields {
		entry := &m.ManagedFields[i]
		if fields, err := federate.FieldsOf(entry); err == nil && entry.FieldsV1 != nil {
			if raw, err := fieldsV1(fields); err == nil {
				entry.FieldsV1 = raw
			}
		}
	}
	return m
}

// wroteByKubeFed says whether KubeFed's controller owns fields of the object.
func wroteByKubeFed(entries []metav1.ManagedFieldsEntry) bool {
	return slices.ContainsFunc(entries, func(e metav1.ManagedFieldsEntry) bool {
		return e.Operation == metav1.ManagedFieldsOperationUpdate && e.Subresource == "" && kubeFedManagers.Has(e.Manager)
	})
}

// ownsReplicas says whether spec.replicas is among the fields that we applied.
func ownsReplicas(entries []metav1.ManagedFieldsEntry) bool {
	for i := range entries {
		if e := &entries[i]; isApply(e) && e.FieldsV1 != nil {
			holds, err := holdsReplicas(e)
			return holds || err != nil // better one write too many than the replicas lost
		}
	}
	return false
}

// scaled says whether others than we hold spec.replicas, or we for the member.
func scaled(entries []metav1.ManagedFieldsEntry) bool {
	found := false
	for i := range entries {
		e := &entries[i]
		if e.Subresource == "status" || e.FieldsV1 == nil {
			continue
		}
		holds, err := holdsReplicas(e)
		switch {
		case err != nil || !holds:
		case isApply(e) || kubeFedManagers.Has(e.Manager):
			return false // an earlier KubeFed is not an autoscaler
		default:
			found = true
		}
	}
	return found
}

func isApply(e *metav1.ManagedFieldsEntry) bool {
	return e.Manager == federate.FieldManager && e.Operation == metav1.ManagedFieldsOperationApply
}

// holdsReplicas says whether spec.replicas is among the fields of an entry.
func holdsReplicas(e *metav1.ManagedFieldsEntry) (bool, error) {
	raw := e.FieldsV1.GetRawBytes()
	if !bytes.Contains(raw, []byte(`"f:replicas"`)) { // most have not
		return false, nil
	}
	var fields struct {
		Spec map[string]json.RawMessage `json:"f:spec"`
	}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return false, err
	}
	_, holds := fields.Spec["f:replicas"]
	return holds, nil
}
