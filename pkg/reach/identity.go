package reach

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
)

const (
	// ClusterUIDAnnotation of a KubeFedCluster is the UID of the member's namespace
	// kube-system, which tells whether two KubeFedClusters are one cluster. Joining notes
	// it, and whoever is connected first where nobody has; nothing but joining changes it.
	ClusterUIDAnnotation = "fedctl.io/cluster-uid"
	// PruneAnnotation of a KubeFedCluster asks for the removal of what was found in the
	// cluster when it joined and no placement selects: of all that was found up to its time.
	PruneAnnotation = "fedctl.io/prune"
	// AwaitsJoinAnnotation of a KubeFedCluster says that it was brought from another host and
	// has not joined this one yet: nobody knows how what is in the cluster fares. Joining
	// takes it away.
	AwaitsJoinAnnotation = "fedctl.io/awaits-join"
	// RightsRenewedAnnotation of a KubeFedCluster is when joining has last changed what the
	// controller may do in the cluster. When it changes, what has failed there is tried anew.
	RightsRenewedAnnotation = "fedctl.io/rights-renewed"
	// ClusterLabel of a Secret names the KubeFedCluster that it belongs to.
	ClusterLabel = "fedctl.io/cluster"
)

// Reasons of a KubeFedCluster's Ready condition for not using it, whatever answers at
// its address.
const (
	// ReasonDuplicate: it leads to a cluster that is a member under another name.
	ReasonDuplicate = "DuplicateCluster"
	// ReasonStranger: it leads to another cluster than the one that joined.
	ReasonStranger = "ClusterIdentityChanged"
	// ReasonForeignSecret: its Secret belongs to another KubeFedCluster.
	ReasonForeignSecret = "SecretOfAnotherCluster"
)

// NotedUID is the UID that a KubeFedCluster's annotation tells, or empty.
func NotedUID(kfc *fedcorev1beta1.KubeFedCluster) string {
	return kfc.Annotations[ClusterUIDAnnotation]
}

// AwaitsJoin says whether a KubeFedCluster was brought here and has not joined yet.
func AwaitsJoin(kfc *fedcorev1beta1.KubeFedCluster) bool {
	return kfc.Annotations[AwaitsJoinAnnotation] != ""
}

// PruneTime is the time that a KubeFedCluster's annotation tells; zero if it tells none.
func PruneTime(kfc *fedcorev1beta1.KubeFedCluster) time.Time {
	at, err := time.Parse(time.RFC3339, kfc.Annotations[PruneAnnotation])
	if err != nil {
		return time.Time{} // nothing is removed for what cannot be read
	}
	return at
}

// Stranger says what is wrong where the cluster with a UID answers for a KubeFedCluster;
// empty if it is the one that joined, or one of the two is not known.
func Stranger(kfc *fedcorev1beta1.KubeFedCluster, uid string) string {
	noted := NotedUID(kfc)
	if noted == "" || uid == "" || noted == uid {
		return ""
	}
	return fmt.Sprintf("%s is another cluster (%s) than the one that joined (%s); if it is to take its place, run \"fedctl join %s\" again",
		errtext.Address(kfc.Spec.APIEndpoint), uid, noted, kfc.Name)
}

// SameEndpoint tells whether two addresses are written for one and the same.
func SameEndpoint(a, b string) bool {
	a, errA := ParseEndpoint(a)
	b, errB := ParseEndpoint(b)
	return errA == nil && errB == nil && a == b
}

// JoinedBefore tells which of two KubeFedClusters was there first, and so is in the
// right where both cannot be.
func JoinedBefore(a, b *fedcorev1beta1.KubeFedCluster) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// checkUse refuses what the controller does not use either: a Secret that is labelled
// as another cluster's, and what the Ready condition bars.
func checkUse(kfc *fedcorev1beta1.KubeFedCluster, secret *corev1.Secret) error {
	if secret != nil {
		if owner := secret.Labels[ClusterLabel]; owner != "" && owner != kfc.Name {
			return fmt.Errorf("Secret %s/%s belongs to cluster %s", secret.Namespace, secret.Name, owner) //nolint:staticcheck // a kind begins it
		}
	}
	if c := ReadyCondition(kfc); c != nil && c.Status == corev1.ConditionFalse && c.Reason != nil {
		switch *c.Reason {
		case ReasonDuplicate, ReasonStranger, ReasonForeignSecret:
			return fmt.Errorf("it is not used: %s, see: fedctl get clusters -o wide", *c.Reason)
		}
	}
	return nil
}

// ReadyCondition is what the controller says of whether a member is ready, nil if it has not
// said anything. KubeFed's says nothing of it where a member is offline.
func ReadyCondition(kfc *fedcorev1beta1.KubeFedCluster) *fedcorev1beta1.ClusterCondition {
	for i := range kfc.Status.Conditions {
		if c := &kfc.Status.Conditions[i]; c.Type == fedcommon.ClusterReady {
			return c
		}
	}
	return nil
}

// IsReady says whether a member is certainly ready.
func IsReady(kfc *fedcorev1beta1.KubeFedCluster) bool {
	c := ReadyCondition(kfc)
	return c != nil && c.Status == corev1.ConditionTrue
}
