package membership_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/reach"
)

var _ = Describe("the token of a member", Ordered, func() {
	BeforeAll(func(ctx context.Context) { mustJoin(ctx, member1, member1) })
	AfterAll(func(ctx context.Context) { leave(ctx, member1) })

	secretOf := func(ctx context.Context) *corev1.Secret {
		GinkgoHelper()
		var secret corev1.Secret
		Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "member-1-credentials"}, &secret)).To(Succeed())
		return &secret
	}
	expiry := func(token string) string { return reach.ClaimsOf(token).Expires.UTC().Format(time.RFC3339) }
	shownExpiry := func(ctx context.Context) string {
		return kubeFedCluster(ctx, member1).Annotations[reach.TokenExpiresAnnotation]
	}

	It("is renewed when half of its life has passed, and nothing begins anew", func(ctx context.Context) {
		provider, recorded := startProvider()
		Eventually(isReady(provider, member1)).Should(BeTrue())
		first := string(secretOf(ctx).Data[reach.TokenKey])
		Eventually(shownExpiry).WithContext(ctx).Should(Equal(expiry(first)))

		patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"1s"}}}`, reach.TokenLifetimeAnnotation) // its half is over
		Expect(host.Patch(ctx, secretOf(ctx), client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
		var second string
		Eventually(func(g Gomega) {
			second = string(secretOf(ctx).Data[reach.TokenKey])
			g.Expect(second).NotTo(Equal(first))
		}).Should(Succeed())
		Expect(reach.ClaimsOf(second).Account).To(Equal("member-1-host"))
		Eventually(shownExpiry).WithContext(ctx).Should(Equal(expiry(second)))

		engaged := recorded.of(member1)
		Expect(engaged).To(HaveLen(1))
		Expect(engaged[0].ctx.Err()).NotTo(HaveOccurred())
		Expect(works(ctx, engaged[0])).To(Succeed())
	})

	It("is said to have ended, with the command that mends it", func(ctx context.Context) {
		ended := time.Unix(1700000000, 0)
		payload := fmt.Sprintf(`{"iat":1699990000,"exp":%d,"sub":"system:serviceaccount:%s:member-1-host"}`, ended.Unix(), namespace)
		good := string(secretOf(ctx).Data[reach.TokenKey])
		setToken(ctx, member1, "e30."+base64.RawURLEncoding.EncodeToString([]byte(payload))+".c2ln")
		DeferCleanup(func(ctx context.Context) { setToken(ctx, member1, good) })
		_, _ = startProvider()
		Eventually(readiness).WithContext(ctx).WithArguments(member1).Should(Equal(
			`False ClusterNotReady /healthz responded without ok: the token ended at 2023-11-14T22:13:20Z; run "fedctl join member-1" to make a new one`))
	})

	It("is said to end when it cannot be renewed", func(ctx context.Context) {
		name := client.ObjectKey{Namespace: namespace, Name: "kubefed-controller-manager:member-1-host:token"}
		binding := &rbacv1.RoleBinding{ObjectMeta: objectMeta(name.Namespace, name.Name)}
		Expect(clientOf(member1).Delete(ctx, binding)).To(Succeed())
		Eventually(func(g Gomega) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:" + namespace + ":member-1-host",
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: "create", Resource: "serviceaccounts", Subresource: "token", Namespace: namespace, Name: "member-1-host",
				},
			}}
			g.Expect(clientOf(member1).Create(ctx, review)).To(Succeed())
			g.Expect(review.Status.Allowed).To(BeFalse())
		}).Should(Succeed())
		_, _ = startProvider()
		Eventually(readiness).WithContext(ctx).WithArguments(member1).Should(And(
			HavePrefix("True ClusterReady /healthz responded with ok; the token ends at "+expiry(string(secretOf(ctx).Data[reach.TokenKey]))+" and could not be renewed ("),
			ContainSubstring("is forbidden"), HaveSuffix(`unless that mends itself, run "fedctl join member-1" to make a new one`)))
	})
})
