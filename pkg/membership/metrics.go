package membership

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var readyMetric = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "fedctl_cluster_ready",
	Help: "1 if the member cluster is ready, 0 if it is not.",
}, []string{"cluster"})

func init() { metrics.Registry.MustRegister(readyMetric) }

func recordHealth(cluster string, h health) {
	value := 0.0
	if h.Ready {
		value = 1
	}
	readyMetric.WithLabelValues(cluster).Set(value)
}

func forgetHealth(cluster string) { readyMetric.DeleteLabelValues(cluster) }
