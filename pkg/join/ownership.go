package join

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

// others are the KubeFedClusters beside the one of a name.
func (h *hostSide) others(ctx context.Context, name string) ([]fedcorev1beta1.KubeFedCluster, error) {
	var clusters fedcorev1beta1.KubeFedClusterList
	if err := h.client.List(ctx, &clusters, client.InNamespace(h.namespace)); err != nil {
		return nil, h.explain("listing KubeFedClusters", err)
	}
	others := clusters.Items[:0]
	for _, cluster := range clusters.Items {
		if cluster.Name != name {
			others = append(others, cluster)
		}
	}
	return others, nil
}

// forgetSecret removes the Secret of a KubeFedCluster that has been removed, unless it
// is another's, or another uses it: a copy of the KubeFedCluster, which it then belongs to.
func (h *hostSide) forgetSecret(ctx context.Context, s steps, kfc *fedcorev1beta1.KubeFedCluster, others []fedcorev1beta1.KubeFedCluster) error {
	secret := &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}}
	err := h.client.Get(ctx, client.ObjectKey{Namespace: h.namespace, Name: kfc.Spec.SecretRef.Name}, secret)
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	secret.Namespace, secret.Name = h.namespace, kfc.Spec.SecretRef.Name
	switch label := secret.Labels[reach.ClusterLabel]; {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return s.fail("get", secret, err)
	case label != "" && label != kfc.Name:
		s.say(fmt.Sprintf("kept %s in %s: it belongs to cluster %s", describeObject(secret), s.where, label))
		return nil
	default:
		user := userOf(kfc, others, label != "")
		if user == "" {
			return s.remove(ctx, secret)
		}
		s.say(fmt.Sprintf("kept %s in %s: KubeFedCluster %s uses it", describeObject(secret), s.where, user))
		if label == "" || s.dryRun {
			return nil
		}
		patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, reach.ClusterLabel, user)
		if err := h.client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			return s.fail("label", secret, err)
		}
		return nil
	}
}

// userOf is the first that names the same Secret, or empty. With labelled, when the
// Secret is certainly kfc's, one at another address does not count: it never got it.
func userOf(kfc *fedcorev1beta1.KubeFedCluster, others []fedcorev1beta1.KubeFedCluster, labelled bool) string {
	var first *fedcorev1beta1.KubeFedCluster
	for i := range others {
		other := &others[i]
		if other.Spec.SecretRef.Name != kfc.Spec.SecretRef.Name || (labelled && !reach.SameEndpoint(other.Spec.APIEndpoint, kfc.Spec.APIEndpoint)) {
			continue
		}
		if first == nil || reach.JoinedBefore(other, first) {
			first = other
		}
	}
	if first == nil {
		return ""
	}
	return first.Name
}

// isCopy says whether another KubeFedCluster is the same cluster and was there first, so
// that this one has never been used.
func isCopy(kfc *fedcorev1beta1.KubeFedCluster, others []fedcorev1beta1.KubeFedCluster) bool {
	return slices.ContainsFunc(others, func(other fedcorev1beta1.KubeFedCluster) bool {
		return sameCluster(&other, reach.NotedUID(kfc), kfc.Spec.APIEndpoint) && reach.JoinedBefore(&other, kfc)
	})
}

// accountUser is another KubeFedCluster that works with the same account in the same
// member, or empty. Where it is not known that two are different clusters, they count
// as the same: what is deleted by mistake is worse than what is left.
func (o *UnjoinOptions) accountUser(kfc *fedcorev1beta1.KubeFedCluster, account client.ObjectKey, others []fedcorev1beta1.KubeFedCluster) string {
	for i := range others {
		other := &others[i]
		theirs := o.accountOf(other, other.Name)
		sameSecret := kfc != nil && kfc.Spec.SecretRef.Name != "" && other.Spec.SecretRef.Name == kfc.Spec.SecretRef.Name &&
			reach.SameEndpoint(other.Spec.APIEndpoint, kfc.Spec.APIEndpoint)
		if theirs != account && !sameSecret {
			continue
		}
		if kfc != nil && reach.NotedUID(kfc) != "" && reach.NotedUID(other) != "" && reach.NotedUID(kfc) != reach.NotedUID(other) {
			continue
		}
		return other.Name
	}
	return ""
}

// accountOf is the service account of a cluster in the member; kfc is nil when there
// is no KubeFedCluster any more.
func (o *UnjoinOptions) accountOf(kfc *fedcorev1beta1.KubeFedCluster, name string) client.ObjectKey {
	if kfc != nil {
		if namespace, name, found := strings.Cut(kfc.Annotations[ServiceAccountAnnotation], "/"); found {
			return client.ObjectKey{Namespace: namespace, Name: name}
		}
	}
	hostName := o.HostClusterName
	if hostName == "" {
		hostName = o.DefaultHostClusterName
	}
	return client.ObjectKey{Namespace: o.KubeFedNamespace, Name: serviceAccountName(name, hostName)}
}
