package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

var _ = Describe("the webhook for KubeFedConfigs", Ordered, func() {
	var (
		leader, second *framework.Controller
		addresses      []string
	)

	BeforeAll(func(ctx SpecContext) {
		fedctl(ctx, "install", "--without-controller")
		for range 2 {
			address, err := framework.FreeAddress(ctx)
			Expect(err).NotTo(HaveOccurred())
			addresses = append(addresses, address)
		}
		// Both are told the same URL, as two replicas have the same Service.
		quick := []string{"--webhook-url=https://" + addresses[0], "--leader-elect-lease-duration=8s", "--leader-elect-renew-deadline=6s", "--leader-elect-retry-period=1s"}
		leader = prepare(ctx, "leader", central, append(quick, "--webhook-bind-address="+addresses[0])...)
		second = prepare(ctx, "second", central, append(quick, "--webhook-bind-address="+addresses[1])...)
		Expect(leader.Start(ctx)).To(Succeed())
		Eventually(ctx, func() error { return defaulted(ctx, central) }).Should(Succeed())
	}, NodeTimeout(2*time.Minute))

	AfterAll(func(ctx SpecContext) {
		Expect(leader.Stop(ctx)).To(Succeed())
		Expect(second.Stop(ctx)).To(Succeed())
		// The rules of scope Cluster hold everywhere; other specs are about those that do not.
		for _, rules := range []string{"federatedtypeconfigs", "kubefedclusters", "kubefedconfigs"} {
			Expect(host.Delete(ctx, &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: rules + ".core.kubefed.io"}})).To(Succeed())
		}
		Expect(host.Delete(ctx, webhookConfiguration(ctx))).To(Succeed())
		Eventually(ctx, func() error { return host.Create(ctx, kubeFedConfigOf("Galaxy"), client.DryRunAll) }).Should(Succeed())
	}, NodeTimeout(2*time.Minute))

	It("fills in what is left out, when an object is created, updated or patched", func(ctx SpecContext) {
		config := kubeFedConfig(central, "webhook")
		Expect(host.Create(ctx, config)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, config))).To(Succeed()) }, NodeTimeout(time.Minute))
		Expect(config.Object["spec"]).To(BeEquivalentTo(map[string]any{
			"scope":              "Cluster",
			"controllerDuration": map[string]any{"availableDelay": "20s", "unavailableDelay": "1m0s", "cacheSyncTimeout": "5m0s"},
			"leaderElect":        map[string]any{"leaseDuration": "15s", "renewDeadline": "10s", "retryPeriod": "5s", "resourceLock": "configmaps"},
			"clusterHealthCheck": map[string]any{"period": "10s", "timeout": "3s", "failureThreshold": int64(3), "successThreshold": int64(1)},
			"syncController":     map[string]any{"maxConcurrentReconciles": int64(1), "adoptResources": "Enabled"},
			"statusController":   map[string]any{"maxConcurrentReconciles": int64(1)},
			"featureGates": []any{
				map[string]any{"name": "PushReconciler", "configuration": "Enabled"},
				map[string]any{"name": "RawResourceStatusCollection", "configuration": "Disabled"},
				map[string]any{"name": "SchedulerPreferences", "configuration": "Enabled"},
			},
		}))
		complete := config.DeepCopy()

		config.Object["spec"] = map[string]any{"scope": "Cluster"}
		Expect(host.Update(ctx, config)).To(Succeed())
		Expect(config.Object["spec"]).To(Equal(complete.Object["spec"]))
		patch := `{"spec":{"syncController":null,"featureGates":[{"name":"SchedulerPreferences","configuration":"Disabled"}]}}`
		Expect(host.Patch(ctx, config, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
		gates, _, err := unstructured.NestedSlice(complete.Object, "spec", "featureGates")
		Expect(err).NotTo(HaveOccurred())
		gates[2] = map[string]any{"name": "SchedulerPreferences", "configuration": "Disabled"}
		Expect(unstructured.SetNestedSlice(complete.Object, gates, "spec", "featureGates")).To(Succeed())
		Expect(config.Object["spec"]).To(Equal(complete.Object["spec"]))
	}, SpecTimeout(time.Minute))

	It("serves all namespaces with scope Cluster, and the rules hold in all", func(ctx SpecContext) {
		Expect(defaulted(ctx, "default")).To(Succeed())
		// An API server takes some time to notice a policy.
		Eventually(ctx, func() error { return host.Create(ctx, kubeFedConfigOf("Galaxy"), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("spec.scope must be Cluster or Namespaced")))
	}, SpecTimeout(time.Minute))

	It("renews its certificates while not one request fails, in both replicas", func(ctx SpecContext) {
		short := []string{"--webhook-certificate-validity=16s", "--webhook-ca-validity=64s"}
		Expect(leader.Restart(ctx, short...)).To(Succeed())
		Expect(second.Launch(short...)).To(Succeed())
		Eventually(ctx, func() error { return defaulted(ctx, central) }).Should(Succeed())
		Eventually(ctx, func() error { _, err := handshake(ctx, addresses[1]); return err }).Should(Succeed())
		setFailurePolicy(ctx, admissionv1.Fail)
		DeferCleanup(func(ctx SpecContext) { setFailurePolicy(ctx, admissionv1.Ignore) }, NodeTimeout(time.Minute))

		served, signed := map[string]bool{}, map[string]bool{}
		requests := 0
		for len(served) < 5 || len(signed) < 3 {
			Expect(ctx.Err()).NotTo(HaveOccurred(), "%d certificates of %d authorities, in %d requests", len(served), len(signed), requests)
			Expect(defaulted(ctx, central)).To(Succeed(), "after %d requests and %d certificates", requests, len(served))
			requests++
			for _, address := range addresses {
				leaf, err := handshake(ctx, address)
				Expect(err).NotTo(HaveOccurred(), "after %d requests and %d certificates", requests, len(served))
				served[leaf.SerialNumber.String()], signed[leaf.Issuer.String()] = true, true
			}
			time.Sleep(50 * time.Millisecond)
		}
		Expect(len(authorities(ctx))).To(BeNumerically("<=", 3), "those that have ended are no longer trusted")
		Expect(second.Kill(ctx)).To(Succeed())
	}, SpecTimeout(5*time.Minute))

	It("is not needed: without it nothing is refused, and the controller defaults later", func(ctx SpecContext) {
		Expect(leader.Stop(ctx)).To(Succeed())
		config := kubeFedConfig(central, "later")
		Expect(host.Create(ctx, config)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, config)).To(Succeed()) }, NodeTimeout(time.Minute))
		Expect(config.Object["spec"]).To(Equal(map[string]any{"scope": "Cluster"}))

		Expect(leader.Start(ctx)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			g.Expect(host.Get(ctx, client.ObjectKeyFromObject(config), config)).To(Succeed())
			g.Expect(config.Object["spec"]).To(And(HaveKey("featureGates"), HaveKey("controllerDuration"), HaveKey("syncController")))
		}).Should(Succeed())
		Eventually(ctx, notes(ctx, config)).Should(ContainElement("NotUsed: Only the KubeFedConfig called kubefed counts."))
	}, SpecTimeout(2*time.Minute))

	It("survives another installation", func(ctx SpecContext) {
		Eventually(ctx, func() error { return defaulted(ctx, central) }).Should(Succeed())
		Expect(fedctl(ctx, "install", "--without-controller")).To(ContainSubstring("0 created, 0 configured"))
		Expect(defaulted(ctx, central)).To(Succeed())
	}, SpecTimeout(2*time.Minute))
})

