package reach

import (
	"errors"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

// FleetAccessAnnotation of a KubeFedCluster names the Secret, in its namespace, with which
// the fleet's API server acts in the member for users of the host. Without it nobody is let
// through to the member.
const FleetAccessAnnotation = "fedctl.io/fleet-access"

// ErrNoFleetAccess says that a member lets nobody through.
var ErrNoFleetAccess = errors.New("its administrator has not let users of the host in: fedctl join CLUSTER --fleet-access")

// FleetAccess reads how to reach a member for users of the host. The Secret must say that
// it is this cluster's, and, where it is known which cluster has joined, that it was made
// there: whatever a KubeFedCluster comes to lead to, the token is sent to no other. secret
// is nil when it does not exist.
func FleetAccess(kfc *fedcorev1beta1.KubeFedCluster, secret *corev1.Secret) (Access, error) {
	name := kfc.Annotations[FleetAccessAnnotation]
	switch {
	case name == "":
		return Access{}, ErrNoFleetAccess
	case secret == nil:
		return Access{}, fmt.Errorf("Secret %s/%s does not exist, or may not be read: join with --fleet-access again", kfc.Namespace, name) //nolint:staticcheck // a kind begins it
	case secret.Name != name || secret.Namespace != kfc.Namespace || secret.Labels[ClusterLabel] != kfc.Name:
		return Access{}, fmt.Errorf("Secret %s/%s is not that of cluster %s: its label %s says otherwise", secret.Namespace, secret.Name, kfc.Name, ClusterLabel) //nolint:staticcheck // a kind begins it
	case secret.Annotations[ClusterUIDAnnotation] != NotedUID(kfc):
		return Access{}, fmt.Errorf("Secret %s/%s was made in another cluster than the one that has joined: join with --fleet-access again", secret.Namespace, secret.Name) //nolint:staticcheck // a kind begins it
	}
	if err := checkUse(kfc, secret); err != nil {
		return Access{}, err
	}
	own := kfc.DeepCopy()
	own.Spec.SecretRef.Name = name
	return accessOf(own, secret, nil) // a plugin is the controller's
}

// Authenticate has requests sent with the token of the access. What is answered is not
// bounded: that is for whoever passes it on as it comes.
func (a Access) Authenticate(to http.RoundTripper) http.RoundTripper { return a.bearer().wrap(to) }
