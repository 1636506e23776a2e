package join_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
)

var _ = Describe("a member of two hosts", func() {
	var said []string
	say := func(line string) { said = append(said, line) }
	// byB joins member-1 to member-2, which is another host here.
	byB := func(ctx context.Context, hostClusterName string) error {
		said = nil
		return join.Join(ctx, configOf(member2), configOf(member1), join.Options{
			ClusterName: member1, HostClusterName: hostClusterName, KubeFedNamespace: namespace, ClusterContext: "ctx-1", Say: say,
		})
	}
	byBUnjoin := func(ctx context.Context, change ...func(*join.UnjoinOptions)) error {
		said = nil
		o := join.UnjoinOptions{ClusterName: member1, DefaultHostClusterName: hostName, KubeFedNamespace: namespace, Say: say}
		for _, c := range change {
			c(&o)
		}
		return join.Unjoin(ctx, configOf(member2), configOf(member1), o)
	}
	// unmark makes an account one of KubeFed or of an earlier version.
	unmark := func(ctx context.Context, name string) {
		GinkgoHelper()
		account := &corev1.ServiceAccount{ObjectMeta: objectMeta(namespace, name)}
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"`+join.HostUIDAnnotation+`":null}}}`))
		Expect(clientOf(member1).Patch(ctx, account, patch)).To(Succeed())
	}
	accounts := func(ctx context.Context) []string {
		GinkgoHelper()
		all, err := join.Accounts(ctx, clientOf(member1))
		Expect(err).NotTo(HaveOccurred())
		var names []string
		for _, account := range all {
			names = append(names, account.String())
		}
		return names
	}

	BeforeEach(func(ctx context.Context) {
		_, err := envtest.InstallCRDs(configOf(member2), envtest.CRDInstallOptions{Paths: []string{"../../config/crd/core"}})
		Expect(err).NotTo(HaveOccurred())
		b := &corev1.Namespace{ObjectMeta: objectMeta("", namespace)}
		Expect(clientOf(member2).Create(ctx, b)).To(Succeed())
	})
	AfterEach(func(ctx context.Context) {
		leave(ctx, member1)
		_ = byBUnjoin(ctx)
		leave(ctx, member2)
	})

	It("has an account for each, also where both are called the same", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		Expect(byB(ctx, hostName)).To(MatchError(And(
			ContainSubstring("ServiceAccount kube-federation-system/member-1-host in member-1 is that of another host cluster of the same name: join with another --host-cluster-name"),
			ContainSubstring("kubectl --context ctx-1 --namespace kube-federation-system annotate --overwrite serviceaccount member-1-host fedctl.io/host-cluster-uid="+uidOf(ctx, member2)),
		)))
		Expect(said).To(BeEmpty(), "nothing is written")

		Expect(byB(ctx, "b")).To(Succeed())
		Expect(said).To(ContainElement(And(
			HavePrefix("warning: the ServiceAccount kube-federation-system/member-1-host in member-1 has the rights of a federation too: another host has joined the cluster"),
			Not(ContainSubstring("annotate")),
		)))
		Expect(byBUnjoin(ctx)).To(Succeed())
		Expect(said).To(ContainElement("deleted ServiceAccount kube-federation-system/member-1-b in member-1"))
		Expect(accounts(ctx)).To(ConsistOf("kube-federation-system/member-1-host"))
		Eventually(func() error { return asMemberAccount(ctx, member1, member1).List(ctx, &corev1.NodeList{}) }).Should(Succeed())
	})

	It("is taken over from a host that is lost, whose tokens end", func(ctx context.Context) {
		takeOver := func(ctx context.Context, hostClusterName string, change ...func(*join.Options)) error {
			said = nil
			o := join.Options{ClusterName: member1, HostClusterName: hostClusterName, KubeFedNamespace: namespace, ClusterContext: "ctx-1", Say: say, TakeOver: true}
			for _, c := range change {
				c(&o)
			}
			return join.Join(ctx, configOf(member2), configOf(member1), o)
		}
		asLost := func() error { return asMemberAccount(ctx, member1, member1).List(ctx, &corev1.NodeList{}) }
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC = join.RBACAdmin })
		Expect(err).NotTo(HaveOccurred())
		Eventually(asLost).Should(Succeed())

		By("saying first what would go")
		Expect(takeOver(ctx, "b", func(o *join.Options) { o.DryRun = true })).To(Succeed())
		Expect(said).To(ContainElements(
			"ServiceAccount kube-federation-system/member-1-host in member-1 was another host's, and goes with its tokens",
			"would delete ServiceAccount kube-federation-system/member-1-host in member-1",
		))
		Expect(asLost()).To(Succeed())

		By("by another name")
		Expect(takeOver(ctx, "b")).To(Succeed())
		Expect(said).To(ContainElement("deleted ServiceAccount kube-federation-system/member-1-host in member-1"))
		Expect(said).NotTo(ContainElement(HavePrefix("warning:")))
		Expect(accounts(ctx)).To(ConsistOf("kube-federation-system/member-1-b"))
		Eventually(asLost).Should(MatchError(apierrors.IsUnauthorized, "is not authorized"))

		By("not being taken back unasked")
		_, err = joinAs(ctx, member1, member1)
		Expect(err).To(MatchError(And(ContainSubstring("another host has taken member-1 over"), ContainSubstring("fedctl unjoin member-1 --force"))))

		By("by the same name")
		Expect(byBUnjoin(ctx)).To(Succeed())
		mustJoin(ctx, member1, member1)
		Eventually(asLost).Should(Succeed())
		Expect(byB(ctx, hostName)).To(MatchError(ContainSubstring("If that host is lost, run the command again with --take-over")))
		Expect(takeOver(ctx, hostName)).To(Succeed())
		Expect(accounts(ctx)).To(ConsistOf("kube-federation-system/member-1-host"))
		var account corev1.ServiceAccount
		Expect(clientOf(member1).Get(ctx, client.ObjectKey{Namespace: namespace, Name: accountName}, &account)).To(Succeed())
		Expect(account.Annotations).To(HaveKeyWithValue(join.HostUIDAnnotation, uidOf(ctx, member2)))
		Eventually(asLost).Should(MatchError(apierrors.IsUnauthorized, "is not authorized"))
		var role rbacv1.ClusterRole
		Expect(clientOf(member1).Get(ctx, client.ObjectKey{Name: "kubefed-controller-manager:" + accountName}, &role)).To(Succeed())
		Expect(role.Annotations).To(HaveKeyWithValue(join.RBACAnnotation, string(join.RBACTypes)))

		By("joining again, which changes nothing")
		Expect(takeOver(ctx, hostName)).To(Succeed())
		Expect(said).NotTo(ContainElement(HavePrefix("deleted")))
	})

	It("gives no wider rights after a move than the host that it was brought from had", func(ctx context.Context) {
		brought := &fedcorev1beta1.KubeFedCluster{ObjectMeta: objectMeta(namespace, member1), Spec: fedcorev1beta1.KubeFedClusterSpec{
			APIEndpoint: configOf(member1).Host, CABundle: configOf(member1).CAData, SecretRef: fedcorev1beta1.LocalSecretReference{Name: "member-1-credentials"},
		}}
		brought.Annotations = map[string]string{
			reach.AwaitsJoinAnnotation: "true", reach.NamespaceRightsAnnotation: namespace + "/member-1-lost", reach.ClusterUIDAnnotation: uidOf(ctx, member1),
		}
		Expect(clientOf(member2).Create(ctx, brought)).To(Succeed())
		Expect(byB(ctx, "b")).To(Succeed())
		Expect(said).To(ContainElement(ContainSubstring("kept the rights in member-1 to the namespaces that are federated to it")))
		var stored fedcorev1beta1.KubeFedCluster
		Expect(clientOf(member2).Get(ctx, client.ObjectKeyFromObject(brought), &stored)).To(Succeed())
		Expect(stored.Annotations).NotTo(HaveKey(reach.AwaitsJoinAnnotation))
		Expect(stored.Annotations).To(HaveKeyWithValue(reach.NamespaceRightsAnnotation, namespace+"/member-1-b"))
	})

	It("keeps the account of one when the other leaves that has had it as well", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		unmark(ctx, accountName)
		Expect(byB(ctx, hostName)).To(MatchError(ContainSubstring("is there already, and nothing says that it is this host's")))
		// As it was before accounts said whose they are.
		claim := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"`+join.HostUIDAnnotation+`":"`+uidOf(ctx, member2)+`"}}}`))
		Expect(clientOf(member1).Patch(ctx, &corev1.ServiceAccount{ObjectMeta: objectMeta(namespace, accountName)}, claim)).To(Succeed())
		Expect(byB(ctx, hostName)).To(Succeed())
		unmark(ctx, accountName)
		mustJoin(ctx, member1, member1) // the first to join again has it

		Expect(byB(ctx, hostName)).To(MatchError(ContainSubstring("is that of another host cluster")))
		Expect(byBUnjoin(ctx)).To(Succeed())
		Expect(said).To(ContainElements(
			"deleted KubeFedCluster kube-federation-system/member-1 in the host cluster",
			"kept ServiceAccount kube-federation-system/member-1-host and its rights in member-1: it is that of another host cluster of the same name",
		))
		Expect(byBUnjoin(ctx)).To(MatchError(ContainSubstring("has not joined: there is no KubeFedCluster kube-federation-system/member-1 in the host cluster, and the account kube-federation-system/member-1-host in the member is not to be removed")))
		Eventually(func() error { return asMemberAccount(ctx, member1, member1).List(ctx, &corev1.NodeList{}) }).Should(Succeed())
	})

	It("keeps the rights of an account that has the same name in another namespace", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		for _, cluster := range []string{member1, member2} {
			elsewhere := &corev1.Namespace{ObjectMeta: objectMeta("", "other-plane")}
			Expect(clientOf(cluster).Create(ctx, elsewhere)).To(Succeed())
			DeferCleanup(func(ctx context.Context) {
				Expect(clientOf(cluster).Delete(ctx, elsewhere)).To(Succeed())
				Eventually(func() error { return clientOf(cluster).Get(ctx, client.ObjectKeyFromObject(elsewhere), elsewhere) }).Should(MatchError(apierrors.IsNotFound, "not found"))
			})
		}
		o := join.Options{ClusterName: member1, HostClusterName: hostName, KubeFedNamespace: "other-plane", Say: say}
		Expect(join.Join(ctx, configOf(member2), configOf(member1), o)).To(MatchError(ContainSubstring(
			"ClusterRoleBinding kubefed-controller-manager:member-1-host in member-1 gives its rights to ServiceAccount kube-federation-system/member-1-host, with which another control plane has joined the cluster")))

		// As it was when the second to join took the binding over.
		theirs := &corev1.ServiceAccount{ObjectMeta: objectMeta("other-plane", accountName)}
		Expect(clientOf(member1).Create(ctx, theirs)).To(Succeed())
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: objectMeta("", "kubefed-controller-manager:"+accountName)}
		Expect(clientOf(member1).Get(ctx, client.ObjectKeyFromObject(binding), binding)).To(Succeed())
		binding.Subjects[0].Namespace = "other-plane"
		Expect(clientOf(member1).Update(ctx, binding)).To(Succeed())
		out, err := unjoin(ctx, member1, configOf(member1))
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainElements(
			"kept ClusterRole kubefed-controller-manager:member-1-host in member-1: ServiceAccount other-plane/member-1-host has its rights by it",
			"deleted ServiceAccount kube-federation-system/member-1-host in member-1",
		))
		Expect(clientOf(member1).Get(ctx, client.ObjectKeyFromObject(binding), binding)).To(Succeed())
		Expect(clientOf(member1).Delete(ctx, theirs)).To(Succeed())
		Expect(clientOf(member1).Delete(ctx, binding)).To(Succeed())
	})
})

