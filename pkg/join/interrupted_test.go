package join_test

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/join"
)

var _ = Describe("a membership that was made or ended half", func() {
	AfterEach(func(ctx context.Context) { leave(ctx, member1) })

	killedJoin := func(ctx context.Context, after string, change ...func(*join.Options)) {
		GinkgoHelper()
		killed(after, func(say func(string)) error {
			_, err := joinAs(ctx, member1, member1, append(slices.Clone(change), func(o *join.Options) { o.Say = say })...)
			return err
		})
	}
	killedUnjoin := func(ctx context.Context, after string) {
		GinkgoHelper()
		killed(after, func(say func(string)) error {
			_, err := unjoin(ctx, member1, configOf(member1), func(o *join.UnjoinOptions) { o.Say = say })
			return err
		})
	}
	nothingLeft := func(ctx context.Context) {
		GinkgoHelper()
		for cluster, lists := range map[string][]client.ObjectList{
			member1:  {&rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}, &admissionv1.ValidatingAdmissionPolicyList{}, &admissionv1.ValidatingAdmissionPolicyBindingList{}},
			hostName: {&corev1.SecretList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{}},
		} {
			for _, list := range lists {
				Expect(clientOf(cluster).List(ctx, list)).To(Succeed())
				Expect(namesIn(list)).NotTo(ContainElement(ContainSubstring(member1)), "%s: %T", cluster, list)
			}
		}
	}
	gone := func(ctx context.Context, change ...func(*join.UnjoinOptions)) {
		GinkgoHelper()
		_, err := unjoin(ctx, member1, configOf(member1), change...)
		Expect(err).NotTo(HaveOccurred())
		nothingLeft(ctx)
		_, err = unjoin(ctx, member1, configOf(member1), change...)
		Expect(err).To(MatchError(ContainSubstring("cluster member-1 has not joined")))
	}

	It("is ended wherever joining was interrupted", func(ctx context.Context) {
		byNamespace := func(o *join.Options) { o.RBAC = join.RBACNamespaces }
		for _, after := range []string{
			"created Namespace", "created ServiceAccount", "created ValidatingAdmissionPolicy ", "created ValidatingAdmissionPolicyBinding",
			"created ClusterRole ", "created ClusterRoleBinding", "created Secret", "created KubeFedCluster",
		} {
			By(after)
			killedJoin(ctx, after, byNamespace)
			gone(ctx)
			Eventually(func() error {
				return clientOf(member1).Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
			}).Should(Satisfy(apierrors.IsNotFound))
		}
	})

	It("is ended by a repeated unjoin, whatever the account is called", func(ctx context.Context) {
		for _, after := range []string{"deleted KubeFedCluster", "deleted Secret", "deleted ClusterRoleBinding kubefed", "deleted ServiceAccount kube-federation-system/member-1-renamed-fleet"} {
			By(after)
			_, err := joinAs(ctx, member1, member1, func(o *join.Options) {
				o.HostClusterName, o.RBAC, o.FleetAccess = "renamed", join.RBACNamespaces, ptr.To(true)
			})
			Expect(err).NotTo(HaveOccurred())
			killedUnjoin(ctx, after)
			gone(ctx)
		}
	})

	It("leaves a Secret that another KubeFedCluster uses", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		user := kubeFedCluster(ctx, member1).DeepCopy()
		user.ObjectMeta = objectMeta(namespace, "copy")
		user.Annotations = kubeFedCluster(ctx, member1).Annotations
		Expect(host.Create(ctx, user)).To(Succeed())
		Expect(host.Delete(ctx, kubeFedCluster(ctx, member1))).To(Succeed())
		_, err := unjoin(ctx, member1, configOf(member1))
		Expect(err).To(MatchError(ContainSubstring("is not to be removed: KubeFedCluster copy uses them")))
		Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "member-1-credentials"}, &corev1.Secret{})).To(Succeed())
		Expect(host.Delete(ctx, user)).To(Succeed())
		gone(ctx)
	})

	It("is ended in the host by force where nothing may be read in the member", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		blind := configOf(member1)
		blind.Impersonate = rest.ImpersonationConfig{UserName: "blind", Groups: []string{"system:authenticated"}}
		said, err := unjoin(ctx, member1, blind)
		Expect(err).To(MatchError(And(ContainSubstring("reading ServiceAccount kube-federation-system/member-1-host in member-1"), ContainSubstring("member-1 stays as it is (--force"))))
		Expect(said).To(BeEmpty())
		said, err = unjoin(ctx, member1, blind, func(o *join.UnjoinOptions) { o.Force = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(
			"deleted KubeFedCluster kube-federation-system/member-1 in the host cluster",
			"deleted Secret kube-federation-system/member-1-credentials in the host cluster",
			HavePrefix("kept ServiceAccount kube-federation-system/member-1-host and its rights in member-1: nothing says whose they are (reading ServiceAccount"),
		))
		Expect(clientOf(member1).Get(ctx, client.ObjectKey{Namespace: namespace, Name: accountName}, &corev1.ServiceAccount{})).To(Succeed())
		gone(ctx)
	})

	It("does not come of rights that are missing", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		limited := configOf(member1)
		limited.Impersonate = rest.ImpersonationConfig{UserName: "limited", Groups: []string{"system:authenticated"}}
		grant(ctx, member1, "limited", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"*"}, Verbs: []string{"*"}},
			rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles", "clusterrolebindings"}, Verbs: []string{"*"}})
		Eventually(func() error { return clientFor(limited).List(ctx, &rbacv1.ClusterRoleList{}) }).Should(Succeed())
		lacks := MatchError(ContainSubstring("you lack rights in member-1: delete rolebindings.rbac.authorization.k8s.io in namespace kube-federation-system, delete roles"))
		for _, dryRun := range []bool{true, false} {
			said, err := unjoin(ctx, member1, limited, func(o *join.UnjoinOptions) { o.DryRun = dryRun })
			Expect(err).To(And(lacks, MatchError(ContainSubstring("member-1 stays as it is"))))
			Expect(said).To(BeEmpty())
		}
		kubeFedCluster(ctx, member1)

		By("and what one may not remove who forces it, another does later")
		said, err := unjoin(ctx, member1, limited, func(o *join.UnjoinOptions) { o.Force = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement(And(HavePrefix("could not clean up member-1: "), ContainSubstring("fedctl unjoin member-1 --cluster-context member-1 --host-cluster-name host"))))
		Expect(clientOf(member1).Get(ctx, client.ObjectKey{Namespace: namespace, Name: accountName}, &corev1.ServiceAccount{})).To(MatchError(apierrors.IsNotFound, "not found"))
		gone(ctx, func(o *join.UnjoinOptions) { o.HostClusterName = hostName })
	})
})

// killed runs what says what it has done, and ends it as a signal that cannot be caught
// does, after a line with this beginning.
func killed(after string, run func(say func(string)) error) {
	GinkgoHelper()
	type kill struct{}
	defer func() {
		if r := recover(); r != (kill{}) {
			panic(r)
		}
	}()
	err := run(func(line string) {
		if strings.HasPrefix(line, after) {
			panic(kill{})
		}
	})
	Fail("was not killed: " + errorText(err))
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

func namesIn(list client.ObjectList) (names []string) {
	GinkgoHelper()
	Expect(meta.EachListItem(list, func(item runtime.Object) error {
		object, err := meta.Accessor(item)
		if err == nil {
			names = append(names, object.GetName())
		}
		return err
	})).To(Succeed())
	return names
}

// grant gives a user rights in a cluster while the spec runs.
func grant(ctx context.Context, cluster, user string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: objectMeta("", user), Rules: rules}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: objectMeta("", user)}
	binding.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user}
	binding.Subjects = []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
	for _, object := range []client.Object{role, binding} {
		Expect(clientOf(cluster).Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(clientOf(cluster).Delete(ctx, object)).To(Succeed()) })
	}
}
