package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

const namespace = "default"

// bench has a client each way.
type bench struct {
	options
	direct, through *kubernetes.Clientset
	server          *framework.FleetAPI
}

// comparison is one kind of request both ways.
type comparison struct {
	What string `json:"what"`
	// Seconds.
	DirectMedian  float64 `json:"directMedian"`
	ThroughMedian float64 `json:"throughMedian"`
	DirectP99     float64 `json:"directP99"`
	ThroughP99    float64 `json:"throughP99"`
}

type result struct {
	Requests []comparison `json:"requests"`
	// Requests a second, by clients at a time.
	DirectThroughput  float64 `json:"directThroughput"`
	ThroughThroughput float64 `json:"throughThroughput"`
	// Seconds from a write until a watch tells of it.
	Watch comparison `json:"watch"`
	// Bytes of the server's process: before any watch, and with all of them open.
	MemoryBefore float64 `json:"memoryBefore"`
	MemoryWith   float64 `json:"memoryWith"`
	Watches      int     `json:"watches"`
	// Seconds of processor time of the server for each request.
	ProcessorTime float64 `json:"processorTime"`
}

func newBench(ctx context.Context, o options, host, member *framework.Cluster, server *framework.FleetAPI) (*bench, error) {
	// The one that comes is nobody special in the member until its administrator says so.
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "bench-fleet"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "host:system:masters"}},
	}
	if err := member.Create(ctx, binding); err != nil {
		return nil, err
	}
	to := rest.CopyConfig(host.Config)
	to.Host += fleetv1alpha1.ProxyPath(member.Name)
	b := &bench{options: o, server: server}
	var err, err2 error
	b.direct, err = client(member.Config)
	b.through, err2 = client(to)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	for n := range o.objects {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("bench-%d", n)}, Data: map[string]string{"text": strings.Repeat("x", o.size)}}
		if _, err := b.direct.CoreV1().ConfigMaps(namespace).Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return nil, err
		}
	}
	return b, b.ready(ctx)
}

func client(config *rest.Config) (*kubernetes.Clientset, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = -1, -1
	config.ContentType = "application/vnd.kubernetes.protobuf"
	return kubernetes.NewForConfig(config)
}

// ready waits until the member has heard of the rights.
func (b *bench) ready(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := get(ctx, b.through)
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}

func get(ctx context.Context, c *kubernetes.Clientset) error {
	_, err := c.CoreV1().ConfigMaps(namespace).Get(ctx, "bench-0", metav1.GetOptions{})
	return err
}

func list(ctx context.Context, c *kubernetes.Clientset) error {
	_, err := c.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	return err
}

func (b *bench) measure(ctx context.Context) (r result, err error) {
	before, err := b.server.Metric(ctx, "process_cpu_seconds_total")
	if err != nil {
		return r, err
	}
	one, err := b.compare(ctx, "GET", b.requests, get)
	if err != nil {
		return r, err
	}
	after, err := b.server.Metric(ctx, "process_cpu_seconds_total")
	if err != nil {
		return r, err
	}
	r.ProcessorTime = (after - before) / float64(b.requests)
	many, err := b.compare(ctx, fmt.Sprintf("LIST of %d", b.objects), b.lists, list)
	if err != nil {
		return r, err
	}
	r.Requests = []comparison{one, many}
	if r.DirectThroughput, err = b.throughput(ctx, b.direct); err != nil {
		return r, err
	}
	if r.ThroughThroughput, err = b.throughput(ctx, b.through); err != nil {
		return r, err
	}
	if r.Watch, err = b.watchLatency(ctx); err != nil {
		return r, err
	}
	r.Watches = b.watches
	r.MemoryBefore, r.MemoryWith, err = b.memory(ctx)
	return r, err
}

