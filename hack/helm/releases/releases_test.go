package releases

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v4/pkg/action"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	helm "github.com/fedctl/fedctl/hack/helm"
	"github.com/fedctl/fedctl/test/kit"
)

const shop = "shop"

var (
	settings    = kit.Named("core.kubefed.io/v1beta1", "KubeFedConfig", namespace, "kubefed")
	secrets     = kit.Named("core.kubefed.io/v1beta1", "FederatedTypeConfig", namespace, "secrets")
	jobs        = kit.Named("core.kubefed.io/v1beta1", "FederatedTypeConfig", namespace, "jobs.batch")
	replicaSets = kit.Named("core.kubefed.io/v1beta1", "FederatedTypeConfig", namespace, "replicasets.apps")
	account     = kit.Named("v1", "ServiceAccount", namespace, "fedctl-controller")
	federated   = kit.Named("types.kubefed.io/v1beta1", "FederatedConfigMap", shop, "settings")
	inMember    = kit.Named("v1", "ConfigMap", shop, "settings")
)

var _ = Describe("a release", Ordered, func() {
	var uid, version any // of the member's object, from its creation to the end

	// unchanged expects that nobody has written into the member since then.
	unchanged := func(ctx context.Context, writes int) {
		GinkgoHelper()
		Consistently(ctx, func(g Gomega) {
			there, err := kit.Read(ctx, member, inMember)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(there.GetUID()).To(Equal(uid))
			g.Expect(there.GetResourceVersion()).To(Equal(version))
			g.Expect(memberWrites(ctx)).To(Equal(writes))
		}).Should(Succeed())
	}

	It("asks for the definitions first", func(ctx SpecContext) {
		Expect(controlPlane.install(ctx, previous, nil)).To(MatchError(ContainSubstring("install the chart fedctl-crds first")))
		Expect(definitions.install(ctx, previous, nil)).To(Succeed())
	}, SpecTimeout(5*time.Minute))

	It("federates", func(ctx SpecContext) {
		// An API server may serve what is defined a little later than it says so.
		Eventually(ctx, func() error {
			return controlPlane.install(ctx, previous, helm.Values{"replicas": 1, "types": helm.Values{"jobs.batch": false}})
		}).Should(Succeed())
		Expect(rendered(ctx)["image"]).To(Equal("ghcr.io/fedctl/controller:" + previous))
		_, err := kit.Read(ctx, host, jobs)
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "a type that was not asked for: %v", err)
		startController(ctx)
		fedctl(ctx, "join", member.Name, "--cluster-context", member.Name)
		Expect(system.WaitForMember(ctx, member.Name, true)).To(Succeed())
		federateShop(ctx)
		Eventually(ctx, func() error { _, err := kit.Read(ctx, member, inMember); return err }).Should(Succeed())
		Eventually(ctx, propagated(ctx)).Should(Equal("True"))
		there := kit.Found(ctx, member, inMember)
		uid, version = there.GetUID(), there.GetResourceVersion()
	}, SpecTimeout(8*time.Minute))

	for by, options := range map[string][]func(*action.Upgrade){"server-side": nil, "as Helm 3": {asHelm3}} {
		It("is upgraded "+by+" without a write to a member, and leaves the owner's choices", func(ctx SpecContext) {
			choose(ctx, secrets, "propagation", "Disabled")
			choose(ctx, settings, "syncController", kit.Fields{"adoptResources": "Disabled"})
			fedctl(ctx, "enable", "jobs.batch")
			fedctl(ctx, "disable", "replicasets.apps")
			chosen := specs(ctx, settings, secrets, jobs)
			writes := memberWrites(ctx)
			Expect(definitions.upgrade(ctx, current, nil, options...)).To(Succeed())
			Expect(controlPlane.upgrade(ctx, current, helm.Values{"replicas": 2}, options...)).To(Succeed())
			Expect(rendered(ctx)["image"]).To(Equal("ghcr.io/fedctl/controller:" + current))
			startController(ctx)
			unchanged(ctx, writes)
			Expect(specs(ctx, settings, secrets, jobs)).To(Equal(chosen))
			_, err := kit.Read(ctx, host, replicaSets)
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "a type that was disabled: %v", err)

			Expect(controlPlane.rollback(1)).To(Succeed())
			Expect(rendered(ctx)["image"]).To(Equal("ghcr.io/fedctl/controller:" + previous))
			Expect(kit.Found(ctx, host, deployment).Object).To(HaveKeyWithValue("spec", HaveKeyWithValue("replicas", BeEquivalentTo(1))))
			unchanged(ctx, writes)
			Expect(specs(ctx, settings, secrets, jobs)).To(Equal(chosen))
		}, SpecTimeout(8*time.Minute))
	}

	It("is no business of fedctl install", func(ctx SpecContext) {
		before := kit.Found(ctx, host, deployment).GetResourceVersion()
		_, err := system.Run(ctx, "install", "--without-controller")
		Expect(err).To(MatchError(And(
			ContainSubstring("belongs to the Helm release federation"), ContainSubstring("helm upgrade federation CHART"), ContainSubstring("helm uninstall federation"))))
		Expect(kit.Found(ctx, host, deployment).GetResourceVersion()).To(Equal(before))
	}, SpecTimeout(3*time.Minute))

	It("cannot change its scope", func(ctx SpecContext) {
		Expect(controlPlane.upgrade(ctx, current, helm.Values{"scope": "Namespaced"})).
			To(MatchError(ContainSubstring("has scope Cluster (KubeFedConfig kubefed), which cannot be changed")))
	}, SpecTimeout(3*time.Minute))

	It("brings the API of the fleet, with a certificate that stays", func(ctx SpecContext) {
		service := kit.Named("apiregistration.k8s.io/v1", "APIService", "", "v1alpha1.fleet.fedctl.io")
		certificate := kit.Named("v1", "Secret", namespace, "fedctl-fleet-api")
		writes := memberWrites(ctx)
		withFleet := func(enabled bool) helm.Values {
			return helm.Values{"replicas": 1, "fleetAPI": helm.Values{"enabled": enabled, "replicas": 0}}
		}
		DeferCleanup(func(ctx SpecContext) { // nothing serves it, and no namespace could be deleted
			Expect(client.IgnoreNotFound(host.Delete(ctx, service.Empty()))).To(Succeed())
		}, NodeTimeout(time.Minute))
		Expect(controlPlane.upgrade(ctx, current, withFleet(true))).To(Succeed())
		made := kit.Found(ctx, host, certificate)
		Expect(kit.At(kit.Found(ctx, host, service).Object, "/spec/caBundle")).To(Equal(kit.At(made.Object, "/data/ca.crt")))
		proves(made, "fedctl-fleet-api."+namespace+".svc")
		Expect(controlPlane.upgrade(ctx, current, withFleet(true))).To(Succeed())
		Expect(kit.Found(ctx, host, certificate).Object["data"]).To(Equal(made.Object["data"]))
		Expect(kit.At(kit.Found(ctx, host, service).Object, "/spec/caBundle")).To(Equal(kit.At(made.Object, "/data/ca.crt")))
		Expect(controlPlane.upgrade(ctx, current, withFleet(false))).To(Succeed())
		for _, gone := range []kit.Ref{service, certificate} {
			Eventually(ctx, func() bool { _, err := kit.Read(ctx, host, gone); return apierrors.IsNotFound(err) }).Should(BeTrue(), gone.String())
		}
		unchanged(ctx, writes)
	}, SpecTimeout(8*time.Minute))

	It("leaves all but itself when it is removed, and a next one goes on with it", func(ctx SpecContext) {
		chosen, writes := specs(ctx, settings, secrets, jobs, federated), memberWrites(ctx)
		stopController(ctx)
		Expect(controlPlane.uninstall()).To(Succeed())
		Expect(definitions.uninstall()).To(Succeed())
		for _, gone := range []kit.Ref{deployment, account, kit.Named("rbac.authorization.k8s.io/v1", "ClusterRole", "", "fedctl-controller")} {
			Eventually(ctx, func() bool { _, err := kit.Read(ctx, host, gone); return apierrors.IsNotFound(err) }).Should(BeTrue(), gone.String())
		}
		Expect(specs(ctx, settings, secrets, jobs, federated)).To(Equal(chosen))
		unchanged(ctx, writes)

		another := release{chart: controlPlane.chart, name: "another", namespace: namespace}
		Expect(definitions.install(ctx, current, nil)).To(Succeed())
		Eventually(ctx, func() error { return another.install(ctx, current, nil) }).Should(Succeed())
		startController(ctx)
		Expect(system.WaitForMember(ctx, member.Name, true)).To(Succeed())
		unchanged(ctx, writes)
		Expect(specs(ctx, settings, secrets, jobs, federated)).To(Equal(chosen))
		kit.Change(ctx, host, federated, func(u *unstructured.Unstructured) {
			Expect(unstructured.SetNestedField(u.Object, "CHF", "spec", "template", "data", "currency")).To(Succeed())
		})
		kit.ExpectField(ctx, member, inMember, "/data/currency", "CHF")
		Expect(memberWrites(ctx)).To(BeNumerically(">", writes), "what is counted")
		stopController(ctx)
		Expect(another.uninstall()).To(Succeed())
	}, SpecTimeout(8*time.Minute))

	It("takes over from fedctl install, and gives back to it", func(ctx SpecContext) {
		fedctl(ctx, "install", "--wait", "0", "--image", "example.com/c:v1")
		Expect(controlPlane.install(ctx, current, nil)).To(MatchError(ContainSubstring("invalid ownership metadata")))
		Expect(controlPlane.install(ctx, current, nil, takingOver)).To(Succeed())
		Expect(rendered(ctx)["image"]).To(Equal("ghcr.io/fedctl/controller:" + current))
		_, err := system.Run(ctx, "install", "--wait", "0")
		Expect(err).To(MatchError(ContainSubstring("belongs to the Helm release federation")))
		Expect(controlPlane.uninstall()).To(Succeed())
		Eventually(ctx, func() bool { _, err := kit.Read(ctx, host, account); return apierrors.IsNotFound(err) }).Should(BeTrue())
		fedctl(ctx, "install", "--wait", "0")
		startController(ctx)
		Expect(system.WaitForMember(ctx, member.Name, true)).To(Succeed())
	}, SpecTimeout(8*time.Minute))
})

