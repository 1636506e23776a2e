package propagation

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"
)

func itemOf(cluster string, n int) Item {
	return Item{
		Type:        "configmaps",
		Object:      types.NamespacedName{Namespace: "ns", Name: fmt.Sprint(n)},
		ClusterName: multicluster.ClusterName(cluster),
	}
}

// get returns the next item, or fails the test if none comes.
func get(t *testing.T, q *fairQueue) Item {
	t.Helper()
	got := make(chan Item, 1)
	go func() {
		i, _ := q.Get()
		got <- i
	}()
	select {
	case i := <-got:
		return i
	case <-time.After(time.Minute):
		t.Fatal("no item came")
		return Item{}
	}
}

func TestFairQueueServesLanesInTurn(t *testing.T) {
	q := newFairQueue(100, 100)
	for n := range 50 {
		q.Add(itemOf("busy", n))
	}
	q.Add(itemOf("quiet", 0))
	q.Add(itemOf("", 0))
	seen := map[multicluster.ClusterName]int{}
	for range 4 {
		seen[get(t, q).ClusterName]++
	}
	if seen["quiet"] != 1 || seen[""] != 1 {
		t.Errorf("of the first four items, the lanes got %v: a busy lane must not go before the others", seen)
	}
}

func TestFairQueueServesNamespacesInTurn(t *testing.T) {
	for _, cluster := range []string{"", "member"} {
		q := newFairQueue(100, 100)
		for n := range 50 {
			q.Add(itemOf(cluster, n))
		}
		other := itemOf(cluster, 0)
		other.Object.Namespace = "other"
		q.Add(other)
		if first, second := get(t, q), get(t, q); first != other && second != other {
			t.Errorf("cluster %q: got %v and %v: a busy namespace must not go before the others", cluster, first, second)
		}
	}
}

// A namespace whose objects take long leaves places in the host's lane to the others.
func TestFairQueueLimitsANamespaceOfTheHost(t *testing.T) {
	for _, places := range []int{2, 3, 4} {
		q := newFairQueue(1, places)
		for n := range 10 {
			q.Add(itemOf("", n))
		}
		for range places - 1 {
			get(t, q)
		}
		other := itemOf("", 0)
		other.Object.Namespace = "other"
		q.Add(other)
		if got := get(t, q); got != other {
			t.Errorf("got %v: the last of %d places of the host's lane must be left to another namespace", got, places)
		}
		q.Done(other)
		if lanes := q.LenByCluster(); lanes[""] != 11-places {
			t.Errorf("%d items wait, want %d", lanes[""], 11-places)
		}
	}
}

func TestFairQueueLimitsALane(t *testing.T) {
	q := newFairQueue(2, 100)
	for n := range 5 {
		q.Add(itemOf("hung", n))
	}
	first, second := get(t, q), get(t, q)
	q.Add(itemOf("well", 0))
	if got := get(t, q); got.ClusterName != "well" {
		t.Fatalf("got %v while the lane of %q had its limit in work", got, "hung")
	}
	next := make(chan Item, 1)
	go func() {
		i, _ := q.Get()
		next <- i
	}()
	select {
	case i := <-next:
		t.Fatalf("got %v beyond the lane's limit", i)
	case <-time.After(50 * time.Millisecond):
	}
	q.Done(first)
	select {
	case i := <-next:
		if i == first || i == second || i.ClusterName != "hung" {
			t.Errorf("got %v after a place in the lane was free", i)
		}
	case <-time.After(time.Minute):
		t.Error("no item came after a place in the lane was free")
	}
}

func TestFairQueueQueuesOnceAndAgainAfterWork(t *testing.T) {
	q := newFairQueue(2, 2)
	a := itemOf("m", 1)
	q.Add(a)
	q.Add(a)
	if q.Len() != 1 {
		t.Fatalf("Len = %d after the same item was added twice", q.Len())
	}
	if got := get(t, q); got != a {
		t.Fatalf("got %v", got)
	}
	q.Add(a) // while it is in work
	if q.Len() != 0 {
		t.Fatalf("Len = %d: an item in work must not be handed out a second time", q.Len())
	}
	q.Done(a)
	if got := get(t, q); got != a {
		t.Fatalf("got %v: an item added while in work must come again", got)
	}
	q.Done(a)
	if lengths := q.LenByCluster(); len(lengths) != 0 {
		t.Errorf("lanes %v are left after all work is done", lengths)
	}
}

func TestFairQueueShutDown(t *testing.T) {
	q := newFairQueue(2, 2)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, shutdown := q.Get(); !shutdown {
				t.Error("Get returned an item of an empty queue")
			}
		})
	}
	time.Sleep(10 * time.Millisecond)
	q.ShutDown()
	wg.Wait()
	q.Add(itemOf("m", 1))
	if q.Len() != 0 || !q.ShuttingDown() {
		t.Error("a queue that is shut down must take nothing")
	}
}

// TestFairQueueLosesNothing has many workers race: every item added comes out at
// least once after its last Add, no lane exceeds its limit, none is in work twice.
func TestFairQueueLosesNothing(t *testing.T) {
	const limit, items = 3, 400
	q := newFairQueue(limit, limit)
	var mu sync.Mutex
	inWork := map[Item]bool{}
	perLane := map[multicluster.ClusterName]int{}
	done := map[Item]int{}
	var workers, producers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for {
				i, shutdown := q.Get()
				if shutdown {
					return
				}
				mu.Lock()
				if inWork[i] {
					t.Errorf("%v is in work twice", i)
				}
				inWork[i] = true
				perLane[i.ClusterName]++
				if perLane[i.ClusterName] > limit {
					t.Errorf("lane %q has %d items in work", i.ClusterName, perLane[i.ClusterName])
				}
				mu.Unlock()
				time.Sleep(10 * time.Microsecond)
				mu.Lock()
				inWork[i] = false
				perLane[i.ClusterName]--
				done[i]++
				mu.Unlock()
				q.Done(i)
			}
		})
	}
	for _, cluster := range []string{"", "a", "b", "c"} {
		producers.Go(func() {
			for n := range items {
				q.Add(itemOf(cluster, n))
				q.Add(itemOf(cluster, n/2))
			}
		})
	}
	producers.Wait()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		mu.Lock()
		all := len(done) == 4*items
		mu.Unlock()
		if all && q.Len() == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d items came out", len(done), 4*items)
		}
	}
	q.ShutDownWithDrain()
	workers.Wait()
}
