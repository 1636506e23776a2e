package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

func (b *bench) measure(ctx context.Context) (r result, err error) {
	r.Delay = b.delay.Seconds()
	before, err := b.server.Metric(ctx, "process_cpu_seconds_total")
	if err != nil {
		return r, err
	}
	one, err := compare(ctx, "GET", b.requests, b.near.requests(get))
	if err != nil {
		return r, err
	}
	after, err := b.server.Metric(ctx, "process_cpu_seconds_total")
	if err != nil {
		return r, err
	}
	r.ProcessorTime = (after - before) / float64(warmed(b.requests))
	if r.Near, err = b.at(ctx, b.near); err != nil {
		return r, err
	}
	r.Near.Requests = slices.Insert(r.Near.Requests, 0, one)
	if one, err = compare(ctx, "GET", b.requests, b.far.requests(get)); err != nil {
		return r, err
	}
	if r.Far, err = b.at(ctx, b.far); err != nil {
		return r, err
	}
	r.Far.Requests = slices.Insert(r.Far.Requests, 0, one)
	if r.All, err = b.listAll(ctx); err != nil {
		return r, err
	}
	r.Watches = b.watches
	r.MemoryBefore, r.MemoryWith, err = b.memory(ctx)
	return r, err
}

// at measures what there is to measure beside GETs, at one place.
func (b *bench) at(ctx context.Context, p place) (m measured, err error) {
	many, err := compare(ctx, fmt.Sprintf("LIST of %d", b.objects), b.lists, p.requests(list))
	if err != nil {
		return m, err
	}
	m.Requests = []comparison{many}
	if m.DirectThroughput, err = b.throughput(ctx, p.direct); err != nil {
		return m, err
	}
	profiled := func() error { return nil }
	if p == b.near {
		profiled = b.profiled(ctx)
	}
	m.ThroughThroughput, err = b.throughput(ctx, p.through)
	if err := errors.Join(err, profiled()); err != nil {
		return m, err
	}
	m.Watch, err = watchLatency(ctx, p)
	return m, err
}

// request is one that is timed.
type request func(context.Context) error

// requests are the same request both ways.
func (p place) requests(do func(context.Context, *kubernetes.Clientset) error) [2]request {
	return [2]request{
		func(ctx context.Context) error { return do(ctx, p.direct) },
		func(ctx context.Context) error { return do(ctx, p.through) },
	}
}

// warmed is how often a request is made, the first ones, which warm up, included.
func warmed(times int) int { return times + times/10 }

// compare makes the same request by turns.
func compare(ctx context.Context, what string, times int, ways [2]request) (comparison, error) {
	var took [2][]float64
	for n := range warmed(times) {
		for i, way := range ways {
			begin := time.Now()
			if err := way(ctx); err != nil {
				return comparison{}, err
			}
			if n >= warmed(times)-times {
				took[i] = append(took[i], time.Since(begin).Seconds())
			}
		}
	}
	return compared(what, took), nil
}

// throughput has several clients make GETs as fast as they can.
func (b *bench) throughput(ctx context.Context, c *kubernetes.Clientset) (t throughput, err error) {
	before, err := processors()
	if err != nil {
		return t, err
	}
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
	if err := group.Wait(); err != nil {
		return t, err
	}
	t.PerSecond = float64(b.parallel*b.requests) / time.Since(begin).Seconds()
	after, err := processors()
	t.Busy = (after.busy - before.busy) / (after.all - before.all)
	return t, err
}

// processorTime is what the machine's processors have spent, in seconds.
type processorTime struct{ busy, all float64 }

func processors() (t processorTime, err error) {
	system, err := procfs.NewDefaultFS()
	if err != nil {
		return t, err
	}
	stat, err := system.Stat()
	c := stat.CPUTotal
	t.busy = c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ + c.Steal
	t.all = t.busy + c.Idle + c.Iowait
	return t, err
}

// watchLatency has a watch each way tell of the same writes.
func watchLatency(ctx context.Context, p place) (comparison, error) {
	const changes = 100
	selected := metav1.ListOptions{FieldSelector: "metadata.name=bench-0"}
	var took [2][]float64
	for i, c := range []*kubernetes.Clientset{p.direct, p.through} {
		watch, err := c.CoreV1().ConfigMaps(namespace).Watch(ctx, selected)
		if err != nil {
			return comparison{}, err
		}
		<-watch.ResultChan() // as it is
		for n := range changes {
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"n":"%d-%d"}}}`, i, n)
			begin := time.Now()
			if _, err := p.direct.CoreV1().ConfigMaps(namespace).Patch(ctx, "bench-0", "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
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
	return compared("write until a watch tells", took), nil
}

// listAll lists the members that are some way away one after the other, and as one.
func (b *bench) listAll(ctx context.Context) (comparison, error) {
	names := make([]string, 0, b.away)
	for _, member := range b.system.Members()[1:] {
		names = append(names, member.Name)
	}
	oneByOne := func(ctx context.Context) error {
		for _, c := range b.each {
			if err := list(ctx, c); err != nil {
				return err
			}
		}
		return nil
	}
	asOne := func(ctx context.Context) error {
		all := &corev1.ConfigMapList{}
		err := b.all.CoreV1().RESTClient().Get().Namespace(namespace).Resource("configmaps").
			Param(union.ClustersParameter, strings.Join(names, ",")).Do(ctx).Into(all)
		if err == nil && len(all.Items) < b.away*b.objects {
			return fmt.Errorf("the list of all members has %d objects", len(all.Items))
		}
		return err
	}
	return compare(ctx, fmt.Sprintf("LIST of %d members", b.away), b.lists, [2]request{oneByOne, asOne})
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
		watch, err := b.near.through.CoreV1().ConfigMaps(namespace).Watch(ctx, metav1.ListOptions{})
		if err != nil {
			return 0, 0, err
		}
		defer watch.Stop()
		<-watch.ResultChan()
	}
	with, err = b.server.Metric(ctx, metric)
	return before, with, err
}
