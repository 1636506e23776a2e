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
// that is still there or comes with this restore, or the VolumeSnapshot that was made
// for the run.
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
	volume, err := r.findVolume(ctx, name)
	if err != nil {
		return err
	}
	if volume == nil || claimable(volume, into, claim.name) {
		r.plan.mu.Lock()
		planned, made := r.plan.volumes[name]
		r.plan.mu.Unlock()
		if volume != nil || made && plannedFor(planned, into, claim.name) {
			options.Volume = content.VolumeFree
		}
	}
	return nil
}

func (r *run) findVolume(ctx context.Context, name string) (*corev1.PersistentVolume, error) {
	var volume corev1.PersistentVolume
	err := r.retry(ctx, func(ctx context.Context) error { return r.client.Get(ctx, client.ObjectKey{Name: name}, &volume) })
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil, nil //nolint:nilnil // there is none to be had
	}
	return &volume, err
}

// plannedFor says whether a volume that this restore makes is for a claim.
func plannedFor(claim map[string]any, namespace, name string) bool {
	return len(claim) == 0 || claim["namespace"] == namespace && claim["name"] == name
}

// claimable says whether a claim gets a volume if it asks for it.
func claimable(volume *corev1.PersistentVolume, namespace, name string) bool {
	claim := volume.Spec.ClaimRef
	switch {
	case claim == nil:
		return true
	case claim.Namespace != namespace || claim.Name != name || volume.DeletionTimestamp != nil:
		return false
	}
	return claim.UID == "" || left(volume)
}

// left says whether the claim of a volume is gone, and the data still there: that is
// what Retain is for.
func left(volume *corev1.PersistentVolume) bool {
	return volume.Status.Phase == corev1.VolumeReleased && volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRetain
}

// freeVolume frees the volume that a claim asks for, if it is one that the same claim
// has left.
func (r *run) freeVolume(ctx context.Context, claim map[string]any) error {
	name, _, _ := unstructured.NestedString(claim, "spec", "volumeName")
	if name == "" || r.dryRun {
		return nil
	}
	volume, err := r.findVolume(ctx, name)
	if err != nil || volume == nil || volume.Spec.ClaimRef == nil || !left(volume) {
		return err
	}
	before := volume.DeepCopy()
	volume.Spec.ClaimRef.UID, volume.Spec.ClaimRef.ResourceVersion = "", ""
	return r.retry(ctx, func(ctx context.Context) error {
		return r.client.Patch(ctx, volume.DeepCopy(), client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(FieldManager))
	})
}

// savedClaims are the VolumeSnapshots of the run, by namespace and claim.
func (r *run) savedClaims() map[[2]string]string {
	out := map[[2]string]string{}
	for _, record := range r.manifest.VolumeSnapshots {
		out[[2]string{record.Namespace, record.Claim}] = record.Snapshot
	}
	return out
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
