package install

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/internal/manifests"
)

// The certificate stays for most of its life; its successor is trusted beside it, whichever
// of the two a server shows.
func TestCertify(t *testing.T) {
	now := time.Now()
	var first manifests.FleetAPIOptions
	if err := certify(&first, "ns", nil, now); err != nil {
		t.Fatal(err)
	}
	verify(t, first, first.Authority, "fedctl-fleet-api.ns.svc", now)
	there := map[string][]byte{
		corev1.TLSCertKey: first.Certificate, corev1.TLSPrivateKeyKey: first.Key, corev1.ServiceAccountRootCAKey: first.Authority,
	}
	for _, test := range []struct {
		name, namespace string
		after           time.Duration
		kept            bool
	}{
		{"the next day", "ns", 24 * time.Hour, true},
		{"after half of its life", "ns", certificateLifetime / 2, true},
		{"after most of it", "ns", certificateLifetime * 3 / 4, false},
		{"for another namespace", "other", time.Hour, false},
	} {
		var again manifests.FleetAPIOptions
		if err := certify(&again, test.namespace, there, now.Add(test.after)); err != nil {
			t.Fatal(err)
		}
		if kept := bytes.Equal(again.Certificate, first.Certificate); kept != test.kept {
			t.Errorf("%s: kept: %t", test.name, kept)
		}
		verify(t, again, again.Authority, "fedctl-fleet-api."+test.namespace+".svc", now)
		verify(t, first, again.Authority, "fedctl-fleet-api.ns.svc", now)
	}
	var mended manifests.FleetAPIOptions
	if err := certify(&mended, "ns", map[string][]byte{corev1.TLSCertKey: first.Certificate}, now); err != nil || bytes.Equal(mended.Certificate, first.Certificate) {
		t.Errorf("a certificate without its key is kept: %v", err)
	}
}

func verify(t *testing.T, of manifests.FleetAPIOptions, authority []byte, host string, now time.Time) {
	t.Helper()
	block, _ := pem.Decode(of.Certificate)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now}); err != nil {
		t.Error(err)
	}
}
