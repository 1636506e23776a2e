package accelerator

import (
	"maps"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

func TestParseScalable(t *testing.T) {
	tests := []struct {
		text, problem string
		want          map[string]int64
	}{
		{text: "nvidia.com/gpu=64", want: map[string]int64{gpu: 64}},
		{text: "nvidia.com/gpu=64, cpu=1500m,memory=2Ti", want: map[string]int64{gpu: 64, "cpu": 1500, "memory": 2 << 40}},
		{text: "", problem: "not of the form"},
		{text: "64", problem: "not of the form"},
		{text: "nvidia.com/gpu=", problem: "not an amount greater than 0"},
		{text: "nvidia.com/gpu=-1", problem: "not an amount greater than 0"},
		{text: "nvidia.com/gpu=0", problem: "not an amount greater than 0"},
		{text: "nvidia.com/gpu=many", problem: "not an amount greater than 0"},
		{text: "gpu=4", problem: "neither cpu, memory, pods nor an extended resource"},
		{text: "cpu=4,cpu=5", problem: "cpu is there twice"},
		{text: strings.Repeat("cpu=4,", 1000), problem: "longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.text[:min(len(tt.text), 40)], func(t *testing.T) {
			got, err := ParseScalable(tt.text)
			if tt.problem == "" && (err != nil || !maps.Equal(got, tt.want)) {
				t.Errorf("got %v, %v", got, err)
			}
			if tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)) {
				t.Errorf("got %v, %v, want %q", got, err, tt.problem)
			}
		})
	}
}

func FuzzParseScalable(f *testing.F) {
	for _, text := range []string{"nvidia.com/gpu=64,cpu=512", "", "=", "a/b=1e9", "cpu=9E,memory=-1", "pods=1,,"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		most, err := ParseScalable(text)
		if err != nil {
			return
		}
		for name, amount := range most {
			if !IsCounted(name) || amount < 0 || amount > mostAmount {
				t.Errorf("%q: %s=%d", text, name, amount)
			}
		}
		for _, total := range Totals(nil, Declared(most, nil)) {
			if total.FreeAfterGrowing == nil || total.FreeAfterGrowing.Cmp(*total.Growth) != 0 {
				t.Errorf("%q: of what is not there yet all is free: %+v", text, total)
			}
		}
	})
}

// TestTotals: what is free now and what is free after growing are two things, and nothing is
// made up of what is not known.
func TestTotals(t *testing.T) {
	pool := func(name, allocatable string, free *resource.Quantity) v1alpha1.Pool {
		p := v1alpha1.Pool{Resource: name, Allocatable: resource.MustParse(allocatable), Free: free}
		if free != nil {
			p.Requested = ptr.To(p.Allocatable.DeepCopy())
			p.Requested.Sub(*free)
		}
		return p
	}
	free := func(s string) *resource.Quantity { return ptr.To(resource.MustParse(s)) }
	nodes := []Node{{Allocatable: map[string]int64{gpu: 8}}, {Allocatable: map[string]int64{gpu: 4}}}
	pools := []v1alpha1.Pool{pool(gpu, "8", free("5")), pool(gpu, "4", free("0")), pool("cpu", "10", free("1500m")), pool("memory", "1Gi", nil)}
	growth := append(Declared(map[string]int64{gpu: 64, "amd.com/gpu": 8, "memory": 2 << 30}, nodes),
		v1alpha1.Growth{Source: v1alpha1.GrowthNodePool, Name: "a", Resource: gpu, More: free("100")},
		v1alpha1.Growth{Source: v1alpha1.GrowthNodePool, Name: "a", Resource: "cpu", More: free("6")},
		v1alpha1.Growth{Source: v1alpha1.GrowthNodePool, Name: "b", Resource: "cpu", More: free("4")},
		v1alpha1.Growth{Source: v1alpha1.GrowthNodePool, Name: "a", Resource: "pods", More: free("6")},
		v1alpha1.Growth{Source: v1alpha1.GrowthNodePool, Name: "b", Resource: "pods", Unlimited: true})
	want := map[string]string{
		gpu: "12 7 5 52 57", "amd.com/gpu": "0   8 8", "cpu": "10 8500m 1500m 10 11500m", "memory": "1Gi   2Gi ", "pods": "0     unlimited",
	}
	totals := Totals(pools, growth)
	if len(totals) != len(want) || totals[0].Resource != "amd.com/gpu" {
		t.Errorf("got %+v", totals)
	}
	text := func(q *resource.Quantity) string {
		if q == nil {
			return ""
		}
		return q.String()
	}
	for _, total := range totals {
		got := strings.Join([]string{total.Allocatable.String(), text(total.Requested), text(total.Free), text(total.Growth), text(total.FreeAfterGrowing)}, " ")
		if total.Unlimited {
			got += " unlimited"
		}
		if got != want[total.Resource] {
			t.Errorf("%s: got %q, want %q", total.Resource, got, want[total.Resource])
		}
	}
	if over := Declared(map[string]int64{gpu: 4}, nodes); over[0].More.Sign() != 0 {
		t.Errorf("what is over the limit already grows: %+v", over)
	}
}
