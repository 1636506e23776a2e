package controlplane

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// Two control planes of scope Namespaced, beside one of scope Cluster.
const teamA, teamB = "team-a", "team-b"

var gone = Satisfy(apierrors.IsNotFound)

var _ = Describe("control planes of scope Namespaced", Ordered, func() {
	var a, b *framework.Controller

	BeforeAll(func(ctx SpecContext) {
		a, b = prepare(ctx, "a", teamA), prepare(ctx, "b", teamB)
		Expect(a.Start(ctx)).To(Succeed())
		Expect(b.Start(ctx)).To(Succeed())
		join(ctx, teamA, members...)
		join(ctx, teamB, members[0])
	}, NodeTimeout(10*time.Minute))

	AfterAll(func(ctx SpecContext) {
		Expect(a.Stop(ctx)).To(Succeed())
		Expect(b.Stop(ctx)).To(Succeed())
	}, NodeTimeout(3*time.Minute))

	It("propagate what is in their namespace, to their members, and nothing else", func(ctx SpecContext) {
		createNamespace(ctx, "elsewhere")
		for _, member := range members {
			Expect(member.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "elsewhere"}})).To(Succeed())
		}
		outside := federatedConfigMap("elsewhere", "outside")
		Expect(host.Create(ctx, outside)).To(Succeed())
		Expect(host.Create(ctx, federatedConfigMap(teamA, "of-a"))).To(Succeed())
		ofB := federatedConfigMap(teamB, "of-b")
		Expect(host.Create(ctx, ofB)).To(Succeed())

		for _, member := range members {
			Eventually(ctx, has(ctx, member, teamA, "of-a")).Should(Succeed())
		}
		Eventually(ctx, has(ctx, members[0], teamB, "of-b")).Should(Succeed())
		Eventually(ctx, func(g Gomega) {
			g.Expect(host.Get(ctx, client.ObjectKeyFromObject(ofB), ofB)).To(Succeed())
			clusters, _, _ := unstructured.NestedSlice(ofB.Object, "status", "clusters")
			g.Expect(clusters).To(ConsistOf(HaveKeyWithValue("name", members[0].Name)))
		}).Should(Succeed())
		Expect(has(ctx, members[1], teamB, "of-b")()).To(gone, "not a member of that control plane")

		Consistently(ctx, has(ctx, members[0], "elsewhere", "outside")).Should(gone)
		Expect(host.Get(ctx, client.ObjectKeyFromObject(outside), outside)).To(Succeed())
		Expect(outside.Object).NotTo(HaveKey("status"))
		Expect(outside.GetFinalizers()).To(BeEmpty())
	}, SpecTimeout(8*time.Minute))

	It("tell when the watches on each member have last told something, also where nothing is new", func(ctx SpecContext) {
		for _, member := range members {
			last := func(g Gomega) float64 {
				series, err := a.Series(ctx, "fedctl_watch_last_news_timestamp_seconds", map[string]string{"cluster": member.Name})
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(series).To(HaveLen(1))
				return series[0]
			}
			var first float64
			Eventually(ctx, func(g Gomega) { first = last(g) }).Should(Succeed())
			// An API server says once a minute that there is nothing new.
			Eventually(ctx, func(g Gomega) { g.Expect(last(g)).To(BeNumerically(">", first)) }, 4*time.Minute, time.Second).Should(Succeed())
		}
	}, SpecTimeout(10*time.Minute))

	It("need no FederatedNamespace, but follow one that is there", func(ctx SpecContext) {
		for _, member := range members {
			Eventually(ctx, has(ctx, member, teamA, "of-a")).Should(Succeed())
		}
		namespace := object("types.kubefed.io/v1beta1", "FederatedNamespace", teamA, teamA)
		namespace.Object["spec"] = map[string]any{"placement": map[string]any{"clusters": []any{}}}
		Expect(host.Create(ctx, namespace)).To(Succeed())
		for _, member := range members {
			Eventually(ctx, has(ctx, member, teamA, "of-a")).Should(gone)
			Expect(member.Get(ctx, client.ObjectKey{Name: teamA}, &corev1.Namespace{})).To(Succeed(), "the namespace itself is no target")
		}
		Expect(has(ctx, members[0], teamB, "of-b")()).To(Succeed(), "another control plane's")

		Expect(host.Delete(ctx, namespace)).To(Succeed())
		for _, member := range members {
			Eventually(ctx, has(ctx, member, teamA, "of-a")).Should(Succeed())
		}
	}, SpecTimeout(10*time.Minute))

	It("may do next to nothing outside of their namespace", func(ctx SpecContext) {
		for _, test := range []struct {
			c                              *framework.Cluster
			account, verb, group, resource string
			namespace                      string
			allowed                        bool
		}{
			{host, "fedctl-controller", "patch", "types.kubefed.io", "federatedconfigmaps", teamA, true},
			{host, "fedctl-controller", "patch", "types.kubefed.io", "federatedconfigmaps", teamB, false},
			{host, "fedctl-controller", "list", "types.kubefed.io", "federatedconfigmaps", "", false},
			{host, "fedctl-controller", "list", "", "namespaces", "", false},
			{host, "fedctl-controller", "list", "fedctl.io", "workloadkinds", "", false},
			{host, "fedctl-controller", "get", "", "secrets", teamB, false},
			{host, "fedctl-controller", "create", "events.k8s.io", "events", "default", false},
			{members[0], members[0].Name + "-host", "create", "", "configmaps", teamA, true},
			{members[0], members[0].Name + "-host", "create", "", "configmaps", "default", false},
			{members[0], members[0].Name + "-host", "list", "", "secrets", "", false},
			{members[0], members[0].Name + "-host", "create", "", "namespaces", "", false},
		} {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:" + teamA + ":" + test.account,
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: test.verb, Group: test.group, Resource: test.resource, Namespace: test.namespace,
				},
			}}
			Expect(test.c.Create(ctx, review)).To(Succeed())
			Expect(review.Status.Allowed).To(Equal(test.allowed), "%s: %s %s %s in namespace %q", test.c.Name, test.account, test.verb, test.resource, test.namespace)
		}
	}, SpecTimeout(3*time.Minute))

	It("do not run what has no namespace", func(ctx SpecContext) {
		Eventually(ctx, func(g Gomega) {
			for name, want := range map[string]string{"configmaps": "Running", "namespaces": "NotRunning", "clusterroles.rbac.authorization.k8s.io": "NotRunning"} {
				typeConfig := object("core.kubefed.io/v1beta1", "FederatedTypeConfig", teamA, name)
				g.Expect(host.Get(ctx, client.ObjectKeyFromObject(typeConfig), typeConfig)).To(Succeed())
				state, _, _ := unstructured.NestedString(typeConfig.Object, "status", "propagationController")
				g.Expect(state).To(Equal(want), name)
			}
		}).Should(Succeed())
	}, SpecTimeout(5*time.Minute))

	It("start no propagation without the gate PushReconciler", func(ctx SpecContext) {
		setGate := func(configuration string) {
			GinkgoHelper()
			config := object("core.kubefed.io/v1beta1", "KubeFedConfig", teamB, "kubefed")
			gates := `{"spec":{"featureGates":[{"name":"PushReconciler","configuration":"` + configuration + `"}]}}`
			Expect(host.Patch(ctx, config, client.RawPatch(types.MergePatchType, []byte(gates)))).To(Succeed())
			Expect(b.Restart(ctx)).To(Succeed())
		}
		setGate("Disabled")
		waits := federatedConfigMap(teamB, "waits")
		Expect(host.Create(ctx, waits)).To(Succeed())
		Consistently(ctx, has(ctx, members[0], teamB, "waits")).WithTimeout(3 * time.Second).Should(gone)
		setGate("Enabled")
		Eventually(ctx, has(ctx, members[0], teamB, "waits")).Should(Succeed())
	}, SpecTimeout(8*time.Minute))
})

