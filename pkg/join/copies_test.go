package join_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
)

var _ = Describe("unjoin beside a copy", func() {
	// copyOf stores another KubeFedCluster of the same content, as kubectl would.
	copyOf := func(ctx context.Context, name string, annotations bool) *fedcorev1beta1.KubeFedCluster {
		GinkgoHelper()
		original := kubeFedCluster(ctx, member1)
		made := &fedcorev1beta1.KubeFedCluster{ObjectMeta: objectMeta(namespace, name), Spec: original.Spec}
		if annotations {
			made.Annotations = original.Annotations
		}
		Expect(host.Create(ctx, made)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(host.Delete(ctx, made))).To(Succeed()) })
		return made
	}

	BeforeEach(func(ctx context.Context) { mustJoin(ctx, member1, member1) })
	AfterEach(func(ctx context.Context) { leave(ctx, member1) })

	It("leaves the first what is its own when a copy goes", func(ctx context.Context) {
		for _, annotations := range []bool{true, false} {
			copyOf(ctx, "copy", annotations)
			said, err := unjoin(ctx, "copy", configOf(member1))
			Expect(err).NotTo(HaveOccurred())
			Expect(said).To(ContainElements(
				"deleted KubeFedCluster kube-federation-system/copy in the host cluster",
				"kept Secret kube-federation-system/member-1-credentials in the host cluster: it belongs to cluster member-1",
				"kept ServiceAccount kube-federation-system/"+map[bool]string{true: "member-1-host", false: "copy-host"}[annotations]+
					" and its rights in copy: KubeFedCluster member-1 uses them",
			))
			Eventually(func() error { return asMemberAccount(ctx, member1, member1).List(ctx, &corev1.NodeList{}) }).Should(Succeed())
		}
	})

	It("remembers nothing of the labels of a copy that was never used", func(ctx context.Context) {
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.Labels = map[string]string{"tier": "gold"} })
		Expect(err).NotTo(HaveOccurred())
		_, err = unjoin(ctx, member1, configOf(member1))
		Expect(err).NotTo(HaveOccurred())
		mustJoin(ctx, member1, member1)
		var before corev1.ConfigMap
		remembered := client.ObjectKey{Namespace: namespace, Name: "fedctl-memberships"}
		Expect(clientOf(member1).Get(ctx, remembered, &before)).To(Succeed())
		for _, labels := range []map[string]string{{"tier": "lead"}, nil} {
			made := copyOf(ctx, "twin", true)
			unlabelled := made.DeepCopy()
			made.Labels = labels
			Expect(host.Patch(ctx, made, client.MergeFrom(unlabelled))).To(Succeed())
			_, err = unjoin(ctx, "twin", configOf(member1))
			Expect(err).NotTo(HaveOccurred())
			var after corev1.ConfigMap
			Expect(clientOf(member1).Get(ctx, remembered, &after)).To(Succeed())
			Expect(after.Data).To(Equal(before.Data))
		}
	})

	It("leaves a copy what it goes on with when the first goes", func(ctx context.Context) {
		copyOf(ctx, "copy", false)
		said, err := unjoin(ctx, member1, configOf(member1))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(Equal([]string{
			"deleted KubeFedCluster kube-federation-system/member-1 in the host cluster",
			"kept Secret kube-federation-system/member-1-credentials in the host cluster: KubeFedCluster copy uses it",
			"kept ServiceAccount kube-federation-system/member-1-host and its rights in member-1: KubeFedCluster copy uses them",
		}))
		Eventually(func() error { return asMemberAccount(ctx, "copy", member1).List(ctx, &corev1.NodeList{}) }).Should(Succeed())
		var secret corev1.Secret
		Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "member-1-credentials"}, &secret)).To(Succeed())
		Expect(secret.Labels).To(HaveKeyWithValue(reach.ClusterLabel, "copy"))
		Expect(host.Delete(ctx, &secret)).To(Succeed())
		Expect(host.Delete(ctx, kubeFedCluster(ctx, "copy"))).To(Succeed())
		said, err = unjoin(ctx, member1, configOf(member1)) // what is left is removed once nobody uses it
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("deleted ServiceAccount kube-federation-system/member-1-host in member-1"))
	})

	It("leaves nothing to one that names the Secret and leads elsewhere", func(ctx context.Context) {
		thief := copyOf(ctx, "thief", false)
		before := thief.DeepCopy()
		thief.Spec.APIEndpoint = "https://192.0.2.1"
		Expect(host.Patch(ctx, thief, client.MergeFrom(before))).To(Succeed())
		said, err := unjoin(ctx, member1, configOf(member1))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("deleted Secret kube-federation-system/member-1-credentials in the host cluster"))
	})
})
