package e2e

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// throughGate has the control plane reach a member through a proxy that keeps back
// what watches of ConfigMaps tell while gate is locked.
func throughGate(ctx context.Context, c *framework.Cluster, gate *heldGate) {
	GinkgoHelper()
	watched, left := make(chan struct{}), make(chan struct{})
	begin, leave := sync.OnceFunc(func() { close(watched) }), sync.OnceFunc(func() { close(left) })
	proxy, err := framework.StartProxy(c, func(r *http.Response) error {
		if strings.HasSuffix(r.Request.URL.Path, "/configmaps") && r.Request.URL.Query().Get("watch") != "" {
			r.Body = &gatedBody{r.Body, gate, leave}
			begin()
		}
		return nil
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(proxy.Close)
	member := ref{GroupVersionKind: framework.KubeFedCluster, Namespace: framework.KubeFedNamespace, Name: c.Name}
	connect := func(ctx context.Context, endpoint, caBundle string) {
		GinkgoHelper()
		tamper(ctx, host, member, func(u *unstructured.Unstructured) {
			set(u.Object, "/spec/apiEndpoint", endpoint)
			set(u.Object, "/spec/caBundle", caBundle)
		})
	}
	spec := found(ctx, host, member).Object["spec"].(map[string]any)
	connect(ctx, proxy.Endpoint(), base64.StdEncoding.EncodeToString(proxy.CABundle()))
	DeferCleanup(func(ctx SpecContext) {
		connect(ctx, spec["apiEndpoint"].(string), spec["caBundle"].(string))
		Eventually(ctx, left).Should(BeClosed(), "the control plane goes without the proxy again")
	}, NodeTimeout(3*time.Minute))
	Eventually(ctx, watched).Should(BeClosed())
}

// gatedBody keeps back what it has read while the gate is locked.
type gatedBody struct {
	io.ReadCloser

	gate  *heldGate
	leave func()
}

// heldGate is a gate that notes that it has kept something back.
type heldGate struct {
	sync.RWMutex

	held atomic.Bool
}

func (b *gatedBody) Close() error {
	b.leave()
	return b.ReadCloser.Close()
}

func (b *gatedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && !b.gate.TryRLock() {
		b.gate.held.Store(true)
		b.gate.RLock()
	}
	if n > 0 {
		b.gate.RUnlock()
	}
	return n, err
}

var _ = Describe("An object that the watch has not told of", localOnly, Serial, func() {
	It("is left alone if its owner has labelled it so, and adopted otherwise", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		out := configMap(ns, "out", fields{"a": "1"}).on(members[0])
		in := configMap(ns, "in", fields{"a": "1"}).on(members[0])
		var gate heldGate
		throughGate(ctx, members[0], &gate)
		before := create(ctx, configMap(ns, "before", fields{"a": "1"}).on(members[0]))
		leaving := create(ctx, configMap(ns, "leaving", fields{"a": "1"}).on(members[0]))
		deleted := create(ctx, configMap(ns, "deleted", fields{"a": "1"}).on(members[0]))
		expectSettled(ctx, before, members[0]) // what was there has been listed
		expectSettled(ctx, leaving, members[0])
		expectSettled(ctx, deleted, members[0])
		gate.Lock()
		release := sync.OnceFunc(gate.Unlock)
		DeferCleanup(release)
		there := plant(ctx, members[0], out, map[string]string{managed: "false"}, fields{"a": "0"})
		known := plant(ctx, members[0], in, nil, fields{"a": "0", "theirs": "x"})
		create(ctx, out)
		create(ctx, in)
		var kept []*unstructured.Unstructured
		for _, f := range []*federated{before, leaving, deleted} {
			kept = append(kept, tamper(ctx, members[0], f.target, func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{managed: "false"}) }))
		}
		change(ctx, before, func(f *federated) { set(f.template(), "/data/a", "2") })
		change(ctx, leaving, func(f *federated) { f.on(members[1]) })
		remove(ctx, deleted)
		expectSettled(ctx, leaving, members[1])
		expectStatus(ctx, out, "CheckClusters", map[string]string{members[0].Name: "ManagedLabelFalse"})
		expectField(ctx, members[0], in.target, "/data/a", "1")
		Expect(found(ctx, members[0], in.target).GetUID()).To(Equal(known.GetUID()))
		Expect(found(ctx, members[0], out.target).GetResourceVersion()).To(Equal(there.GetResourceVersion()))
		expectStatus(ctx, before, "CheckClusters", map[string]string{members[0].Name: "ManagedLabelFalse"})
		for i, f := range []*federated{before, leaving, deleted} {
			Expect(found(ctx, members[0], f.target).GetResourceVersion()).To(Equal(kept[i].GetResourceVersion()), f.GetName())
		}

		Eventually(ctx, gate.held.Load).Should(BeTrue(), "the watch has told all the time")

		By("having heard of them")
		release()
		expectSettled(ctx, in, members[0])
		tamper(ctx, members[0], out.target, func(u *unstructured.Unstructured) { u.SetLabels(nil) })
		expectField(ctx, members[0], out.target, "/data/a", "1")
		expectSettled(ctx, out, members[0])
	}, NodeTimeout(5*time.Minute))
})
