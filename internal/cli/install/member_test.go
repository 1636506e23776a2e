package install_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var _ = Describe("rights for backups in a member", Ordered, func() {
	may := func(ctx context.Context, account, verb, group, resource, in string) func() (bool, error) {
		return func() (bool, error) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               "system:serviceaccount:" + namespace + ":" + account,
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Namespace: in},
			}}
			err := host.Create(ctx, review)
			return review.Status.Allowed, err
		}
	}

	It("are refused where no host has joined, before anything is written", func(ctx context.Context) {
		out, err := fedctl(ctx, "install", "--member", "host", "--backup-rights", "save")
		Expect(err).To(MatchError(And(HavePrefix("host: no host has joined"), ContainSubstring(`run "fedctl join" first`))))
		Expect(out).To(BeEmpty())
		_, err = fedctl(ctx, "install", "--member", "host", "--backup-rights", "none")
		Expect(err).NotTo(HaveOccurred(), "there is nothing to take away")
	})

	It("are given and taken", func(ctx context.Context) {
		// What join leaves.
		Expect(host.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "kubefed-controller-manager:a-host"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kubefed-controller-manager:a-host"},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: "a-host"}},
		})).To(Succeed())
		_, err := fedctl(ctx, "install", "--member", "host", "--backup-rights", "restore")
		Expect(err).NotTo(HaveOccurred())
		Eventually(may(ctx, "a-host", "create", "apps", "deployments", "default")).Should(BeTrue())
		Eventually(may(ctx, "a-host", "list", "apps", "deployments", "default")).Should(BeTrue())

		_, err = fedctl(ctx, "install", "--member", "host", "--backup-rights", "save")
		Expect(err).NotTo(HaveOccurred())
		Eventually(may(ctx, "a-host", "create", "apps", "deployments", "default")).Should(BeFalse())
		Eventually(may(ctx, "a-host", "list", "", "secrets", "default")).Should(BeTrue())
		Eventually(may(ctx, "a-host", "create", "backup.fedctl.io", "backupruns", "default")).Should(BeTrue())
		Eventually(may(ctx, "a-host", "update", "coordination.k8s.io", "leases", namespace)).Should(BeFalse(), "any Lease")

		_, err = fedctl(ctx, "install", "--member", "host", "--backup-rights", "none")
		Expect(err).NotTo(HaveOccurred())
		Eventually(may(ctx, "a-host", "list", "", "secrets", "default")).Should(BeFalse())
	})

	It("are an executor's own where one is installed", func(ctx context.Context) {
		_, err := fedctl(ctx, "install", "--member", "host", "--executor")
		Expect(err).NotTo(HaveOccurred())
		Eventually(may(ctx, "fedctl-backup-executor", "list", "", "secrets", "default")).Should(BeTrue())
		Expect(may(ctx, "fedctl-backup-executor", "create", "apps", "deployments", "default")()).To(BeFalse())
		Expect(may(ctx, "a-host", "list", "", "secrets", "default")()).To(BeFalse())
	})
})
