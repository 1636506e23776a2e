package capacity

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

func TestNodePoolOf(t *testing.T) {
	type fields = map[string]any
	kept := func(spec, status fields) *nodePool {
		u := &unstructured.Unstructured{Object: fields{"spec": spec, "status": status}}
		u.SetName("general")
		pool, err := nodePoolOf(u)
		if err != nil {
			t.Fatal(err)
		}
		return pool
	}
	taint := func(key string) any { return fields{"key": key, "value": "v", "effect": "NoSchedule"} }
	pool := kept(fields{
		"limits":   fields{"cpu": int64(1000), "memory": "2Ti", "nvidia.com/gpu": "64", "ephemeral-storage": "1Ti"},
		"template": fields{"spec": fields{"taints": []any{taint("dedicated")}, "startupTaints": []any{taint("starting"), taint("dedicated")}}},
	}, fields{"resources": fields{"cpu": "3500m", "nodes": "2"}, "conditions": []any{fields{"type": "Ready", "status": "True"}}})
	cpu := pool.Limits["cpu"]
	if pool.problem != "" || !pool.Grows || pool.NodesLimited || len(pool.Limits) != 3 || cpu.Value() != 1000 || len(pool.Has) != 1 || pool.Has["cpu"] != 3500 {
		t.Errorf("got %+v", pool)
	}
	if len(pool.Taints) != 1 || pool.Taints[0].Key != "dedicated" || len(pool.Startup) != 1 || pool.Startup[0].Key != "starting" {
		t.Errorf("got %+v, %+v", pool.Taints, pool.Startup)
	}
	in := func(operator string, values ...any) fields {
		return fields{"key": "karpenter.k8s.aws/instance-gpu-name", "operator": operator, "values": values}
	}
	labelled := fields{"labels": fields{"karpenter.k8s.aws/instance-gpu-name": "t4"}}
	for name, tt := range map[string]struct {
		template fields
		want     string
	}{
		"nothing is said": {fields{}, ""},
		"a label":         {fields{"metadata": labelled}, "t4"},
		"the only value":  {fields{"spec": fields{"requirements": []any{in("In", "a100")}}}, "a100"},
		"one of several":  {fields{"spec": fields{"requirements": []any{in("In", "a100", "h100")}}}, ""},
		"another":         {fields{"spec": fields{"requirements": []any{in("NotIn", "a100")}}}, ""},
	} {
		if pool := kept(fields{"template": tt.template}, nil); pool.Product != tt.want {
			t.Errorf("%s: got %q, want %q", name, pool.Product, tt.want)
		}
	}
	if pool := kept(fields{"template": fields{"metadata": fields{"labels": fields{"nvidia.com/gpu.product": strings.Repeat("x", 1<<16)}}}}, nil); len(pool.Product) > mostOfProduct {
		t.Errorf("a product of %d bytes is kept", len(pool.Product))
	}
	if !kept(fields{"limits": fields{"nodes": int64(3)}}, nil).NodesLimited {
		t.Error("a limit of nodes is none")
	}
	for name, pool := range map[string]*nodePool{
		"fixed":     kept(fields{"replicas": int64(3)}, nil),
		"not ready": kept(nil, fields{"conditions": []any{fields{"type": "Ready", "status": "False"}}}),
	} {
		if pool.Grows {
			t.Errorf("one that is %s grows", name)
		}
	}
	long := strings.Repeat("9", 1<<16)
	for want, spec := range map[string]fields{
		`spec.limits.cpu: "lots" is not an amount`:         {"limits": fields{"cpu": "lots"}},
		`spec.limits.memory: "-1" is not an amount`:        {"limits": fields{"memory": int64(-1)}},
		`spec.limits.nvidia.com/gpu: "map[a:b]" is not an`: {"limits": fields{"nvidia.com/gpu": fields{"a": "b"}}},
		`is not an amount`:                                 {"limits": fields{"cpu": long}},
		`NodePool general: `:                               {"limits": "none"},
	} {
		if pool := kept(spec, nil); !strings.Contains(pool.problem, want) || len(pool.problem) > 1<<10 {
			t.Errorf("got %.200q, want %q", pool.problem, want)
		}
	}
}

// TestNodePoolsKnown: rows that do not fit are told, and a problem is not hidden by them.
func TestNodePoolsKnown(t *testing.T) {
	var pools []accelerator.NodePool
	for i := range v1alpha1.MostPools {
		pools = append(pools, accelerator.NodePool{Name: fmt.Sprint(i), Grows: true})
	}
	for _, tt := range []struct {
		condition *metav1.Condition
		reason    string
	}{
		{&metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFollowed}, v1alpha1.ReasonTooManyPools},
		{&metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInvalidNodePool}, v1alpha1.ReasonInvalidNodePool},
	} {
		status := statusOf(seen{limited: accelerator.Limited(pools, nil), nodePools: tt.condition}, v1alpha1.ClusterCapacityStatus{}, time.Now())
		if len(status.Growth) != v1alpha1.MostPools || meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionNodePoolsKnown).Reason != tt.reason {
			t.Errorf("got %d rows, %+v", len(status.Growth), status.Conditions)
		}
	}
}
