// Package tokens replaces the token of an account in a member before it ends: the
// account asks for its own next one, and the host's Secret takes it. The controller does
// so for its accounts and the fleet's API server for its own.
//
// It may import pkg/reach and controller-runtime's client.
package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/reach"
)

// Due tells whether it is time for the next token of a Secret: never for one that does
// not end, or that nobody renews. secret is nil when there is none.
func Due(secret *corev1.Secret, now time.Time) bool {
	lifetime := reach.TokenLifetime(secret)
	if lifetime == 0 {
		return false
	}
	token := claims(secret)
	return !token.Expires.IsZero() && !now.Before(token.RenewalDue(lifetime))
}

func claims(secret *corev1.Secret) reach.Claims {
	return reach.ClaimsOf(string(secret.Data[reach.TokenKey]))
}

// Renew asks the member, as the account of a Secret, for the account's next token, and
// stores it in the host. The Secret must be the one that was read: whoever writes it at the
// same time wins.
func Renew(ctx context.Context, host, member client.Client, secret *corev1.Secret) error {
	token := claims(secret)
	if token.Account == "" {
		return errors.New("the token is not that of a service account")
	}
	account := &corev1.ServiceAccount{}
	account.Namespace, account.Name = token.Namespace, token.Account
	lifetime := max(reach.TokenLifetime(secret), reach.MinTokenLifetime)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(lifetime / time.Second))}}
	if err := member.SubResource("token").Create(ctx, account, request); err != nil {
		return fmt.Errorf("asking for a token of %s/%s: %w", account.Namespace, account.Name, err)
	}
	if next := reach.ClaimsOf(request.Status.Token); next.Account != token.Account || next.Namespace != token.Namespace {
		return errors.New("the member answered with a token that is not its account's")
	}
	patch, _ := json.Marshal(map[string]any{ // plain data: cannot fail
		"metadata": map[string]any{"uid": secret.UID, "resourceVersion": secret.ResourceVersion},
		"data":     map[string][]byte{reach.TokenKey: []byte(request.Status.Token)},
	})
	target := &corev1.Secret{}
	target.Namespace, target.Name = secret.Namespace, secret.Name
	if err := host.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("storing the new token in Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return nil
}
