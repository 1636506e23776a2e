package hostile_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// relay leads to a cluster, as whoever asks; it can end watches and hold those that
// follow them.
type relay struct {
	*httptest.Server
	// asked is how often somebody has asked for all ConfigMaps, to list or to watch them, and
	// expired how many watches had an answer that what they had seen is forgotten.
	asked, expired atomic.Int64

	mu    sync.Mutex
	begun time.Time     // when the newest watch began
	ends  chan struct{} // closed when watches are to end
	held  chan struct{} // closed when watches may pass; nil if they may
}

func startRelay(c *framework.Cluster) *relay {
	GinkgoHelper()
	config := rest.AnonymousClientConfig(c.Config)
	transport, err := rest.TransportFor(config)
	Expect(err).NotTo(HaveOccurred())
	to, err := url.Parse(c.Config.Host)
	Expect(err).NotTo(HaveOccurred())
	r := &relay{ends: make(chan struct{})}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(to) },
		Transport: transport, FlushInterval: -1,
		ModifyResponse: func(response *http.Response) error {
			if watches(response.Request) {
				response.Body = &spy{ReadCloser: response.Body, found: func() { r.expired.Add(1) }}
			}
			return nil
		},
	}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.serve(w, q, proxy) }))
	DeferCleanup(func() { r.CloseClientConnections(); r.Close() })
	return r
}

func watches(q *http.Request) bool { return q.URL.Query().Get("watch") != "" }

func (r *relay) serve(w http.ResponseWriter, q *http.Request, proxy http.Handler) {
	if q.Method == http.MethodGet && strings.HasSuffix(q.URL.Path, configMaps) {
		r.asked.Add(1)
	}
	if !watches(q) {
		proxy.ServeHTTP(w, q)
		return
	}
	r.mu.Lock()
	r.begun = time.Now()
	ends, held := r.ends, r.held
	r.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-q.Context().Done():
			return
		}
	}
	ctx, cancel := context.WithCancel(q.Context())
	defer cancel()
	go func() {
		select {
		case <-ends:
			cancel()
		case <-ctx.Done():
		}
	}()
	defer func() { _ = recover() }() // the proxy's way to end an answer in the middle
	proxy.ServeHTTP(w, q.WithContext(ctx))
}

// hold ends the watches and keeps those that follow waiting. It waits until all watches have
// lasted for a while: client-go lists anew after a watch that ended within a second, and so
// would not ask for what is forgotten.
func (r *relay) hold(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func() time.Duration {
		r.mu.Lock()
		defer r.mu.Unlock()
		return time.Since(r.begun)
	}).Should(BeNumerically(">", 3*time.Second), "watches begin all the time")
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.ends)
	r.ends, r.held = make(chan struct{}), make(chan struct{})
}

// pass lets watches pass again.
func (r *relay) pass() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.held)
	r.held = nil
}

// expectQuiet waits until nobody asks for all ConfigMaps any more: the last watch may begin
// a little after what it follows was listed.
func (r *relay) expectQuiet(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		asked := r.asked.Load()
		g.Consistently(ctx, r.asked.Load).Should(Equal(asked))
	}).Should(Succeed())
}

// spy looks for what an API server says that has forgotten what a watch asks for.
type spy struct {
	io.ReadCloser
	found func()
}

func (s *spy) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if bytes.Contains(p[:n], []byte("Expired")) {
		s.found()
	}
	return n, err
}

// compact has a cluster's etcd forget all but what there is now.
func compact(ctx context.Context, name string) {
	GinkgoHelper()
	fleet, isLocal := system.Faults().(*localcluster.Fleet)
	Expect(isLocal).To(BeTrue())
	cluster, err := fleet.Member(name)
	Expect(err).NotTo(HaveOccurred())
	// The path of a socket has a limit, and that of a directory's descriptor is short.
	dir, err := os.Open(cluster.Dir)
	Expect(err).NotTo(HaveOccurred())
	defer dir.Close() //nolint:errcheck // only held
	socket := fmt.Sprintf("/proc/self/fd/%d/etcd:0", dir.Fd())
	etcd := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	post := func(path, body string) map[string]any {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://etcd"+path, strings.NewReader(body))
		Expect(err).NotTo(HaveOccurred())
		response, err := etcd.Do(request)
		Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close() //nolint:errcheck // read
		raw, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(response.StatusCode).To(Equal(http.StatusOK), string(raw))
		answer := map[string]any{}
		Expect(json.Unmarshal(raw, &answer)).To(Succeed())
		return answer
	}
	status := post("/v3/maintenance/status", "{}")
	header, _ := status["header"].(map[string]any)
	post("/v3/kv/compaction", fmt.Sprintf(`{"revision":"%s","physical":true}`, header["revision"]))
}

