package accelerator

import (
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

func container(resources map[string]string) corev1.Container {
	limits := corev1.ResourceList{}
	for name, amount := range resources {
		limits[corev1.ResourceName(name)] = resource.MustParse(amount)
	}
	return corev1.Container{Resources: corev1.ResourceRequirements{Limits: limits}}
}

func TestRequested(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	sidecar := container(map[string]string{gpu: "1"})
	sidecar.RestartPolicy = &always
	tests := []struct {
		name string
		pod  corev1.PodSpec
		want map[string]int64
	}{
		{name: "containers add up", pod: corev1.PodSpec{Containers: []corev1.Container{container(map[string]string{gpu: "2", "cpu": "1"}), container(map[string]string{gpu: "1"})}}, want: map[string]int64{gpu: 3}},
		{name: "nothing of 0", pod: corev1.PodSpec{Containers: []corev1.Container{container(map[string]string{gpu: "0"})}}, want: map[string]int64{}},
		{name: "an init container that needs more", pod: corev1.PodSpec{
			InitContainers: []corev1.Container{container(map[string]string{gpu: "4"})},
			Containers:     []corev1.Container{container(map[string]string{gpu: "1"})},
		}, want: map[string]int64{gpu: 4}},
		{name: "a sidecar runs beside both", pod: corev1.PodSpec{
			InitContainers: []corev1.Container{sidecar, container(map[string]string{gpu: "4"})},
			Containers:     []corev1.Container{container(map[string]string{gpu: "1"})},
		}, want: map[string]int64{gpu: 5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Requested(tt.pod); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestDerive(t *testing.T) {
	present, execute := taint(gpu, "present", noSchedule), taint("hpc", "true", noExecute)
	exists := corev1.Toleration{Key: gpu, Operator: corev1.TolerationOpExists, Effect: noSchedule}
	tenant := corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "ml", Effect: noSchedule}
	approvals := []Approval{{Key: "dedicated", Value: "ml", Effect: noSchedule}, {Key: "capacity-reservation", AnyValue: true, Effect: noSchedule}}
	tests := []struct {
		name          string
		requested     map[string]int64
		nodes         []Node
		tolerations   []corev1.Toleration
		open, blocked int
	}{
		{name: "a pod that asks for none", nodes: []Node{gpuNode(8, present)}},
		{name: "a pod that asks for another resource", requested: map[string]int64{"amd.com/gpu": 1}, nodes: []Node{gpuNode(8, present)}},
		{name: "hardware", requested: map[string]int64{gpu: 1}, nodes: []Node{gpuNode(8, present)}, tolerations: []corev1.Toleration{exists}, open: 1},
		{name: "pools that are tainted differently are merged", requested: map[string]int64{gpu: 1},
			nodes:       []Node{gpuNode(8, present), gpuNode(8, taint("dedicated", "ml", noSchedule)), gpuNode(8)},
			tolerations: []corev1.Toleration{tenant, exists}, open: 3},
		{name: "all or nothing: nothing of a pool that is blocked", requested: map[string]int64{gpu: 1}, nodes: []Node{gpuNode(8, present, execute)}, blocked: 1},
		{name: "a node that is too small", requested: map[string]int64{gpu: 9}, nodes: []Node{gpuNode(8, present)}},
		{name: "approved values that rotate need one toleration", requested: map[string]int64{gpu: 1},
			nodes:       []Node{gpuNode(8, taint("capacity-reservation", "cr-1", noSchedule)), gpuNode(8, taint("capacity-reservation", "cr-2", noSchedule))},
			tolerations: []corev1.Toleration{{Key: "capacity-reservation", Operator: corev1.TolerationOpExists, Effect: noSchedule}}, open: 2},
		{name: "what only passes is not tolerated", requested: map[string]int64{gpu: 1},
			nodes: []Node{gpuNode(8, present, taint("nvidia.com/gpu-xid-error", "79", noSchedule))}, tolerations: []corev1.Toleration{exists}, open: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Derive(tt.requested, Pools(tt.nodes, nil, nil), approvals)
			if !reflect.DeepEqual(got.Tolerations, tt.tolerations) || len(got.Open) != tt.open || len(got.Blocked) != tt.blocked {
				t.Errorf("got tolerations %v, %d open, %d blocked; want %v, %d, %d", got.Tolerations, len(got.Open), len(got.Blocked), tt.tolerations, tt.open, tt.blocked)
			}
		})
	}
}

func TestMergeTolerations(t *testing.T) {
	seconds := int64(30)
	own := []corev1.Toleration{{Key: "z", Value: "1", Effect: noExecute, TolerationSeconds: &seconds}, {Key: gpu, Operator: corev1.TolerationOpExists, Effect: noSchedule}}
	more := []corev1.Toleration{{Key: gpu, Operator: corev1.TolerationOpExists, Effect: noSchedule}, {Key: "z", Operator: corev1.TolerationOpEqual, Value: "1", Effect: noExecute}, {Key: "a", Value: "x", Effect: noSchedule}}
	got := MergeTolerations(own, more)
	want := append(append([]corev1.Toleration{}, own...), corev1.Toleration{Key: "a", Value: "x", Effect: noSchedule})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Whatever a node is tainted with, a derived toleration has a key and an effect, never
// seconds, and opens nothing that passes.
func FuzzDerive(f *testing.F) {
	f.Add("nvidia.com/gpu", "present", "NoSchedule", "nvidia.com/gpu", true)
	f.Add("nvidia.com/gpu-xid-error", "", "NoExecute", "nvidia.com/mig-1g.10gb", false)
	f.Add("", "", "", "x/gpu.shared.shared", true)
	f.Fuzz(func(t *testing.T, key, value, effect, resource string, approve bool) {
		taint := taint(key, value, corev1.TaintEffect(effect))
		var approvals []Approval
		if approve {
			approvals = []Approval{{Key: key, Value: value, Effect: corev1.TaintEffect(effect)}}
		}
		d := Derive(map[string]int64{resource: 1}, Pools([]Node{{Ready: true, Taints: []corev1.Taint{taint}, Allocatable: map[string]int64{resource: 1}}}, nil, nil), approvals)
		for _, toleration := range d.Tolerations {
			if toleration.Key == "" || toleration.Effect == "" || toleration.TolerationSeconds != nil || isPassing(taint, nil) {
				t.Errorf("%v is tolerated with %v", taint, toleration)
			}
		}
	})
}

// A tenant may mark nodes by the hardware's own key: what tolerates the hardware does not open those.
func TestATenantsValueOfAHardwareKeyStaysClosed(t *testing.T) {
	pool := func(value string, meaning v1alpha1.TaintMeaning) v1alpha1.Pool {
		return v1alpha1.Pool{Resource: "nvidia.com/gpu", LargestNode: resource.MustParse("8"), Taints: []v1alpha1.PoolTaint{{Key: "nvidia.com/gpu", Value: value, Effect: "NoSchedule", Meaning: meaning}}}
	}
	d := Derive(map[string]int64{"nvidia.com/gpu": 1}, []v1alpha1.Pool{pool("present", v1alpha1.TaintHardware), pool("true", v1alpha1.TaintHardware), pool("team", v1alpha1.TaintRestricted)}, nil)
	want := []corev1.Toleration{
		{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpEqual, Value: "present", Effect: "NoSchedule"},
		{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpEqual, Value: "true", Effect: "NoSchedule"},
	}
	if !slices.Equal(d.Tolerations, want) || len(d.Blocked) != 1 {
		t.Errorf("got %+v", d)
	}

	starting := pool("team", v1alpha1.TaintRestricted)
	starting.LargestNode = resource.MustParse("0") // its plugin does not offer anything yet
	d = Derive(map[string]int64{"nvidia.com/gpu": 1}, []v1alpha1.Pool{pool("present", v1alpha1.TaintHardware), starting}, nil)
	if !slices.Equal(d.Tolerations, want[:1]) || len(d.Blocked) != 0 {
		t.Errorf("while the tenant's nodes start: %+v", d)
	}
}