// federateShop federates a namespace with a ConfigMap.
func federateShop(ctx context.Context) {
	GinkgoHelper()
	Expect(host.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}})).To(Succeed())
	everywhere := kit.Fields{"clusterSelector": kit.Fields{}}
	for r, spec := range map[kit.Ref]kit.Fields{
		kit.Named("types.kubefed.io/v1beta1", "FederatedNamespace", shop, shop): {"placement": everywhere},
		federated: {"placement": everywhere, "template": kit.Fields{"data": kit.Fields{"currency": "EUR"}}},
	} {
		object := r.Empty()
		object.Object["spec"] = spec
		Expect(host.Create(ctx, object)).To(Succeed())
	}
}

func propagated(ctx context.Context) func() (string, error) {
	return func() (string, error) {
		there, err := kit.Read(ctx, host, federated)
		if err != nil {
			return "", err
		}
		conditions, _, err := unstructured.NestedSlice(there.Object, "status", "conditions")
		for _, item := range conditions {
			if condition, _ := item.(kit.Fields); condition["type"] == "Propagation" {
				status, _ := condition["status"].(string)
				return status, err
			}
		}
		return "", err
	}
}

// proves expects a Secret's certificate to be for a host, and to go with its key and authority.
func proves(secret *unstructured.Unstructured, host string) {
	GinkgoHelper()
	data := map[string][]byte{}
	for key, value := range secret.Object["data"].(kit.Fields) {
		decoded, err := base64.StdEncoding.DecodeString(value.(string))
		Expect(err).NotTo(HaveOccurred())
		data[key] = decoded
	}
	pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	Expect(err).NotTo(HaveOccurred())
	authorities := x509.NewCertPool()
	Expect(authorities.AppendCertsFromPEM(data[corev1.ServiceAccountRootCAKey])).To(BeTrue())
	_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: authorities})
	Expect(err).NotTo(HaveOccurred())
}

// choose changes a field of a spec as somebody at a terminal would.
func choose(ctx context.Context, r kit.Ref, field string, value any) {
	GinkgoHelper()
	there := kit.Found(ctx, host, r)
	before := there.DeepCopy()
	Expect(unstructured.SetNestedField(there.Object, value, "spec", field)).To(Succeed())
	Expect(host.Patch(ctx, there, client.MergeFrom(before), client.FieldOwner("kubectl-edit"))).To(Succeed())
}

// specs are those of objects that must be there.
func specs(ctx context.Context, refs ...kit.Ref) map[string]any {
	GinkgoHelper()
	all := map[string]any{}
	for _, r := range refs {
		all[r.String()] = kit.Found(ctx, host, r).Object["spec"]
	}
	return all
}