var _ = Describe("An API server that has forgotten what a watch has seen", func() {
	// objects are some beside settings, of which the member's are changed behind the controller's back.
	make3 := func(ctx context.Context, prefix string) (fed, inMember []kit.Ref) {
		GinkgoHelper()
		for _, name := range []string{"kept", "changed", "deleted"} {
			name = prefix + "-" + name
			Expect(host.Create(ctx, everywhere("FederatedConfigMap", name, kit.Fields{"data": kit.Fields{"a": "1"}}))).To(Succeed())
			fed = append(fed, kit.Named(typesGroup, "FederatedConfigMap", ns, name))
			inMember = append(inMember, kit.Named("v1", "ConfigMap", ns, name))
			kit.ExpectField(ctx, good, inMember[len(inMember)-1], "/data/a", "1")
		}
		return fed, inMember
	}

	It("as a member is listed anew: what has changed is put right, nothing is deleted, and that is all", func(ctx SpecContext) {
		r := startRelay(good)
		joined := kit.Named("core.kubefed.io/v1beta1", "KubeFedCluster", framework.KubeFedNamespace, good.Name)
		before := kit.Found(ctx, host, joined)
		lead := func(ctx context.Context, endpoint, bundle any) {
			kit.Change(ctx, host, joined, func(u *unstructured.Unstructured) {
				kit.Set(u.Object, "/spec/apiEndpoint", endpoint)
				kit.Set(u.Object, "/spec/caBundle", bundle)
			})
		}
		lead(ctx, r.URL, base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw})))
		DeferCleanup(func(ctx SpecContext) {
			lead(ctx, kit.At(before.Object, "/spec/apiEndpoint"), kit.At(before.Object, "/spec/caBundle"))
			isServed(ctx)
		}, NodeTimeout(3*time.Minute))
		Eventually(ctx, r.asked.Load).Should(BeNumerically(">", 0))
		_, targets := make3(ctx, "forgotten")
		kept := kit.Found(ctx, good, targets[0])

		r.hold(ctx)
		kit.Change(ctx, good, targets[1], func(u *unstructured.Unstructured) { kit.Set(u.Object, "/data/a", "drift") })
		Expect(good.Delete(ctx, targets[2].Empty())).To(Succeed())
		compact(ctx, good.Name)
		r.pass()
		Eventually(ctx, r.expired.Load).Should(BeNumerically(">", 0), "nothing was forgotten")
		kit.ExpectField(ctx, good, targets[1], "/data/a", "1")
		kit.ExpectField(ctx, good, targets[2], "/data/a", "1")
		isServed(ctx)
		Expect(kit.Found(ctx, good, targets[0]).GetResourceVersion()).To(Equal(kept.GetResourceVersion()))
		r.expectQuiet(ctx)
	}, SpecTimeout(8*time.Minute))

	It("as the host is listed anew: what has changed is carried out, nothing is deleted, and that is all", func(ctx SpecContext) {
		r := startRelay(host)
		fed, targets := make3(ctx, "remembered")
		kept := kit.Found(ctx, good, targets[0])
		path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
		config, err := clientcmd.LoadFromFile(filepath.Join(system.Dir(), "controller.kubeconfig"))
		Expect(err).NotTo(HaveOccurred())
		for _, c := range config.Clusters {
			c.Server, c.CertificateAuthorityData = r.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw})
		}
		Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
		Expect(system.Controller.Restart(ctx, "--kubeconfig", path)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Controller.Restart(ctx)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		isServed(ctx)

		r.hold(ctx)
		kit.Change(ctx, host, fed[1], func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/template/data/a", "2") })
		Expect(host.Delete(ctx, fed[2].Empty())).To(Succeed())
		compact(ctx, host.Name)
		r.pass()
		Eventually(ctx, r.expired.Load).Should(BeNumerically(">", 0), "nothing was forgotten")
		kit.ExpectField(ctx, good, targets[1], "/data/a", "2")
		kit.ExpectGone(ctx, good, targets[2])
		kit.ExpectGone(ctx, host, fed[2])
		isServed(ctx)
		Expect(kit.Found(ctx, good, targets[0]).GetResourceVersion()).To(Equal(kept.GetResourceVersion()))
		r.expectQuiet(ctx)
	}, SpecTimeout(8*time.Minute))
})
