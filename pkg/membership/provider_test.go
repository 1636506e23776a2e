package membership_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/reach"
)

// setToken replaces the token that the host has for a member.
func setToken(ctx context.Context, name, token string) {
	GinkgoHelper()
	var secret corev1.Secret
	Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: kubeFedCluster(ctx, name).Spec.SecretRef.Name}, &secret)).To(Succeed())
	secret.Data[reach.TokenKey] = []byte(token)
	Expect(host.Update(ctx, &secret)).To(Succeed())
}

// otherToken is that of another account that may do everything.
func otherToken(ctx context.Context, of string) string {
	GinkgoHelper()
	member := clientOf(of)
	account := &corev1.ServiceAccount{ObjectMeta: objectMeta("default", "other")}
	Expect(client.IgnoreAlreadyExists(member.Create(ctx, account))).To(Succeed())
	Expect(client.IgnoreAlreadyExists(member.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: objectMeta("", "other"), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "other"}},
	}))).To(Succeed())
	request := &authenticationv1.TokenRequest{}
	Expect(member.SubResource("token").Create(ctx, account, request)).To(Succeed())
	return request.Status.Token
}

// freshToken asks the member for another token of its account.
func freshToken(ctx context.Context, of string) string {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: objectMeta(namespace, of+"-host")}
	request := &authenticationv1.TokenRequest{}
	Expect(clientOf(of).SubResource("token").Create(ctx, account, request)).To(Succeed())
	return request.Status.Token
}

func works(ctx context.Context, e engagement) error {
	return e.cluster.GetAPIReader().List(ctx, &corev1.ConfigMapList{}, client.InNamespace("default"))
}

