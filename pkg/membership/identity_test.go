package membership_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/reach"
)

// copySecret copies a Secret as kubefedctl makes one: under a generated name, without
// labels. It is gone after the spec.
func copySecret(ctx context.Context, name string) string {
	GinkgoHelper()
	var original corev1.Secret
	Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &original)).To(Succeed())
	secret := &corev1.Secret{Data: original.Data}
	secret.Namespace, secret.GenerateName = namespace, name+"-"
	Expect(host.Create(ctx, secret)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, secret)).To(Succeed()) })
	return secret.Name
}

// kubeFedMade is a KubeFedCluster that is not stored yet, with a Secret of its own, as
// KubeFed's manifests have them: without annotations and labels.
func kubeFedMade(ctx context.Context, name, of string) *fedcorev1beta1.KubeFedCluster {
	GinkgoHelper()
	spec := kubeFedCluster(ctx, of).Spec
	spec.SecretRef.Name = copySecret(ctx, spec.SecretRef.Name)
	return &fedcorev1beta1.KubeFedCluster{ObjectMeta: objectMeta(namespace, name), Spec: spec}
}

// create creates a KubeFedCluster for the length of the spec.
func create(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster) {
	GinkgoHelper()
	Expect(host.Create(ctx, kfc)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(host.Delete(ctx, kfc))).To(Succeed()) })
}

