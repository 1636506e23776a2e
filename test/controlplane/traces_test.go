package controlplane

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// collector is one of OpenTelemetry's, as far as a controller sees it.
type collector struct {
	collectorv1.UnimplementedTraceServiceServer

	mu       sync.Mutex
	spans    []*tracev1.Span
	services []string
}

// Export implements the service.
func (c *collector) Export(_ context.Context, request *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range request.GetResourceSpans() {
		c.services = append(c.services, attributeOf(of.GetResource().GetAttributes(), "service.name"))
		for _, scope := range of.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

func attributeOf(attributes []*commonv1.KeyValue, key string) string {
	for _, attribute := range attributes {
		if attribute.GetKey() == key {
			return attribute.GetValue().GetStringValue()
		}
	}
	return ""
}

// traces are the spans of an object's changes by trace: "name cluster", "+" before those that
// have a parent.
func (c *collector) traces(object string) map[string][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := map[string][]string{}
	for _, span := range c.spans {
		if len(span.GetParentSpanId()) == 0 && attributeOf(span.GetAttributes(), "fedctl.object") == object {
			of[hex.EncodeToString(span.GetTraceId())] = nil
		}
	}
	for _, span := range c.spans {
		id := hex.EncodeToString(span.GetTraceId())
		if _, known := of[id]; !known {
			continue
		}
		text := span.GetName()
		if cluster := attributeOf(span.GetAttributes(), "fedctl.cluster"); cluster != "" {
			text += " " + cluster
		}
		if len(span.GetParentSpanId()) > 0 {
			text = "+" + text
		}
		if !slices.Contains(of[id], text) {
			of[id] = append(of[id], text)
		}
	}
	return of
}

func startCollector() (c *collector, endpoint string) {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	c = &collector{}
	server := grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, c)
	go func() { _ = server.Serve(listener) }() // ends with Stop
	DeferCleanup(server.Stop)
	return c, fmt.Sprintf("http://%s", listener.Addr())
}

var _ = Describe("traces", func() {
	It("show the way of a change from the host's watch to each member and to the status", func(ctx SpecContext) {
		const namespace = "team-traced"
		fedctl(ctx, "install", "--without-controller", "--scope", "Namespaced", "--kubefed-namespace", namespace)
		received, endpoint := startCollector()
		controller := prepare(ctx, "traced", namespace, "--traces-endpoint="+endpoint)
		DeferCleanup(func(ctx SpecContext) { Expect(controller.Stop(ctx)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		Expect(controller.Start(ctx)).To(Succeed())
		join(ctx, namespace, members...)

		object := federatedConfigMap(namespace, "traced")
		Expect(host.Create(ctx, object)).To(Succeed())
		way := ContainElements("propagate", "+decide", "+apply "+members[0].Name, "+apply "+members[1].Name, "+write status")
		Eventually(ctx, func() map[string][]string { return received.traces("traced") }).Should(ContainElement(way))

		By("deleting it, which is a change as well")
		Expect(host.Delete(ctx, object)).To(Succeed())
		Eventually(ctx, func() map[string][]string { return received.traces("traced") }).Should(
			ContainElement(ContainElements("propagate", "+delete "+members[0].Name, "+delete "+members[1].Name)))
		received.mu.Lock()
		defer received.mu.Unlock()
		Expect(received.services).To(HaveEach("fedctl-controller"))
	}, SpecTimeout(10*time.Minute))
})
