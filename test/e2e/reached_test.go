package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// throughContext is fedctl with a kubeconfig in which a member has one more context, whose
// cluster and user by changes.
func throughContext(c *framework.Cluster, name string, by func(cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo)) *framework.Programs {
	GinkgoHelper()
	config, err := clientcmd.LoadFromFile(system.Kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	of := config.Contexts[c.Name]
	Expect(of).NotTo(BeNil())
	cluster, user := config.Clusters[of.Cluster].DeepCopy(), config.AuthInfos[of.AuthInfo].DeepCopy()
	by(cluster, user)
	config.Clusters[name], config.AuthInfos[name] = cluster, user
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return system.With(path)
}

// endedCertificate is a client certificate that ended an hour ago, with its key.
func endedCertificate() (certificate, key []byte) {
	GinkgoHelper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	Expect(err).NotTo(HaveOccurred())
	keyRaw, err := x509.MarshalECPrivateKey(private)
	Expect(err).NotTo(HaveOccurred())
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyRaw})
}

// expectLife has an object go through its life in a member, with a drift that only a watch tells of.
func expectLife(ctx context.Context, c *framework.Cluster, cluster string) {
	GinkgoHelper()
	ns := plainNamespace(ctx)
	create(ctx, federate("Namespace", ns, ns, nil).onNames(cluster))
	f := create(ctx, configMap(ns, "reached", fields{"a": "1"}).onNames(cluster))
	expectStatus(ctx, f, "", map[string]string{cluster: ""})
	expectField(ctx, c, f.target, "/data/a", "1")
	tamper(ctx, c, f.target, func(u *unstructured.Unstructured) { set(u.Object, "/data/a", "theirs") })
	expectField(ctx, c, f.target, "/data/a", "1")
	change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
	expectField(ctx, c, f.target, "/data/a", "2")
	remove(ctx, f)
	expectMissing(ctx, c, f.target)
}

var _ = Describe("A member that is joined", localOnly, Serial, func() {
	// away has a member leave for the time of a spec, so that it can be joined in another way.
	away := func(ctx SpecContext) *framework.Cluster {
		GinkgoHelper()
		c := members[1]
		fedctl(ctx, "unjoin", c.Name)
		DeferCleanup(func(ctx SpecContext) {
			_, _ = system.Run(ctx, "unjoin", c.Name) // with another address, or not at all
			fedctl(ctx, "join", c.Name)
			Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		}, NodeTimeout(time.Minute))
		return c
	}

	It("behind a path is reached under that path", func(ctx SpecContext) {
		c := away(ctx)
		proxy, err := framework.StartProxyUnder(c, "/k8s/clusters/c-x7k2", nil)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(proxy.Close)
		behind := throughContext(c, "behind", func(cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) {
			*cluster = clientcmdapi.Cluster{Server: proxy.Endpoint(), CertificateAuthorityData: proxy.CABundle()}
			*user = clientcmdapi.AuthInfo{} // the proxy knows the administrator
		})
		_, err = behind.Run(ctx, "join", c.Name, "--cluster-context", "behind")
		Expect(err).NotTo(HaveOccurred())
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		Expect(at(found(ctx, host, kubeFedCluster(c)).Object, "/spec/apiEndpoint")).To(HaveSuffix("/k8s/clusters/c-x7k2"))
		expectLife(ctx, c, c.Name)
		_, err = behind.Run(ctx, "unjoin", c.Name, "--cluster-context", "behind")
		Expect(err).NotTo(HaveOccurred())
	}, NodeTimeout(3*time.Minute))

	It("with a kubeconfig that has no CA and checks nothing is reached in the same way, which is said", func(ctx SpecContext) {
		c := away(ctx)
		unchecked := throughContext(c, "unchecked", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			cluster.CertificateAuthority, cluster.CertificateAuthorityData, cluster.InsecureSkipTLSVerify = "", nil, true
		})
		out, err := unchecked.Run(ctx, "join", c.Name, "--cluster-context", "unchecked")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("insecure-skip-tls-verify"))
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		Expect(at(found(ctx, host, kubeFedCluster(c)).Object, "/spec/disabledTLSValidations")).To(Equal(list{"*"}))
		expectLife(ctx, c, c.Name)
	}, NodeTimeout(3*time.Minute))

	It("with a kubeconfig that has no CA and a certificate of its own authority is refused, with the reason", func(ctx SpecContext) {
		c := away(ctx)
		unknown := throughContext(c, "unknown", func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			cluster.CertificateAuthority, cluster.CertificateAuthorityData = "", nil
		})
		_, err := unknown.Run(ctx, "join", c.Name, "--cluster-context", "unknown")
		Expect(err).To(MatchError(ContainSubstring("signed by an authority")))
	}, NodeTimeout(2*time.Minute))

	It("with a client certificate that has ended is refused, and that is the reason", func(ctx SpecContext) {
		c := away(ctx)
		ended := throughContext(c, "ended", func(_ *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) {
			certificate, key := endedCertificate()
			*user = clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
		})
		_, err := ended.Run(ctx, "join", c.Name, "--cluster-context", "ended")
		Expect(err).To(MatchError(And(ContainSubstring("401 Unauthorized"), ContainSubstring("its client certificate ended at "))))
	}, NodeTimeout(2*time.Minute))
})
