package join

import (
	"crypto/x509"
	"encoding/pem"
	"time"

	"k8s.io/client-go/rest"
)

// endedCertificate says what a refusal may be due to: that the client certificate in a
// kubeconfig has ended, or has not begun. It is empty where neither is so.
func endedCertificate(config *rest.Config, now time.Time) string {
	block, _ := pem.Decode(config.CertData)
	if block == nil {
		return ""
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return ""
	case now.After(certificate.NotAfter):
		return "its client certificate ended at " + certificate.NotAfter.UTC().Format(time.RFC3339)
	case now.Before(certificate.NotBefore):
		return "its client certificate begins at " + certificate.NotBefore.UTC().Format(time.RFC3339)
	}
	return ""
}
