package join

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/reach"
)

// DefaultTokenLifetime is that of the tokens of a new member. The controller renews them
// after half of it, so it may be down for three and a half days.
const DefaultTokenLifetime = 7 * 24 * time.Hour

// tokenPlan is what kind of token the account gets: one that ends and is renewed, or with
// lifetime 0 the static one of KubeFed.
type tokenPlan struct {
	lifetime time.Duration
	// kept is the present token, when it need not be replaced.
	kept string
}

// tokenPlan keeps the kind of token that there is, unless told otherwise. stored is the
// Secret in the host, nil when there is none.
func (r registration) tokenPlan(ctx context.Context, stored *corev1.Secret) (tokenPlan, error) {
	p := tokenPlan{lifetime: DefaultTokenLifetime}
	switch {
	case r.options.TokenLifetime != nil:
		p.lifetime = *r.options.TokenLifetime
	case r.existing != nil && stored != nil:
		p.lifetime = reach.TokenLifetime(stored)
	}
	if p.lifetime == 0 || stored == nil || r.options.Rotate || reach.TokenLifetime(stored) != p.lifetime {
		return p, nil
	}
	token := string(stored.Data[reach.TokenKey])
	if claims := reach.ClaimsOf(token); claims.Expires.IsZero() || !time.Now().Before(claims.RenewalDue(p.lifetime)) {
		return p, nil
	}
	accepted, err := r.member.accepts(ctx, token, r.account)
	if accepted {
		p.kept = token
	}
	return p, err
}

// rights are what making the token takes beside its objects.
func (p tokenPlan) rights(o Options) (rights []right) {
	if p.lifetime > 0 {
		rights = append(rights, right{"create", "", "serviceaccounts/token", o.KubeFedNamespace})
	}
	if o.Rotate {
		rights = append(rights, right{"delete", "", "serviceaccounts", o.KubeFedNamespace})
	}
	return rights
}

// accepts asks the member whether a token is good, and that of the account (namespace/name).
func (s *side) accepts(ctx context.Context, token, account string) (bool, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	err := s.client.Create(ctx, review)
	if apierrors.IsForbidden(err) {
		return false, nil // a new one will do
	} else if err != nil {
		return false, fmt.Errorf("asking %s about the present token: %w", s.name, err)
	}
	claims := reach.ClaimsOf(token)
	if !review.Status.Authenticated || claims.Namespace+"/"+claims.Account != account {
		return false, nil
	}
	// API servers remember for some seconds that a token was good: that of an account which has
	// gone since, with its token, is not.
	var there corev1.ServiceAccount
	err = s.client.Get(ctx, client.ObjectKey{Namespace: claims.Namespace, Name: claims.Account}, &there)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return false, nil
	}
	return string(there.UID) == review.Status.User.UID, err
}

// tokenObjects let the member make the token: a Secret that asks for one without end, or
// the right of the account to ask for its own next one.
func tokenObjects(namespace, serviceAccount string, lifetime time.Duration) []client.Object {
	if lifetime == 0 {
		return []client.Object{tokenSecret(namespace, serviceAccount)}
	}
	return roleAndBinding(tokenRoleName(serviceAccount), namespace, serviceAccount, []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, ResourceNames: []string{serviceAccount}, Verbs: []string{"create"},
	}})
}

// otherTokenObjects are those of the other kind of token, in the order of their deletion.
func otherTokenObjects(namespace, serviceAccount string, lifetime time.Duration) []client.Object {
	if lifetime != 0 {
		return []client.Object{tokenSecret(namespace, serviceAccount)}
	}
	pair := tokenObjects(namespace, serviceAccount, DefaultTokenLifetime)
	return []client.Object{pair[1], pair[0]}
}

// token gets the token that the host is to know.
func (s *side) token(ctx context.Context, namespace, account string, plan tokenPlan) (credentials, error) {
	if plan.lifetime == 0 {
		return s.awaitToken(ctx, namespace, account)
	}
	c := credentials{token: plan.kept, lifetime: plan.lifetime}
	if c.token == "" {
		target := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(plan.lifetime / time.Second))}}
		if err := s.client.SubResource("token").Create(ctx, target, request); err != nil {
			return c, fmt.Errorf("asking %s for a token of ServiceAccount %s/%s: %w", s.name, namespace, account, err)
		}
		c.token = request.Status.Token
	}
	var err error
	c.ca, err = s.authority(ctx, namespace)
	return c, err
}

// presentToken is token for a dry run: what the host would be told if nothing had to be made.
func (s *side) presentToken(ctx context.Context, namespace, account string, plan tokenPlan) (c credentials, err error) {
	c.token = plan.kept
	switch {
	case plan.lifetime == 0:
		var secret corev1.Secret
		err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: account}, &secret)
		c.token, c.ca = string(secret.Data[corev1.ServiceAccountTokenKey]), secret.Data[corev1.ServiceAccountRootCAKey]
		return c, client.IgnoreNotFound(err)
	case c.token != "":
		c.ca, err = s.authority(ctx, namespace)
	}
	return c, err
}

// authority is that of the member as its pods are told it; empty where nobody tells them.
func (s *side) authority(ctx context.Context, namespace string) ([]byte, error) {
	const patience, pause = 5 * time.Second, 100 * time.Millisecond // for a namespace that has just been made
	var published corev1.ConfigMap
	err := wait.PollUntilContextTimeout(ctx, pause, patience, true, func(ctx context.Context) (bool, error) {
		err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "kube-root-ca.crt"}, &published)
		return err == nil, client.IgnoreNotFound(err)
	})
	if apierrors.IsForbidden(err) || (wait.Interrupted(err) && ctx.Err() == nil) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s/kube-root-ca.crt in %s: %w", namespace, s.name, err)
	}
	return []byte(published.Data[corev1.ServiceAccountRootCAKey]), nil
}

// endTokens makes every token of the account invalid, whoever has it: they end with it.
func (s steps) endTokens(ctx context.Context, namespace, account string) error {
	if err := s.remove(ctx, tokenSecret(namespace, account)); err != nil {
		return err
	}
	return s.remove(ctx, serviceAccountObject(namespace, account))
}

// dropOther removes what the other kind of token needs, once the host has the new one.
func (s steps) dropOther(ctx context.Context, namespace, account string, lifetime time.Duration) error {
	for _, object := range otherTokenObjects(namespace, account, lifetime) {
		if secret, ok := object.(*corev1.Secret); ok && !s.isTokenOf(ctx, secret, account) {
			continue
		}
		if err := s.remove(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

func (s steps) isTokenOf(ctx context.Context, secret *corev1.Secret, account string) bool {
	var found corev1.Secret
	err := s.client.Get(ctx, client.ObjectKeyFromObject(secret), &found)
	return err == nil && found.Type == corev1.SecretTypeServiceAccountToken && found.Annotations[corev1.ServiceAccountNameKey] == account
}
