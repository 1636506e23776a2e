package reach

import fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

// ClusterUIDAnnotation of a KubeFedCluster is the UID of the member's namespace
// kube-system, which tells whether two KubeFedClusters are one cluster. Joining notes
// it, and whoever is connected keeps it.
const ClusterUIDAnnotation = "fedctl.io/cluster-uid"

// NotedUID is the UID that a KubeFedCluster's annotation tells, or empty.
func NotedUID(kfc *fedcorev1beta1.KubeFedCluster) string {
	return kfc.Annotations[ClusterUIDAnnotation]
}

// SameEndpoint tells whether two addresses are written for one and the same.
func SameEndpoint(a, b string) bool {
	a, errA := ParseEndpoint(a)
	b, errB := ParseEndpoint(b)
	return errA == nil && errB == nil && a == b
}
