package exported

import (
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/reach"
)

// The kinds that are treated in a way of their own.
var (
	Cluster    = fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster")
	TypeConfig = fedcorev1beta1.SchemeGroupVersion.WithKind("FederatedTypeConfig")
	Config     = fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedConfig")
	Namespace  = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
	Definition = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}
	Role       = schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}
	Binding    = schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"}
	Capacity   = clusterv1alpha1.GroupVersion.WithKind("ClusterCapacity")
	Backup     = backupv1alpha1.GroupVersion.WithKind("Backup")
	Repository = backupv1alpha1.GroupVersion.WithKind("BackupRepository")
)

// ofThisHost are the annotations that a host has written for itself: of its own account, of
// tokens, of what it has found. Another one finds that out.
var ofThisHost = map[schema.GroupVersionKind][]string{
	Cluster: {
		join.ServiceAccountAnnotation, reach.TokenExpiresAnnotation, reach.FleetAccessAnnotation, reach.PruneAnnotation, reach.RightsRenewedAnnotation,
		membership.NodesAnnotation, membership.AcceleratorsAnnotation, backupv1alpha1.BlockedAnnotation, reach.AwaitsJoinAnnotation,
	},
	Namespace: {federate.CreatedAnnotation},
}

// labelsOfThisHost are the same of labels.
var labelsOfThisHost = map[schema.GroupVersionKind][]string{
	Namespace: {"kubernetes.io/metadata.name", federate.ManagedLabel},
}

// Portable is what of an object another host can be told: what somebody has written into it,
// nothing of what API servers and controllers have. The object is not changed.
func Portable(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: map[string]any{}}
	for field, value := range u.Object {
		if field != "metadata" && field != "status" {
			out.Object[field] = value
		}
	}
	out = out.DeepCopy()
	out.SetNamespace(u.GetNamespace())
	out.SetName(u.GetName())
	gvk := u.GroupVersionKind()
	if labels := without(u.GetLabels(), labelsOfThisHost[gvk]); len(labels) > 0 {
		out.SetLabels(labels)
	}
	if annotations := without(u.GetAnnotations(), ofThisHost[gvk]); len(annotations) > 0 {
		out.SetAnnotations(annotations)
	}
	if gvk == Namespace {
		delete(out.Object, "spec") // finalizers alone
	}
	return out
}

// without returns a copy of a map without some keys.
func without(in map[string]string, keys []string) map[string]string {
	out := make(map[string]string, len(in))
	for key, value := range in {
		out[key] = value
	}
	for _, key := range keys {
		delete(out, key)
	}
	return out
}

// soon is for how long a ClusterCapacity that is looked at follows requests, by far.
const soon = time.Hour

// WithoutPassing takes out of a ClusterCapacity what somebody who looks at it has written for
// some minutes. It says whether anything is left that somebody means to stay.
func WithoutPassing(u *unstructured.Unstructured, now time.Time) (left bool) {
	spec, _ := u.Object["spec"].(map[string]any)
	text, _ := spec["followRequestsUntil"].(string)
	if until, err := time.Parse(time.RFC3339, text); err != nil || until.Before(now.Add(soon)) {
		delete(spec, "followRequestsUntil")
	}
	if len(spec) == 0 {
		delete(u.Object, "spec")
	}
	return len(spec) > 0
}

// atRest is the field that has a Backup or a BackupRepository of the host itself do nothing.
func atRest(kind schema.GroupVersionKind) string {
	if kind == Repository {
		return "readOnly"
	}
	return "suspend"
}

// Rests says whether a Backup or a BackupRepository is one that does nothing.
func Rests(u *unstructured.Unstructured) bool {
	rests, _, _ := unstructured.NestedBool(u.Object, "spec", atRest(u.GroupVersionKind()))
	return rests
}

// Rest has a Backup or a BackupRepository of the host itself do nothing on another one: its
// data is the earlier host's.
func Rest(u *unstructured.Unstructured) error {
	return unstructured.SetNestedField(u.Object, true, "spec", atRest(u.GroupVersionKind()))
}

// Same says whether two objects say the same to another host.
func Same(a, b *unstructured.Unstructured) bool {
	one, errA := json.Marshal(Portable(a).Object)
	other, errB := json.Marshal(Portable(b).Object)
	return errA == nil && errB == nil && string(one) == string(other)
}
