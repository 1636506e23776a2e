package join_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
)

// elsewhere is an address at which nobody answers.
const elsewhere = "https://127.0.0.1:1"

var _ = Describe("joining again", func() {
	AfterEach(func(ctx context.Context) { leave(ctx, member1) })

	at := func(endpoint string) func(*join.Options) {
		return func(o *join.Options) { o.APIEndpoint = endpoint }
	}
	// byName is the address of a cluster, written otherwise.
	byName := func(of string) string {
		u, err := url.Parse(configOf(of).Host)
		Expect(err).NotTo(HaveOccurred())
		u.Host = net.JoinHostPort("localhost", u.Port())
		return u.String()
	}

	It("keeps how the controller reaches the member", func(ctx context.Context) {
		said, err := joinAs(ctx, member1, member1, at(elsewhere))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement(HavePrefix("could not check spec.apiEndpoint https://127.0.0.1:1 from here: ")))
		before := kubeFedCluster(ctx, member1)
		changed := before.DeepCopy()
		changed.Spec.ProxyURL = "http://127.0.0.1:2"
		changed.Spec.DisabledTLSValidations = []fedcorev1beta1.TLSValidation{fedcorev1beta1.TLSSubjectName}
		Expect(host.Patch(ctx, changed, client.MergeFrom(before))).To(Succeed())

		said, err = joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(kubeFedCluster(ctx, member1).Spec).To(Equal(changed.Spec))
		Expect(said).To(ContainElements(
			And(HavePrefix("could not check spec.apiEndpoint https://127.0.0.1:1 from here: "),
				HaveSuffix("go over to the address of the kubeconfig, which answers: fedctl join member-1 --cluster-context member-1 --api-endpoint "+configOf(member1).Host)),
			"kept spec.apiEndpoint https://127.0.0.1:1 of KubeFedCluster kube-federation-system/member-1; the kubeconfig has "+configOf(member1).Host+" (--api-endpoint changes it)",
			"unchanged KubeFedCluster kube-federation-system/member-1 in the host cluster",
		))
	})

	It("changes an address that it is told, and says so", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		before := kubeFedCluster(ctx, member1).Spec
		said, err := joinAs(ctx, member1, member1, at(byName(member1)))
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("changed spec.apiEndpoint of KubeFedCluster kube-federation-system/member-1: " + before.APIEndpoint + " to " + byName(member1)))
		after := kubeFedCluster(ctx, member1).Spec
		Expect(after.APIEndpoint).To(Equal(byName(member1)))
		Expect(after.CABundle).To(Equal(before.CABundle))
	})

	It("refuses an address at which another cluster answers", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		before := kubeFedCluster(ctx, member1)
		unverified := before.DeepCopy()
		unverified.Spec.CABundle, unverified.Spec.DisabledTLSValidations = nil, []fedcorev1beta1.TLSValidation{fedcorev1beta1.TLSAll}
		Expect(host.Patch(ctx, unverified, client.MergeFrom(before))).To(Succeed())
		_, err := joinAs(ctx, member1, member1, at(configOf(member2).Host))
		Expect(err).To(MatchError(ContainSubstring("so it is another cluster: set --api-endpoint")))
		Expect(kubeFedCluster(ctx, member1).Spec.APIEndpoint).To(Equal(before.Spec.APIEndpoint))
	})

	It("stores no address at which something else answers, nor half an address", func(ctx context.Context) {
		plain := httptest.NewServer(http.NotFoundHandler())
		DeferCleanup(plain.Close)
		another := httptest.NewTLSServer(http.NotFoundHandler())
		DeferCleanup(another.Close)
		tries := map[string]string{
			configOf(member2).Host: "is signed by an authority that spec.caBundle does not hold",
			another.URL:            "is signed by an authority that spec.caBundle does not hold",
			"https://" + plain.Listener.Addr().String(): "does not speak TLS",
		}
		for endpoint, why := range tries {
			_, err := joinAs(ctx, member1, member1, at(endpoint))
			Expect(err).To(MatchError(And(ContainSubstring("what answers at "+endpoint+" is not certainly member-1"), ContainSubstring(why))))
		}
		var clusters fedcorev1beta1.KubeFedClusterList
		Expect(host.List(ctx, &clusters)).To(Succeed())
		Expect(clusters.Items).To(BeEmpty())
		_, err := joinAs(ctx, member1, member1, at(strings.TrimPrefix(configOf(member1).Host, "https://")))
		Expect(err).NotTo(HaveOccurred())
		Expect(kubeFedCluster(ctx, member1).Spec.APIEndpoint).To(Equal(configOf(member1).Host))
		for endpoint, why := range tries { // and when it joins again
			_, err := joinAs(ctx, member1, member1, at(endpoint))
			Expect(err).To(MatchError(ContainSubstring(why)))
		}
		Expect(kubeFedCluster(ctx, member1).Spec.APIEndpoint).To(Equal(configOf(member1).Host))
	})

	It("keeps the right to do everything until it is told otherwise", func(ctx context.Context) {
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC = join.RBACAdmin })
		Expect(err).NotTo(HaveOccurred())
		said, err := joinAs(ctx, member1, member1)
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElements(HavePrefix("kept the right to do everything in member-1"),
			"unchanged ClusterRole kubefed-controller-manager:member-1-host in member-1"))
		said, err = joinAs(ctx, member1, member1, func(o *join.Options) { o.RBAC = join.RBACTypes })
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainElement("updated ClusterRole kubefed-controller-manager:member-1-host in member-1"))
	})

	It("tells the controller of rights that the member has given it anew", func(ctx context.Context) {
		renewed := func() string { return kubeFedCluster(ctx, member1).Annotations[reach.RightsRenewedAnnotation] }
		mustJoin(ctx, member1, member1)
		Expect(renewed()).To(BeEmpty(), "nothing can have failed yet")
		mustJoin(ctx, member1, member1)
		Expect(renewed()).To(BeEmpty(), "nothing has changed")
		role := &rbacv1.ClusterRole{ObjectMeta: objectMeta("", "kubefed-controller-manager:member-1-host")}
		clip := client.RawPatch("application/merge-patch+json", []byte(`{"rules":[]}`))
		Expect(clientOf(member1).Patch(ctx, role, clip)).To(Succeed())
		_, err := joinAs(ctx, member1, member1, func(o *join.Options) { o.DryRun = true })
		Expect(err).NotTo(HaveOccurred())
		Expect(renewed()).To(BeEmpty())
		mustJoin(ctx, member1, member1)
		first := renewed()
		Expect(first).NotTo(BeEmpty())
		Expect(clientOf(member1).Patch(ctx, role, clip)).To(Succeed())
		mustJoin(ctx, member1, member1)
		Expect(renewed()).NotTo(Or(BeEmpty(), Equal(first)))
	})

	It("keeps the account, whatever the host's context is called", func(ctx context.Context) {
		mustJoin(ctx, member1, member1)
		said, err := joinAs(ctx, member1, member1, func(o *join.Options) {
			o.HostClusterName, o.DefaultHostClusterName = "", "another-context"
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(HaveLen(8))
		Expect(said).To(HaveEach(HavePrefix("unchanged ")))
	})
})

