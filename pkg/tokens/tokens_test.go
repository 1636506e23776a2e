package tokens

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/pkg/reach"
)

func TestDue(t *testing.T) {
	begin := time.Unix(1_700_000_000, 0)
	secret := func(lifetime string, life time.Duration) *corev1.Secret {
		claims := fmt.Sprintf(`{"iat":%d,"sub":"system:serviceaccount:a:b"`, begin.Unix())
		if life > 0 {
			claims += fmt.Sprintf(`,"exp":%d`, begin.Add(life).Unix())
		}
		s := &corev1.Secret{Data: map[string][]byte{reach.TokenKey: []byte("h." + base64.RawURLEncoding.EncodeToString([]byte(claims+"}")) + ".s")}}
		if lifetime != "" {
			s.Annotations = map[string]string{reach.TokenLifetimeAnnotation: lifetime}
		}
		return s
	}
	for _, test := range []struct {
		name   string
		secret *corev1.Secret
		after  time.Duration
		want   bool
	}{
		{"none", nil, 0, false},
		{"new", secret("1h", time.Hour), 29 * time.Minute, false},
		{"half of its life", secret("1h", time.Hour), 30 * time.Minute, true},
		{"a shorter lifetime is asked for", secret("20m", time.Hour), 10 * time.Minute, true},
		{"nobody renews it", secret("", time.Hour), 2 * time.Hour, false},
		{"it does not end", secret("1h", 0), 24 * time.Hour, false},
	} {
		if got := Due(test.secret, begin.Add(test.after)); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}
