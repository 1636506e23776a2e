package join_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
)

var _ = Describe("a member whose host is called otherwise", func() {
	AfterEach(func(ctx context.Context) { leave(ctx, member1) })

	const renamedAccount = "member-1-renamed"
	renamed := func(o *join.Options) { o.HostClusterName = "renamed" }
	fleetToken := func(ctx context.Context) string {
		GinkgoHelper()
		var secret corev1.Secret
		Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "member-1-fleet-access"}, &secret)).To(Succeed())
		return string(secret.Data[reach.TokenKey])
	}

	It("keeps the limits that an earlier join was told", func(ctx context.Context) {
		enableType(ctx, "configmaps", "", "ConfigMap", apiextensionsv1.NamespaceScoped)
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC = join.RBACNamespaces })
		Expect(err).NotTo(HaveOccurred())
		said, err := joinAs(ctx, member1, member1, renamed)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(HavePrefix("kept the rights in member-1 to the namespaces"),
			"deleted ValidatingAdmissionPolicy fedctl-namespace-rights.member-1-host in member-1"))
		member := clientOf(member1)
		Expect(member.Get(ctx, client.ObjectKey{Name: "fedctl-namespace-rights." + renamedAccount}, &admissionv1.ValidatingAdmissionPolicyBinding{})).To(Succeed())
		Expect(reach.NamespaceRights(kubeFedCluster(ctx, member1)).Name).To(Equal(renamedAccount))
		as := asMemberAccount(ctx, member1, member1)
		Eventually(func() error { return as.List(ctx, &corev1.ConfigMapList{}) }).Should(Succeed())
		Expect(as.Create(ctx, &corev1.ConfigMap{ObjectMeta: objectMeta("default", "probe")}, client.DryRunAll)).To(MatchError(apierrors.IsForbidden, "is forbidden"))
	})

	It("keeps the rights to grant that an earlier join was told to give", func(ctx context.Context) {
		enableType(ctx, "rolebindings.rbac.authorization.k8s.io", rbacv1.GroupName, "RoleBinding", apiextensionsv1.NamespaceScoped)
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC, o.AllowGranting = join.RBACNamespaces, true })
		Expect(err).NotTo(HaveOccurred())
		_, err = joinAs(ctx, member1, member1, renamed)
		Expect(err).NotTo(HaveOccurred())
		_, err = joinAs(ctx, member1, member1, renamed, func(o *join.Options) { o.RBAC = join.RBACUsual })
		Expect(err).NotTo(HaveOccurred())
		said, err := joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement(HavePrefix("kept the rights to the usual types in member-1")))
	})

	It("does not take another host's choices for its own", func(ctx context.Context) {
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC = join.RBACAdmin })
		Expect(err).NotTo(HaveOccurred())
		account := &corev1.ServiceAccount{ObjectMeta: objectMeta(namespace, accountName)}
		mark := func(uid string) {
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"`+join.HostUIDAnnotation+`":"`+uid+`"}}}`))
			Expect(clientOf(member1).Patch(ctx, account, patch)).To(Succeed())
		}
		mark("another")
		said, err := joinAs(ctx, member1, member1, renamed)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).NotTo(ContainElement(HavePrefix("kept the right to do everything")))
		mark(uidOf(ctx, hostName)) // so that the next join removes it
		_, err = joinAs(ctx, member1, member1, renamed)
		Expect(err).NotTo(HaveOccurred())
	})

	It("still lets users of the host in", func(ctx context.Context) {
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.FleetAccess = ptr.To(true) })
		Expect(err).NotTo(HaveOccurred())
		Expect(reach.ClaimsOf(fleetToken(ctx)).Account).To(Equal(accountName + "-fleet"))
		said, err := joinAs(ctx, member1, member1, renamed)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(
			"created ServiceAccount kube-federation-system/member-1-renamed-fleet in member-1",
			"updated Secret kube-federation-system/member-1-fleet-access in the host cluster",
			"deleted ServiceAccount kube-federation-system/member-1-host-fleet in member-1",
		))
		Expect(reach.ClaimsOf(fleetToken(ctx)).Account).To(Equal(renamedAccount + "-fleet"))
	})

	It("is told when nobody gets in any more though the host notes it", func(ctx context.Context) {
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.FleetAccess = ptr.To(true) })
		Expect(err).NotTo(HaveOccurred())
		Expect(clientOf(member1).Delete(ctx, &corev1.ServiceAccount{ObjectMeta: objectMeta(namespace, accountName+"-fleet")})).To(Succeed())
		said, err := joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement(And(HavePrefix("warning: KubeFedCluster kube-federation-system/member-1 lets users of the host in"),
			ContainSubstring("fedctl join member-1 --cluster-context member-1 --fleet-access makes it again"))))
		_, err = joinAs(ctx, member1, member1, func(o *join.Options) { o.FleetAccess = ptr.To(false) })
		Expect(err).NotTo(HaveOccurred())
		said, err = joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(HaveEach(HavePrefix("unchanged ")))
	})
})