var _ = Describe("a join that fails", func() {
	AfterEach(func(ctx context.Context) { leave(ctx, member1) })

	nothingLeft := func(ctx context.Context) {
		GinkgoHelper()
		member := clientOf(member1)
		Eventually(func() bool {
			return apierrors.IsNotFound(member.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{}))
		}).Should(BeTrue())
		var roles rbacv1.ClusterRoleList
		Expect(member.List(ctx, &roles)).To(Succeed())
		for _, role := range roles.Items {
			Expect(role.Name).NotTo(HavePrefix("kubefed-controller-manager:"))
		}
	}

	It("writes nothing for a name that is too long", func(ctx context.Context) {
		_, err := joinAs(ctx, strings.Repeat("x", 64), member1)
		Expect(err).To(MatchError(ContainSubstring("has 64 characters: it becomes the value of a label, which has 63 at most")))
		nothingLeft(ctx)
	})

	It("writes nothing when the Secret is another cluster's", func(ctx context.Context) {
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "member-1-credentials", Labels: map[string]string{reach.ClusterLabel: "another"},
		}}
		Expect(host.Create(ctx, foreign)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, foreign)).To(Succeed()) })
		said, err := joinAs(ctx, member1, member1)
		Expect(err).To(MatchError(ContainSubstring("Secret kube-federation-system/member-1-credentials in the host cluster is not that of cluster member-1")))
		Expect(said).To(BeEmpty())
		nothingLeft(ctx)
	})

	It("takes back what it has made", func(ctx context.Context) {
		// One who may do everything but create KubeFedClusters, which a rule of admission refuses.
		user := configOf(hostName)
		user.Impersonate = rest.ImpersonationConfig{UserName: "joiner", Groups: []string{"system:masters"}}
		refuseKubeFedClusters(ctx, "joiner")
		var said []string
		Eventually(func(g Gomega) {
			said = nil
			err := join.Join(ctx, user, configOf(member1), join.Options{
				ClusterName: member1, HostClusterName: hostName, KubeFedNamespace: namespace, Say: func(line string) { said = append(said, line) },
			})
			if err == nil { // the rule does not hold yet
				leave(ctx, member1)
			}
			g.Expect(err).To(MatchError(ContainSubstring("cannot create KubeFedCluster kube-federation-system/member-1 in the host cluster")))
		}).Should(Succeed())
		Expect(said).To(ContainElements(
			"took back Secret kube-federation-system/member-1-credentials in the host cluster",
			"took back ServiceAccount kube-federation-system/member-1-host in member-1",
			"took back Namespace kube-federation-system in member-1",
		))
		nothingLeft(ctx)
		err := host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "member-1-credentials"}, &corev1.Secret{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
	})
})
