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
	syncmap "sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// load is what is to be done in the namespaces of a member.
type load struct {
	cluster *framework.Cluster
	// used is what all pods of a namespace use together, in thousandths of a processor, shared
	// out evenly: as the requests of users are between the pods of a service.
	used amounts
	// queued is how much waits in the queue of a namespace, which is something outside of it.
	queued amounts
}

// set says what the pods of a namespace use.
func (l *load) set(namespace string, milli int64) { l.used.set(namespace, milli) }

// amounts are numbers by namespace.
type amounts struct{ all syncmap.Map }

func (a *amounts) set(namespace string, n int64) { a.all.Store(namespace, n) }

func (a *amounts) get(namespace string) int64 {
	n, _ := a.all.Load(namespace)
	amount, _ := n.(int64)
	return amount
}

const (
	metricsVersion  = "metrics.k8s.io/v1beta1"
	externalVersion = "external.metrics.k8s.io/v1beta1"
)

// serveMetrics serves metrics.k8s.io and external.metrics.k8s.io in a member until the suite ends.
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
	Expect(c.Create(ctx, kit.Parse(`{apiVersion: v1, kind: Service, metadata: {name: metrics, namespace: kube-system}, spec: {type: ExternalName, externalName: localhost}}`))).To(Succeed())
	for _, groupVersion := range []string{metricsVersion, externalVersion} {
		group, version, _ := strings.Cut(groupVersion, "/")
		name := version + "." + group
		Expect(c.Create(ctx, kit.Parse(fmt.Sprintf(`{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: %s}, spec: {
			group: %s, version: %s, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true,
			service: {name: metrics, namespace: kube-system, port: %d}}}`, name, group, version, port)))).To(Succeed())
		kit.ExpectField(ctx, c, kit.Named("apiregistration.k8s.io/v1", "APIService", "", name), "/status/conditions/0/status", "True")
	}
	return l
}

// ServeHTTP answers for discovery, with what the pods of a namespace use, and what waits there.
func (l *load) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/apis/"+metricsVersion), "/")
	external := strings.Split(strings.TrimPrefix(r.URL.Path, "/apis/"+externalVersion), "/")
	switch {
	case r.URL.Path == "/apis/"+externalVersion:
		answer(w, kit.Fields{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": externalVersion, "resources": kit.Values{
			kit.Fields{"name": "queue", "singularName": "", "namespaced": true, "kind": "ExternalMetricValueList", "verbs": kit.Values{"get"}},
		}})
	case len(external) == 4 && external[1] == "namespaces" && external[3] == "queue":
		answer(w, kit.Fields{"kind": "ExternalMetricValueList", "apiVersion": externalVersion, "metadata": kit.Fields{}, "items": kit.Values{kit.Fields{
			"metricName": "queue", "metricLabels": kit.Fields{}, "timestamp": time.Now().UTC().Format(time.RFC3339), "value": strconv.FormatInt(l.queued.get(external[2]), 10),
		}}})
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
	total := l.used.get(namespace)
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
