package fleetapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// watching streams until the client goes, and counts the streams that are open.
func watching(open *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Add(-1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"1"}}}`+"\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// open begins a watch in a member and returns its first event, and how to go on reading.
func open(ctx context.Context, member string) (io.ReadCloser, error) {
	return clientOf(through(host.Config, member)).CoreV1().RESTClient().Get().Resource("pods").Param("watch", "true").Stream(ctx)
}

var _ = Describe("Streams", func() {
	It("pass as they come, and end in the member when the client has gone", func(ctx SpecContext) {
		var streams atomic.Int64
		enlist(ctx, "streaming", watching(&streams))
		gone, leave := context.WithCancel(ctx)
		defer leave()
		body, err := open(gone, "streaming")
		Expect(err).NotTo(HaveOccurred())
		first := make([]byte, 8)
		_, err = io.ReadFull(body, first) // before the member has ended anything
		Expect(err).NotTo(HaveOccurred())
		Expect(streams.Load()).To(BeEquivalentTo(1))
		leave()
		_ = body.Close()
		Eventually(ctx, streams.Load).Should(BeZero())
	}, NodeTimeout(2*time.Minute))

	It("of one user are so many, and beyond that he is told to ask again, and nobody else", func(ctx SpecContext) {
		var streams atomic.Int64
		enlist(ctx, "crowded", watching(&streams))
		letThrough(ctx, group("crowd"), []string{"get"}, "crowded")
		greedy, modest := through(as("greedy", "crowd"), "crowded"), through(as("modest", "crowd"), "crowded")
		begin := func(ctx context.Context, config *rest.Config) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/api/v1/pods?watch=true", nil)
			Expect(err).NotTo(HaveOccurred())
			client, err := rest.HTTPClientFor(config)
			Expect(err).NotTo(HaveOccurred())
			response, err := client.Do(request) // client-go's own would ask again by itself
			if err != nil {
				return err
			}
			DeferCleanup(response.Body.Close)
			if response.StatusCode != http.StatusOK {
				return fmt.Errorf("%s, after %s s: %s", response.Status, response.Header.Get("Retry-After"), readAll(response.Body))
			}
			return nil
		}
		leaving, leave := context.WithCancel(ctx)
		defer leave()
		Eventually(ctx, begin).WithArguments(leaving, greedy).Should(Succeed(), "the right is heard of")
		for range mostOpen - 1 {
			Expect(begin(leaving, greedy)).To(Succeed())
		}
		Expect(begin(ctx, greedy)).To(MatchError(And(HavePrefix("429 Too Many Requests, after 1 s"), ContainSubstring(`\"greedy\" has 40 requests to members open`))))
		Expect(begin(ctx, modest)).To(Succeed())
		leave()
		Eventually(ctx, begin).WithArguments(ctx, greedy).Should(Succeed())
	}, NodeTimeout(3*time.Minute))

	It("end when the member lets nobody in any more", func(ctx SpecContext) {
		var streams atomic.Int64
		enlist(ctx, "revoking", watching(&streams))
		body, err := open(ctx, "revoking")
		Expect(err).NotTo(HaveOccurred())
		defer body.Close() //nolint:errcheck // only read
		Eventually(ctx, streams.Load).Should(BeEquivalentTo(1))
		kit.Change(ctx, host, kit.Named(framework.KubeFedCluster.GroupVersion().String(), "KubeFedCluster", framework.KubeFedNamespace, "revoking"), func(u *unstructured.Unstructured) {
			annotations := u.GetAnnotations()
			delete(annotations, reach.FleetAccessAnnotation)
			u.SetAnnotations(annotations)
		})
		Eventually(ctx, streams.Load).Should(BeZero())
		_, err = open(ctx, "revoking")
		Expect(err).To(MatchError(ContainSubstring("--fleet-access")))
	}, NodeTimeout(2*time.Minute))

	It("end as if the member had ended them when the server ends, and go on at the next", Serial, func(ctx SpecContext) {
		var streams atomic.Int64
		enlist(ctx, "draining", watching(&streams))
		body, err := open(ctx, "draining")
		Expect(err).NotTo(HaveOccurred())
		defer body.Close() //nolint:errcheck // only read
		Eventually(ctx, streams.Load).Should(BeEquivalentTo(1))
		Expect(server.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			if !server.Running() {
				Expect(server.Launch()).To(Succeed())
			}
			Expect(server.WaitServed(ctx)).To(Succeed())
		}, NodeTimeout(2*time.Minute))
		_, err = io.ReadAll(body)
		Expect(err).NotTo(HaveOccurred(), "a stream that breaks off is an error to a client")
		Expect(streams.Load()).To(BeZero())
	}, NodeTimeout(3*time.Minute))
})

