package restore

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

var volumeSnapshotKind = schema.GroupVersionKind{Group: "snapshot.storage.k8s.io", Version: "v1", Kind: "VolumeSnapshot"}

// volume finds out where the data of a claim can come from: its old volume, if
// that is still there, or the VolumeSnapshot that was made for the run.
func (r *run) volume(ctx context.Context, claim *saved, options *content.Options) error {
	into := r.namespaces.to(claim.namespace)
	if snapshot := r.savedClaims()[[2]string{claim.namespace, claim.name}]; snapshot != "" && r.same && into == claim.namespace {
		found, err := r.hasVolumeSnapshot(ctx, into, snapshot)
		if err != nil {
			return err
		}
		if found {
			options.VolumeSnapshot = snapshot
			return nil
		}
	}
	name, _, _ := unstructured.NestedString(claim.content, "spec", "volumeName")
	if name == "" {
		return nil
	}
	var volume corev1.PersistentVolume
	err := r.retry(ctx, func(ctx context.Context) error { return r.client.Get(ctx, client.ObjectKey{Name: name}, &volume) })
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.claimable(ctx, &volume, into, claim.name, options)
}

// claimable says whether a claim gets a volume if it asks for it. A volume that
// the same claim has left is freed for it: that is what Retain is for.
func (r *run) claimable(ctx context.Context, volume *corev1.PersistentVolume, namespace, name string, options *content.Options) error {
	claim := volume.Spec.ClaimRef
	switch {
	case claim == nil:
		options.Volume = content.VolumeFree
	case claim.Namespace != namespace || claim.Name != name || volume.DeletionTimestamp != nil:
	case claim.UID == "":
		options.Volume = content.VolumeFree
	case volume.Status.Phase == corev1.VolumeReleased && volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRetain:
		options.Volume = content.VolumeFree
		if r.dryRun {
			return nil
		}
		before := volume.DeepCopy()
		claim.UID, claim.ResourceVersion = "", ""
		return r.retry(ctx, func(ctx context.Context) error {
			return r.client.Patch(ctx, volume.DeepCopy(), client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(FieldManager))
		})
	}
	return nil
}

func (r *run) hasVolumeSnapshot(ctx context.Context, namespace, name string) (bool, error) {
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(volumeSnapshotKind)
	err := r.retry(ctx, func(ctx context.Context) error {
		return r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, found)
	})
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) || apierrors.IsForbidden(err) {
		return false, nil
	}
	return err == nil, err
}