func uidOf(ctx context.Context, cluster string) string {
	GinkgoHelper()
	var system corev1.Namespace
	Expect(clientOf(cluster).Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, &system)).To(Succeed())
	return string(system.UID)
}

var _ = Describe("a member that joins by another name of its host", func() {
	AfterEach(func(ctx context.Context) {
		_, _ = unjoin(ctx, member1, configOf(member1))
		_, _ = unjoin(ctx, member1, configOf(member1), func(o *join.UnjoinOptions) { o.HostClusterName = hostName })
		leave(ctx, member1)
	})

	named := func(name string) func(*join.Options) {
		return func(o *join.Options) { o.HostClusterName = name }
	}
	left := func(ctx context.Context) []string {
		GinkgoHelper()
		var roles rbacv1.ClusterRoleBindingList
		Expect(clientOf(member1).List(ctx, &roles)).To(Succeed())
		var names []string
		for _, role := range roles.Items {
			if strings.HasPrefix(role.Name, "kubefed-controller-manager:") {
				names = append(names, role.Name)
			}
		}
		return names
	}

	It("loses the account of the earlier name", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		for _, object := range join.BackupBindings(namespace, accountName)[:1] {
			Expect(clientOf(member1).Create(ctx, object)).To(Succeed())
		}
		said, err := joinAs(ctx, member1, member1, named("renamed"), func(o *join.Options) { o.DryRun = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("would delete ServiceAccount kube-federation-system/member-1-host in member-1"))
		Expect(left(ctx)).To(ConsistOf("kubefed-controller-manager:member-1-host"))

		said, err = joinAs(ctx, member1, member1, named("renamed"))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(
			"changed annotation fedctl.io/service-account of KubeFedCluster kube-federation-system/member-1: kube-federation-system/member-1-host to kube-federation-system/member-1-renamed",
			"ServiceAccount kube-federation-system/member-1-host in member-1 was this host's by an earlier name, and goes",
			"deleted ServiceAccount kube-federation-system/member-1-host in member-1",
			HavePrefix("the right to execute backups in member-1 goes with it"),
		))
		Expect(left(ctx)).To(ConsistOf("kubefed-controller-manager:member-1-renamed"))
		Eventually(func() error { return asMemberAccount(ctx, member1, member1).List(ctx, &corev1.NodeList{}) }).Should(Succeed())
	})

	It("is told how to remove one that does not say whose it is", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		account := &corev1.ServiceAccount{ObjectMeta: objectMeta(namespace, accountName)}
		mark := func(value string) {
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"`+join.HostUIDAnnotation+`":`+value+`}}}`))
			Expect(clientOf(member1).Patch(ctx, account, patch)).To(Succeed())
		}
		mark("null")
		said, err := joinAs(ctx, member1, member1, named("renamed"))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement(And(HavePrefix("warning: the ServiceAccount kube-federation-system/member-1-host in member-1"), HaveSuffix(
			"run the command again, which removes it:\n  kubectl --context member-1 --namespace kube-federation-system annotate --overwrite serviceaccount member-1-host fedctl.io/host-cluster-uid="+uidOf(ctx, hostName)))))
		Expect(left(ctx)).To(HaveLen(2))
		mark(`"` + uidOf(ctx, hostName) + `"`)
		_, err = joinAs(ctx, member1, member1, named("renamed"))
		Expect(err).NotTo(HaveOccurred())
		Expect(left(ctx)).To(ConsistOf("kubefed-controller-manager:member-1-renamed"))
		Expect(clientOf(member1).Get(ctx, client.ObjectKeyFromObject(account), account)).To(MatchError(apierrors.IsNotFound, "not found"))
	})

	It("keeps one that a copy of its KubeFedCluster goes on with", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		original := kubeFedCluster(ctx, member1)
		made := original.DeepCopy()
		made.ObjectMeta = objectMeta(namespace, "copy")
		made.Annotations, made.Spec.SecretRef.Name = original.Annotations, "other"
		delete(made.Annotations, reach.ClusterUIDAnnotation)
		made.Spec.APIEndpoint = "https://192.0.2.1" // by another address
		Expect(host.Create(ctx, made)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, made)).To(Succeed()) })
		_, err := joinAs(ctx, member1, member1, named("renamed"))
		Expect(err).NotTo(HaveOccurred())
		Expect(left(ctx)).To(HaveLen(2))
	})
})
