package autoscaling

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

const typesVersion = "types.kubefed.io/v1beta1"

// names of namespaces, which no two specs share.
var namespaces int

// federatedNamespace makes a namespace that is in these members.
func federatedNamespace(ctx context.Context, in ...*framework.Cluster) string {
	GinkgoHelper()
	namespaces++
	ns := fmt.Sprintf("scaled-%d", namespaces)
	made := createIn(ctx, host, `{apiVersion: v1, kind: Namespace, metadata: {name: %s}}`, ns)
	DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, made)).To(Succeed()) })
	createIn(ctx, host, `{apiVersion: %s, kind: FederatedNamespace, metadata: {name: %s, namespace: %s}, spec: %s}`, typesVersion, ns, ns, placedIn(in))
	return ns
}

func placedIn(clusters []*framework.Cluster) string {
	var names []string
	for _, c := range clusters {
		names = append(names, "{name: "+c.Name+"}")
	}
	return "{placement: {clusters: [" + strings.Join(names, ", ") + "]}}"
}

// createIn creates an object of a cluster, which goes with the spec.
func createIn(ctx context.Context, c *framework.Cluster, manifest string, args ...any) *unstructured.Unstructured {
	GinkgoHelper()
	u := kit.Parse(fmt.Sprintf(manifest, args...))
	Expect(c.Create(ctx, u)).To(Succeed())
	return u
}

// deployment federates a Deployment of this many replicas, whose pods ask for 100m.
func deployment(ctx context.Context, ns, name string, replicas int, annotations string, in ...*framework.Cluster) {
	GinkgoHelper()
	createIn(ctx, host, `{apiVersion: %s, kind: FederatedDeployment, metadata: {name: %s, namespace: %s, annotations: {%s}}, spec: {placement: %s, template: {spec: {
		replicas: %d, selector: {matchLabels: {app: %s}}, template: {metadata: {labels: {app: %s}}, spec: {
			containers: [{name: main, image: registry.k8s.io/pause:3.9, resources: {requests: {cpu: 100m}}}]}}}}}}`,
		typesVersion, name, ns, annotations, strings.TrimSuffix(strings.TrimPrefix(placedIn(in), "{placement: "), "}"), replicas, name, name)
}

// federatedAutoscaler federates an autoscaler of web that keeps its pods at half of what they
// ask for; the last member lets it grow to three pods only.
func federatedAutoscaler(ctx context.Context, ns string) kit.Ref {
	GinkgoHelper()
	createIn(ctx, host, `{apiVersion: %s, kind: FederatedHorizontalPodAutoscaler, metadata: {name: web, namespace: %s}, spec: {placement: {clusterSelector: {}},
		template: {spec: %s}, overrides: [{clusterName: %s, clusterOverrides: [{path: /spec/maxReplicas, value: 3}]}]}}`,
		typesVersion, ns, scalesWeb, members[len(members)-1].Name)
	return kit.Named(typesVersion, "FederatedHorizontalPodAutoscaler", ns, "web")
}

const scalesWeb = `{minReplicas: 1, maxReplicas: 6, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web},
	metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}],
	behavior: {scaleDown: {stabilizationWindowSeconds: 2}}}`

// autoscalerIn makes an autoscaler that is the member's own.
func autoscalerIn(ctx context.Context, c *framework.Cluster, ns, name string) kit.Ref {
	GinkgoHelper()
	createIn(ctx, c, `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: %s, namespace: %s}, spec: %s}`, name, ns, scalesWeb)
	return kit.Named("autoscaling/v2", "HorizontalPodAutoscaler", ns, name)
}

func web(ns string) kit.Ref { return kit.Named("apps/v1", "Deployment", ns, "web") }
func federatedWeb(ns string) kit.Ref {
	return kit.Named(typesVersion, "FederatedDeployment", ns, "web")
}

// autoscaling is what the status of a federated object says of autoscalers in a cluster.
func autoscaling(ctx context.Context, r kit.Ref, c *framework.Cluster) func() kit.Fields {
	return func() kit.Fields {
		u, err := kit.Read(ctx, host, r)
		if err != nil {
			return kit.Fields{"error": err.Error()}
		}
		clusters, _, _ := unstructured.NestedSlice(u.Object, "status", "clusters")
		for _, item := range clusters {
			if said, _ := item.(kit.Fields); said["name"] == c.Name {
				says, _ := said["autoscaling"].(kit.Fields)
				return says
			}
		}
		return nil
	}
}

// accepted is the condition Accepted of a federated object; nil if there is none.
func accepted(ctx context.Context, r kit.Ref) func() kit.Fields {
	return func() kit.Fields {
		u, err := kit.Read(ctx, host, r)
		if err != nil {
			return kit.Fields{"error": err.Error()}
		}
		conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
		for _, item := range conditions {
			if condition, _ := item.(kit.Fields); condition["type"] == "Accepted" {
				return condition
			}
		}
		return nil
	}
}

func replicas(ctx context.Context, c *framework.Cluster, r kit.Ref) func() any {
	return func() any {
		u, err := kit.Read(ctx, c, r)
		if err != nil {
			return err
		}
		return kit.At(u.Object, "/spec/replicas")
	}
}

// applies counts what the control plane has written to the Deployments of a member.
func applies(ctx context.Context, c *framework.Cluster) framework.Requests {
	GinkgoHelper()
	counts, err := framework.CountRequests(ctx, c)
	Expect(err).NotTo(HaveOccurred())
	maps.DeleteFunc(counts, func(what string, _ int) bool { return what != "APPLY deployments.apps" })
	return counts
}

// quiet waits until the control plane has written what it had to, and counts that.
func quiet(ctx context.Context, c *framework.Cluster) framework.Requests {
	GinkgoHelper()
	last, since := applies(ctx, c), time.Now()
	Eventually(ctx, func() time.Duration {
		if now := applies(ctx, c); !maps.Equal(now, last) {
			last, since = now, time.Now()
		}
		return time.Since(since)
	}).Should(BeNumerically(">", 3*time.Second))
	return last
}

// eventsOf are the events with a reason about a federated object that name a cluster.
func eventsOf(ctx context.Context, r kit.Ref, reason string, c *framework.Cluster) []string {
	return slices.DeleteFunc(kit.Notes(ctx, host, r.Kind, r.Namespace, r.Name), func(note string) bool {
		return !strings.HasPrefix(note, reason+": ") || !strings.Contains(note, "cluster "+c.Name+":")
	})
}
