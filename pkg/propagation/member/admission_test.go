package member_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// keepsNames has the admission of the cluster keep spec.name of Widgets in a namespace as it
// was, without a word, and write spec.size in capitals.
func keepsNames(ctx context.Context, namespace string) {
	GinkgoHelper()
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"member.test"}, APIVersions: []string{"v1"}, Resources: []string{"widgets"}},
				}}},
			},
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: `
					(request.operation == "UPDATE" ? [JSONPatch{op: "replace", path: "/spec/name", value: oldObject.spec.name}] : []) +
					(has(object.spec.size) ? [JSONPatch{op: "replace", path: "/spec/size", value: object.spec.size.upperAscii()}] : [])`},
			}},
		},
	}
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace}, Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: namespace},
	}
	for _, object := range []client.Object{policy, binding} {
		Expect(cluster.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(cluster.Delete(ctx, object)).To(Succeed()) })
	}
}

var _ = Describe("What a member's admission keeps", func() {
	It("is said, and what it makes of every object is its own", func(ctx SpecContext) {
		widgets(ctx, schemaProps{"name": {Type: "string"}, "size": {Type: "string"}})
		b, ref := newBench(), newRef(ctx, "Widget")
		knows(ctx, ref, fields{"name": "a", "size": "s"})
		keepsNames(ctx, ref.Key.Namespace)
		probe := &unstructured.Unstructured{Object: fields{"spec": fields{"name": "a", "size": "s"}}}
		probe.SetGroupVersionKind(ref.Resource.GVK)
		probe.SetNamespace(ref.Key.Namespace)
		Eventually(func() (any, error) { // API servers hear of policies soon
			made := probe.DeepCopy()
			made.SetName("probe")
			err := cluster.Create(ctx, made, client.DryRunAll)
			return at(made, "spec", "size"), err
		}).WithPolling(200 * time.Millisecond).Should(Equal("S"))

		template := func(name, size, colour string) member.Desired {
			return desired(ref, fields{"metadata": fields{"labels": fields{"colour": colour}}, "spec": fields{"name": name, "size": size}})
		}
		b.held(ctx, template("a", "s", "red"))
		Expect(at(found(ctx, ref), "spec", "size")).To(Equal("S"))

		By("changing what it makes its own, or labels")
		for _, want := range []member.Desired{template("a", "m", "red"), template("a", "m", "blue")} {
			there := applied(ctx, b.Apply(ctx, want, member.Known{Live: live(ctx, ref)}, anyJournal), ref)
			Expect(at(there, "spec", "size")).To(Equal("M"))
		}
		Expect(b.requests()).To(Equal([]string{"APPLY", "APPLY", "GET", "APPLY"}), "the last is a dry run")

		By("changing what it keeps")
		result := b.Apply(ctx, template("b", "m", "blue"), member.Known{Live: live(ctx, ref)}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Invalid{}), "%v", member.Err(result))
		Expect(member.Err(result)).To(MatchError(HavePrefix("spec.name: stays a, which is not what the template says")))
		Expect(at(found(ctx, ref), "spec", "name")).To(Equal("a"))
		names := &unstructured.UnstructuredList{}
		names.SetGroupVersionKind(ref.Resource.GVK)
		Expect(cluster.List(ctx, names, client.InNamespace(ref.Key.Namespace), client.MatchingLabels{federate.ManagedLabel: federate.ManagedLabelValue})).To(Succeed())
		Expect(names.Items).To(HaveLen(1))

		By("taking the change back")
		applied(ctx, b.Apply(ctx, template("a", "m", "blue"), member.Known{Live: live(ctx, ref), Invalid: true}, anyJournal), ref)
	})
})