func noteUID(ctx context.Context, name, uid string) {
	GinkgoHelper()
	patch := `{"metadata":{"annotations":{"` + reach.ClusterUIDAnnotation + `":` + uid + `}}}`
	Expect(host.Patch(ctx, kubeFedCluster(ctx, name), client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
}

var _ = Describe("which cluster a KubeFedCluster leads to", func() {
	var (
		provider *membership.Provider
		recorded *recorder
	)
	BeforeEach(func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		mustJoin(ctx, member2, member2)
		DeferCleanup(func(ctx context.Context) {
			leave(ctx, member1)
			leave(ctx, member2)
		})
		provider, recorded = startProvider()
		Eventually(isReady(provider, member1)).Should(BeTrue())
		Eventually(isReady(provider, member2)).Should(BeTrue())
	})

	// notUsed waits for the condition, and sees that nothing is engaged.
	notUsed := func(ctx context.Context, name, condition string) {
		GinkgoHelper()
		Eventually(readiness).WithContext(ctx).WithArguments(name).Should(MatchRegexp(condition))
		Consistently(isReady(provider, name)).WithTimeout(10 * period).Should(BeFalse())
		for _, engaged := range recorded.of(name) {
			Expect(engaged.ctx.Err()).To(HaveOccurred())
		}
	}

	It("does not use a second KubeFedCluster of a member, until the first goes", func(ctx context.Context) {
		second := kubeFedMade(ctx, "the-copy", member1)
		create(ctx, second)
		notUsed(ctx, second.Name, `^False DuplicateCluster it is the same cluster as member-1, which joined earlier`)
		Expect(recorded.of(second.Name)).To(BeEmpty())
		Expect(kubeFedCluster(ctx, second.Name).Annotations).NotTo(HaveKey(reach.ClusterUIDAnnotation))
		Expect(infoOf(provider, member1).Ready).To(BeTrue())
		Expect(recorded.of(member1)[0].ctx.Err()).NotTo(HaveOccurred())

		Expect(host.Delete(ctx, kubeFedCluster(ctx, member1))).To(Succeed())
		Eventually(isReady(provider, second.Name)).Should(BeTrue())
		Expect(works(ctx, recorded.of(second.Name)[0])).To(Succeed())
		Eventually(func() map[string]string { return kubeFedCluster(ctx, second.Name).Annotations }).Should(HaveKey(reach.ClusterUIDAnnotation))
	})

	It("does not use a copy that names the same Secret", func(ctx context.Context) {
		create(ctx, &fedcorev1beta1.KubeFedCluster{ObjectMeta: objectMeta(namespace, "the-copy"), Spec: kubeFedCluster(ctx, member1).Spec})
		notUsed(ctx, "the-copy", `^False DuplicateCluster it is the same cluster as member-1, which joined earlier`)
		Expect(recorded.of("the-copy")).To(BeEmpty())
	})

	It("lets go of the later one when an earlier one turns out to be the same cluster", func(ctx context.Context) {
		address := kubeFedCluster(ctx, member1).Spec.APIEndpoint
		Expect(host.Delete(ctx, kubeFedCluster(ctx, member1))).To(Succeed())
		Eventually(func() string { return infoOf(provider, member1).Name }).Should(BeEmpty())
		mustJoin(ctx, member1, member1)
		earlier, later := kubeFedMade(ctx, "earlier", member1), kubeFedMade(ctx, "later", member1)
		Expect(host.Delete(ctx, kubeFedCluster(ctx, member1))).To(Succeed())
		earlier.Spec.APIEndpoint = "https://127.0.0.1:1"
		create(ctx, earlier)
		Eventually(readiness).WithContext(ctx).WithArguments("earlier").Should(HavePrefix("False ClusterNotReachable"))
		create(ctx, later)
		Eventually(isReady(provider, "later")).Should(BeTrue())
		patch := `{"spec":{"apiEndpoint":"` + address + `"}}`
		Expect(host.Patch(ctx, earlier, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
		Eventually(isReady(provider, "earlier")).Should(BeTrue())
		notUsed(ctx, "later", `^False DuplicateCluster it is the same cluster as earlier`)
		Expect(recorded.of("earlier")[0].ctx.Err()).NotTo(HaveOccurred())
	})

	It("takes a member behind which there is another cluster for a stranger until it is joined again", func(ctx context.Context) {
		other := kubeFedCluster(ctx, member2)
		leave(ctx, member2) // so that it is no member itself
		mustJoin(ctx, member2, member2)
		fresh := kubeFedCluster(ctx, member2)
		secret := copySecret(ctx, fresh.Spec.SecretRef.Name)
		Expect(host.Delete(ctx, fresh)).To(Succeed())
		Eventually(func() string { return infoOf(provider, member2).Name }).Should(BeEmpty())

		first := kubeFedCluster(ctx, member1)
		changed := first.DeepCopy()
		changed.Spec.APIEndpoint, changed.Spec.CABundle, changed.Spec.SecretRef.Name = other.Spec.APIEndpoint, other.Spec.CABundle, secret
		Expect(host.Patch(ctx, changed, client.MergeFrom(first))).To(Succeed())
		notUsed(ctx, member1, `^False ClusterIdentityChanged https://.* is another cluster \(.*\) than the one that joined \(.*\); if it is to take its place, run "fedctl join member-1" again$`)
		Expect(reach.NotedUID(kubeFedCluster(ctx, member1))).To(Equal(reach.NotedUID(first)))

		mustJoin(ctx, member1, member2)
		DeferCleanup(func(ctx context.Context) {
			Expect(host.Delete(ctx, kubeFedCluster(ctx, member1))).To(Succeed())
		})
		Eventually(isReady(provider, member1)).Should(BeTrue())
		engaged := recorded.of(member1)
		Expect(works(ctx, engaged[len(engaged)-1])).To(Succeed())
	})

	It("notices another identity on a connection that stands", func(ctx context.Context) {
		uid := reach.NotedUID(kubeFedCluster(ctx, member1))
		noteUID(ctx, member1, `"0b6a2c4e-another"`)
		notUsed(ctx, member1, `^False ClusterIdentityChanged`)
		noteUID(ctx, member1, `"`+uid+`"`)
		Eventually(isReady(provider, member1)).Should(BeTrue())
		Expect(recorded.of(member1)).To(HaveLen(2))
	})

	It("sends a member's Secret to nobody else", func(ctx context.Context) {
		thief := listen()
		for _, secret := range []string{kubeFedCluster(ctx, member1).Spec.SecretRef.Name, kubeFedMadeMember(ctx, provider)} {
			kfc := &fedcorev1beta1.KubeFedCluster{ObjectMeta: objectMeta(namespace, "thief"), Spec: fedcorev1beta1.KubeFedClusterSpec{
				APIEndpoint: thief.URL, SecretRef: fedcorev1beta1.LocalSecretReference{Name: secret},
				DisabledTLSValidations: []fedcorev1beta1.TLSValidation{fedcorev1beta1.TLSAll},
			}}
			Expect(host.Create(ctx, kfc)).To(Succeed())
			notUsed(ctx, "thief", `^False SecretOfAnotherCluster Secret kube-federation-system/`+secret+` belongs to cluster (member-1, by its label|the-first, which joined earlier)`)
			Expect(host.Delete(ctx, kfc)).To(Succeed())
			Eventually(func() string { return infoOf(provider, "thief").Name }).Should(BeEmpty())
		}
		Expect(thief.asked.Load()).To(BeZero())
	})

	It("does not use a member that has come to name another's Secret", func(ctx context.Context) {
		before := kubeFedCluster(ctx, member2)
		after := before.DeepCopy()
		after.Spec.SecretRef.Name = kubeFedCluster(ctx, member1).Spec.SecretRef.Name
		Expect(host.Patch(ctx, after, client.MergeFrom(before))).To(Succeed())
		notUsed(ctx, member2, `^False SecretOfAnotherCluster`)
		mended := after.DeepCopy()
		mended.Spec.SecretRef = before.Spec.SecretRef
		Expect(host.Patch(ctx, mended, client.MergeFrom(after))).To(Succeed())
		Eventually(isReady(provider, member2)).Should(BeTrue())
	})
})
