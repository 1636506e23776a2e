package join_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
)

const accountName = "member-1-host"

func storedToken(ctx context.Context) (token string, lifetime time.Duration) {
	GinkgoHelper()
	var secret corev1.Secret
	Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "member-1-credentials"}, &secret)).To(Succeed())
	return string(secret.Data[reach.TokenKey]), reach.TokenLifetime(&secret)
}

func requestToken(ctx context.Context, as client.Client, namespace, account string) error {
	return as.SubResource("token").Create(ctx, &corev1.ServiceAccount{ObjectMeta: objectMeta(namespace, account)}, &authenticationv1.TokenRequest{})
}

var _ = Describe("the token of a member", func() {
	static := func(o *join.Options) { o.TokenLifetime = ptr.To(time.Duration(0)) }

	AfterEach(func(ctx context.Context) { leave(ctx, member1) })

	It("ends, and may be renewed by its account alone, for itself alone", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		token, lifetime := storedToken(ctx)
		Expect(lifetime).To(Equal(join.DefaultTokenLifetime))
		claims := reach.ClaimsOf(token)
		Expect(claims.Expires.Sub(claims.Issued)).To(Equal(join.DefaultTokenLifetime))
		Expect(claims.Account).To(Equal(accountName))
		account := asMemberAccount(ctx, member1, member1)
		Eventually(func() error { return requestToken(ctx, account, namespace, accountName) }).Should(Succeed())
		Expect(apierrors.IsForbidden(requestToken(ctx, account, namespace, "default"))).To(BeTrue())
		Expect(apierrors.IsForbidden(requestToken(ctx, account, "kube-system", accountName))).To(BeTrue())

		mustJoin(ctx, member1, member1)
		again, _ := storedToken(ctx)
		Expect(again).To(Equal(token), "it is good for some time")
	})

	It("is a new one where the account has gone with the old, though an API server may remember that", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		old, _ := storedToken(ctx)
		Eventually(func() error { return asMemberAccount(ctx, member1, member1).List(ctx, &corev1.NodeList{}) }).Should(Succeed())
		Expect(clientOf(member1).Delete(ctx, &corev1.ServiceAccount{ObjectMeta: objectMeta(namespace, accountName)})).To(Succeed())
		mustJoin(ctx, member1, member1)
		token, _ := storedToken(ctx)
		Expect(token).NotTo(Equal(old))
		Eventually(func() error { return asMemberAccount(ctx, member1, member1).List(ctx, &corev1.NodeList{}) }).Should(Succeed())
	})

	It("stays the one of KubeFed's kind until another is asked for, and then ends", func(ctx context.Context) {
		_, err := joinAs(ctx, member1, member1, static)
		Expect(err).NotTo(HaveOccurred())
		token, lifetime := storedToken(ctx)
		Expect(lifetime).To(BeZero())
		Expect(reach.ClaimsOf(token).Expires).To(BeZero())
		said, err := joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(HaveEach(HavePrefix("unchanged ")))
		old := asMemberAccount(ctx, member1, member1)

		said, err = joinAs(ctx, member1, member1, func(o *join.Options) { o.TokenLifetime = ptr.To(time.Hour) })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("deleted Secret kube-federation-system/member-1-host in member-1"))
		_, lifetime = storedToken(ctx)
		Expect(lifetime).To(Equal(time.Hour))
		Eventually(func() error { return asMemberAccount(ctx, member1, member1).List(ctx, &corev1.NodeList{}) }).Should(Succeed())
		Eventually(func() bool { return apierrors.IsUnauthorized(old.List(ctx, &corev1.NodeList{})) }).WithTimeout(time30).Should(BeTrue())

		said, err = joinAs(ctx, member1, member1, static)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("deleted Role kube-federation-system/kubefed-controller-manager:member-1-host:token in member-1"))
	})

	DescribeTable("ends with --rotate, whoever has it", func(ctx context.Context, kind ...func(*join.Options)) {
		_, err := joinAs(ctx, member1, member1, kind...)
		Expect(err).NotTo(HaveOccurred())
		stolen := asMemberAccount(ctx, member1, member1)
		Expect(stolen.List(ctx, &corev1.NodeList{})).To(Succeed())
		_, err = joinAs(ctx, member1, member1, func(o *join.Options) { o.Rotate = true })
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() error { return asMemberAccount(ctx, member1, member1).List(ctx, &corev1.NodeList{}) }).Should(Succeed())
		Eventually(func() bool { return apierrors.IsUnauthorized(stolen.List(ctx, &corev1.NodeList{})) }).WithTimeout(time30).Should(BeTrue())
	},
		Entry("that ends"),
		Entry("that does not end", static),
	)

	It("cannot be rotated before there is one", func(ctx context.Context) {
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.Rotate = true })
		Expect(err).To(MatchError("member-1 has not joined: there is no token to replace; leave out --rotate"))
		_, err = joinAs(ctx, member1, member1, func(o *join.Options) { o.TokenLifetime = ptr.To(time.Minute) })
		Expect(err).To(MatchError("a token lives 10m0s at least, or with 0 without end; not 1m0s"))
	})
})