// compare makes the same request by turns.
func (b *bench) compare(ctx context.Context, what string, times int, request func(context.Context, *kubernetes.Clientset) error) (comparison, error) {
	var direct, through []float64
	for n := range times + times/10 {
		for _, way := range []struct {
			c    *kubernetes.Clientset
			took *[]float64
		}{{b.direct, &direct}, {b.through, &through}} {
			begin := time.Now()
			if err := request(ctx, way.c); err != nil {
				return comparison{}, err
			}
			if n >= times/10 { // the first ones warm up
				*way.took = append(*way.took, time.Since(begin).Seconds())
			}
		}
	}
	return comparison{what, quantile(direct, 0.5), quantile(through, 0.5), quantile(direct, 0.99), quantile(through, 0.99)}, nil
}

func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	return values[min(int(float64(len(values))*q), len(values)-1)]
}

// throughput is how many GETs are answered in a second.
func (b *bench) throughput(ctx context.Context, c *kubernetes.Clientset) (float64, error) {
	group, ctx := errgroup.WithContext(ctx)
	begin := time.Now()
	for range b.parallel {
		group.Go(func() error {
			for range b.requests {
				if err := get(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(b.parallel*b.requests) / time.Since(begin).Seconds(), err
}

// watchLatency has a watch each way tell of the same writes.
func (b *bench) watchLatency(ctx context.Context) (comparison, error) {
	const changes = 100
	selected := metav1.ListOptions{FieldSelector: "metadata.name=bench-0"}
	var took [2][]float64
	for i, c := range []*kubernetes.Clientset{b.direct, b.through} {
		watch, err := c.CoreV1().ConfigMaps(namespace).Watch(ctx, selected)
		if err != nil {
			return comparison{}, err
		}
		<-watch.ResultChan() // as it is
		for n := range changes {
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"n":"%d-%d"}}}`, i, n)
			begin := time.Now()
			if _, err := b.direct.CoreV1().ConfigMaps(namespace).Patch(ctx, "bench-0", "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
				return comparison{}, err
			}
			select {
			case <-watch.ResultChan():
			case <-time.After(time.Minute):
				return comparison{}, errors.New("a watch does not tell of a change")
			}
			took[i] = append(took[i], time.Since(begin).Seconds())
		}
		watch.Stop()
	}
	return comparison{"write until a watch tells", quantile(took[0], 0.5), quantile(took[1], 0.5), quantile(took[0], 0.99), quantile(took[1], 0.99)}, nil
}

// memory is that of the server without watches, and with many.
func (b *bench) memory(ctx context.Context) (before, with float64, err error) {
	const metric = "process_resident_memory_bytes"
	if before, err = b.server.Metric(ctx, metric); err != nil {
		return 0, 0, err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	for range b.watches {
		watch, err := b.through.CoreV1().ConfigMaps(namespace).Watch(ctx, metav1.ListOptions{})
		if err != nil {
			return 0, 0, err
		}
		defer watch.Stop()
		<-watch.ResultChan()
	}
	with, err = b.server.Metric(ctx, metric)
	return before, with, err
}

func (r result) print(to io.Writer) {
	const milli = 1000
	for _, c := range append(r.Requests, r.Watch) {
		_, _ = fmt.Fprintf(to, "%-28s median %7.2f ms directly, %7.2f ms through: %.2f   p99 %7.2f ms, %7.2f ms: %.2f\n", c.What,
			c.DirectMedian*milli, c.ThroughMedian*milli, c.ThroughMedian/c.DirectMedian, c.DirectP99*milli, c.ThroughP99*milli, c.ThroughP99/c.DirectP99)
	}
	_, _ = fmt.Fprintf(to, "%-28s %.0f a second directly, %.0f through: %.2f\n", "throughput of GETs", r.DirectThroughput, r.ThroughThroughput, r.ThroughThroughput/r.DirectThroughput)
	_, _ = fmt.Fprintf(to, "%-28s %.2f ms of the server for each GET\n", "processor time", r.ProcessorTime*milli)
	_, _ = fmt.Fprintf(to, "%-28s %.0f MiB, with %d watches %.0f MiB\n", "memory of the server", r.MemoryBefore/(1<<20), r.Watches, r.MemoryWith/(1<<20))
}
