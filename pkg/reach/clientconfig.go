package reach

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

// ClientConfig returns the configuration of a client that reaches a member as the
// control plane does: at the address of its KubeFedCluster, with the token of the
// Secret that spec.secretRef names. secret is nil when it does not exist. timeout
// limits each request. The error says which field of which object is wrong, or why the
// control plane does not use this cluster.
func ClientConfig(kfc *fedcorev1beta1.KubeFedCluster, secret *corev1.Secret, timeout time.Duration) (*rest.Config, error) {
	if err := checkUse(kfc, secret); err != nil {
		return nil, fmt.Errorf("KubeFedCluster %s/%s: %w", kfc.Namespace, kfc.Name, err)
	}
	a, err := AccessOf(kfc, secret)
	if err != nil {
		return nil, fmt.Errorf("KubeFedCluster %s/%s: %w", kfc.Namespace, kfc.Name, err)
	}
	config := a.RESTConfig(a.Transport(timeout), Client{})
	config.Timeout = timeout
	return config, nil
}
