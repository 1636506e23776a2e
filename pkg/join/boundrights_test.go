package join_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
)

const boundName = "kubefed-controller-manager:member-1-host:namespaces"

// binding is what the controller applies to write in a namespace, or something like it.
func binding(in, name, role string, subject rbacv1.Subject) *rbacv1.RoleBinding {
	b := &rbacv1.RoleBinding{ObjectMeta: objectMeta(in, name)}
	b.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("RoleBinding"))
	b.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	b.Subjects = []rbacv1.Subject{subject}
	return b
}

func apply(ctx context.Context, as client.Client, b *rbacv1.RoleBinding, options ...client.PatchOption) error {
	return as.Patch(ctx, b, client.Apply, append(options, client.FieldOwner("test"))...) //nolint:staticcheck // of a typed object
}

var _ = Describe("rights by namespace", func() {
	AfterEach(func(ctx context.Context) { leave(ctx, member1) })

	byNamespace := func(o *join.Options) { o.RBAC = join.RBACNamespaces }
	account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: accountName}
	write := func(ctx context.Context, as client.Client, in string) error {
		return as.Create(ctx, &corev1.ConfigMap{ObjectMeta: objectMeta(in, "probe")}, client.DryRunAll)
	}
	forbidden := func() OmegaMatcher { return MatchError(apierrors.IsForbidden, "is forbidden") }
	team := func(ctx context.Context) string {
		GinkgoHelper()
		ns := &corev1.Namespace{}
		ns.GenerateName = "team-"
		Expect(clientOf(member1).Create(ctx, ns)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(clientOf(member1).Delete(ctx, ns)).To(Succeed()) })
		return ns.Name
	}

	BeforeEach(func(ctx context.Context) {
		enableType(ctx, "configmaps", "", "ConfigMap", apiextensionsv1.NamespaceScoped)
	})

	It("are bound by the account itself, to itself, and nowhere in Kubernetes' own namespaces", func(ctx context.Context) {
		said, err := joinAs(ctx, member1, member1, byNamespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement(ContainSubstring("could do so in any other but those of Kubernetes (kube-*)")))
		Expect(reach.NamespaceRights(kubeFedCluster(ctx, member1))).To(Equal(client.ObjectKey{Namespace: namespace, Name: accountName}))
		as, in := asMemberAccount(ctx, member1, member1), team(ctx)
		Expect(as.List(ctx, &corev1.ConfigMapList{})).To(Succeed())
		Expect(apierrors.IsForbidden(as.List(ctx, &corev1.SecretList{}))).To(BeTrue())
		Expect(write(ctx, as, in)).To(forbidden())

		By("what the token cannot bind")
		// A policy takes effect a little later than it is there: nothing is to be left of asking.
		Eventually(func() error {
			return apply(ctx, as, binding("kube-system", boundName, boundName, account), client.DryRunAll)
		}).Should(
			MatchError(ContainSubstring("the federation gets no rights in namespaces that begin with kube-")))
		Expect(apply(ctx, as, binding(namespace, boundName, boundName, account))).To(forbidden())
		Expect(apply(ctx, as, binding(in, boundName, boundName, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: in, Name: "default"}))).To(
			MatchError(ContainSubstring("to nobody else")))
		Expect(apply(ctx, as, binding(in, boundName, "cluster-admin", account))).To(forbidden())
		By("nor give its right to bind to others, who are not held to that")
		for _, namespace := range []string{in, "kube-system"} {
			Expect(apply(ctx, as, binding(namespace, boundName, "kubefed-controller-manager:member-1-host", rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: in, Name: "default"}))).To(forbidden(), namespace)
		}
		Expect(apply(ctx, as, binding(in, boundName, "kubefed-controller-manager:member-1-host", account))).To(MatchError(ContainSubstring("binds no other role")))
		Expect(apply(ctx, as, binding(in, "another", boundName, account))).To(forbidden())
		Expect(as.List(ctx, &rbacv1.RoleBindingList{})).To(forbidden())

		By("what it binds")
		Expect(apply(ctx, as, binding(in, boundName, boundName, account))).To(Succeed())
		Eventually(func() error { return write(ctx, as, in) }).Should(Succeed())
		Expect(write(ctx, as, team(ctx))).To(forbidden())
		Expect(as.List(ctx, &rbacv1.RoleBindingList{}, client.MatchingFields{"metadata.name": boundName})).To(Succeed())

		By("and what ends with the membership")
		said, err = unjoin(ctx, member1, configOf(member1))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements("deleted RoleBinding "+in+"/"+boundName+" in member-1", "deleted ClusterRole "+boundName+" in member-1",
			"deleted ValidatingAdmissionPolicy fedctl-namespace-rights.member-1-host in member-1"))
	})

	It("stay so until the member's administrator says otherwise, whatever the host knows", func(ctx context.Context) {
		_, err := joinAs(ctx, member1, member1, byNamespace)
		Expect(err).NotTo(HaveOccurred())
		said, err := joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(HaveEach(Or(HavePrefix("unchanged "), HavePrefix("kept the rights in member-1 to the namespaces"), HavePrefix("member-1: the controller may write"))))

		kfc := kubeFedCluster(ctx, member1)
		kfc.Annotations = nil
		Expect(host.Update(ctx, kfc)).To(Succeed())
		_, err = joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(reach.NamespaceRights(kubeFedCluster(ctx, member1)).Name).To(Equal(accountName))
		as, in := asMemberAccount(ctx, member1, member1), team(ctx)
		Expect(write(ctx, as, in)).To(forbidden())

		enableType(ctx, "services", "", "Service", apiextensionsv1.NamespaceScoped)
		mustJoin(ctx, member1, member1)
		var role rbacv1.ClusterRole
		Expect(clientOf(member1).Get(ctx, client.ObjectKey{Name: boundName}, &role)).To(Succeed())
		Expect(role.Rules).To(ConsistOf(HaveField("Resources", ConsistOf("configmaps", "services"))))

		Expect(apply(ctx, clientOf(member1), binding(in, boundName, boundName, account))).To(Succeed())
		said, err = joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC = join.RBACTypes })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements("deleted RoleBinding "+in+"/"+boundName+" in member-1", "deleted ClusterRole "+boundName+" in member-1"))
		Expect(reach.NamespaceRights(kubeFedCluster(ctx, member1))).To(BeZero())
		Eventually(func() error { return write(ctx, as, "default") }).Should(Succeed())
	})

	It("are refused where an enabled type would undo them, unless it is told to give them", func(ctx context.Context) {
		_, err := joinAs(ctx, member1, member1, byNamespace)
		Expect(err).NotTo(HaveOccurred())
		enableType(ctx, "rolebindings.rbac.authorization.k8s.io", rbacv1.GroupName, "RoleBinding", apiextensionsv1.NamespaceScoped)
		refused := MatchError(ContainSubstring("--rbac=namespaces would limit nothing in member-1: enabled types need the right to grant any right (bind of clusterroles and roles)"))
		_, err = joinAs(ctx, member1, member1)
		Expect(err).To(refused)
		_, err = joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC = join.RBACTypes })
		Expect(err).NotTo(HaveOccurred())
		_, err = joinAs(ctx, member1, member1, byNamespace)
		Expect(err).To(refused)

		said, err := joinAs(ctx, member1, member1, byNamespace, func(o *join.Options) { o.AllowGranting = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement(HavePrefix("member-1: the controller may do anything in the member, because it may grant any right: bind of clusterroles and roles")))
		said, err = joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred(), "it has been told")
		Expect(said).To(ContainElement(HavePrefix("member-1: the controller may do anything in the member")))
		enableType(ctx, "clusterroles.rbac.authorization.k8s.io", rbacv1.GroupName, "ClusterRole", apiextensionsv1.ClusterScoped)
		_, err = joinAs(ctx, member1, member1)
		Expect(err).To(MatchError(ContainSubstring("(bind and escalate of clusterroles)")))
	})

	It("are none where the controller comes as somebody else", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		kfc := kubeFedCluster(ctx, member1)
		kfc.Annotations[reach.CredentialPluginAnnotation] = "plugin"
		Expect(host.Update(ctx, kfc)).To(Succeed())
		_, err := joinAs(ctx, member1, member1, byNamespace)
		Expect(err).To(MatchError(ContainSubstring("used with a credential plugin")))
	})

	It("are none for a control plane that has one namespace", func(ctx context.Context) {
		config := &fedcorev1beta1.KubeFedConfig{ObjectMeta: objectMeta(namespace, "kubefed")}
		config.Spec.Scope = apiextensionsv1.NamespaceScoped
		Expect(host.Create(ctx, config)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, config)).To(Succeed()) })
		_, err := joinAs(ctx, member1, member1, byNamespace)
		Expect(err).To(MatchError(ContainSubstring("--rbac=namespaces is for control planes of scope Cluster")))
	})
})
