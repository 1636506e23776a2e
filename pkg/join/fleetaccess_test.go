package join_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
)

var _ = Describe("users of the host in a member", func() {
	AfterEach(func(ctx context.Context) { leave(ctx, member1) })

	letIn := func(in bool) func(*join.Options) { return func(o *join.Options) { o.FleetAccess = &in } }
	nothingLeft := func(ctx context.Context) {
		GinkgoHelper()
		for cluster, lists := range map[string][]client.ObjectList{
			hostName: {&corev1.SecretList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{}},
			member1:  {&corev1.ServiceAccountList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}},
		} {
			for _, list := range lists {
				Expect(clientOf(cluster).List(ctx, list)).To(Succeed())
				Expect(namesIn(list)).NotTo(ContainElement(Or(ContainSubstring("fleet-access"), ContainSubstring("host-fleet"))), "%s: %T", cluster, list)
			}
		}
	}

	It("are let in by nobody who may not give that right, and who asks for it joins nothing", func(ctx context.Context) {
		everythingBut := rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"}}
		paths := rbacv1.PolicyRule{NonResourceURLs: []string{"*"}, Verbs: []string{"get"}}
		grant(ctx, member1, "no-impersonator", everythingBut, paths)
		limited := configOf(member1)
		limited.Impersonate = rest.ImpersonationConfig{UserName: "no-impersonator", Groups: []string{"system:authenticated"}}
		Eventually(func() error { return clientFor(limited).List(ctx, &rbacv1.ClusterRoleList{}) }).Should(Succeed())

		o := join.Options{ClusterName: member1, HostClusterName: hostName, KubeFedNamespace: namespace, FleetAccess: ptr.To(true)}
		Expect(join.Join(ctx, configOf(hostName), limited, o)).To(MatchError(
			ContainSubstring("you may not give the rights of ClusterRole fedctl-fleet-access:member-1-host-fleet in member-1")))
		key := client.ObjectKey{Namespace: namespace, Name: member1}
		Expect(host.Get(ctx, key, &fedcorev1beta1.KubeFedCluster{})).To(MatchError(apierrors.IsNotFound, "is not found"))
		account := client.ObjectKey{Namespace: namespace, Name: accountName}
		Expect(clientOf(member1).Get(ctx, account, &corev1.ServiceAccount{})).To(MatchError(apierrors.IsNotFound, "is not found"))

		By("and without asking for it may join the member")
		o.FleetAccess = nil
		Expect(join.Join(ctx, configOf(hostName), limited, o)).To(Succeed())
	})

	It("are let in by nobody whose Secret would be another's, and who asks for it joins nothing", func(ctx context.Context) {
		other := &corev1.Secret{ObjectMeta: objectMeta(namespace, "member-1-fleet-access")}
		Expect(host.Create(ctx, other)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, other)).To(Succeed()) })
		said, err := joinAs(ctx, member1, member1, letIn(true))
		Expect(err).To(MatchError(ContainSubstring("Secret kube-federation-system/member-1-fleet-access in the host cluster is not that of cluster member-1")))
		Expect(said).To(BeEmpty())
	})

	It("are let in no more, wherever ending that was interrupted", func(ctx context.Context) {
		for _, after := range []string{"updated KubeFedCluster", "deleted Role ", "deleted Secret", "deleted ClusterRole "} {
			for _, end := range []string{"repeated", "unjoined"} {
				By(after + ", then " + end)
				_, err := joinAs(ctx, member1, member1, letIn(true))
				Expect(err).NotTo(HaveOccurred())
				killed(after, func(say func(string)) error {
					_, err := joinAs(ctx, member1, member1, letIn(false), func(o *join.Options) { o.Say = say })
					return err
				})
				if end == "repeated" {
					_, err = joinAs(ctx, member1, member1, letIn(false))
				} else {
					_, err = unjoin(ctx, member1, configOf(member1))
				}
				Expect(err).NotTo(HaveOccurred())
				nothingLeft(ctx)
			}
		}
	})

	It("get in with a new token when all tokens are ended", func(ctx context.Context) {
		stored := func() string {
			GinkgoHelper()
			var secret corev1.Secret
			Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "member-1-fleet-access"}, &secret)).To(Succeed())
			return string(secret.Data[reach.TokenKey])
		}
		_, err := joinAs(ctx, member1, member1, letIn(true))
		Expect(err).NotTo(HaveOccurred())
		stolen := stored()
		rotate := func(o *join.Options) { o.Rotate = true }
		said, err := joinAs(ctx, member1, member1, rotate, func(o *join.Options) { o.DryRun = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("would delete ServiceAccount kube-federation-system/member-1-host-fleet in member-1"))
		Expect(stored()).To(Equal(stolen))
		said, err = joinAs(ctx, member1, member1, rotate)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(
			"deleted ServiceAccount kube-federation-system/member-1-host-fleet in member-1",
			"updated Secret kube-federation-system/member-1-fleet-access in the host cluster",
		))
		Expect(stored()).NotTo(Equal(stolen))
		config := rest.AnonymousClientConfig(configOf(member1))
		config.BearerToken = stolen
		Eventually(func() bool {
			return apierrors.IsUnauthorized(clientFor(config).List(ctx, &corev1.NodeList{}))
		}).WithTimeout(time30).Should(BeTrue())
	})
})
