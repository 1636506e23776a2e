package membership

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fedctl/fedctl/pkg/reach"
)

var readyMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "fedctl_cluster_ready",
	Help: "1 if the member cluster is ready, 0 if it is not.",
}, []string{"cluster"})

var expiryMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "fedctl_cluster_token_expiry_timestamp_seconds",
	Help: "When the token ends with which the member cluster is asked, in seconds since 1970; there is none for a token that does not end.",
}, []string{"cluster"})

var renewalMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "fedctl_cluster_token_renewal_timestamp_seconds",
	Help: "When half of the life has passed of the token with which the member cluster is asked, and it is renewed, in seconds since 1970; there is none for a token that does not end.",
}, []string{"cluster"})

func init() { metrics.Registry.MustRegister(readyMetric, expiryMetric, renewalMetric) }

func recordExpiry(cluster string, token reach.Claims) {
	if token.Expires.IsZero() {
		forgetExpiry(cluster)
		return
	}
	expiryMetric.WithLabelValues(cluster).Set(float64(token.Expires.Unix()))
	renewalMetric.WithLabelValues(cluster).Set(float64(token.RenewalDue(token.Expires.Sub(token.Issued)).Unix()))
}

func forgetExpiry(cluster string) {
	expiryMetric.DeleteLabelValues(cluster)
	renewalMetric.DeleteLabelValues(cluster)
}

func recordHealth(cluster string, h health) {
	value := 0.0
	if h.Ready {
		value = 1
	}
	readyMetric.WithLabelValues(cluster).Set(value)
}

func forgetHealth(cluster string) {
	readyMetric.DeleteLabelValues(cluster)
	forgetExpiry(cluster)
}