// enableType enables a type for the spec.
func enableType(ctx context.Context, name, group, kind string, scope apiextensionsv1.ResourceScope) {
	GinkgoHelper()
	config := &fedcorev1beta1.FederatedTypeConfig{ObjectMeta: objectMeta(namespace, name)}
	config.Spec.Propagation = fedcorev1beta1.PropagationEnabled
	config.Spec.TargetType = fedcorev1beta1.APIResource{Group: group, Version: "v1", Kind: kind, Scope: scope}
	config.Spec.FederatedType = fedcorev1beta1.APIResource{Group: "types.kubefed.io", Version: "v1beta1", Kind: "Federated" + kind, Scope: scope}
	Expect(host.Create(ctx, config)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, config)).To(Succeed()) })
}

var _ = Describe("the rights of a member", func() {
	AfterEach(func(ctx context.Context) { leave(ctx, member1) })

	It("are those of the enabled types alone", func(ctx context.Context) {
		enableType(ctx, "configmaps", "", "ConfigMap", apiextensionsv1.NamespaceScoped)
		mustJoin(ctx, member1, member1)
		account := asMemberAccount(ctx, member1, member1)
		Eventually(func() error { return account.List(ctx, &corev1.ConfigMapList{}) }).Should(Succeed())
		for _, list := range []client.ObjectList{&corev1.SecretList{}, &corev1.ServiceAccountList{}, &corev1.PodList{}, &rbacv1.ClusterRoleList{}} {
			Expect(apierrors.IsForbidden(account.List(ctx, list))).To(BeTrue(), "%T", list)
		}
	})

	It("stay as wide as an earlier join was told", func(ctx context.Context) {
		said, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC = join.RBACUsual })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement(And(HavePrefix("member-1: the controller may write secrets,"), HaveSuffix("that is enough to get an administrator's rights in the member"))))
		said, err = joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(HavePrefix("kept the rights to the usual types in member-1"),
			"unchanged ClusterRole kubefed-controller-manager:member-1-host in member-1"))
		said, err = joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC = join.RBACTypes })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("updated ClusterRole kubefed-controller-manager:member-1-host in member-1"))
	})

	It("follow the types without another token", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		token, _ := storedToken(ctx)
		enableType(ctx, "clusterroles.rbac.authorization.k8s.io", rbacv1.GroupName, "ClusterRole", apiextensionsv1.ClusterScoped)
		said, err := joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(
			"updated ClusterRole kubefed-controller-manager:member-1-host in member-1",
			"unchanged ClusterRoleBinding kubefed-controller-manager:member-1-host in member-1",
			"unchanged Secret kube-federation-system/member-1-credentials in the host cluster",
			"member-1: the controller may do anything in the member, because it may grant any right: bind and escalate of clusterroles. Disable what you do not need of these types (fedctl disable) and join again",
		))
		Eventually(func() error { return asMemberAccount(ctx, member1, member1).List(ctx, &rbacv1.ClusterRoleList{}) }).Should(Succeed())
		after, _ := storedToken(ctx)
		Expect(after).To(Equal(token))
	})
})