func kubeFedConfig(namespace, name string) *unstructured.Unstructured {
	config := object("core.kubefed.io/v1beta1", "KubeFedConfig", namespace, name)
	config.Object["spec"] = map[string]any{"scope": "Cluster"}
	return config
}

// kubeFedConfigOf is one of a scope in a namespace without a control plane.
func kubeFedConfigOf(scope string) *unstructured.Unstructured {
	config := kubeFedConfig("default", "of-a-scope")
	config.Object["spec"] = map[string]any{"scope": scope}
	return config
}

// defaulted asks the API server, which asks the webhook, and says what went wrong
// if the answer was not defaulted. Nothing is stored.
func defaulted(ctx context.Context, namespace string) error {
	config := kubeFedConfig(namespace, "probe")
	if err := host.Create(ctx, config, client.DryRunAll); err != nil {
		return err
	}
	if _, found, _ := unstructured.NestedSlice(config.Object, "spec", "featureGates"); !found {
		return apierrors.NewBadRequest("the object was not defaulted")
	}
	return nil
}

func webhookConfiguration(ctx context.Context) *admissionv1.MutatingWebhookConfiguration {
	GinkgoHelper()
	configuration := &admissionv1.MutatingWebhookConfiguration{}
	Expect(host.Get(ctx, client.ObjectKey{Name: "fedctl-controller"}, configuration)).To(Succeed())
	return configuration
}

func setFailurePolicy(ctx context.Context, policy admissionv1.FailurePolicyType) {
	GinkgoHelper()
	patch := `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"` + string(policy) + `"}]`
	Expect(host.Patch(ctx, webhookConfiguration(ctx), client.RawPatch(types.JSONPatchType, []byte(patch)))).To(Succeed())
}

// authorities are what API servers trust.
func authorities(ctx context.Context) (out []*x509.Certificate) {
	GinkgoHelper()
	pool := webhookConfiguration(ctx).Webhooks[0].ClientConfig.CABundle
	for block, rest := pem.Decode(pool); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		Expect(err).NotTo(HaveOccurred())
		out = append(out, certificate)
	}
	return out
}

// handshake connects to a replica as the API server does, with the authorities of
// the webhook configuration, and returns the certificate it has shown.
func handshake(ctx context.Context, address string) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	for _, authority := range authorities(ctx) {
		roots.AddCert(authority)
	}
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()                                                 //nolint:errcheck // only looked at
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0], nil //nolint:forcetypeassert // it is one
}
