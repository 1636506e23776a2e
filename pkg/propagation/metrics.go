package propagation

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// metricsSet is what the engine counts, for each member cluster and type.
type metricsSet struct {
	operations   *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	statusWrites *prometheus.CounterVec
	delivery     *prometheus.HistogramVec
}

var counted = &metricsSet{
	operations: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fedctl_member_operations_total",
		Help: "Writes to member clusters by cluster, type, operation (apply, delete, unlabel) and result (success, failure).",
	}, []string{"cluster", "type", "operation", "result"}),
	duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "fedctl_member_operation_duration_seconds",
		Help:    "How long writes to member clusters took, by cluster and operation.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
	}, []string{"cluster", "operation"}),
	statusWrites: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fedctl_status_writes_total",
		Help: "Status writes to federated objects in the host cluster by type.",
	}, []string{"type"}),
	delivery: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "fedctl_delivery_duration_seconds",
		Help:    "How long it took until a change of a federated object was in all its clusters, and its status said so, by type.",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600},
	}, []string{"type"}),
}

func init() {
	metrics.Registry.MustRegister(counted.operations, counted.duration, counted.statusWrites, counted.delivery)
}

// newMetrics returns what the engine counts with, and has its queue reported.
func newMetrics(work *worklist, types *typeSet, members *memberSet, left *leftovers) *metricsSet {
	gauges := &queueCollector{work: work, types: types, members: members, leftovers: left}
	metrics.Registry.Unregister(gauges) // of an earlier engine of this process
	metrics.Registry.MustRegister(gauges)
	return counted
}

// observe counts one write to a member.
func (m *metricsSet) observe(a *attempt, operation string, err error, took time.Duration) {
	result := "success"
	if err != nil {
		result = "failure"
	}
	m.operations.WithLabelValues(a.cluster(), a.t.Name, operation, result).Inc()
	m.duration.WithLabelValues(a.cluster(), operation).Observe(took.Seconds())
}

// queueCollector reports the lengths of the queue, the number of objects, and how far the
// watches are behind, when asked.
type queueCollector struct {
	work      *worklist
	types     *typeSet
	members   *memberSet
	leftovers *leftovers
}

var (
	queuedDesc    = prometheus.NewDesc("fedctl_items_queued", "Items that wait, by member cluster; the host's own under an empty name.", []string{"cluster"}, nil)
	objectsDesc   = prometheus.NewDesc("fedctl_federated_objects", "Federated objects in the host cluster by type.", []string{"type"}, nil)
	leftoversDesc = prometheus.NewDesc("fedctl_leftover_objects", "Objects that a member cluster held when it joined, and no placement selects, by cluster.", []string{"cluster"}, nil)
	troubleDesc   = prometheus.NewDesc("fedctl_objects_in_trouble", "Objects that a member cluster does not hold as they are wanted, by cluster and by what the status says.", []string{"cluster", "status"}, nil)
	oldestDesc    = prometheus.NewDesc("fedctl_oldest_waiting_change_timestamp_seconds", "Since when the object of a member cluster is in trouble that is so longest; no series where none is.", []string{"cluster"}, nil)
	heardDesc     = prometheus.NewDesc("fedctl_watch_last_news_timestamp_seconds", "When the watch on a member cluster has last told anything that has been silent for longest, by cluster.", []string{"cluster"}, nil)
	readinessDesc = prometheus.NewDesc("fedctl_objects_by_readiness", "Federated objects by type and by the reason of their Ready condition.", []string{"type", "reason"}, nil)
)

// Describe implements prometheus.Collector.
func (c *queueCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{queuedDesc, objectsDesc, leftoversDesc, troubleDesc, oldestDesc, heardDesc, readinessDesc} {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *queueCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for cluster, n := range c.work.fair.LenByCluster() {
		gauge(queuedDesc, float64(n), cluster.String())
	}
	for cluster, n := range c.leftovers.counts() {
		gauge(leftoversDesc, float64(n), cluster)
	}
	for cluster, at := range c.members.Heard() {
		gauge(heardDesc, float64(at.Unix()), cluster)
	}
	found := tally{oldest: map[string]time.Time{}, trouble: map[clusterStatus]int{}}
	for _, t := range c.types.all() {
		gauge(objectsDesc, float64(t.federated.Len()), t.Name)
		for reason, n := range found.add(t.everyAccount()) {
			gauge(readinessDesc, float64(n), t.Name, reason)
		}
	}
	for of, n := range found.trouble {
		gauge(troubleDesc, float64(n), of.cluster, string(of.status))
	}
	for cluster, since := range found.oldest {
		gauge(oldestDesc, float64(since.Unix()), cluster)
	}
}
