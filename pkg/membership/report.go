package membership

import (
	"context"
	"encoding/json"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

const (
	// refreshProbeTime is how old lastProbeTime may get in a KubeFedCluster. Other
	// clients read, modify and write these objects: each write of ours may cost
	// them a conflict.
	refreshProbeTime = 5 * time.Minute
	// messagePause is the least time between writes that change only wording.
	messagePause = 30 * time.Second
	// cacheLag is how long after a write the cache may still show what was before.
	cacheLag = 3 * time.Second
	// annotationPause is the time between two attempts to write annotations.
	annotationPause = time.Minute
	hostTimeout     = 10 * time.Second
)

// reporter writes a member's status and annotations, and only what differs.
type reporter struct {
	provider *Provider
	log      logr.Logger

	written    *fedcorev1beta1.KubeFedCluster // as the last write returned it
	writtenAt  time.Time
	rewordedAt time.Time // the last write that changed wording only
	// annotateAfter puts off the annotations, which nothing depends on, after a
	// failure: a controller may lack the right to write them.
	annotateAfter time.Time
	// leftoversAfter puts off a condition that somebody has refused.
	leftoversAfter time.Time
}

func (r *reporter) report(ctx context.Context, object *fedcorev1beta1.KubeFedCluster, h health, f Facts, malformed, uid string, expires time.Time) {
	if object == nil {
		return
	}
	if r.written != nil && time.Since(r.writtenAt) < cacheLag {
		object = r.written
	}
	ctx, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	now := time.Now()
	want := statusFor(object.Status, h, f, malformed, now)
	if now.After(r.leftoversAfter) {
		found, known := r.provider.leftoversIn(object.Name)
		want.Conditions = withLeftovers(want.Conditions, object.Status.Conditions, object.Name, found, known, now)
	}
	if r.worthWriting(object.Status, want, now) {
		written := r.patch(ctx, object, statusPatch(object.UID, want), true)
		if shorter, had := withoutLeftovers(want.Conditions); written == nil && had {
			// Admission that knows KubeFed's conditions alone, as its own webhook, refuses the rest as well.
			want.Conditions = shorter
			written = r.patch(ctx, object, statusPatch(object.UID, want), true)
			r.leftoversAfter = now.Add(annotationPause)
		}
		if written != nil {
			object = written
		}
	}
	if patch := annotationPatch(object, f, uid, expires); patch != nil && now.After(r.annotateAfter) {
		if r.patch(ctx, object, patch, false) == nil {
			r.annotateAfter = now.Add(annotationPause)
		}
	}
}

func (r *reporter) worthWriting(stored, want fedcorev1beta1.KubeFedClusterStatus, now time.Time) bool {
	switch compareStatus(stored, want) {
	case differs:
		return true
	case differsInMessage:
		if now.Sub(r.rewordedAt) < messagePause {
			return false
		}
		r.rewordedAt = now
		return true
	default:
		return len(want.Conditions) > 0 && now.Sub(lastProbe(stored)) >= refreshProbeTime
	}
}

// patch sends a merge patch and returns the object after it, or nil on failure:
// the next probe tries again.
func (r *reporter) patch(ctx context.Context, object *fedcorev1beta1.KubeFedCluster, patch []byte, status bool) *fedcorev1beta1.KubeFedCluster {
	target := &fedcorev1beta1.KubeFedCluster{}
	target.Namespace, target.Name = object.Namespace, object.Name
	raw := client.RawPatch(types.MergePatchType, patch)
	var err error
	if status {
		err = r.provider.client.Status().Patch(ctx, target, raw)
	} else {
		err = r.provider.client.Patch(ctx, target, raw)
	}
	if err != nil {
		if !errors.IsNotFound(err) && !errors.IsConflict(err) {
			r.log.Error(err, "Could not write the KubeFedCluster; will retry", "status", status)
		}
		return nil
	}
	r.written, r.writtenAt = target, time.Now()
	return target
}

// statusPatch replaces all that a status of ours says; what is empty is removed.
// The UID keeps it from hitting another cluster that was given the same name.
func statusPatch(uid types.UID, status fedcorev1beta1.KubeFedClusterStatus) []byte {
	fields := map[string]any{"conditions": status.Conditions, "kubernetesVersion": nil, "zones": nil, "region": nil}
	if status.KubernetesVersion != "" {
		fields["kubernetesVersion"] = status.KubernetesVersion
	}
	if len(status.Zones) > 0 {
		fields["zones"] = status.Zones
	}
	if status.Region != nil {
		fields["region"] = *status.Region
	}
	raw, _ := json.Marshal(map[string]any{"metadata": map[string]any{"uid": uid}, "status": fields}) // plain data: cannot fail
	return raw
}

// annotationPatch returns nil when stored says what is known already. What is
// unknown stays as it is.
func annotationPatch(stored *fedcorev1beta1.KubeFedCluster, f Facts, clusterUID string, expires time.Time) []byte {
	want := map[string]any{}
	if f.Nodes != nil {
		for key, value := range f.Nodes.annotations() {
			want[key] = value
		}
	}
	if clusterUID != "" && reach.NotedUID(stored) == "" { // only joining replaces it
		want[reach.ClusterUIDAnnotation] = clusterUID
	}
	if !expires.IsZero() {
		want[reach.TokenExpiresAnnotation] = expires.UTC().Format(time.RFC3339)
	}
	for key, value := range want {
		if have, found := stored.Annotations[key]; found && have == value {
			delete(want, key)
		}
	}
	if _, found := stored.Annotations[reach.TokenExpiresAnnotation]; found && expires.IsZero() && clusterUID != "" {
		want[reach.TokenExpiresAnnotation] = nil // the token in use does not end
	}
	if len(want) == 0 {
		return nil
	}
	raw, _ := json.Marshal(map[string]any{"metadata": map[string]any{"uid": stored.UID, "annotations": want}}) // cannot fail
	return raw
}
