package e2e

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// workloadKind is a WorkloadKind of a kind, with the rest of its spec.
func workloadKind(kind schema.GroupVersionKind, spec fields) *unstructured.Unstructured {
	spec["group"], spec["kind"] = kind.Group, kind.Kind
	u := &unstructured.Unstructured{Object: fields{"spec": plain(spec)}}
	u.SetAPIVersion("fedctl.io/v1alpha1")
	u.SetKind("WorkloadKind")
	u.SetName(strings.ToLower(kind.Kind) + "." + kind.Group)
	return u
}

// tellOf creates a WorkloadKind, until the spec ends.
func tellOf(ctx context.Context, u *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	Expect(host.Create(ctx, u)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, u))).To(Succeed()) })
	return u
}

// report has a member's object say of itself what a controller there would.
func report(ctx context.Context, c *framework.Cluster, target ref, status fields) {
	GinkgoHelper()
	u := found(ctx, c, target)
	status["observedGeneration"] = u.GetGeneration()
	Expect(c.Status().Patch(ctx, u, client.RawPatch(types.MergePatchType, []byte(asJSON(fields{"status": status}))))).To(Succeed())
}

var _ = Describe("A WorkloadKind", localOnly, Serial, func() {
	var kind schema.GroupVersionKind
	var spec fields
	BeforeEach(func() {
		kind = schema.GroupVersionKind{Group: "lab.example.com", Version: "v1", Kind: "Training" + rand.String(5)}
		spec = fields{
			"components": list{fields{"path": "spec.workers.*.template", "replicasPath": "spec.workers.*.replicas"}, fields{"path": "spec.head", "type": "PodSpec"}},
			"health": fields{
				"healthy": "object.status.phase == 'Done'", "degraded": "object.status.phase == 'Failed'", "message": "object.status.phase",
			},
		}
	})

	It("says of a custom kind where its pods are, and how its objects fare", func(ctx SpecContext) {
		ns, c := federatedNamespace(ctx), members[0]
		handwritten(ctx, kind)
		pod := fields{"containers": list{fields{"name": "main", "image": "registry.example.com/train:1"}}}
		f := federateKind(kind, ns, "train", fields{"spec": fields{"workers": list{fields{"template": fields{"spec": pod}}}, "head": pod}}).on(c)
		knows(ctx, host, f.GroupVersionKind())
		create(ctx, f)
		expectReady(ctx, f, "True", "Propagated")
		manifest(ctx, host, `
apiVersion: policy.fedctl.io/v1alpha1
kind: OverridePolicy
metadata: {name: tolerate, namespace: %s}
spec: {rules: [{tolerations: [{key: lab, operator: Exists, effect: NoSchedule}]}]}
`, ns)
		expectField(ctx, c, f.target, "/spec/head/tolerations", nil)

		By("telling of the kind")
		told := tellOf(ctx, workloadKind(kind, spec))
		tolerations := list{fields{"key": "lab", "operator": "Exists", "effect": "NoSchedule"}}
		expectField(ctx, c, f.target, "/spec/head/tolerations", tolerations)
		expectField(ctx, c, f.target, "/spec/workers/0/template/spec/tolerations", tolerations)
		expectReady(ctx, f, "False", "Progressing")
		expectAccepted(ctx, told, "True", "Accepted", "")
		out, err := kubectl(ctx, "get", "workloadkinds", told.GetName())
		Expect(err).NotTo(HaveOccurred(), out)
		By(out)
		Expect(out).To(MatchRegexp(`NAME +KIND +GROUP +ACCEPTED +REASON +AGE\n\S+ +` + kind.Kind + ` +lab.example.com +True +Accepted +\S+`))
		rendered := fedctl(ctx, "render", f.GetKind()+"/"+f.GetName(), "-n", ns)
		Expect(strings.Count(rendered, "key: lab")).To(Equal(2), rendered)

		By("having its objects say how they fare")
		report(ctx, c, f.target, fields{"phase": "Done"})
		expectReady(ctx, f, "True", "Healthy")
		report(ctx, c, f.target, fields{"phase": "Training"})
		u := expectReady(ctx, f, "False", "Progressing")
		Expect(conditionOf(u, "Ready")["message"]).To(ContainSubstring("(Training)"))
		report(ctx, c, f.target, fields{"phase": "Failed"})
		Expect(kstatusOf(expectReady(ctx, f, "False", "Degraded"))).To(Equal("Failed"))
		report(ctx, c, f.target, fields{"phase": "Done"})
		expectReady(ctx, f, "True", "Healthy")

		By("telling what nobody understands")
		rewrite(ctx, told, "/spec/health/healthy", "object.status.phase = 'Done'")
		expectAccepted(ctx, told, "False", "InvalidHealth", "spec.health.healthy: ERROR")
		expectReady(ctx, f, "Unknown", "HealthUnknown")
		expectField(ctx, c, f.target, "/spec/head/tolerations", tolerations)
		rewrite(ctx, told, "/spec/health/healthy", "object.status.phase in ['Done', 'Training']")
		expectAccepted(ctx, told, "True", "Accepted", "")
		expectReady(ctx, f, "True", "Healthy")

		By("taking it back")
		Expect(host.Delete(ctx, told)).To(Succeed())
		expectField(ctx, c, f.target, "/spec/head/tolerations", nil)
		expectReady(ctx, f, "True", "Propagated")
	}, NodeTimeout(5*time.Minute))

	It("does not count, and stops nothing that it may not concern, while the controller may not read it", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		told := tellOf(ctx, workloadKind(kind, spec))
		handwritten(ctx, kind)
		head := fields{"containers": list{fields{"name": "main", "image": "registry.example.com/train:1"}}}
		custom := federateKind(kind, ns, "train", fields{"spec": fields{"head": head}}).on(members[0])
		knows(ctx, host, custom.GroupVersionKind())
		create(ctx, custom)
		manifest(ctx, host, `
apiVersion: policy.fedctl.io/v1alpha1
kind: OverridePolicy
metadata: {name: tolerate, namespace: %s}
spec: {selectors: [{kind: %s}], rules: [{tolerations: [{key: lab, operator: Exists, effect: NoSchedule}]}]}
`, ns, kind.Kind)
		tolerations := list{fields{"key": "lab", "operator": "Exists", "effect": "NoSchedule"}}
		expectField(ctx, members[0], custom.target, "/spec/head/tolerations", tolerations)
		image := "/spec/head/containers/0/image"

		By("taking the right away")
		role := ref{GroupVersionKind: schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}, Name: "fedctl-controller"}
		allow := limitController(ctx, role, "fedctl.io", "workloadkinds", func(rule fields) {
			if at(rule, "/apiGroups/0") == "fedctl.io" {
				rule["resources"] = list{"none"}
			}
		})
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		late := tellOf(ctx, workloadKind(schema.GroupVersionKind{Group: kind.Group, Version: kind.Version, Kind: kind.Kind + "Late"}, spec))
		f := create(ctx, federate("Deployment", ns, "app", workload(fields{"replicas": 1})).on(members[0]))
		expectSettled(ctx, f, members[0])
		Eventually(ctx, func() string { return system.Controller.LogTail(10000) }).Should(MatchRegexp("WorkloadKinds may not be read.*forbidden"))
		Expect(at(found(ctx, host, ref{GroupVersionKind: late.GroupVersionKind(), Name: late.GetName()}).Object, "/status")).To(BeNil())

		By("changing what a policy changes the pods of: nobody knows where they are")
		change(ctx, custom, func(f *federated) { set(f.template(), image, "registry.example.com/train:2") })
		Eventually(ctx, func() outcome { return outcomeOf(found(ctx, host, custom.ref())) }).Should(HaveField("Reason", "ComputePlacementFailed"))
		Expect(conditionOf(found(ctx, host, custom.ref()), "Propagation")["message"]).To(ContainSubstring("the workloadkinds cannot be read"))
		expectField(ctx, members[0], custom.target, "/spec/head/tolerations", tolerations)
		expectField(ctx, members[0], custom.target, image, "registry.example.com/train:1")

		By("giving it back")
		allow(ctx)
		expectAccepted(ctx, late, "True", "Accepted", "")
		expectAccepted(ctx, told, "True", "Accepted", "")
		expectField(ctx, members[0], custom.target, image, "registry.example.com/train:2")
		expectField(ctx, members[0], custom.target, "/spec/head/tolerations", tolerations)
	}, SpecTimeout(8*time.Minute))

	It("stops nothing where an older release has not defined it, and counts once it is defined", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		id := ref{GroupVersionKind: schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}, Name: "workloadkinds.fedctl.io"}
		before := found(ctx, host, id)
		definition := &unstructured.Unstructured{Object: fields{"spec": before.Object["spec"]}}
		definition.SetGroupVersionKind(id.GroupVersionKind)
		definition.SetName(id.Name)
		definition.SetLabels(before.GetLabels())
		define := func(ctx context.Context) {
			GinkgoHelper()
			Expect(client.IgnoreAlreadyExists(host.Create(ctx, definition.DeepCopy()))).To(Succeed())
		}
		DeferCleanup(func(ctx SpecContext) { define(ctx) })
		Expect(host.Delete(ctx, before)).To(Succeed())
		expectGone(ctx, host, id)

		By("starting a controller without it")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		f := create(ctx, federate("Deployment", ns, "app", workload(fields{"replicas": 1})).on(members[0]))
		expectSettled(ctx, f, members[0])

		By("defining it")
		define(ctx)
		told := workloadKind(kind, spec)
		Eventually(ctx, func() error { return host.Create(ctx, told.DeepCopy()) }).Should(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, told))).To(Succeed()) })
		expectAccepted(ctx, told, "True", "Accepted", "")
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/replicas", 2) })
		expectField(ctx, members[0], f.target, "/spec/replicas", 2)
	}, SpecTimeout(8*time.Minute))

	DescribeTable("is refused when it is written", func(ctx SpecContext, wrong func(u *unstructured.Unstructured), message string) {
		u := workloadKind(kind, spec)
		wrong(u)
		Expect(host.Create(ctx, u)).To(And(Satisfy(apierrors.IsInvalid), MatchError(ContainSubstring(message))))
	},
		Entry("with another name than its kind's", func(u *unstructured.Unstructured) { u.SetName("other") }, "metadata.name must be the kind in lower case", NodeTimeout(time.Minute)),
		Entry("with a path that is none", func(u *unstructured.Unstructured) { set(u.Object, "/spec/components/0/path", "spec.a[0]") }, "spec.components[0].path", NodeTimeout(time.Minute)),
		Entry("with a template of another type", func(u *unstructured.Unstructured) { set(u.Object, "/spec/components/0/type", "Pod") }, "spec.components[0].type", NodeTimeout(time.Minute)),
		Entry("of Secrets", func(u *unstructured.Unstructured) {
			u.SetName("secret")
			delete(at(u.Object, "/spec").(fields), "group") //nolint:forcetypeassert // made above
			set(u.Object, "/spec/kind", "Secret")
		}, "what a Secret holds is not told", NodeTimeout(time.Minute)),
		Entry("with nothing that is healthy", func(u *unstructured.Unstructured) { set(u.Object, "/spec/health/healthy", "") }, "spec.health.healthy", NodeTimeout(time.Minute)),
	)
})

// expectAccepted waits until a WorkloadKind's condition says so of its present generation.
func expectAccepted(ctx context.Context, u *unstructured.Unstructured, status, reason, message string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(host.Get(ctx, client.ObjectKeyFromObject(u), u)).To(Succeed())
		g.Expect(at(u.Object, "/status/observedGeneration")).To(BeEquivalentTo(u.GetGeneration()))
		g.Expect(conditionOf(u, "Accepted")).To(And(HaveKeyWithValue("status", status), HaveKeyWithValue("reason", reason),
			HaveKeyWithValue("message", ContainSubstring(message))))
	}).Should(Succeed())
}

// rewrite changes a field of an object of the host.
func rewrite(ctx context.Context, u *unstructured.Unstructured, pointer string, to any) {
	GinkgoHelper()
	tamper(ctx, host, ref{GroupVersionKind: u.GroupVersionKind(), Name: u.GetName()}, func(u *unstructured.Unstructured) { set(u.Object, pointer, to) })
}
