package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// strip has a member take the managed label off the ConfigMaps of a namespace whenever they
// are written, until the end of the spec or until it is ended.
func strip(ctx SpecContext, c *framework.Cluster, namespace string) (end func(ctx SpecContext)) {
	GinkgoHelper()
	name := "strip-" + rand.String(6)
	policy := &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				}}},
			},
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "labelled", Expression: "has(object.metadata.labels) && '" + managed + "' in object.metadata.labels",
			}},
			Mutations: []admissionv1.Mutation{{PatchType: admissionv1.PatchTypeJSONPatch, JSONPatch: &admissionv1.JSONPatch{
				Expression: `[JSONPatch{op: "remove", path: "/metadata/labels/" + jsonpatch.escapeKey("` + managed + `")}]`,
			}}},
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
		},
	}
	binding := &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
	}
	Expect(c.Create(ctx, policy)).To(Succeed())
	Expect(c.Create(ctx, binding)).To(Succeed())
	// probed are the labels that are left on an object.
	probed := func(ctx context.Context) func(g Gomega) map[string]string {
		return func(g Gomega) map[string]string {
			u := plantable(configMap(namespace, "probe", nil))
			u.SetLabels(map[string]string{managed: "probe"})
			g.Expect(c.Create(ctx, u, client.DryRunAll)).To(Succeed())
			return u.GetLabels()
		}
	}
	// It takes effect after a while, and is forgotten after a while.
	end = func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(c.Delete(ctx, binding))).To(Succeed())
		Expect(client.IgnoreNotFound(c.Delete(ctx, policy))).To(Succeed())
		Eventually(ctx, probed(ctx)).Should(HaveKey(managed))
	}
	DeferCleanup(end)
	Eventually(ctx, probed(ctx)).ShouldNot(HaveKey(managed))
	return end
}

// plantable is the object in a member that a federated object stands for, without content.
func plantable(f *federated) *unstructured.Unstructured { return f.target.Empty() }

var _ = Describe("An object whose label the member's admission takes off", func() {
	const word, why = "LabelStripped", "takes the label kubefed.io/managed off the object"

	It("is as wanted, which the status says with what follows, and goes with its federated object", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		placed := create(ctx, configMap(ns, "first", nil).on(members[0], members[1])) // the namespace is there
		expectSettled(ctx, placed, members[0], members[1])
		end := strip(ctx, members[0], ns)
		f := create(ctx, configMap(ns, "stripped", fields{"a": "1"}).on(members[0], members[1]))
		o := expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: word, members[1].Name: ""})
		Expect(o.Messages[members[0].Name]).To(And(ContainSubstring(why), ContainSubstring("deleted by its UID")))
		expectField(ctx, members[0], f.target, "/data/a", "1")
		expectField(ctx, members[0], f.target, "/metadata/labels", nil)

		By("changing it")
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		expectField(ctx, members[0], f.target, "/data/a", "2")
		expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: word, members[1].Name: ""})

		By("deleting")
		remove(ctx, f)
		expectMissing(ctx, members[0], f.target)
		expectMissing(ctx, members[1], f.target)

		By("no longer stripping")
		end(ctx)
		last := create(ctx, configMap(ns, "last", fields{"a": "1"}).on(members[0]))
		expectSettled(ctx, last, members[0])
	}, NodeTimeout(5*time.Minute))

	It("goes also when the placement leaves the cluster, and after another controller has begun", localOnly, Serial, func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		placed := create(ctx, configMap(ns, "first", nil).on(members[0], members[1]))
		expectSettled(ctx, placed, members[0], members[1])
		strip(ctx, members[0], ns)
		f := create(ctx, configMap(ns, "leaving", fields{"a": "1"}).on(members[0], members[1]))
		taken := create(ctx, configMap(ns, "taken", fields{"a": "1"}).on(members[0], members[1]))
		expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: word, members[1].Name: ""})
		expectStatus(ctx, taken, "CheckClusters", map[string]string{members[0].Name: word, members[1].Name: ""})
		Expect(system.Controller.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			if !system.Controller.Running() {
				Expect(system.Controller.Start(ctx)).To(Succeed())
			}
		})
		change(ctx, f, func(f *federated) { f.on(members[1]) })
		Expect(host.Delete(ctx, taken.Unstructured)).To(Succeed())
		Expect(members[0].Delete(ctx, found(ctx, members[0], taken.target))).To(Succeed())
		Expect(members[0].Create(ctx, plantable(taken))).To(Succeed())
		Expect(system.Controller.Start(ctx)).To(Succeed())
		expectGone(ctx, members[0], f.target)
		expectSettled(ctx, f, members[1])
		expectGone(ctx, host, taken.ref())
		found(ctx, members[0], taken.target) // which is somebody else's
	}, NodeTimeout(5*time.Minute))
})
