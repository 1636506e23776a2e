package localcluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Files of a cluster's pki directory. The names follow kubeadm's.
const (
	caFile        = "ca.crt"
	serverCert    = "apiserver.crt"
	serverKey     = "apiserver.key"
	tokenKey      = "sa.key"
	tokenPublic   = "sa.pub"
	frontCAFile   = "front-proxy-ca.crt"
	frontCert     = "front-proxy-client.crt"
	frontKey      = "front-proxy-client.key"
	adminUser     = "kubernetes-admin"
	mastersGroup  = "system:masters"
	certLifetime  = 10 * 365 * 24 * time.Hour
	certClockSkew = time.Hour
)

// clientUsers are the users that get a client certificate, each in the group
// system:masters. The components have the names they have in other clusters, so
// that managed fields and audit logs read the same.
var clientUsers = map[string]string{
	"admin":           adminUser,
	ControllerManager: "system:kube-controller-manager",
	Scheduler:         "system:kube-scheduler",
	Kwok:              "kwok",
}

// authority is a certificate authority that signs for one cluster. Its key is
// never stored: a certificate that must be renewed is a cluster made anew.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

// frontProxyUser is whom an aggregated API server lets say who somebody is: the API
// server that passes his request on.
const frontProxyUser = "front-proxy-client"

// ensurePKI creates dir with a certificate authority, the API server's
// certificate, client certificates and the service-account key pair. It is all
// there or not at all: it is built beside dir and renamed.
func ensurePKI(dir, cluster string, serviceIP net.IP) error {
	return ensureDir(dir, cluster, func(dir string) error { return createPKI(dir, cluster, serviceIP) })
}

// ensureFrontProxy creates dir with the certificate by which aggregated API servers know
// the cluster's API server, and an authority for nothing else: whom the cluster's own
// authority signs is a user, and must not be able to say that he is another.
func ensureFrontProxy(dir, cluster string) error {
	return ensureDir(dir, cluster, func(dir string) error {
		ca, err := newAuthority(filepath.Join(dir, frontCAFile), "fedctl-local-front-proxy-"+cluster)
		if err != nil {
			return err
		}
		return ca.issue("front-proxy-client", &x509.Certificate{
			Subject:     pkix.Name{CommonName: frontProxyUser},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
	})
}

func ensureDir(dir, cluster string, create func(dir string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	temporary := dir + ".tmp"
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return err
	}
	if err := create(temporary); err != nil {
		return fmt.Errorf("creating the certificates of cluster %s: %w", cluster, err)
	}
	return os.Rename(temporary, dir)
}

func createPKI(dir, cluster string, serviceIP net.IP) error {
	ca, err := newAuthority(filepath.Join(dir, caFile), "fedctl-local-"+cluster)
	if err != nil {
		return err
	}
	err = ca.issue("apiserver", &x509.Certificate{
		Subject:     pkix.Name{CommonName: APIServer},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), serviceIP},
	})
	if err != nil {
		return err
	}
	for file, user := range clientUsers {
		err := ca.issue(file, &x509.Certificate{
			Subject:     pkix.Name{CommonName: user, Organization: []string{mastersGroup}},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if err != nil {
			return err
		}
	}
	return createTokenKeys(dir)
}

// newAuthority writes the authority's certificate to path.
func newAuthority(path, name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	cert, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key, dir: filepath.Dir(path)}, writePEM(path, "CERTIFICATE", cert.Raw)
}

// issue writes NAME.crt and NAME.key.
func (a *authority) issue(name string, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	cert, err := sign(template, a.cert, key, a.key)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(a.dir, name+".crt"), "CERTIFICATE", cert.Raw); err != nil {
		return err
	}
	return writeKey(filepath.Join(a.dir, name+".key"), key)
}

func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-certClockSkew)
	template.NotAfter = time.Now().Add(certLifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// createTokenKeys writes the key pair that signs service-account tokens.
func createTokenKeys(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, tokenPublic), "PUBLIC KEY", public); err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, tokenKey), key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
