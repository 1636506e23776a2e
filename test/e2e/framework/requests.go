package framework

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
)

// Requests counts requests to one API server, by "VERB resource.group[/subresource]",
// such as "APPLY configmaps" or "PATCH federatedconfigmaps.types.kubefed.io/status".
type Requests map[string]int

// housekeeping are resources that an API server and its own controllers use
// with nobody else around, and requests for discovery (no resource).
var housekeeping = []string{"", "leases.coordination.k8s.io", "endpointslices.discovery.k8s.io", "apiservices.apiregistration.k8s.io",
	"flowschemas.flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
	"subjectaccessreviews.authorization.k8s.io", "tokenreviews.authentication.k8s.io"}

// CountRequests reads from an API server's own metrics how many requests it has
// served since it started: all but watches, leases and its housekeeping.
func CountRequests(ctx context.Context, c *Cluster) (Requests, error) {
	clientset, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return nil, err
	}
	stream, err := clientset.RESTClient().Get().AbsPath("/metrics").Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("metrics of cluster %s: %w", c.Name, err)
	}
	defer stream.Close() //nolint:errcheck // only read
	families, err := parseMetrics(stream)
	if err != nil {
		return nil, fmt.Errorf("metrics of cluster %s: %w", c.Name, err)
	}
	family, ok := families["apiserver_request_total"]
	if !ok {
		return nil, fmt.Errorf("the API server of cluster %s has no metric apiserver_request_total", c.Name)
	}
	counts := Requests{}
	for _, m := range family.GetMetric() {
		label := map[string]string{}
		for _, pair := range m.GetLabel() {
			label[pair.GetName()] = pair.GetValue()
		}
		if label["verb"] == "DELETE" && label["scope"] != "resource" {
			label["verb"] = "DELETECOLLECTION" // the metric does not tell them apart by the verb
		}
		resource := label["resource"]
		if label["group"] != "" {
			resource += "." + label["group"]
		}
		if label["verb"] == "WATCH" || label["verb"] == "CONNECT" || slices.Contains(housekeeping, resource) {
			continue
		}
		if label["subresource"] != "" {
			resource += "/" + label["subresource"]
		}
		counts[label["verb"]+" "+resource] += int(m.GetCounter().GetValue())
	}
	return counts, nil
}

// Since returns what came after earlier.
func (r Requests) Since(earlier Requests) Requests {
	diff := Requests{}
	for what, n := range r {
		if n -= earlier[what]; n != 0 {
			diff[what] = n
		}
	}
	return diff
}

// Sum adds up the requests that the condition holds for; nil: all.
func (r Requests) Sum(of func(verb, resource string) bool) int {
	sum := 0
	for what, n := range r {
		verb, resource, _ := strings.Cut(what, " ")
		if of == nil || of(verb, resource) {
			sum += n
		}
	}
	return sum
}

// IsWrite says whether requests with the verb change something.
func IsWrite(verb string) bool {
	return slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}, verb)
}

func parseMetrics(in io.Reader) (map[string]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(in)
}
