package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const enforce = "pod-security.kubernetes.io/enforce"

// editor is somebody who has the role edit, and no other, in a namespace of the host.
func editor(ctx SpecContext, namespace string) client.Client {
	GinkgoHelper()
	Expect(host.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "editor"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "editor"}},
	})).To(Succeed())
	config := rest.CopyConfig(host.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "editor", Groups: []string{"system:authenticated"}}
	c, err := client.New(config, client.Options{Scheme: host.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	// The API server takes a moment to hear of the binding, and of the roles that are added to edit.
	Eventually(ctx, func() error {
		return c.Create(ctx, configMap(namespace, "probe", fields{}).Unstructured, client.DryRunAll)
	}).Should(Succeed())
	return c
}

var _ = Describe("Who may edit a namespace of the host", func() {
	It("does not write Namespaces by federating them", func(ctx SpecContext) {
		name := plainNamespace(ctx)
		as := editor(ctx, name)
		labelled := federate("Namespace", name, name, fields{"metadata": fields{"labels": fields{enforce: "privileged"}}}).on(members...)
		Expect(as.Create(ctx, labelled.Unstructured)).To(MatchError(And(
			ContainSubstring("spec.template: it is written into the Namespace "+name), ContainSubstring("the right to update the namespace"))))
		overridden := federate("Namespace", name, name, nil).on(members...).override(members[0].Name, fields{"path": "/metadata/labels", "op": "add", "value": fields{enforce: "privileged"}})
		Expect(as.Create(ctx, overridden.Unstructured)).To(MatchError(ContainSubstring("spec.overrides: they are written into the Namespace " + name)))

		By("placing it, which it may, and widening that")
		f := federate("Namespace", name, name, nil).on(members[0])
		f.target.Name, f.target.Namespace = name, ""
		Expect(as.Create(ctx, f.Unstructured)).To(Succeed())
		expectField(ctx, members[0], f.target, "/status/phase", "Active")
		patch := func(body string) error {
			return as.Patch(ctx, f.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(body)))
		}
		Expect(patch(`{"spec":{"placement":{"clusters":[{"name":"` + members[0].Name + `"},{"name":"` + members[1].Name + `"}]}}}`)).To(Succeed())
		expectField(ctx, members[1], f.target, "/status/phase", "Active")

		By("and what would change or delete it")
		for body, why := range map[string]string{
			`{"spec":{"template":{"metadata":{"labels":{"a":"b"}}}}}`:                                                     "spec.template: it is written into the Namespace",
			`{"spec":{"placement":{"clusters":[{"name":"` + members[1].Name + `"}]}}}`:                                    "spec.placement: the Namespace " + name + " may be deleted in clusters that are no longer selected",
			`{"spec":{"placement":{"clusters":null,"clusterSelector":{}}}}`:                                               "spec.placement: the Namespace",
			`{"spec":{"overrides":[{"clusterName":"x","clusterOverrides":[{"path":"/metadata/labels/a","value":"b"}]}]}}`: "spec.overrides: they are written",
		} {
			Expect(patch(body)).To(MatchError(ContainSubstring(why)), body)
		}
		Expect(as.Delete(ctx, f.DeepCopy())).To(MatchError(ContainSubstring("the Namespace " + name + " would be deleted in the clusters as well")))
		Expect(as.DeleteAllOf(ctx, f.DeepCopy(), client.InNamespace(name))).To(MatchError(ContainSubstring("would be deleted in the clusters as well")))
		Expect(patch(`{"metadata":{"annotations":{"note":"mine"}}}`)).To(Succeed())

		By("while those who may write the namespace, and Kubernetes' own controllers, go on")
		Expect(host.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
		expectGone(ctx, members[0], f.target)
		expectGone(ctx, members[1], f.target)
		Eventually(ctx, func() bool {
			return apierrors.IsNotFound(host.Get(ctx, client.ObjectKeyFromObject(f), f.DeepCopy()))
		}).Should(BeTrue())
	}, NodeTimeout(5*time.Minute))
})

var _ = Describe("A namespace that a member had before", func() {
	It("keeps its Pod Security level, and itself when its federated object goes", func(ctx SpecContext) {
		name := plainNamespace(ctx)
		theirs := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{enforce: "restricted"}}}
		Expect(members[0].Create(ctx, theirs, client.FieldOwner("administrator"))).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(members[0].Delete(ctx, theirs)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		f := federate("Namespace", name, name, fields{"metadata": fields{"labels": fields{enforce: "privileged"}, "annotations": fields{"fedctl.io/created": "true"}}}).on(members[0], members[1])
		create(ctx, f)
		expectField(ctx, members[1], f.target, "/metadata/labels/pod-security.kubernetes.io~1enforce", "privileged")
		Eventually(ctx, func(g Gomega) {
			now := &unstructured.Unstructured{}
			now.SetGroupVersionKind(f.GroupVersionKind())
			g.Expect(host.Get(ctx, client.ObjectKeyFromObject(f), now)).To(Succeed())
			conditions, _, _ := unstructured.NestedSlice(now.Object, "status", "conditions")
			g.Expect(conditions).To(ContainElement(And(HaveKeyWithValue("type", "Accepted"), HaveKeyWithValue("status", "False"), HaveKeyWithValue("reason", "LeftToMember"),
				HaveKeyWithValue("message", ContainSubstring("left as the administrator of "+members[0].Name+" has set it: metadata.labels."+enforce)))))
		}).Should(Succeed())
		Expect(found(ctx, members[0], f.target).GetLabels()).To(HaveKeyWithValue(enforce, "restricted"))

		remove(ctx, f)
		expectMissing(ctx, members[1], f.target)
		left := found(ctx, members[0], f.target)
		Expect(left.GetUID()).To(Equal(theirs.UID))
		Expect(left.GetDeletionTimestamp()).To(BeNil())
		Expect(left.GetLabels()).NotTo(HaveKey(managed))
		expectEvent(ctx, f, "NamespaceKept", members[0].Name)
	}, NodeTimeout(5*time.Minute))
})
