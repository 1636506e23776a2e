package e2e

import (
	"encoding/base64"
	"strings"
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

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

const enforce = "pod-security.kubernetes.io/enforce"

// editor is somebody who has the role edit, and no other, in a namespace of the host.
func editor(ctx SpecContext, namespace string) client.Client {
	GinkgoHelper()
	return having(ctx, "edit", namespace, func(c client.Client) error {
		return c.Create(ctx, configMap(namespace, "probe", fields{}).Unstructured, client.DryRunAll)
	})
}

// having is somebody who has a role, and no other, in a namespace of the host. The API
// server takes a moment to hear of the binding, and of the roles that are added to the
// role: may is tried until it can be done.
func having(ctx SpecContext, role, namespace string, may func(client.Client) error) client.Client {
	GinkgoHelper()
	name := role + "or"
	Expect(host.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	})).To(Succeed())
	config := rest.CopyConfig(host.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{"system:authenticated"}}
	c, err := client.New(config, client.Options{Scheme: host.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, may).WithArguments(c).Should(Succeed())
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

var _ = Describe("The role edit in a namespace of the host", func() {
	It("writes the default types with a namespace into members, and nothing else anywhere", func(ctx SpecContext) {
		ns, other := federatedNamespace(ctx), federatedNamespace(ctx)
		as := editor(ctx, ns)
		dry := func(apiVersion, kind, namespace string, spec fields) error {
			u := kit.Named(apiVersion, kind, namespace, "mine").Empty()
			u.Object["spec"] = spec
			return as.Create(ctx, u, client.DryRunAll)
		}
		federatedType := func(kind, namespace string) error {
			return dry("types.kubefed.io/v1beta1", "Federated"+kind, namespace, fields{"template": fields{}, "placement": fields{"clusters": list{}}})
		}
		forbidden := MatchError(apierrors.IsForbidden, "is forbidden")
		for _, kind := range []string{"ConfigMap", "Secret", "Service", "ServiceAccount", "Deployment", "ReplicaSet", "Job", "Ingress"} {
			Expect(federatedType(kind, ns)).To(Succeed(), kind)
			Expect(federatedType(kind, other)).To(forbidden, kind)
			Expect(federatedType(kind, framework.KubeFedNamespace)).To(forbidden, kind)
		}
		By("no types that carry rights, and nothing of the control plane")
		Expect(federatedType("ClusterRole", "")).To(forbidden)
		Expect(federatedType("Backup", ns)).To(forbidden)
		for kind, group := range map[string]string{
			"KubeFedCluster": "core.kubefed.io/v1beta1", "FederatedTypeConfig": "core.kubefed.io/v1beta1", "KubeFedConfig": "core.kubefed.io/v1beta1",
			"Backup": "backup.fedctl.io/v1alpha1", "BackupRepository": "backup.fedctl.io/v1alpha1", "Restore": "backup.fedctl.io/v1alpha1", "BackupRun": "backup.fedctl.io/v1alpha1",
		} {
			Expect(dry(group, kind, ns, fields{})).To(forbidden, kind)
			Expect(dry(group, kind, framework.KubeFedNamespace, fields{})).To(forbidden, kind)
		}

		By("policies of the namespace, and none for all")
		rules := fields{"rules": list{fields{"labels": fields{"a": "b"}}}}
		Expect(dry("policy.fedctl.io/v1alpha1", "OverridePolicy", ns, rules)).To(Succeed())
		Expect(dry("policy.fedctl.io/v1alpha1", "OverridePolicy", other, rules)).To(forbidden)
		Expect(dry("policy.fedctl.io/v1alpha1", "ClusterOverridePolicy", "", rules)).To(forbidden)
		Expect(as.Get(ctx, client.ObjectKey{Namespace: framework.KubeFedNamespace, Name: members[0].Name}, &corev1.Secret{})).To(forbidden)
		Expect(as.List(ctx, &corev1.SecretList{}, client.InNamespace(framework.KubeFedNamespace))).To(forbidden)

		By("what a template says of another namespace has no effect")
		f := federate("ConfigMap", ns, "elsewhere", fields{"metadata": fields{"namespace": other, "name": "another"}, "data": fields{"a": "1"}}).on(members[0])
		Expect(as.Create(ctx, f.Unstructured)).To(Succeed())
		expectField(ctx, members[0], f.target, "/data/a", "1")
		expectMissing(ctx, members[0], ref{GroupVersionKind: f.target.GroupVersionKind, Namespace: other, Name: "elsewhere"})
		expectMissing(ctx, members[0], ref{GroupVersionKind: f.target.GroupVersionKind, Namespace: other, Name: "another"})
	}, NodeTimeout(2*time.Minute))

	It("makes a token of an account in the same namespace of a member, and never sees it in the host", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		as := editor(ctx, ns)
		account := federate("ServiceAccount", ns, "worker", fields{}).on(members[0])
		Expect(as.Create(ctx, account.Unstructured)).To(Succeed())
		token := federate("Secret", ns, "worker-token", fields{
			"type": "kubernetes.io/service-account-token", "metadata": fields{"annotations": fields{"kubernetes.io/service-account.name": "worker"}},
		}).on(members[0])
		expectField(ctx, members[0], account.target, "/metadata/name", "worker")
		Expect(as.Create(ctx, token.Unstructured)).To(Succeed())
		var made corev1.Secret
		Eventually(ctx, func(g Gomega) {
			g.Expect(members[0].Get(ctx, client.ObjectKey{Namespace: ns, Name: "worker-token"}, &made)).To(Succeed())
			g.Expect(made.Data).To(HaveKey("token"))
		}).Should(Succeed())
		expectSettled(ctx, token, members[0])
		said := asJSON(found(ctx, host, token.ref()).Object) + strings.Join(kit.Notes(ctx, host, token.GetKind(), ns, token.GetName()), "\n")
		Expect(said).NotTo(ContainSubstring(string(made.Data["token"])))
		Expect(said).NotTo(ContainSubstring(base64.StdEncoding.EncodeToString(made.Data["token"])))
	}, NodeTimeout(2*time.Minute))

	It("is needed to read federated Secrets, and to write anything", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		as := having(ctx, "view", ns, func(c client.Client) error {
			return c.List(ctx, listOf("FederatedConfigMap"), client.InNamespace(ns))
		})
		Expect(as.List(ctx, listOf("FederatedSecret"), client.InNamespace(ns))).To(MatchError(apierrors.IsForbidden, "is forbidden"))
		Expect(as.Create(ctx, configMap(ns, "mine", fields{}).on().Unstructured)).To(MatchError(apierrors.IsForbidden, "is forbidden"))
	}, NodeTimeout(2*time.Minute))
})

var _ = Describe("The role view in the control plane's namespace", func() {
	It("shows the members and no Secret", func(ctx SpecContext) {
		as := having(ctx, "view", framework.KubeFedNamespace, func(c client.Client) error {
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(framework.KubeFedCluster)
			return c.List(ctx, list, client.InNamespace(framework.KubeFedNamespace))
		})
		DeferCleanup(func(ctx SpecContext) {
			Expect(host.Delete(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: framework.KubeFedNamespace, Name: "viewor"}})).To(Succeed())
		}, NodeTimeout(time.Minute))
		Expect(as.List(ctx, &corev1.SecretList{}, client.InNamespace(framework.KubeFedNamespace))).To(MatchError(apierrors.IsForbidden, "is forbidden"))
	}, NodeTimeout(2*time.Minute))
})

func listOf(kind string) *unstructured.UnstructuredList {
	all := &unstructured.UnstructuredList{}
	all.SetAPIVersion("types.kubefed.io/v1beta1")
	all.SetKind(kind + "List")
	return all
}

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