var _ = Describe("the provider", Ordered, func() {
	BeforeAll(func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		mustJoin(ctx, member2, member2)
	})
	AfterAll(func(ctx context.Context) {
		leave(ctx, member1)
		leave(ctx, member2)
	})

	var (
		provider *membership.Provider
		recorded *recorder
	)
	BeforeEach(func(ctx context.Context) {
		provider, recorded = startProvider()
		Eventually(isReady(provider, member1)).Should(BeTrue())
		Eventually(isReady(provider, member2)).Should(BeTrue())
		Eventually(readiness).WithContext(ctx).WithArguments(member1).Should(HavePrefix("True ClusterReady"))
		Eventually(readiness).WithContext(ctx).WithArguments(member2).Should(HavePrefix("True ClusterReady"))
	})

	// othersUnhurt holds while check runs: the second member stays ready.
	othersUnhurt := func(check func()) {
		GinkgoHelper()
		check()
		Expect(infoOf(provider, member2).Ready).To(BeTrue())
		Expect(recorded.of(member2)).To(HaveLen(1))
		Expect(recorded.of(member2)[0].ctx.Err()).NotTo(HaveOccurred())
	}

	It("engages members and tells what it knows of them", func(ctx context.Context) {
		Expect(provider.Synced()).To(BeTrue())
		Expect(provider.Clusters()).To(HaveLen(2))
		Expect(recorded.of(member1)).To(HaveLen(1))
		Expect(works(ctx, recorded.of(member1)[0])).To(Succeed())
		cl, err := provider.Get(ctx, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(cl).To(BeIdenticalTo(recorded.of(member1)[0].cluster))
		_, err = provider.Get(ctx, "none")
		Expect(err).To(MatchError(multicluster.ErrClusterNotFound))

		kfc := kubeFedCluster(ctx, member2)
		Expect(kfc.Status.KubernetesVersion).To(Equal(fleet.Version()))
		Expect(conditionText(kfc, fedcommon.ClusterReady)).To(Equal("True ClusterReady /healthz responded with ok"))
		Expect(conditionText(kfc, fedcommon.ClusterOffline)).To(Equal("False ClusterReachable cluster is reachable"))
		Eventually(func(g Gomega) {
			kfc := kubeFedCluster(ctx, member2)
			g.Expect(kfc.Annotations).To(HaveKeyWithValue(membership.NodesAnnotation, "3"))
			g.Expect(kfc.Annotations).To(HaveKeyWithValue(membership.AcceleratorsAnnotation, "nvidia.com/gpu=8"))
			g.Expect(kfc.Annotations).To(HaveKey(reach.ClusterUIDAnnotation))
			g.Expect(kfc.Status.Region).To(HaveValue(Equal("us-east")))
			g.Expect(kfc.Status.Zones).To(ConsistOf("us-east-a", "us-east-b", "us-east-c"))
		}).Should(Succeed())
		Expect(infoOf(provider, member2).Host).To(BeFalse())
		facts, known := provider.Facts(member2)
		Expect(known).To(BeTrue())
		Expect(facts).To(Equal(membership.Facts{
			KubernetesVersion: fleet.Version(),
			Nodes: &membership.Nodes{
				Count: 3, Region: "us-east", Zones: []string{"us-east-a", "us-east-b", "us-east-c"},
				Accelerators: map[string]int64{"nvidia.com/gpu": 8},
			},
		}))
	})

	It("has told the version when it first says that a member is ready", func(ctx context.Context) {
		watching, err := client.NewWithWatch(configOf(hostName), client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
		events, err := watching.Watch(ctx, &fedcorev1beta1.KubeFedClusterList{}, client.InNamespace(namespace))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(events.Stop)
		mustJoin(ctx, hostName, hostName)
		DeferCleanup(func(ctx context.Context) { Expect(unjoin(ctx, hostName)).To(Succeed()) })
		var fresh *fedcorev1beta1.KubeFedCluster
		Eventually(func(g Gomega) {
			kfc, ok := (<-events.ResultChan()).Object.(*fedcorev1beta1.KubeFedCluster)
			g.Expect(ok && kfc.Name == hostName).To(BeTrue())
			g.Expect(conditionText(kfc, fedcommon.ClusterReady)).NotTo(BeEmpty())
			fresh = kfc
		}).Should(Succeed())
		Expect(conditionText(fresh, fedcommon.ClusterReady)).To(Equal("True ClusterReady /healthz responded with ok"))
		Expect(fresh.Status.KubernetesVersion).To(Equal(fleet.Version()))
	})

	It("writes nothing while nothing changes", func(ctx context.Context) {
		Eventually(func(g Gomega) {
			kfc := kubeFedCluster(ctx, member1)
			g.Expect(kfc.Annotations).To(And(HaveKey(membership.NodesAnnotation), HaveKey(reach.ClusterUIDAnnotation)))
			g.Expect(kfc.Status.Region).NotTo(BeNil())
		}).Should(Succeed())
		before := kubeFedCluster(ctx, member1).ResourceVersion
		Consistently(func() string { return kubeFedCluster(ctx, member1).ResourceVersion }).WithTimeout(10 * period).Should(Equal(before))
	})

	It("passes on labels at once", func(ctx context.Context) {
		kfc := kubeFedCluster(ctx, member1)
		notified := recorded.notifications(member1)
		Expect(host.Patch(ctx, kfc, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"tier":"gold"}}}`)))).To(Succeed())
		Eventually(func() map[string]string { return infoOf(provider, member1).Labels }).Should(HaveKeyWithValue("tier", "gold"))
		Eventually(func() int { return recorded.notifications(member1) }).Should(BeNumerically(">", notified))
	})

	It("notices a member that stops and comes back", func(ctx context.Context) {
		othersUnhurt(func() {
			Expect(fleet.StopMember(ctx, member1)).To(Succeed())
			Eventually(isReady(provider, member1)).Should(BeFalse())
			Eventually(readiness).WithContext(ctx).WithArguments(member1).Should(MatchRegexp(`^False ClusterNotReachable cluster is not reachable: connection to .* refused$`))
			Expect(conditionText(kubeFedCluster(ctx, member1), fedcommon.ClusterOffline)).To(HavePrefix("True ClusterNotReachable"))
			Expect(recorded.of(member1)[0].ctx.Err()).NotTo(HaveOccurred(), "stays engaged")
			before := kubeFedCluster(ctx, member1).ResourceVersion
			Consistently(func() string { return kubeFedCluster(ctx, member1).ResourceVersion }).WithTimeout(10 * period).Should(Equal(before))
			Expect(fleet.StartMember(ctx, member1)).To(Succeed())
			Eventually(isReady(provider, member1)).Should(BeTrue())
			Eventually(readiness).WithContext(ctx).WithArguments(member1).Should(HavePrefix("True"))
			Expect(recorded.of(member1)).To(HaveLen(1))
			Eventually(func() error { return works(ctx, recorded.of(member1)[0]) }).Should(Succeed())
		})
	})

	It("notices a member that hangs", func(ctx context.Context) {
		othersUnhurt(func() {
			Expect(fleet.Pause(member1)).To(Succeed())
			DeferCleanup(func() { Expect(fleet.Resume(member1)).To(Succeed()) })
			Eventually(isReady(provider, member1)).Should(BeFalse())
			Eventually(readiness).WithContext(ctx).WithArguments(member1).Should(MatchRegexp(`^False ClusterNotReachable .*no answer from .* within 3s$`))
			Expect(fleet.Resume(member1)).To(Succeed())
			Eventually(isReady(provider, member1)).Should(BeTrue())
		})
	})

	It("says that a token is revoked, and recovers when the cluster joins again", func(ctx context.Context) {
		othersUnhurt(func() {
			// With the account all its tokens end.
			Expect(clientOf(member1).Delete(ctx, &corev1.ServiceAccount{ObjectMeta: objectMeta(namespace, "member-1-host")})).To(Succeed())
			// API servers remember a good token for ten seconds.
			Eventually(readiness).WithContext(ctx).WithArguments(member1).Should(
				HavePrefix("False ClusterNotReady /healthz responded without ok: 401 Unauthorized: the token in Secret kube-federation-system/member-1-credentials is not accepted"))
			mustJoin(ctx, member1, member1)
			Eventually(isReady(provider, member1)).Should(BeTrue())
			engagements := recorded.of(member1)
			Eventually(func() error { return works(ctx, engagements[len(engagements)-1]) }).Should(Succeed())
		})
	})

	It("rotates credentials without an outage", func(ctx context.Context) {
		othersUnhurt(func() {
			setToken(ctx, member1, otherToken(ctx, member1))
			Eventually(func() []engagement { return recorded.of(member1) }).Should(HaveLen(2))
			first, second := recorded.of(member1)[0], recorded.of(member1)[1]
			Expect(second.ctx.Err()).NotTo(HaveOccurred())
			Eventually(first.ctx.Err).Should(HaveOccurred())
			Expect(works(ctx, second)).To(Succeed())
			cl, err := provider.Get(ctx, member1)
			Expect(err).NotTo(HaveOccurred())
			Expect(cl).To(BeIdenticalTo(second.cluster))
			Expect(infoOf(provider, member1).Ready).To(BeTrue())
		})
	})

	It("keeps the old connection while the new credentials do not work", func(ctx context.Context) {
		good := freshToken(ctx, member1)
		othersUnhurt(func() {
			setToken(ctx, member1, "wrong")
			Eventually(readiness).WithContext(ctx).WithArguments(member1).Should(And(
				HavePrefix("True ClusterReady /healthz responded with ok; the connection is kept up with earlier credentials"),
				ContainSubstring("401 Unauthorized")))
			Expect(recorded.of(member1)).To(HaveLen(1))
			Expect(works(ctx, recorded.of(member1)[0])).To(Succeed())
			Expect(recorded.of(member1)[0].ctx.Err()).NotTo(HaveOccurred())
			setToken(ctx, member1, good)
			Eventually(func() []engagement { return recorded.of(member1) }).Should(HaveLen(2))
			Eventually(func() string { return infoOf(provider, member1).Message }).Should(Equal("/healthz responded with ok"))
		})
	})

	It("tries again when the controllers refuse a member", func(ctx context.Context) {
		recorded.mu.Lock()
		recorded.refuse = errors.New("not now")
		recorded.mu.Unlock()
		setToken(ctx, member1, otherToken(ctx, member1))
		Eventually(func() string { return infoOf(provider, member1).Message }).Should(ContainSubstring("not now"))
		Expect(infoOf(provider, member1).Ready).To(BeTrue())
		Expect(works(ctx, recorded.of(member1)[0])).To(Succeed())
		recorded.mu.Lock()
		recorded.refuse = nil
		recorded.mu.Unlock()
		Eventually(func() []engagement { return recorded.of(member1) }).Should(HaveLen(2))
	})

	It("bears members that cannot work", func(ctx context.Context) {
		spec := kubeFedCluster(ctx, member1).Spec
		for name, bad := range map[string]struct {
			change func(*fedcorev1beta1.KubeFedClusterSpec)
			want   string
		}{
			"no-secret": {func(s *fedcorev1beta1.KubeFedClusterSpec) { s.SecretRef.Name = "missing" }, "False ClusterConfigMalformed cluster's configuration may be malformed: Secret kube-federation-system/missing does not exist"},
			"bad-ca":    {func(s *fedcorev1beta1.KubeFedClusterSpec) { s.CABundle = []byte("bad") }, "False ClusterConfigMalformed cluster's configuration may be malformed: spec.caBundle holds no certificate"},
			"other-ca":  {func(s *fedcorev1beta1.KubeFedClusterSpec) { s.CABundle = configOf(member2).CAData }, "False ClusterNotReachable cluster is not reachable: the certificate of"},
			"dead":      {func(s *fedcorev1beta1.KubeFedClusterSpec) { s.APIEndpoint = "https://127.0.0.1:1" }, "False ClusterNotReachable cluster is not reachable: connection to 127.0.0.1:1 refused"},
			"nowhere":   {func(s *fedcorev1beta1.KubeFedClusterSpec) { s.APIEndpoint = "https://does-not-exist.invalid" }, "False ClusterNotReachable"},
		} {
			kfc := &fedcorev1beta1.KubeFedCluster{ObjectMeta: objectMeta(namespace, name), Spec: *spec.DeepCopy()}
			kfc.Spec.SecretRef.Name = copySecret(ctx, spec.SecretRef.Name)
			bad.change(&kfc.Spec)
			Expect(host.Create(ctx, kfc)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, kfc)).To(Succeed()) })
			Eventually(readiness).WithContext(ctx).WithArguments(name).Should(HavePrefix(bad.want), name)
			Expect(recorded.of(name)).To(BeEmpty())
		}
		versions := func() (all []string) {
			for _, info := range provider.Clusters() {
				all = append(all, kubeFedCluster(ctx, info.Name).ResourceVersion)
			}
			return all
		}
		before := versions()
		Consistently(versions).WithTimeout(10*period).Should(Equal(before), "nothing is written of what stays as it is")
		Expect(provider.Clusters()).To(HaveLen(7))
		Expect(infoOf(provider, member1).Ready).To(BeTrue())
		Expect(infoOf(provider, member2).Ready).To(BeTrue())
	})

	It("uses a KubeFedCluster as KubeFed's own join makes it, with TLS checks turned off", func(ctx context.Context) {
		kfc := kubeFedMade(ctx, "kubefed-made", member1)
		Expect(host.Delete(ctx, kubeFedCluster(ctx, member1))).To(Succeed())
		DeferCleanup(func(ctx context.Context) { mustJoin(ctx, member1, member1) })
		kfc.Spec.CABundle = nil
		kfc.Spec.DisabledTLSValidations = []fedcorev1beta1.TLSValidation{fedcorev1beta1.TLSAll}
		Expect(host.Create(ctx, kfc)).To(Succeed())
		Eventually(isReady(provider, kfc.Name)).Should(BeTrue())
		engaged := recorded.of(kfc.Name)
		Expect(engaged).To(HaveLen(1))
		Expect(works(ctx, engaged[0])).To(Succeed())

		Expect(host.Delete(ctx, kfc)).To(Succeed())
		Eventually(engaged[0].ctx.Err).Should(HaveOccurred())
		Eventually(func() error {
			_, err := provider.Get(ctx, multicluster.ClusterName(kfc.Name))
			return err
		}).Should(MatchError(multicluster.ErrClusterNotFound))
		Expect(infoOf(provider, kfc.Name).Name).To(BeEmpty())
	})

	It("knows the host among its members", func(ctx context.Context) {
		mustJoin(ctx, hostName, hostName)
		Eventually(isReady(provider, hostName)).Should(BeTrue())
		Expect(infoOf(provider, hostName).Host).To(BeTrue())
		Expect(unjoin(ctx, hostName)).To(Succeed())
		Eventually(func() string { return infoOf(provider, hostName).Name }).Should(BeEmpty())
	})
})
