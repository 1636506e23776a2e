package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// quiet is for how long nothing happens when all has settled.
const quiet = 2 * time.Second

// settle waits until the controller has nothing left to do: no item waits, and no
// write has been added for a while. It returns when the last one was seen, or when it
// was called if there was none.
func (b *bench) settle(ctx context.Context) (time.Time, error) {
	last := time.Now()
	written := -1.0
	err := poll(ctx, 10*time.Minute, "the controller has nothing left to do", func() (bool, error) {
		now := 0.0
		for _, name := range []string{"fedctl_member_operations_total", "fedctl_status_writes_total"} {
			n, err := b.metric(name, nil)
			if err != nil {
				return false, err
			}
			now += n
		}
		waiting, err := b.metric("fedctl_items_queued", nil)
		if err != nil {
			return false, err
		}
		if waiting > 0 || (written >= 0 && now != written) {
			last = time.Now()
		}
		written = now
		return time.Since(last) >= quiet, nil
	})
	return last, err
}

func (b *bench) statusWrites() (float64, error) {
	return b.metric("fedctl_status_writes_total", map[string]string{"type": "configmaps"})
}

func (b *bench) awaitStatusWrites(ctx context.Context, n float64) error {
	return poll(ctx, 10*time.Minute, "all statuses are written", func() (bool, error) {
		now, err := b.statusWrites()
		return now >= n, err
	})
}

// metric reads the controller's metrics: the sum over what has the labels.
func (b *bench) metric(name string, labels map[string]string) (float64, error) {
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", metricsPort))
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, metric := range families[name].GetMetric() {
		matching := 0
		for _, pair := range metric.GetLabel() {
			if labels[pair.GetName()] == pair.GetValue() {
				matching++
			}
		}
		if matching == len(labels) {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return sum, nil
}
