package propagation

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// collecting is a type whose status is collected.
var collecting = typeconfig.Type{StatusCollection: true}

// TestLargeStatusIsNotKept: of a status that will not be collected its size is kept alone.
func TestLargeStatusIsNotKept(t *testing.T) {
	object := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"a": strings.Repeat("x", 1<<20)}}}
	large := liveOf(collecting, newKindTable(), object)
	if large.remote != "" || large.status() != federate.TooLarge(1<<20+len(`{"a":""}`)) {
		t.Errorf("%d bytes are kept, and it says %v", len(large.remote), large.status())
	}
	object.Object["status"] = map[string]any{"a": "x"}
	small := liveOf(collecting, newKindTable(), object)
	if got, ok := small.status().(map[string]any); !ok || got["a"] != "x" {
		t.Errorf("a small status is %v", small.status())
	}
	if large.saysLike(small) || !large.saysLike(large) || liveOf(typeconfig.Type{}, newKindTable(), object).status() != nil {
		t.Error("what is said is not told apart")
	}
}

// TestManyLargeStatuses: what a hundred members say in a MiB each takes no memory to
// speak of, and the smaller ones of a member are kept as far as there is room.
func TestManyLargeStatuses(t *testing.T) {
	object := func(name string, size int) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"a": strings.Repeat("x", size)}}}
		u.SetNamespace("n")
		u.SetName(name)
		u.SetResourceVersion("1")
		return u
	}
	held := func() uint64 {
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		return memory.HeapAlloc
	}
	before := held()
	stores := make([]*memberWatch, 100)
	for i := range stores {
		stores[i] = fleet.NewWatch(t.Context(), newMemberStore(collecting, newKindTable(), func(types.NamespacedName, *live, *live) {}, nil, func() {}))
		if err := stores[i].Add(object("o", 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if after := held(); after > before+8<<20 {
		t.Errorf("%d MiB are held of statuses that are not collected", (after-before)>>20)
	}
	const size = federate.MostCollected - 100
	for i := range 2 * federate.MostCollectedOfMember / size {
		if err := stores[0].Add(object(fmt.Sprint("o-", i), size)); err != nil {
			t.Fatal(err)
		}
	}
	if after := held(); after > before+federate.MostCollectedOfMember+16<<20 {
		t.Errorf("%d MiB are held of one member's statuses", (after-before)>>20)
	}
	kept := stores[0].Get(types.NamespacedName{Namespace: "n", Name: "o-0"})
	left := stores[0].Get(types.NamespacedName{Namespace: "n", Name: fmt.Sprint("o-", 2*federate.MostCollectedOfMember/size-1)})
	if kept.remote == "" || left.status() != federate.TooLarge(size+len(`{"a":""}`)) {
		t.Errorf("kept are %d bytes of the first, and of the last is said %v", len(kept.remote), left.status())
	}
	runtime.KeepAlive(stores)
}
