package e2e

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
	"unicode/utf8"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/hostile"
)

// mostMemory is what the controller may use beside a hostile member: what one answer and
// those of a member together may have, and some more.
const mostMemory = 1 << 30

var _ = Describe("A hostile member", localOnly, Ordered, Serial, func() {
	const name = "hostile"
	var (
		server *hostile.Server
		good   *framework.Cluster
		ns     string
	)
	BeforeEach(func(ctx SpecContext) {
		good = members[0]
		ns = plainNamespace(ctx)
		server = hostile.Start("configmaps")
		DeferCleanup(server.Close)
		create(ctx, federate("Namespace", ns, ns, nil).onNames(good.Name, name))
	})
	// joins has the host take the server for a member.
	joins := func(ctx context.Context) {
		GinkgoHelper()
		objects := []*unstructured.Unstructured{
			{Object: fields{"apiVersion": "v1", "kind": "Secret", "metadata": fields{"namespace": framework.KubeFedNamespace, "name": name},
				"stringData": fields{"token": "hostile-token"}}},
			{Object: fields{"apiVersion": framework.KubeFedCluster.GroupVersion().String(), "kind": "KubeFedCluster",
				"metadata": fields{"namespace": framework.KubeFedNamespace, "name": name},
				"spec":     fields{"apiEndpoint": server.URL(), "caBundle": base64.StdEncoding.EncodeToString(server.CABundle()), "secretRef": fields{"name": name}}}},
		}
		for _, object := range objects {
			Expect(host.Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, object)).To(Succeed()) }, NodeTimeout(time.Minute))
		}
		Expect(system.WaitForMember(ctx, name, true)).To(Succeed())
	}
	// says is what its KubeFedCluster's condition Ready says.
	says := func(ctx context.Context) string {
		GinkgoHelper()
		member, err := system.Member(ctx, name)
		Expect(err).NotTo(HaveOccurred())
		message, _ := conditionOf(member, "Ready")["message"].(string)
		return message
	}

	DescribeTable("that answers without an end fails alone, with a reason, and takes no memory", func(ctx SpecContext, mode hostile.Mode, reason string) {
		server.Become(mode)
		joins(ctx)
		f := create(ctx, configMap(ns, "good", fields{"a": "1"}).onNames(good.Name, name))
		Eventually(ctx, func(g Gomega) {
			resident, err := system.Controller.Metric(ctx, "process_resident_memory_bytes")
			g.Expect(err).NotTo(HaveOccurred())
			if resident > mostMemory {
				StopTrying("the controller uses too much memory").Attach("bytes", resident).Now()
			}
			g.Expect(says(ctx)).To(ContainSubstring(reason))
		}).WithTimeout(4 * time.Minute).Should(Succeed())
		expectField(ctx, good, f.target, "/data/a", "1")
		Consistently(ctx, func() (float64, error) {
			return system.Controller.Metric(ctx, "process_resident_memory_bytes")
		}).WithTimeout(5 * time.Second).Should(BeNumerically("<", mostMemory))
	},
		Entry("endless list", hostile.EndlessList, "/configmaps: the answer is longer than"),
		Entry("gzip bomb", hostile.GzipBomb, "/configmaps: the answer is longer than"),
		Entry("endless events", hostile.EndlessEvents, "/configmaps: the answer is longer than"),
		Entry("one endless event", hostile.EndlessEvent, "/configmaps: an event of the watch is longer than"))

	It("that redirects gets no second request, which would carry the token", func(ctx SpecContext) {
		followed := make(chan string, 100)
		elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case followed <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization"):
			default:
			}
		}))
		DeferCleanup(elsewhere.Close)
		server.Become(hostile.Redirecting(elsewhere.URL))
		joins(ctx)
		f := create(ctx, configMap(ns, "good", fields{"a": "1"}).onNames(good.Name, name))
		expectField(ctx, good, f.target, "/data/a", "1")
		Eventually(ctx, says).WithArguments(ctx).Should(ContainSubstring("a redirect to " + elsewhere.URL))
		Consistently(followed).ShouldNot(Receive())
	}, SpecTimeout(2*time.Minute))

	DescribeTable("that says too much is quoted within bounds", func(ctx SpecContext, size int) {
		server.Become(hostile.Refusing("the-beginning", "the-end", size))
		joins(ctx)
		f := create(ctx, configMap(ns, "good", fields{"a": "1"}).onNames(good.Name, name))
		o := expectStatus(ctx, f, "CheckClusters", map[string]string{good.Name: "", name: "CreationFailed"})
		expectField(ctx, good, f.target, "/data/a", "1")
		message := o.Messages[name]
		Expect(len(message)).To(BeNumerically("<=", 1024))
		Expect(message).To(And(ContainSubstring("the-beginning"), HaveSuffix("the-end")))
		Expect(utf8.ValidString(message)).To(BeTrue())
		Expect(strings.ContainsAny(message, "\x1b\a\u202e\n")).To(BeFalse(), "%q", message)
	},
		Entry("1.2 MB", 1_200_000), Entry("2.5 MB", 2_500_000))
})
