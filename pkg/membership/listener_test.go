package membership_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/membership"
)

// listener is a server that waits for tokens.
type listener struct {
	*httptest.Server
	asked atomic.Int64
}

func listen() *listener {
	l := &listener{}
	l.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		l.asked.Add(1)
		_, _ = w.Write([]byte("ok"))
	}))
	DeferCleanup(l.Close)
	return l
}

// kubeFedMadeMember replaces the second member by one as KubeFed makes it, named
// the-first, for the length of the spec, and returns the name of its Secret, which has no label.
func kubeFedMadeMember(ctx context.Context, provider *membership.Provider) string {
	GinkgoHelper()
	kfc := kubeFedMade(ctx, "the-first", member2)
	second := kubeFedCluster(ctx, member2)
	Expect(host.Delete(ctx, second)).To(Succeed())
	Expect(host.Create(ctx, kfc)).To(Succeed())
	Eventually(isReady(provider, kfc.Name)).Should(BeTrue())
	DeferCleanup(func(ctx context.Context) {
		Expect(client.IgnoreNotFound(host.Delete(ctx, kfc))).To(Succeed())
		mustJoin(ctx, member2, member2)
	})
	return kfc.Spec.SecretRef.Name
}
