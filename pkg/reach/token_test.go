package reach

import (
	"encoding/base64"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func jwt(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestClaimsOf(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	for name, test := range map[string]struct {
		token string
		want  Claims
		due   time.Time
	}{
		"of a service account, for some time": {
			jwt(`{"iat":1000,"exp":3000,"sub":"system:serviceaccount:kube-federation-system:berlin-host"}`),
			Claims{at(1000), at(3000), "kube-federation-system", "berlin-host"}, at(2000),
		},
		"of a service account, without end": {
			jwt(`{"sub":"system:serviceaccount:ns:a"}`), Claims{Namespace: "ns", Account: "a"}, time.Time{},
		},
		"of somebody else":         {jwt(`{"exp":3000,"sub":"admin"}`), Claims{Expires: at(3000)}, at(3000)},
		"of a wild time":           {jwt(`{"exp":-1e300}`), Claims{}, time.Time{}},
		"no JSON":                  {jwt(`{`), Claims{}, time.Time{}},
		"no base64":                {"a.!.c", Claims{}, time.Time{}},
		"no JSON web token at all": {"abcdef.0123456789abcdef", Claims{}, time.Time{}},
	} {
		got := ClaimsOf(test.token)
		if got != test.want || !got.RenewalDue(time.Hour).Equal(test.due) {
			t.Errorf("%s: %+v, due %s", name, got, got.RenewalDue(time.Hour))
		}
	}
	if due := ClaimsOf(jwt(`{"iat":1000,"exp":3000}`)).RenewalDue(100 * time.Second); !due.Equal(at(1050)) {
		t.Error("a shorter lifetime counts: ", due)
	}
	c := ClaimsOf(jwt(`{"exp":3000}`))
	if c.Expired(at(2999)) || !c.Expired(at(3000)) || (Claims{}).Expired(at(3000)) {
		t.Error("a token has ended from the moment that it names")
	}
}

func TestTokenLifetime(t *testing.T) {
	for value, want := range map[string]time.Duration{"168h": 168 * time.Hour, "": 0, "soon": 0, "-1h": 0} {
		secret := &corev1.Secret{}
		secret.Annotations = map[string]string{TokenLifetimeAnnotation: value}
		if got := TokenLifetime(secret); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
	if TokenLifetime(nil) != 0 {
		t.Error("no Secret is not renewed")
	}
}
