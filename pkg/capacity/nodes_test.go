package capacity

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

func node(change func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{Status: corev1.NodeStatus{
		Allocatable: corev1.ResourceList{"cpu": resource.MustParse("8"), "nvidia.com/gpu": resource.MustParse("4")},
		Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
	n.Labels = map[string]string{"nvidia.com/gpu.product": "A100", "other": "label"}
	change(n)
	return n
}

func TestNodeOf(t *testing.T) {
	kept := func(change func(*corev1.Node)) *accelerator.Node {
		n, err := nodeOf(node(change))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := kept(func(*corev1.Node) {}); !n.Ready || n.Product != "A100" || len(n.Allocatable) != 2 || n.Allocatable["nvidia.com/gpu"] != 4 || n.Allocatable["cpu"] != 8000 {
		t.Errorf("got %+v", n)
	}
	if n := kept(func(n *corev1.Node) { n.Spec.Unschedulable = true }); n.Ready {
		t.Error("a cordoned node takes pods")
	}
	if n := kept(func(n *corev1.Node) { n.Status.Conditions = nil }); n.Ready {
		t.Error("a node that says nothing is Ready")
	}
	hostile := kept(func(n *corev1.Node) {
		n.Status.Allocatable["nvidia.com/gpu\x1b[2J"] = resource.MustParse("1")
		n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffect(strings.Repeat("\x1b", 1<<20))}}
	})
	if len(hostile.Allocatable) != 2 || len(hostile.Taints[0].Effect) > mostOfEffect || strings.Contains(string(hostile.Taints[0].Effect), "\x1b") {
		t.Errorf("what a member says is taken as it is: %q", hostile.Taints[0].Effect)
	}
	many := kept(func(n *corev1.Node) {
		for i := range 100 {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: fmt.Sprint(i) + strings.Repeat("k", 1000), Effect: corev1.TaintEffectPreferNoSchedule})
		}
	})
	if len(many.Taints) != mostTaints || len(many.Taints[0].Key) > mostOfKey {
		t.Errorf("a member's taints are not bounded: %d", len(many.Taints))
	}
	if d := accelerator.Derive(map[string]int64{"nvidia.com/gpu": 1}, accelerator.Pools([]accelerator.Node{*many}, nil, nil), nil); len(d.Open) > 0 {
		t.Error("a pool of which not all taints are known is open")
	}
}

// What is the same is said the same, so that nothing is written; what cannot be read any
// more is said as it was, and that it is old.
func TestStatusOf(t *testing.T) {
	one, _ := nodeOf(node(func(*corev1.Node) {}))
	now := time.Now()
	first := statusOf(seen{nodes: []accelerator.Node{*one, {Ready: true}}}, v1alpha1.ClusterCapacityStatus{}, now)
	if first.Nodes != 2 || first.ReadyNodes != 2 || len(first.Pools) != 2 || !meta.IsStatusConditionTrue(first.Conditions, v1alpha1.ConditionKnown) {
		t.Fatalf("got %+v", first)
	}
	if again := statusOf(seen{nodes: []accelerator.Node{{Ready: true}, *one}}, first, now.Add(time.Hour)); !equality.Semantic.DeepEqual(first, again) {
		t.Errorf("got %+v\nthen %+v", first, again)
	}
	gone := unreadable("the connection was refused", first, now)
	if !equality.Semantic.DeepEqual(gone.Pools, first.Pools) || meta.IsStatusConditionTrue(gone.Conditions, v1alpha1.ConditionKnown) {
		t.Errorf("got %+v", gone)
	}
	var all []accelerator.Node
	for i := range v1alpha1.MostPools + 10 {
		all = append(all, accelerator.Node{Product: fmt.Sprint(i), Allocatable: one.Allocatable})
	}
	if cut := statusOf(seen{nodes: all}, first, now); len(cut.Pools) != v1alpha1.MostPools || meta.FindStatusCondition(cut.Conditions, v1alpha1.ConditionKnown).Reason != v1alpha1.ReasonTooManyPools {
		t.Errorf("got %d pools, %v", len(cut.Pools), cut.Conditions)
	}
}

// TestPatchOf: what a status does not say any more goes with the patch, and what it says is
// there whole.
func TestPatchOf(t *testing.T) {
	full, _ := nodeOf(node(func(*corev1.Node) {}))
	before := statusOf(seen{nodes: []accelerator.Node{*full}, scalable: "cpu=100"}, v1alpha1.ClusterCapacityStatus{}, time.Now().Truncate(time.Second))
	for _, after := range []v1alpha1.ClusterCapacityStatus{{}, {Nodes: 3, Conditions: before.Conditions}, before} {
		patch, err := patchOf(before, after)
		if err != nil {
			t.Fatal(err)
		}
		document, err := json.Marshal(map[string]any{"status": before})
		if err != nil {
			t.Fatal(err)
		}
		merged, err := jsonpatch.MergePatch(document, patch)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Status v1alpha1.ClusterCapacityStatus
		}
		if err := json.Unmarshal(merged, &got); err != nil {
			t.Fatal(err)
		}
		if !equality.Semantic.DeepEqual(got.Status, after) {
			t.Errorf("got %+v, want %+v", got.Status, after)
		}
	}
}
