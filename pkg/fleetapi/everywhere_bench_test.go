package fleetapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

// BenchmarkListOfAllMembers lists the pods of 20 members, 5,000 in each, as one list without
// pages. The members are stand-ins in this process, which write the same pod again and
// again: what is measured is the server of the fleet, with little of them. It tells how
// long the first object takes, and how much more memory is in use at any time than before.
func BenchmarkListOfAllMembers(b *testing.B) {
	const clusters, pods = 20, 5000
	h := &hostOfMany{}
	for i := range clusters {
		m := newMember(b, fmt.Sprintf("m%02d", i))
		m.does(podsOf(pods))
		h.members = append(h.members, m)
	}
	server := serve(b, h)
	for b.Loop() {
		runtime.GC()
		before := inUse()
		most, stop := watchMemory()
		begun := time.Now()
		response, err := server.Client().Get(server.URL + fleetv1alpha1.ProxyPath(fleetv1alpha1.AllClusters) + "/api/v1/pods")
		if err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewReaderSize(response.Body, 64<<10)
		if _, err := lines.Peek(1); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(begun).Milliseconds()), "ms-to-first")
		counter := &counting{of: []byte(`"fleet.fedctl.io/cluster"`)}
		if _, err := io.Copy(counter, lines); err != nil {
			b.Fatal(err)
		}
		stop()
		_ = response.Body.Close()
		if counter.n < clusters*pods*999/1000 {
			b.Fatalf("%d objects", counter.n)
		}
		b.ReportMetric(float64(most()-before)/(1<<20), "MiB-more")
		b.ReportMetric(float64(counter.bytes)/(1<<20), "MiB-listed")
	}
}

// podsOf answers pages of a list of so many pods.
func podsOf(total int) http.HandlerFunc {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-7d4b9c6f5-abcde", Namespace: "shop", UID: "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0", ResourceVersion: "123456", Labels: map[string]string{"app": "web", "pod-template-hash": "7d4b9c6f5"}}}
	for i := range 3 {
		container := corev1.Container{Name: fmt.Sprintf("c%d", i), Image: "registry.example/team/image:v1.2.3"}
		for n := range 12 {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", n), Value: "a value of some length, as they are"})
		}
		pod.Spec.Containers = append(pod.Spec.Containers, container)
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: container.Name, Image: container.Image, Ready: true})
	}
	one, err := json.Marshal(pod)
	if err != nil {
		panic(err)
	}
	last := append(bytes.Clone(one), "]}"...)
	one = append(one, ',')
	return func(w http.ResponseWriter, r *http.Request) {
		from, to := beginsPage(w, r, "PodList", total)
		for range to - from - 1 {
			_, _ = w.Write(one)
		}
		_, _ = w.Write(last)
	}
}

func inUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64() + sample[1].Value.Uint64() + sample[2].Value.Uint64()
}

// watchMemory follows how much is in use.
func watchMemory() (most func() uint64, stop func()) {
	over, done, top := make(chan struct{}), make(chan struct{}), uint64(0)
	go func() {
		defer close(done)
		for {
			top = max(top, inUse())
			select {
			case <-over:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { return top }, func() { close(over); <-done }
}

// counting counts how often a text comes.
type counting struct {
	of       []byte
	rest     []byte
	n, bytes int
}

// Write implements io.Writer.
func (c *counting) Write(p []byte) (int, error) {
	c.rest = append(c.rest, p...)
	c.n += bytes.Count(c.rest, c.of)
	c.bytes += len(p)
	c.rest = append(c.rest[:0], c.rest[max(0, len(c.rest)-len(c.of)+1):]...)
	return len(p), nil
}
