package autoscaling

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
	"github.com/fedctl/fedctl/internal/finding"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// scaledObjects is the definition of KEDA's kind, as far as it matters here.
const scaledObjects = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: scaledobjects.keda.sh}, spec: {
	group: keda.sh, scope: Namespaced, names: {kind: ScaledObject, plural: scaledobjects, singular: scaledobject},
	versions: [{name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`

// scale sets the replicas through the subresource, as whoever scales does.
func scale(ctx SpecContext, on client.Client, r kit.Ref, replicas int) {
	GinkgoHelper()
	body := kit.Parse(fmt.Sprintf(`{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: %s, namespace: %s}, spec: {replicas: %d}}`, r.Name, r.Namespace, replicas))
	Eventually(ctx, func() error {
		return on.SubResource("scale").Update(ctx, r.Empty(), client.WithSubResourceBody(body.DeepCopy()))
	}).Should(Succeed())
}

var _ = Describe("A member's own autoscaler", func() {
	It("has the replicas also where it was there before the workload, in that member alone", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		scaled, other := members[0], members[1]
		loads[scaled.Name].set(ns, 150)
		kit.ExpectField(ctx, scaled, kit.Named("v1", "Namespace", "", ns), "/status/phase", "Active")
		hpa := autoscalerIn(ctx, scaled, ns, "theirs")
		deployment(ctx, ns, "web", 1, `fedctl.io/replicas-after-autoscaler: Template`, members...)
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), scaled)).Should(HaveKeyWithValue("by", "HorizontalPodAutoscaler theirs"))
		Eventually(ctx, replicas(ctx, scaled, web(ns))).Should(Equal(int64(3)))
		Expect(autoscaling(ctx, federatedWeb(ns), other)()).To(BeEmpty())

		By("a second one, which fights with the first, but not with the federation")
		second := autoscalerIn(ctx, scaled, ns, "second")
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), scaled)).Should(HaveKeyWithValue("by", "HorizontalPodAutoscaler second, HorizontalPodAutoscaler theirs"))
		Expect(scaled.Delete(ctx, second.Empty())).To(Succeed())
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), scaled)).Should(HaveKeyWithValue("by", "HorizontalPodAutoscaler theirs"))

		By("what is scaled by hand elsewhere, which is put right")
		scale(ctx, other, web(ns), 4)
		Eventually(ctx, replicas(ctx, other, web(ns))).Should(Equal(int64(1)))

		By("another target, and the template's number comes back as the annotation has it")
		kit.Change(ctx, scaled, hpa, func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/scaleTargetRef/name", "another") })
		Eventually(ctx, replicas(ctx, scaled, web(ns))).Should(Equal(int64(1)))
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), scaled)).Should(BeEmpty())
	})

	It("has the replicas of what diff shows before the federation takes it over", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		c := members[0]
		kit.ExpectField(ctx, c, kit.Named("v1", "Namespace", "", ns), "/status/phase", "Active")
		manifest := func(apiVersion, kind, spec string) string {
			return fmt.Sprintf(`{apiVersion: %s, kind: %s, metadata: {name: web, namespace: %s}, spec: %s}`, apiVersion, kind, ns, spec)
		}
		workload := func(replicas int) string {
			return fmt.Sprintf(`{replicas: %d, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: registry.k8s.io/pause:3.9}]}}}`, replicas)
		}
		Expect(c.Create(ctx, kit.Parse(manifest("apps/v1", "Deployment", workload(5))))).To(Succeed())
		file := filepath.Join(GinkgoT().TempDir(), "web.yaml")
		Expect(os.WriteFile(file, []byte(manifest(typesVersion, "FederatedDeployment",
			fmt.Sprintf(`{placement: {clusters: [{name: %s}]}, template: {spec: %s}}`, c.Name, workload(2)))), 0o600)).To(Succeed())
		diff := func() string {
			out, _ := system.Run(ctx, "diff", "-f", file) // its exit code says that there are differences
			return out
		}
		Expect(diff()).To(ContainSubstring("-  replicas: 5\n+  replicas: 2"))

		autoscalerIn(ctx, c, ns, "theirs")
		Expect(diff()).To(And(ContainSubstring("+    kubefed.io/managed"), Not(ContainSubstring("+  replicas:"))))
	})

	It("may be KEDA's", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		c := members[0]
		deployment(ctx, ns, "web", 2, "", c)
		kit.ExpectField(ctx, c, web(ns), "/spec/replicas", 2)
		definition := createIn(ctx, c, scaledObjects)
		DeferCleanup(func(ctx SpecContext) { Expect(c.Delete(ctx, definition)).To(Succeed()) })
		keda := kit.Named("keda.sh/v1alpha1", "ScaledObject", ns, "queue")
		Eventually(ctx, func() error {
			return c.Create(ctx, kit.Parse(fmt.Sprintf(`{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: queue, namespace: %s}, spec: {scaleTargetRef: {name: web}}}`, ns)))
		}).Should(Succeed())
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("by", "ScaledObject queue"))
		scale(ctx, c, web(ns), 0)
		Consistently(ctx, replicas(ctx, c, web(ns)), 3*time.Second).Should(Equal(int64(0)))

		By("going, with the last number staying")
		Expect(c.Delete(ctx, keda.Empty())).To(Succeed())
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("replicas", "Kept"))
		Consistently(ctx, replicas(ctx, c, web(ns)), 2*time.Second).Should(Equal(int64(0)))
	})

	It("counts in a preference, which shares out the rest", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		scaled, other := sharing(ctx, ns)
		loads[scaled.Name].set(ns, 250)
		Eventually(ctx, replicas(ctx, scaled, web(ns))).Should(Equal(int64(5)))
		Eventually(ctx, replicas(ctx, other, web(ns))).Should(Equal(int64(3)))

		By("more than there are to be in all, which takes nothing of what the other is to have at least")
		kit.Change(ctx, host, kit.Named("scheduling.kubefed.io/v1alpha1", "ReplicaSchedulingPreference", ns, "web"), func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/totalReplicas", 4)
			kit.Set(u.Object, "/spec/clusters", kit.Fields{"*": kit.Fields{"weight": 1}, other.Name: kit.Fields{"weight": 1, "minReplicas": 2}})
		})
		Eventually(ctx, replicas(ctx, other, web(ns))).Should(Equal(int64(2)))
	})
})

var _ = Describe("A member whose autoscalers cannot be read", Serial, func() {
	It("keeps the number that somebody has set there, and says so", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		c := members[0]
		deployment(ctx, ns, "web", 2, "", c)
		kit.ExpectField(ctx, c, web(ns), "/spec/replicas", 2)

		By("taking the right away, and starting the controller anew")
		role := &rbacv1.ClusterRole{}
		name := client.ObjectKey{Name: "kubefed-controller-manager:" + c.Name + "-" + host.Name}
		Expect(c.Get(ctx, name, role)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Join(ctx, c.Name)).To(Succeed()) })
		var rules []rbacv1.PolicyRule
		for _, rule := range role.Rules {
			if rule.APIGroups == nil || rule.APIGroups[0] != "autoscaling" {
				rules = append(rules, rule)
			}
		}
		role.Rules = rules
		Expect(c.Update(ctx, role)).To(Succeed())
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		scale(ctx, c, web(ns), 5)
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(And(
			HaveKeyWithValue("replicas", "Unreadable"), HaveKeyWithValue("message", ContainSubstring("fedctl join "+c.Name))))
		Expect(replicas(ctx, c, web(ns))()).To(Equal(int64(5)))
		Expect(accepted(ctx, federatedWeb(ns))()).To(BeNil())

		By("a template that changes then, of which its number is not sent, and is told of")
		kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/template/spec/minReadySeconds", 1)
			kit.Set(u.Object, "/spec/template/spec/replicas", 3)
		})
		kit.ExpectField(ctx, c, web(ns), "/spec/minReadySeconds", 1)
		Eventually(ctx, accepted(ctx, federatedWeb(ns))).Should(And(HaveKeyWithValue("status", "False"), HaveKeyWithValue("reason", "ReplicasNotSent"),
			HaveKeyWithValue("message", ContainSubstring("cluster "+c.Name+": spec.replicas: 3 of the template is not sent, which was 2"))))
		before := quiet(ctx, c)
		Consistently(ctx, replicas(ctx, c, web(ns)), 3*time.Second).Should(Equal(int64(5)))
		Expect(applies(ctx, c).Since(before)).To(BeEmpty())
		var report diagnosis.Report
		Eventually(ctx, func() []finding.Finding {
			out, _ := system.Run(ctx, "doctor", "-o", "json") // its exit code says whether there are failures
			report = diagnosis.Report{}
			Expect(json.Unmarshal([]byte(out), &report)).To(Succeed(), out)
			return report.Findings
		}).Should(ContainElements(
			And(HaveField("Code", "autoscalers-unreadable"), HaveField("Objects", Equal([]string{c.Name}))),
			And(HaveField("Code", "autoscalers-unreadable"), HaveField("Objects", ContainElement(ns+"/web"))),
			And(HaveField("Code", "replicas-not-sent"), HaveField("Objects", ContainElement(ns+"/web")))))
		Expect(report.Findings).NotTo(ContainElement(And(HaveField("Code", "autoscalers-unreadable"), HaveField("Objects", ContainElement(members[1].Name)))))

		By("giving it back, and there is no autoscaler")
		Expect(system.Join(ctx, c.Name)).To(Succeed())
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(3)))
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(BeEmpty())
		Eventually(ctx, accepted(ctx, federatedWeb(ns))).Should(BeNil())
	})
})

var _ = Describe("An autoscaler made by mistake", func() {
	It("means nothing where its target is none", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		c := members[0]
		deployment(ctx, ns, "web", 2, "", members...)
		kit.ExpectField(ctx, c, web(ns), "/spec/replicas", 2)
		hpa := autoscalerIn(ctx, c, ns, "mistaken")
		target := func(name string) {
			GinkgoHelper()
			kit.Change(ctx, c, hpa, func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/scaleTargetRef/name", name) })
		}
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("replicas", "Autoscaled"))
		target("wbe")
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("replicas", "Kept"))
		kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/template/spec/replicas", 3) })
		for _, in := range members {
			kit.ExpectField(ctx, in, web(ns), "/spec/replicas", 3)
		}
		scale(ctx, c, web(ns), 5)
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(3)), "what is scaled by hand is put right")
		Expect(autoscaling(ctx, federatedWeb(ns), c)()).To(BeEmpty())

		By("an object of the name coming later")
		target("web")
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("by", "HorizontalPodAutoscaler mistaken"))
	})
})

// sharing has a preference share eight replicas out, of which an autoscaler keeps two in the
// first member, and the other has the rest.
func sharing(ctx SpecContext, ns string) (scaled, other *framework.Cluster) {
	GinkgoHelper()
	scaled, other = members[0], members[1]
	loads[scaled.Name].set(ns, 100)
	deployment(ctx, ns, "web", 1, "", members...)
	createIn(ctx, host, `{apiVersion: scheduling.kubefed.io/v1alpha1, kind: ReplicaSchedulingPreference, metadata: {name: web, namespace: %s},
		spec: {targetKind: FederatedDeployment, totalReplicas: 8, rebalance: true}}`, ns)
	for _, c := range members {
		kit.ExpectField(ctx, c, web(ns), "/status/readyReplicas", 4)
	}
	autoscalerIn(ctx, scaled, ns, "web")
	Eventually(ctx, replicas(ctx, scaled, web(ns))).Should(Equal(int64(2)))
	Eventually(ctx, replicas(ctx, other, web(ns))).Should(Equal(int64(6)))
	return scaled, other
}

// cutOff has the control plane not reach a member, and returns what ends that. Another address
// alone would not do: the connection that works is kept up.
func cutOff(ctx SpecContext, c *framework.Cluster) (mend func(SpecContext)) {
	GinkgoHelper()
	var passed atomic.Bool
	proxy, err := framework.StartProxy(c, func(r *http.Response) error {
		if strings.HasSuffix(r.Request.URL.Path, "/horizontalpodautoscalers") && r.Request.URL.Query().Get("watch") != "" {
			passed.Store(true)
		}
		return nil
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(proxy.Close)
	member := kit.Ref{GroupVersionKind: framework.KubeFedCluster, Namespace: framework.KubeFedNamespace, Name: c.Name}
	connect := func(ctx SpecContext, endpoint, caBundle any) {
		GinkgoHelper()
		kit.Change(ctx, host, member, func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/apiEndpoint", endpoint)
			kit.Set(u.Object, "/spec/caBundle", caBundle)
		})
	}
	own := kit.Found(ctx, host, member).Object
	mend = func(ctx SpecContext) {
		GinkgoHelper()
		connect(ctx, kit.At(own, "/spec/apiEndpoint"), kit.At(own, "/spec/caBundle"))
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
	}
	DeferCleanup(mend)
	connect(ctx, proxy.Endpoint(), base64.StdEncoding.EncodeToString(proxy.CABundle()))
	Eventually(ctx, passed.Load).Should(BeTrue(), "the control plane goes through the proxy")
	proxy.Close()
	Expect(system.WaitForMember(ctx, c.Name, false)).To(Succeed())
	return mend
}

var _ = Describe("A member that cannot be reached", Serial, func() {
	It("has the number of its autoscaler when it can be again, also where that came meanwhile", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		c := members[0]
		loads[c.Name].set(ns, 150)
		deployment(ctx, ns, "web", 1, "", members...)
		kit.ExpectField(ctx, c, web(ns), "/status/readyReplicas", 1)

		By("an autoscaler that comes, and a template that changes, while it is away")
		mend := cutOff(ctx, c)
		hpa := autoscalerIn(ctx, c, ns, "web")
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(3)))
		kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/template/spec/minReadySeconds", 1)
			kit.Set(u.Object, "/spec/template/spec/replicas", 5)
		})
		kit.ExpectField(ctx, members[1], web(ns), "/spec/replicas", 5)
		mend(ctx)
		kit.ExpectField(ctx, c, web(ns), "/spec/minReadySeconds", 1)
		Consistently(ctx, replicas(ctx, c, web(ns)), 3*sync).Should(Equal(int64(3)))
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(And(HaveKeyWithValue("replicas", "Autoscaled"), HaveKeyWithValue("templateReplicas", int64(5))))

		By("an autoscaler that scales, and goes, while it is away")
		before := quiet(ctx, c)
		mend = cutOff(ctx, c)
		loads[c.Name].set(ns, 200)
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(4)))
		Expect(c.Delete(ctx, hpa.Empty())).To(Succeed())
		Consistently(ctx, autoscaling(ctx, federatedWeb(ns), c), 2*time.Second).Should(HaveKeyWithValue("replicas", "Autoscaled"), "what is there now nobody knows")

		By("a template whose number changes meanwhile, which is the one that is said not to be sent")
		saysSix := And(HaveKeyWithValue("replicas", "Autoscaled"), HaveKeyWithValue("templateReplicas", int64(6)))
		kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/template/spec/replicas", 6) })
		kit.ExpectField(ctx, members[1], web(ns), "/spec/replicas", 6)
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(saysSix)
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Expect(system.WaitForMember(ctx, members[1].Name, true)).To(Succeed())
		kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/template/spec/replicas", 7) })
		kit.ExpectField(ctx, members[1], web(ns), "/spec/replicas", 7)
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("templateReplicas", int64(7)))
		mend(ctx)
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(And(HaveKeyWithValue("replicas", "Kept"), HaveKeyWithValue("templateReplicas", int64(7))))
		Consistently(ctx, replicas(ctx, c, web(ns)), 3*sync).Should(Equal(int64(4)))
		Expect(applies(ctx, c).Since(before)).To(BeEmpty())
	})

	It("has its share taken over by the others, and counts again with what its autoscaler has", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		scaled, other := sharing(ctx, ns)

		uid := kit.Found(ctx, scaled, web(ns)).GetUID()
		mend := cutOff(ctx, scaled)
		Eventually(ctx, replicas(ctx, other, web(ns))).Should(Equal(int64(8)))
		loads[scaled.Name].set(ns, 250)
		Eventually(ctx, replicas(ctx, scaled, web(ns))).Should(Equal(int64(5)))
		mend(ctx)
		Eventually(ctx, replicas(ctx, other, web(ns))).Should(Equal(int64(3)))
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), scaled)).Should(HaveKeyWithValue("replicas", "Autoscaled"))
		Eventually(ctx, replicas(ctx, scaled, web(ns))).Should(Equal(int64(5)))
		Expect(kit.Found(ctx, scaled, web(ns)).GetUID()).To(Equal(uid), "it was deleted when the member came back, and made again")
	})
})

var _ = Describe("A member that was away", Serial, func() {
	It("has the number of its autoscaler when it is back, also after a restart of the controller", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		c := members[1]
		loads[c.Name].set(ns, 150)
		deployment(ctx, ns, "web", 1, "", members...)
		kit.ExpectField(ctx, c, web(ns), "/status/readyReplicas", 1)
		hpa := autoscalerIn(ctx, c, ns, "web")
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(3)))
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("replicas", "Autoscaled"))
		before := quiet(ctx, c)

		Expect(system.Controller.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			if !system.Controller.Running() {
				Expect(system.Controller.Start(ctx)).To(Succeed())
			}
		})
		By("the load and the autoscaler changing meanwhile")
		loads[c.Name].set(ns, 200)
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(4)))
		Expect(c.Delete(ctx, hpa.Empty())).To(Succeed())
		Expect(system.Controller.Start(ctx)).To(Succeed())
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("replicas", "Kept"))
		Consistently(ctx, replicas(ctx, c, web(ns)), 3*time.Second).Should(Equal(int64(4)))
		Expect(applies(ctx, c).Since(before)).To(BeEmpty())

		By("leaving the federation, which leaves the number")
		kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) {
			u.SetAnnotations(map[string]string{"kubefed.io/orphan": "true"})
		})
		Expect(host.Delete(ctx, federatedWeb(ns).Empty())).To(Succeed())
		kit.ExpectField(ctx, c, web(ns), "/metadata/labels", nil)
		Expect(replicas(ctx, c, web(ns))()).To(Equal(int64(4)))
	})
})

var _ = Describe("fedctl top pods", func() {
	It("shows what pods use in all members, by contexts where the host has no API of the fleet", func(ctx SpecContext) {
		const app = "used"
		for i, member := range members {
			pod := kit.Parse(`{apiVersion: v1, kind: Pod, metadata: {name: ` + app + `, namespace: default, labels: {app: ` + app + `}}, spec: {containers: [{name: main, image: none}]}}`)
			Expect(member.Create(ctx, pod)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(member.Delete(ctx, pod)).To(Succeed()) }, NodeTimeout(time.Minute))
			loads[member.Name].set("default", int64(100*(i+1)))
			DeferCleanup(func() { loads[member.Name].set("default", 0) })
		}
		out, errOut, err := kit.FedctlWith(ctx, []string{"--kubeconfig", system.Kubeconfig(), "--context", "host"}, "top", "pods", "-n", "default", "-l", "app="+app, "--sort-by", "cpu")
		Expect(err).NotTo(HaveOccurred())
		Expect(errOut).To(Equal("Reading members by contexts of your kubeconfig, since the host has no API of the fleet.\n"))
		Expect(out).To(MatchRegexp(`^CLUSTER +NAME +CPU\(CORES\) +MEMORY\(BYTES\)\n` + members[1].Name + ` +` + app + ` +200m +1Mi\n` + members[0].Name + ` +` + app + ` +100m +1Mi\n$`))
	}, NodeTimeout(2*time.Minute))
})
