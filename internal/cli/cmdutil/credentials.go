package cmdutil

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

// Credentials reads the Secret with which a control plane reaches a member; nil if there
// is none, of which package reach says what that means.
func Credentials(ctx context.Context, host client.Reader, kfc *fedcorev1beta1.KubeFedCluster) (*corev1.Secret, error) {
	if kfc.Spec.SecretRef.Name == "" {
		return nil, nil //nolint:nilnil // reach says what that means
	}
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: kfc.Namespace, Name: kfc.Spec.SecretRef.Name}
	switch err := host.Get(ctx, key, secret); {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // reach says what that means
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("its credentials (Secret %s of the host) may not be read: %w", key, err)
	case err != nil:
		return nil, fmt.Errorf("reading its credentials (Secret %s of the host): %w", key, err)
	}
	return secret, nil
}
