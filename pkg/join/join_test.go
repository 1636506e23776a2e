package join_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
)

// asMemberAccount is a client with the token that join stored in the host.
func asMemberAccount(ctx context.Context, name, of string) client.Client {
	GinkgoHelper()
	var secret corev1.Secret
	Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: kubeFedCluster(ctx, name).Spec.SecretRef.Name}, &secret)).To(Succeed())
	config := rest.AnonymousClientConfig(configOf(of))
	config.BearerToken = string(secret.Data[reach.TokenKey])
	return clientFor(config)
}

var _ = Describe("join and unjoin", Ordered, func() {
	var member client.Client

	BeforeAll(func() { member = clientOf(member1) })
	AfterEach(func(ctx context.Context) { leave(ctx, member1) })

	It("says what it would do, and does nothing", func(ctx context.Context) {
		said, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.DryRun = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(Equal([]string{
			"would create Namespace kube-federation-system in member-1",
			"would create ServiceAccount kube-federation-system/member-1-host in member-1",
			"would create ClusterRole kubefed-controller-manager:member-1-host in member-1",
			"would create ClusterRoleBinding kubefed-controller-manager:member-1-host in member-1",
			"would create Role kube-federation-system/kubefed-controller-manager:member-1-host:token in member-1",
			"would create RoleBinding kube-federation-system/kubefed-controller-manager:member-1-host:token in member-1",
			"would create Secret kube-federation-system/member-1-credentials in the host cluster",
			"would create KubeFedCluster kube-federation-system/member-1 in the host cluster",
		}))
		var clusters fedcorev1beta1.KubeFedClusterList
		Expect(host.List(ctx, &clusters)).To(Succeed())
		Expect(clusters.Items).To(BeEmpty())
		err = member.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
	})

	It("creates an account that works, and changes nothing when repeated", func(ctx context.Context) {
		said, err := joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(HaveLen(8))
		Expect(said).To(HaveEach(HavePrefix("created ")))
		kfc := kubeFedCluster(ctx, member1)
		Expect(kfc.Spec.APIEndpoint).To(Equal(configOf(member1).Host))
		Expect(kfc.Spec.CABundle).NotTo(BeEmpty())
		Expect(kfc.Annotations).To(HaveKeyWithValue(join.ServiceAccountAnnotation, "kube-federation-system/member-1-host"))
		account := asMemberAccount(ctx, member1, member1)
		Expect(apierrors.IsForbidden(account.List(ctx, &corev1.ConfigMapList{}))).To(BeTrue(), "no type is enabled")
		Eventually(func() error { return account.List(ctx, &corev1.NodeList{}) }).Should(Succeed())

		said, err = joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(HaveLen(8))
		Expect(said).To(HaveEach(HavePrefix("unchanged ")))
		dry := func(o *join.Options) { o.DryRun = true }
		said, err = joinAs(ctx, member1, member1, dry)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(HaveEach(HavePrefix("unchanged ")))
		static := func(o *join.Options) { o.TokenLifetime = ptr.To(time.Duration(0)) }
		_, err = joinAs(ctx, member1, member1, static)
		Expect(err).NotTo(HaveOccurred())
		said, err = joinAs(ctx, member1, member1, dry)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(HaveEach(HavePrefix("unchanged ")))
		said, err = joinAs(ctx, member1, member1, dry, func(o *join.Options) { o.Rotate = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement(HavePrefix("would delete ServiceAccount")))
		_, err = joinAs(ctx, member1, member1, func(o *join.Options) { o.ErrorOnExisting = true })
		Expect(err).To(MatchError(ContainSubstring("KubeFedCluster kube-federation-system/member-1 already exists")))
	})

	It("grants what the types need, and more when types are added", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		account := asMemberAccount(ctx, member1, member1)
		role := &rbacv1.ClusterRole{ObjectMeta: objectMeta("", "granted"), Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"storage.k8s.io"}, Resources: []string{"storageclasses"}, Verbs: []string{"delete"}},
		}}
		Expect(apierrors.IsForbidden(account.Create(ctx, role.DeepCopy()))).To(BeTrue(), "no ClusterRoles unless they are federated")
		Expect(apierrors.IsForbidden(account.List(ctx, &corev1.EndpointsList{}))).To(BeTrue())

		config := &fedcorev1beta1.FederatedTypeConfig{ObjectMeta: objectMeta(namespace, "clusterroles.rbac.authorization.k8s.io")}
		config.Spec.Propagation = fedcorev1beta1.PropagationEnabled
		config.Spec.TargetType = fedcorev1beta1.APIResource{Group: rbacv1.GroupName, Version: "v1", Kind: "ClusterRole", PluralName: "clusterroles", Scope: apiextensionsv1.ClusterScoped}
		config.Spec.FederatedType = fedcorev1beta1.APIResource{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedClusterRole", PluralName: "federatedclusterroles", Scope: apiextensionsv1.ClusterScoped}
		Expect(host.Create(ctx, config)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, config)).To(Succeed()) })
		said, err := joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("updated ClusterRole kubefed-controller-manager:member-1-host in member-1"))
		Eventually(func() error { return account.Create(ctx, role.DeepCopy()) }).Should(Succeed())
		Expect(account.Delete(ctx, role)).To(Succeed())
	})

	It("refuses names and clusters that cannot be joined", func(ctx context.Context) {
		_, err := joinAs(ctx, "Member_1", member1)
		Expect(err).To(MatchError(ContainSubstring(`cluster name "Member_1" cannot be the name of a KubeFedCluster`)))
		mustJoin(ctx, member1, member1)
		_, err = joinAs(ctx, "other", member1)
		Expect(err).To(MatchError(ContainSubstring("this cluster has already joined as member-1")))
		_, err = joinAs(ctx, member1, member2)
		Expect(err).To(MatchError(ContainSubstring("the name member-1 is taken by the cluster at " + configOf(member1).Host)))
		_, err = joinAs(ctx, "other", member2, func(o *join.Options) { o.KubeFedNamespace = "nowhere" })
		Expect(err).To(MatchError(ContainSubstring("has no namespace nowhere")))
	})

	It("names the rights that are missing", func(ctx context.Context) {
		nobody := configOf(member1)
		nobody.Impersonate = rest.ImpersonationConfig{UserName: "nobody", Groups: []string{"system:authenticated"}}
		o := join.Options{ClusterName: member1, HostClusterName: hostName, KubeFedNamespace: namespace}
		err := join.Join(ctx, configOf(hostName), nobody, o)
		Expect(err).To(MatchError(And(
			ContainSubstring("you lack rights in member-1: get namespaces, create namespaces"),
			ContainSubstring("create clusterroles.rbac.authorization.k8s.io"),
			ContainSubstring("create serviceaccounts/token in namespace kube-federation-system"),
		)))
		wrong := rest.AnonymousClientConfig(configOf(member1))
		wrong.BearerToken = "wrong"
		err = join.Join(ctx, configOf(hostName), wrong, o)
		Expect(err).To(MatchError(ContainSubstring("does not accept the credentials in the kubeconfig")))
	})

	It("says that a member is unreachable, and lets it go by force", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		Expect(fleet.StopMember(ctx, member1)).To(Succeed())
		defer func() { Expect(fleet.StartMember(ctx, member1)).To(Succeed()) }()
		_, err := joinAs(ctx, member1, member1)
		Expect(err).To(MatchError(MatchRegexp(`member-1 at https://.* is not reachable: connection to .* refused`)))
		_, err = unjoin(ctx, member1, configOf(member1))
		Expect(err).To(MatchError(ContainSubstring("--force")))
		said, err := unjoin(ctx, member1, configOf(member1), func(o *join.UnjoinOptions) { o.Force = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(
			ContainSubstring("left member-1 as it is: member-1 at"),
			"deleted KubeFedCluster kube-federation-system/member-1 in the host cluster",
			"deleted Secret kube-federation-system/member-1-credentials in the host cluster",
		))
	})

	It("removes all that join made, and what is left over by force later", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		_, err := unjoin(ctx, member1, configOf(member2))
		Expect(err).To(MatchError(ContainSubstring("is not the cluster that joined as member-1")))
		said, err := unjoin(ctx, member1, configOf(member1), func(o *join.UnjoinOptions) { o.DryRun = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(HaveEach(HavePrefix("would delete ")))
		kubeFedCluster(ctx, member1)

		said, err = unjoin(ctx, member1, configOf(member1))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(Equal([]string{
			"deleted KubeFedCluster kube-federation-system/member-1 in the host cluster",
			"deleted Secret kube-federation-system/member-1-credentials in the host cluster",
			"deleted ClusterRoleBinding kubefed-controller-manager:member-1-host in member-1",
			"deleted ClusterRole kubefed-controller-manager:member-1-host in member-1",
			"deleted RoleBinding kube-federation-system/kubefed-controller-manager:member-1-host:token in member-1",
			"deleted Role kube-federation-system/kubefed-controller-manager:member-1-host:token in member-1",
			"deleted ServiceAccount kube-federation-system/member-1-host in member-1",
			"deleted Namespace kube-federation-system in member-1",
		}))
		_, err = unjoin(ctx, member1, configOf(member1))
		Expect(err).To(MatchError(ContainSubstring("cluster member-1 has not joined")))
	})

	It("takes the rights to execute backups with it, those of this account alone", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		const account = "member-1-host"
		others := append(join.BackupBindings("elsewhere", account)[:1], join.BackupBindings(namespace, "another")[0])
		for _, object := range others {
			Expect(member.Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(member.Delete(ctx, object)).To(Succeed()) })
		}
		// What "fedctl install --member" and an executor make.
		for _, object := range append(join.BackupBindings(namespace, account),
			&rbacv1.Role{ObjectMeta: objectMeta(namespace, join.BackupLeaseRole)},
			&coordinationv1.Lease{ObjectMeta: objectMeta(namespace, v1alpha1.ExecutorLease)}) {
			Expect(member.Create(ctx, object)).To(Succeed())
		}
		said, err := unjoin(ctx, member1, configOf(member1), func(o *join.UnjoinOptions) { o.DryRun = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(
			"would delete RoleBinding kube-federation-system/fedctl-backup-lease:member-1-host in member-1",
			"would delete Namespace kube-federation-system in member-1",
		))
		said, err = unjoin(ctx, member1, configOf(member1))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(
			"deleted ClusterRoleBinding fedctl-backup-save:kube-federation-system:member-1-host in member-1",
			"deleted ClusterRoleBinding fedctl-backup-restore:kube-federation-system:member-1-host in member-1",
			"deleted RoleBinding kube-federation-system/fedctl-backup-lease:member-1-host in member-1",
			"deleted Namespace kube-federation-system in member-1",
		))
		for _, object := range others {
			Expect(member.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		}
	})

	It("keeps a namespace in which something is left", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		mine := &corev1.ConfigMap{ObjectMeta: objectMeta(namespace, "mine")}
		Expect(member.Create(ctx, mine)).To(Succeed())
		said, err := unjoin(ctx, member1, configOf(member1))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("kept Namespace kube-federation-system in member-1: it still holds ConfigMap mine"))
		Expect(member.Delete(ctx, mine)).To(Succeed())
	})

	It("keeps the control plane's namespace when the host leaves", func(ctx context.Context) {
		mustJoin(ctx, hostName, hostName)
		said, err := unjoin(ctx, hostName, configOf(hostName))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("kept Namespace kube-federation-system in host: it is the control plane's"))
		Expect(host.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})).To(Succeed())
	})

	It("limits the rights to the namespace of a Namespaced control plane", func(ctx context.Context) {
		config := &fedcorev1beta1.KubeFedConfig{ObjectMeta: objectMeta(namespace, "kubefed")}
		config.Spec.Scope = apiextensionsv1.NamespaceScoped
		Expect(host.Create(ctx, config)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, config)).To(Succeed()) })
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC = join.RBACUsual })
		Expect(err).NotTo(HaveOccurred())
		account := asMemberAccount(ctx, member1, member1)
		Eventually(func() error { return account.List(ctx, &corev1.ConfigMapList{}, client.InNamespace(namespace)) }).Should(Succeed())
		Eventually(func() error { return account.List(ctx, &corev1.NodeList{}) }).Should(Succeed())
		Eventually(func() error {
			return account.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, &corev1.Namespace{})
		}).Should(Succeed())
		Expect(apierrors.IsForbidden(account.List(ctx, &corev1.ConfigMapList{}))).To(BeTrue())
		_, err = unjoin(ctx, member1, configOf(member1))
		Expect(err).NotTo(HaveOccurred())
		var roles rbacv1.ClusterRoleList
		Expect(member.List(ctx, &roles)).To(Succeed())
		for _, role := range roles.Items {
			Expect(role.Name).NotTo(HavePrefix("kubefed-controller-manager:"))
		}
	})
})
