package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
)

// requests counts what the API servers have answered, by verb: in the host
// without the bench's own and housekeeping, in the members of the objects' type.
type requests struct {
	Host    map[string]float64 `json:"host"`
	Members map[string]float64 `json:"members"`
}

func (b *bench) requests(ctx context.Context) (requests, error) {
	r := requests{Host: map[string]float64{}, Members: map[string]float64{}}
	config, err := b.fleet.Config("host")
	if err != nil {
		return r, err
	}
	host, err := kubernetes.NewForConfig(config)
	if err != nil {
		return r, err
	}
	err = count(ctx, host, func(labels map[string]string, n float64) {
		if labels["resource"] == federatedConfigMaps.Resource && labels["verb"] != "WATCH" {
			r.Host[verb(labels)] += n
		}
	})
	if err != nil {
		return r, fmt.Errorf("host: %w", err)
	}
	for _, m := range b.members {
		err := count(ctx, m.kube, func(labels map[string]string, n float64) {
			if labels["resource"] == "configmaps" && labels["verb"] != "WATCH" {
				r.Members[verb(labels)] += n
			}
		})
		if err != nil {
			return r, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return r, nil
}

func verb(labels map[string]string) string {
	if labels["subresource"] != "" {
		return labels["verb"] + " " + labels["subresource"]
	}
	return labels["verb"]
}

// count reads apiserver_request_total.
func count(ctx context.Context, kube kubernetes.Interface, each func(map[string]string, float64)) error {
	raw, err := kube.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		labels := map[string]string{}
		for _, pair := range metric.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		each(labels, metric.GetCounter().GetValue())
	}
	return nil
}

// minus returns what was counted since before, without the zeros.
func (r requests) minus(before requests) requests {
	diff := requests{Host: map[string]float64{}, Members: map[string]float64{}}
	for verb, n := range r.Host {
		if d := n - before.Host[verb]; d != 0 {
			diff.Host[verb] = d
		}
	}
	for verb, n := range r.Members {
		if d := n - before.Members[verb]; d != 0 {
			diff.Members[verb] = d
		}
	}
	return diff
}

// processorTime is the processor time the controller has used.
func (b *bench) processorTime() (time.Duration, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.controller.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The fields after the command's name, which is in parentheses: utime and stime are the 12th and 13th.
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	const ticksPerSecond = 100 // USER_HZ, a constant of Linux's interface
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}
