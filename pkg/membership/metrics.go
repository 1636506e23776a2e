package membership

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var readyMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "fedctl_cluster_ready",
	Help: "1 if the member cluster is ready, 0 if it is not.",
}, []string{"cluster"})

var expiryMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "fedctl_cluster_token_expiry_timestamp_seconds",
	Help: "When the token ends with which the member cluster is asked, in seconds since 1970; there is none for a token that does not end.",
}, []string{"cluster"})

func init() { metrics.Registry.MustRegister(readyMetric, expiryMetric) }

func recordExpiry(cluster string, expires time.Time) {
	if expires.IsZero() {
		expiryMetric.DeleteLabelValues(cluster)
		return
	}
	expiryMetric.WithLabelValues(cluster).Set(float64(expires.Unix()))
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
	expiryMetric.DeleteLabelValues(cluster)
}
