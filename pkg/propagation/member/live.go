package member

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Live is what is remembered of one object of the member that bears the managed label,
// as a watch or the answer to a request has last told. It is a plain value: two that
// are equal tell of no difference that matters here.
type Live struct {
	UID types.UID
	// Version is the resource version; comparable within one resource of one cluster.
	Version uint64
	// Generation is 0 for objects that have none.
	Generation int64
	// Owned is a hash of the fields that the cluster says are ours (our entry in
	// managedFields). Whoever changes or removes one of them takes it out of
	// that entry, so an unchanged hash means that what we applied is still there,
	// whatever others have done to the rest of the object.
	Owned uint64
	// Writers is a hash of who has written which fields, and when: of all of managedFields.
	Writers uint64
	// Content differs where what we have applied may differ: a hash of the generation, or
	// of the version where there is none.
	Content uint64
	// Replaced says that they were written by an update, because an apply was refused.
	Replaced bool
	// Managed says that the label has our value, and not another one, with which the
	// owner of the member keeps the object out of the federation.
	Managed  bool
	Deleting bool
	// Created says that it was not there before the federation, of a type for which that
	// is remembered.
	Created bool
	// Scaled says that spec.replicas are held by others than us, or by us for the member.
	Scaled bool
	// KubeFeds says that KubeFed's controller owns fields of it, or that we have
	// written some by an update.
	KubeFeds bool
}

// LiveOf reads off an object what is remembered of it, the same whether it was read whole or
// its metadata alone.
func LiveOf(object metav1.Object) Live {
	if whole, ok := object.(*unstructured.Unstructured); ok {
		object = metadataOf(whole)
	}
	owned, replaced := ownedHash(object.GetManagedFields())
	return Live{
		UID:        object.GetUID(),
		Version:    ParseVersion(object.GetResourceVersion()),
		Generation: object.GetGeneration(),
		Owned:      owned,
		Writers:    writersHash(object.GetManagedFields()),
		Content:    contentHash(object),
		Replaced:   replaced,
		Managed:    isManaged(object),
		Deleting:   object.GetDeletionTimestamp() != nil,
		Created:    object.GetAnnotations()[federate.CreatedAnnotation] != "",
		Scaled:     scaled(object.GetManagedFields()),
		KubeFeds:   wroteByKubeFed(object.GetManagedFields()),
	}
}

// ResourceVersion is the version as requests carry it; empty if it is not known.
func (l *Live) ResourceVersion() string {
	if l.Version == 0 {
		return ""
	}
	return strconv.FormatUint(l.Version, 10)
}

// ParseVersion returns a resource version as a number (KEP-5504: comparable
// within a resource); 0 if it is not one, which makes whatever comes next count as newer.
func ParseVersion(s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// isManaged says whether an object bears our label, keptOut whether it bears it with
// another value.
func isManaged(object metav1.Object) bool {
	return object.GetLabels()[federate.ManagedLabel] == federate.ManagedLabelValue
}

func keptOut(object metav1.Object) bool {
	_, labelled := object.GetLabels()[federate.ManagedLabel]
	return labelled && !isManaged(object)
}
