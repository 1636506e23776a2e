package view

import (
	"bytes"
	"strings"
	"testing"
)

const podMetrics = `{"items": [
 {"metadata": {"name": "web-1", "namespace": "shop"}, "containers": [{"name": "main", "usage": {"cpu": "250m", "memory": "100Mi"}}, {"name": "side", "usage": {"cpu": "5000000n", "memory": "28Mi"}}]},
 {"metadata": {"name": "idle", "namespace": "shop"}, "containers": [{"name": "main", "usage": {"cpu": "0", "memory": "1Gi"}}]}]}`

func TestPodUsage(t *testing.T) {
	for name, c := range map[string]struct {
		by                     string
		namespaces, containers bool
		want                   string
	}{
		"pods":       {want: "CLUSTER NAME CPU(CORES) MEMORY(BYTES)|oslo idle 0m 1024Mi|oslo web-1 255m 128Mi"},
		"cpu":        {by: "cpu", namespaces: true, want: "CLUSTER NAMESPACE NAME CPU(CORES) MEMORY(BYTES)|oslo shop web-1 255m 128Mi|oslo shop idle 0m 1024Mi"},
		"containers": {by: "memory", containers: true, want: "CLUSTER POD NAME CPU(CORES) MEMORY(BYTES)|oslo idle main 0m 1024Mi|oslo web-1 main 250m 100Mi|oslo web-1 side 5m 28Mi"},
	} {
		rows, err := ReadPodUsage("oslo", []byte(podMetrics), c.containers)
		if err != nil {
			t.Fatal(err)
		}
		SortPodUsage(rows, c.by)
		var out bytes.Buffer
		if err := (&Printer{Out: &out}).PrintTable(PodUsageTable(rows, c.namespaces, c.containers)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, odd := range []string{`[`, `{"items": [{"containers": [{"usage": {"cpu": "many"}}]}]}`} {
		if rows, err := ReadPodUsage("oslo", []byte(odd), false); err == nil {
			t.Errorf("%s: %v", odd, rows)
		}
	}
}