var _ = Describe("A member that is not ready", func() {
	It("is answered for at once, with the reason and when to ask again", Serial, func(ctx SpecContext) {
		Expect(system.Faults().StopMember(ctx, "member-2")).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(system.Faults().StartMember(ctx, "member-2")).To(Succeed())
			Expect(system.WaitForMember(ctx, "member-2", true)).To(Succeed())
		}, NodeTimeout(4*time.Minute))
		Expect(system.WaitForMember(ctx, "member-2", false)).To(Succeed())
		var got answer
		Eventually(ctx, func() string { // the server hears of it as the spec does
			got = throughHost(ctx, http.MethodGet, proxyPath("member-2", "/api/v1/pods"), nil)
			return got.status().Message
		}).Should(ContainSubstring("cluster member-2 cannot be reached: ClusterNotReachable"))
		Expect(got.Code).To(Equal(http.StatusServiceUnavailable))
		Expect(got.Header.Get("Retry-After")).To(Equal("10"))
	}, NodeTimeout(5*time.Minute))

	It("is reached with the next token before the last one ends, which the server asks for itself", func(ctx SpecContext) {
		secret := kit.Named("v1", "Secret", framework.KubeFedNamespace, "member-1-fleet-access")
		before := kit.At(kit.Found(ctx, host, secret).Object, "/data/token")
		lifetime := func(value string) {
			kit.Change(ctx, host, secret, func(u *unstructured.Unstructured) {
				kit.Set(u.Object, "/metadata/annotations/fedctl.io~1token-lifetime", value)
			})
		}
		lifetime("1s") // half of which has passed
		DeferCleanup(func(cleanup SpecContext) { ctx = cleanup; lifetime("168h0m0s") }, NodeTimeout(time.Minute))
		Eventually(ctx, func() any { return kit.At(kit.Found(ctx, host, secret).Object, "/data/token") }).ShouldNot(Equal(before))
		Expect(throughHost(ctx, http.MethodGet, proxyPath("member-1", "/version"), nil).Code).To(Equal(http.StatusOK))
	}, NodeTimeout(4*time.Minute))

	It("is told from one that does not exist, and from one that lets nobody in", func(ctx SpecContext) {
		got := throughHost(ctx, http.MethodGet, proxyPath("nowhere", "/api"), nil)
		Expect(got.Code).To(Equal(http.StatusNotFound))
		Expect(got.status().Message).To(Equal(`clusters.fleet.fedctl.io "nowhere" not found`))
	}, NodeTimeout(time.Minute))

	It("gets no token of another cluster, whatever its KubeFedCluster names", func(ctx SpecContext) {
		thief := enlist(ctx, "thief", fine)
		Expect(throughHost(ctx, http.MethodGet, proxyPath("thief", "/x"), nil).Code).To(Equal(http.StatusOK))
		before := len(thief.requests())
		kit.Change(ctx, host, kit.Named(framework.KubeFedCluster.GroupVersion().String(), "KubeFedCluster", framework.KubeFedNamespace, "thief"), func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/metadata/annotations/fedctl.io~1fleet-access", "member-1-fleet-access")
		})
		Eventually(ctx, func() string { return throughHost(ctx, http.MethodGet, proxyPath("thief", "/x"), nil).status().Message }).
			Should(ContainSubstring("is not that of cluster thief"))
		Expect(len(thief.requests())).To(BeNumerically(">=", before))
		for _, sent := range thief.requests() {
			Expect(sent.Header.Get("Authorization")).To(Equal("Bearer " + secretToken))
		}
	}, NodeTimeout(2*time.Minute))
})
