package autoscaling

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// load is what all pods of a namespace in a member use together, in thousandths of a
// processor, shared out evenly: as the requests of users are between the pods of a service.
type load struct {
	cluster    *framework.Cluster
	namespaces atomic.Pointer[map[string]int64]
}

// set says what the pods of a namespace use.
func (l *load) set(namespace string, milli int64) {
	next := map[string]int64{namespace: milli}
	if before := l.namespaces.Load(); before != nil {
		for other, n := range *before {
			if other != namespace {
				next[other] = n
			}
		}
	}
	l.namespaces.Store(&next)
}

const metricsVersion = "metrics.k8s.io/v1beta1"

// serveMetrics serves metrics.k8s.io in a member until the suite ends.
func serveMetrics(ctx context.Context, c *framework.Cluster) *load {
	GinkgoHelper()
	l := &load{cluster: c}
	server := httptest.NewTLSServer(l)
	DeferCleanup(server.Close)
	address, err := url.Parse(server.URL)
	Expect(err).NotTo(HaveOccurred())
	_, text, err := net.SplitHostPort(address.Host)
	Expect(err).NotTo(HaveOccurred())
	port, err := strconv.Atoi(text)
	Expect(err).NotTo(HaveOccurred())
	for _, manifest := range []string{
		`{apiVersion: v1, kind: Service, metadata: {name: metrics, namespace: kube-system}, spec: {type: ExternalName, externalName: localhost}}`,
		fmt.Sprintf(`{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1beta1.metrics.k8s.io}, spec: {
			group: metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true,
			service: {name: metrics, namespace: kube-system, port: %d}}}`, port),
	} {
		Expect(c.Create(ctx, kit.Parse(manifest))).To(Succeed())
	}
	kit.ExpectField(ctx, c, kit.Named("apiregistration.k8s.io/v1", "APIService", "", "v1beta1.metrics.k8s.io"), "/status/conditions/0/status", "True")
	return l
}

// ServeHTTP answers for discovery, and with what the pods of a namespace use.
func (l *load) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/apis/"+metricsVersion), "/")
	switch {
	case r.URL.Path == "/apis/"+metricsVersion:
		answer(w, kit.Fields{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": metricsVersion, "resources": kit.Values{
			kit.Fields{"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": kit.Values{"get", "list"}},
		}})
	case len(parts) == 4 && parts[1] == "namespaces" && parts[3] == "pods":
		metrics, err := l.of(r.Context(), parts[2], r.URL.Query().Get("labelSelector"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, metrics)
	default:
		http.NotFound(w, r)
	}
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (l *load) of(ctx context.Context, namespace, text string) (kit.Fields, error) {
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, err
	}
	pods := &corev1.PodList{}
	if err := l.cluster.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	var total int64
	if namespaces := l.namespaces.Load(); namespaces != nil {
		total = (*namespaces)[namespace]
	}
	items := kit.Values{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		items = append(items, kit.Fields{
			"metadata":  kit.Fields{"name": pod.Name, "namespace": namespace, "labels": pod.Labels},
			"timestamp": time.Now().UTC().Format(time.RFC3339), "window": "1s",
			"containers": kit.Values{kit.Fields{
				"name": pod.Spec.Containers[0].Name, "usage": kit.Fields{"cpu": fmt.Sprintf("%dm", total/int64(len(pods.Items))), "memory": "1Mi"},
			}},
		})
	}
	return kit.Fields{"kind": "PodMetricsList", "apiVersion": metricsVersion, "metadata": kit.Fields{}, "items": items}, nil
}
