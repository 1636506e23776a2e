package capacity

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/membership"
)

// host is one that is written to.
type host struct {
	client.Client

	status statusWriter
}

func (h *host) Create(context.Context, client.Object, ...client.CreateOption) error { return nil }
func (h *host) Status() client.SubResourceWriter                                    { return &h.status }

type statusWriter struct {
	client.SubResourceWriter

	writes int
	last   map[string]any
}

func (w *statusWriter) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	w.writes++
	data, err := patch.Data(object)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, &w.last)
}

// oneMember is an inventory.
type oneMember struct{ fleet.Inventory }

func (oneMember) Info(string) (membership.Info, bool) {
	return membership.Info{Ready: true, Probed: true}, true
}
func (oneMember) Facts(string) (membership.Facts, bool) { return membership.Facts{}, true }

// A pool that keeps pods out is told of at once: what lets them into others may let them into it.
// Whatever else there is waits for its turn.
func TestWhatNarrowsIsWrittenAtOnce(t *testing.T) {
	h := &host{}
	r := &Reader{log: logr.Discard(), opts: Options{KubeFedNamespace: "fed", RequestTimeout: time.Minute}, inventory: oneMember{}, host: h, members: map[string]*followed{}, news: make(chan struct{}, 1)}
	r.published = fleet.NewTable(fleet.Rules[v1alpha1.ClusterCapacity]{Read: accelerator.ReadCapacity})
	published := fleet.NewWatch(t.Context(), r.published)
	m := &followed{name: "m", nodes: newNodes(func() { r.changedMore("m") }), drivers: imagined(&aWatch{unserved: true}), karpenter: &karpenter{pools: fleet.NewTable(fleet.Rules[nodePool]{Read: nodePoolOf})}}
	m.watch, m.karpenter.watch = fleet.NewWatch(t.Context(), m.nodes), fleet.NewWatch(t.Context(), m.karpenter.pools)
	r.members["m"] = m
	must := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	add := func(name string, taints ...corev1.Taint) {
		t.Helper()
		must(m.watch.Add(node(func(n *corev1.Node) {
			n.Name, n.Spec.Taints = name, taints
		})))
	}
	hardware, tenant := corev1.Taint{Key: "nvidia.com/gpu", Value: "present", Effect: "NoSchedule"}, corev1.Taint{Key: "nvidia.com/gpu", Value: "team-a", Effect: "NoSchedule"}
	expect := func(what string, early bool, writes int) {
		t.Helper()
		wait := r.publish(t.Context(), m, early)
		if h.status.writes != writes || wait > pause {
			t.Errorf("%s: there were %d writes, want %d, and it is looked at again in %s", what, h.status.writes, writes, wait)
		}
		u := &unstructured.Unstructured{Object: map[string]any{"status": h.status.last["status"]}}
		u.SetNamespace("fed")
		u.SetName("m")
		u.SetUID("u")
		must(published.Replace([]any{u}, "1"))
	}
	must(published.Replace(nil, "1"), m.watch.Replace(nil, "1"), m.karpenter.watch.Replace(nil, "1"))
	add("first", hardware)
	expect("the first node", false, 1)
	add("second", hardware)
	expect("a node of a pool that is known", true, 1)
	add("third", corev1.Taint{Key: "nvidia.com/gpu", Effect: "NoSchedule"})
	expect("a pool that is open", true, 1)
	add("fourth", tenant)
	expect("a pool that keeps pods out", true, 2)
	add("fifth", tenant)
	expect("another node of it", true, 2)
	expect("when it is time", false, 3)
	m.karpenter.pools.Unsync()
	add("sixth", corev1.Taint{Key: "nvidia.com/gpu", Value: "team-b", Effect: "NoSchedule"})
	expect("while something else is being read", false, 4)
}

func TestPace(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, tt := range map[string]struct {
		pace   pace
		urgent bool
		wait   time.Duration
		early  bool
	}{
		"never written":                   {pace{}, false, 0, false},
		"written just now":                {pace{written: ago(time.Second)}, false, 4 * time.Second, false},
		"almost over":                     {pace{written: ago(pause - 1)}, false, settle, false},
		"over":                            {pace{written: ago(pause)}, true, 0, false},
		"urgent":                          {pace{written: ago(urgentPause)}, true, 0, true},
		"urgent, right after a write":     {pace{written: ago(urgentPause / 2)}, true, urgentPause / 2, false},
		"urgent, of one that takes long":  {pace{written: ago(urgentPause), looked: ago(time.Second), took: 200 * time.Millisecond}, true, time.Second, false},
		"one that takes long":             {pace{looked: ago(time.Second), took: 200 * time.Millisecond}, false, time.Second, false},
		"one that takes longer than that": {pace{looked: now, took: time.Minute}, false, pause, false},
		"one that took long":              {pace{looked: ago(time.Minute), took: time.Second}, false, 0, false},
	} {
		if wait, early := tt.pace.next(now, tt.urgent); wait != tt.wait || early != tt.early {
			t.Errorf("%s: got %s, %t", name, wait, early)
		}
	}
}
