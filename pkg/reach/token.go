package reach

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// MinTokenLifetime is the shortest that API servers give.
const MinTokenLifetime = 10 * time.Minute

const (
	// TokenLifetimeAnnotation of the Secret that holds a member's token says that the
	// token ends, and that the controller asks the member for the next one, of this
	// lifetime, when half of it has passed. Without it nobody renews the token.
	TokenLifetimeAnnotation = "fedctl.io/token-lifetime" //nolint:gosec // a name
	// TokenExpiresAnnotation of a KubeFedCluster says when the token ends with which the
	// controller works (RFC 3339); there is none for a token that does not end.
	TokenExpiresAnnotation = "fedctl.io/token-expires" //nolint:gosec // a name
)

// TokenLifetime is how long the member is asked to let the tokens in this Secret live;
// 0 says that they are not renewed.
func TokenLifetime(secret *corev1.Secret) time.Duration {
	if secret == nil {
		return 0
	}
	lifetime, err := time.ParseDuration(secret.Annotations[TokenLifetimeAnnotation])
	if err != nil || lifetime < 0 {
		return 0
	}
	return lifetime
}

// Claims are what a token says of itself. They are not verified: nothing is allowed
// because of them. What is zero is not said.
type Claims struct {
	Issued, Expires time.Time
	// Namespace and Account are those of a service account.
	Namespace, Account string
}

// ClaimsOf reads a service account's token, or any other JSON web token.
func ClaimsOf(token string) Claims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Claims{}
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Claims{}
	}
	var fields struct {
		IssuedAt float64 `json:"iat"`
		Expires  float64 `json:"exp"`
		Subject  string  `json:"sub"`
	}
	if json.Unmarshal(raw, &fields) != nil {
		return Claims{}
	}
	var c Claims
	if fields.IssuedAt > 0 {
		c.Issued = time.Unix(int64(fields.IssuedAt), 0)
	}
	if fields.Expires > 0 {
		c.Expires = time.Unix(int64(fields.Expires), 0)
	}
	if account, found := strings.CutPrefix(fields.Subject, "system:serviceaccount:"); found {
		c.Namespace, c.Account, _ = strings.Cut(account, ":")
	}
	return c
}

// RenewalDue says when a token is to be replaced: after half of its life, so that the
// controller may be down for the other half. A lifetime that is shorter than the token's
// own counts instead. It is zero for a token that does not end.
func (c Claims) RenewalDue(lifetime time.Duration) time.Time {
	if c.Expires.IsZero() || c.Issued.IsZero() {
		return c.Expires
	}
	return c.Issued.Add(min(lifetime, c.Expires.Sub(c.Issued)) / 2)
}

// Expired tells whether the token has ended.
func (c Claims) Expired(now time.Time) bool { return !c.Expires.IsZero() && !now.Before(c.Expires) }