var _ = DescribeTable("rules for the objects of a control plane of scope Namespaced hold in its namespace and in no other", func(ctx SpecContext, kind, name, spec, bad, message string) {
	if err := host.Get(ctx, client.ObjectKey{Name: "no-control-plane"}, &corev1.Namespace{}); apierrors.IsNotFound(err) {
		createNamespace(ctx, "no-control-plane")
	}
	manifest := func(namespace, patch string) *unstructured.Unstructured {
		objects, err := framework.ParseYAML("{apiVersion: core.kubefed.io/v1beta1, kind: " + kind + ", metadata: {name: " + name + ", namespace: " + namespace + "}, spec: " + patch + "}")
		Expect(err).NotTo(HaveOccurred())
		return objects[0]
	}
	for _, namespace := range []string{teamA, teamB} {
		good, wrong := manifest(namespace, spec), manifest(namespace, bad)
		Eventually(ctx, func() error { return host.Create(ctx, wrong.DeepCopy(), client.DryRunAll) }).Should(MatchError(ContainSubstring(message)), "create in %s", namespace)
		Expect(host.Create(ctx, good)).To(Succeed())
		wrong.SetResourceVersion(good.GetResourceVersion())
		Expect(host.Update(ctx, wrong.DeepCopy())).To(MatchError(ContainSubstring(message)), "update in %s", namespace)
		patch, err := (&unstructured.Unstructured{Object: map[string]any{"kind": kind, "apiVersion": "core.kubefed.io/v1beta1", "spec": wrong.Object["spec"]}}).MarshalJSON()
		Expect(err).NotTo(HaveOccurred())
		Expect(host.Patch(ctx, good.DeepCopy(), client.RawPatch(types.MergePatchType, patch))).To(MatchError(ContainSubstring(message)), "patch in %s", namespace)
		Expect(host.Delete(ctx, good)).To(Succeed())
	}
	// Those of scope Cluster, which another container has removed, are forgotten with a delay.
	Eventually(ctx, func() error { return host.Create(ctx, manifest("no-control-plane", bad), client.DryRunAll) }).Should(Succeed())
},
	Entry("a FederatedTypeConfig without a group", SpecTimeout(5*time.Minute), "FederatedTypeConfig", "foos.x.io",
		"{targetType: {group: x.io, version: v1, kind: Foo, pluralName: foos, scope: Namespaced}, propagation: Disabled, federatedType: {group: types.kubefed.io, version: v1beta1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}}",
		"{targetType: {group: x.io, version: v1, kind: Foo, pluralName: foos, scope: Namespaced}, propagation: Disabled, federatedType: {group: '', version: v1beta1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}}",
		"spec.federatedType.group"),
	Entry("a KubeFedCluster without an endpoint", SpecTimeout(5*time.Minute), "KubeFedCluster", "nowhere",
		"{apiEndpoint: 'https://192.0.2.1:6443', secretRef: {name: none}}", "{apiEndpoint: '', secretRef: {name: none}}", "spec.apiEndpoint must not be empty"),
	Entry("a KubeFedConfig with another word for adoption", SpecTimeout(5*time.Minute), "KubeFedConfig", "other",
		"{scope: Cluster, syncController: {adoptResources: Disabled}}", "{scope: Cluster, syncController: {adoptResources: Perhaps}}",
		"spec.syncController.adoptResources must be Enabled or Disabled"),
)
