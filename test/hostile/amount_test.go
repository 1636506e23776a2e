package hostile_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/hostile"
	"github.com/fedctl/fedctl/test/kit"
)

var _ = Describe("A member that says too much", func() {
	// until waits until something is so, and fails where the controller takes too much
	// memory until then.
	until := func(ctx context.Context, is func(g Gomega)) {
		GinkgoHelper()
		Eventually(ctx, func(g Gomega) {
			memory, err := resident(ctx)
			g.Expect(err).NotTo(HaveOccurred())
			if memory > mostMemory {
				StopTrying("the controller uses too much memory").Attach("bytes", memory).Now()
			}
			is(g)
		}).WithTimeout(4 * time.Minute).Should(Succeed())
	}

	DescribeTable("without an end fails alone, with a reason, and takes no memory", func(ctx SpecContext, name string, mode hostile.Mode, reason string) {
		e := enlist(ctx, name, configMaps, mode)
		until(ctx, func(g Gomega) { g.Expect(e.says(ctx)).To(ContainSubstring(reason)) })
		isServed(ctx)
	},
		Entry("endless list", "endless-list", hostile.EndlessList, "/configmaps: the answer is longer than"),
		Entry("gzip bomb", "gzip-bomb", hostile.GzipBomb, "/configmaps: the answer is longer than"),
		Entry("large pages", "large-pages", hostile.LargePages, "/configmaps: the pages of the list are too long together"),
		Entry("endless events", "endless-events", hostile.EndlessEvents, "/configmaps: the answer is longer than"),
		Entry("one endless event", "endless-event", hostile.EndlessEvent, "/configmaps: an event of the watch is longer than"))

	It("that an object has changed, over and over, delays nobody and takes no memory", func(ctx SpecContext) {
		var told atomic.Int64
		e := enlist(ctx, "flood", configMaps, hostile.Flood(&told))
		ready(ctx, e)
		for range 5 {
			isServed(ctx)
		}
		until(ctx, func(g Gomega) { g.Expect(told.Load()).To(BeNumerically(">", 20_000)) })
		Eventually(ctx, e.verdict).WithArguments(settings).ShouldNot(Equal("no word"))
		e.Become(hostile.Harmless)
		e.Disconnect()
		Eventually(ctx, e.verdict).WithArguments(settings).Should(understood)
	}, SpecTimeout(10*time.Minute))

	DescribeTable("of why it refuses is quoted within bounds", func(ctx SpecContext, size int) {
		e := enlist(ctx, fmt.Sprintf("refusing-%d", size), configMaps, hostile.Refusing("the-beginning", "the-end", size))
		Eventually(ctx, e.verdict).WithArguments(settings).Should(And(HavePrefix("CreationFailed: "), ContainSubstring("the-beginning"), HaveSuffix("the-end")))
		isServed(ctx)
	},
		Entry("1.2 MB", 1_200_000), Entry("2.5 MB", 2_500_000))

	It("of where to ask gets no second request, which would carry the token", func(ctx SpecContext) {
		followed := make(chan string, 100)
		elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case followed <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization"):
			default:
			}
		}))
		DeferCleanup(elsewhere.Close)
		e := enlist(ctx, "redirecting", configMaps, hostile.Redirecting(elsewhere.URL))
		isServed(ctx)
		Eventually(ctx, e.says).Should(ContainSubstring("a redirect to " + elsewhere.URL))
		Consistently(followed).ShouldNot(Receive())
	}, SpecTimeout(5*time.Minute))
})

var _ = Describe("Members whose objects have a status of 1 MB", func() {
	const many = 20

	It("are not collected, which is said, and takes no memory", func(ctx SpecContext) {
		web := kit.Named(typesGroup, "FederatedDeployment", ns, "web")
		config := kit.Named("core.kubefed.io/v1beta1", "FederatedTypeConfig", framework.KubeFedNamespace, ofDeployments)
		collect := func(ctx context.Context, value string) {
			kit.Change(ctx, host, config, func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/statusCollection", value) })
		}
		collect(ctx, "Enabled")
		DeferCleanup(func(ctx SpecContext) { collect(ctx, "Disabled") }, NodeTimeout(3*time.Minute))
		status := `,"status":{"readyReplicas":1,"conditions":[{"message":"` + strings.Repeat("x", 1_000_000) + `"}]}`
		object := strings.NewReplacer(`"ConfigMap"`, `"Deployment"`, `"v1"`, `"apps/v1"`, `"settings"`, `"web"`).Replace(item("", status))
		listed := strings.NewReplacer(`"ConfigMapList"`, `"DeploymentList"`, `"v1"`, `"apps/v1"`).Replace(listOf(object))
		for i := range many {
			enlist(ctx, fmt.Sprintf("talkative-%02d", i), deployments, hostile.Listing(listed))
		}
		labels := kit.Fields{"app": "web"}
		template := kit.Fields{"spec": kit.Fields{"selector": kit.Fields{"matchLabels": labels}, "template": kit.Fields{
			"metadata": kit.Fields{"labels": labels}, "spec": kit.Fields{"containers": kit.Values{kit.Fields{"name": "web", "image": "web"}}},
		}}}
		Expect(host.Create(ctx, everywhere("FederatedDeployment", "web", template))).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			u, err := kit.Read(ctx, host, web)
			g.Expect(err).NotTo(HaveOccurred())
			said := conditionOf(u, "StatusCollected")
			g.Expect(said).To(And(HaveKeyWithValue("status", "False"), HaveKeyWithValue("reason", "TooLarge")))
			g.Expect(said["message"]).To(And(ContainSubstring("the status in cluster talkative-00 has 10000"), HaveSuffix(fmt.Sprintf("and %d more", many-3))))
		}).Should(Succeed())
		kit.ExpectField(ctx, good, kit.Named("apps/v1", "Deployment", ns, "web"), "/metadata/labels/kubefed.io~1managed", "true")
		isServed(ctx)
	}, SpecTimeout(10*time.Minute))
})
