package capacity

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/accelerator"
)

func asking(list map[corev1.ResourceName]string) corev1.Container {
	c := corev1.Container{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{}}}
	for name, amount := range list {
		c.Resources.Requests[name] = resource.MustParse(amount)
	}
	return c
}

// TestPodOf: what the scheduler counts is counted, and nothing that a member makes up.
func TestPodOf(t *testing.T) {
	gpu := asking(map[corev1.ResourceName]string{"nvidia.com/gpu": "2", "cpu": "100m", "memory": "1Mi", "ephemeral-storage": "1Gi"})
	first := asking(map[corev1.ResourceName]string{"cpu": "1"})
	sidecar := asking(map[corev1.ResourceName]string{"cpu": "50m"})
	sidecar.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
	tests := []struct {
		name string
		spec corev1.PodSpec
		want string
	}{
		{name: "nothing", want: "pods=1"},
		{name: "containers", spec: corev1.PodSpec{Containers: []corev1.Container{gpu, gpu}}, want: "cpu=200 memory=2097152 nvidia.com/gpu=4 pods=1"},
		{name: "an init container is not beside the others", spec: corev1.PodSpec{InitContainers: []corev1.Container{first}, Containers: []corev1.Container{gpu}}, want: "cpu=1000 memory=1048576 nvidia.com/gpu=2 pods=1"},
		{name: "a sidecar is", spec: corev1.PodSpec{InitContainers: []corev1.Container{sidecar}, Containers: []corev1.Container{gpu}}, want: "cpu=150 memory=1048576 nvidia.com/gpu=2 pods=1"},
		{name: "overhead", spec: corev1.PodSpec{Containers: []corev1.Container{first}, Overhead: corev1.ResourceList{"cpu": resource.MustParse("250m")}}, want: "cpu=1250 pods=1"},
		{name: "what is asked for the pod as a whole", spec: corev1.PodSpec{Containers: []corev1.Container{first}, Resources: &corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("3")}}}, want: "cpu=3000 pods=1"},
		{name: "names that are none", spec: corev1.PodSpec{Containers: []corev1.Container{asking(map[corev1.ResourceName]string{"a.b/x=7 pods": "1", "a.b/\x1b[2J": "1"})}}, want: "pods=1"},
		{name: "less than nothing, and more than there is", spec: corev1.PodSpec{Containers: []corev1.Container{asking(map[corev1.ResourceName]string{"cpu": "-5", "nvidia.com/gpu": "9E"})}}, want: "nvidia.com/gpu=70368744177664 pods=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.spec.NodeName = "node"
			kept, err := podOf(&corev1.Pod{Spec: tt.spec})
			if err != nil {
				t.Fatal(err)
			}
			if kept.asks.Value() != tt.want || kept.node.Value() != "node" {
				t.Errorf("got %q on %q, want %q", kept.asks.Value(), kept.node.Value(), tt.want)
			}
		})
	}
}

// TestUsage: whatever pods come, change, move and go, the sums are those of the pods there are.
func TestUsage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	u := usage{nodes: accelerator.Requests{}}
	pods := map[int]*pod{}
	make := func() *pod {
		spec := corev1.PodSpec{NodeName: strings.Repeat("n", 1+random.IntN(3))}
		if random.IntN(3) > 0 {
			spec.Containers = []corev1.Container{asking(map[corev1.ResourceName]string{"cpu": []string{"1", "200m"}[random.IntN(2)]})}
		}
		kept, err := podOf(&corev1.Pod{Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	for range 2000 {
		i := random.IntN(20)
		var after *pod
		if random.IntN(3) > 0 {
			after = make()
		}
		u.moved(pods[i], after)
		pods[i] = after
	}
	want := usage{nodes: accelerator.Requests{}}
	for p := range maps.Values(pods) {
		want.add(p, 1)
	}
	if !reflect.DeepEqual(u.nodes, want.nodes) {
		t.Errorf("got %v, want %v", u.nodes, want.nodes)
	}
	for i := range pods {
		u.moved(pods[i], nil)
	}
	if len(u.nodes) > 0 {
		t.Errorf("without pods: %v", u.nodes)
	}
}
