package fleet

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// TestObjectsOfAListAreReadAsTheyArrive: what a reflector holds until it has the last one is
// what the table keeps, and the table takes that as it is.
func TestObjectsOfAListAreReadAsTheyArrive(t *testing.T) {
	table := NewTable(versioned(Rules[value]{}))
	w := NewWatch(t.Context(), table)
	store := cache.NewStore(cache.DeletionHandlingMetaNamespaceKeyFunc, cache.WithTransformer(thinning[value]{watch: w}.Transformer()))
	must(t, store.Add(object("b", "7", "kept")), store.Add(object("unreadable", "8", "")))
	held := store.List()
	whole := 0
	for _, obj := range held {
		if _, thin := obj.(*thinned[value]); !thin {
			whole++
		}
	}
	if len(held) != 2 || whole != 1 {
		t.Fatalf("%d of %d objects are held whole", whole, len(held))
	}
	if err := w.Replace(held, "9"); err == nil {
		t.Error("a list with an object that cannot be read was taken")
	}
	must(t, store.Delete(object("unreadable", "8", "")), w.Replace(store.List(), "9"))
	if kept := w.Get(b); kept == nil || kept.text != "kept" || kept.version != 7 {
		t.Errorf("got %+v", kept)
	}
}

// TestAWatchThatListsIsFollowed runs a reflector, which tells by itself whether it has the
// objects read as they arrive.
func TestAWatchThatListsIsFollowed(t *testing.T) {
	events := watch.NewFakeWithChanSize(4, false)
	synced := make(chan struct{}, 1)
	table := NewTable(versioned(Rules[value]{OnSynced: func() { synced <- struct{}{} }}))
	Follow(t.Context(), Source{
		List: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			return &metav1.PartialObjectMetadataList{}, nil
		},
		Watch: func(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
			if options.FieldSelector != "metadata.name=b" {
				t.Errorf("the watch selects %q", options.FieldSelector)
			}
			return events, nil
		},
		Example: &metav1.PartialObjectMetadata{}, Type: "tests", Name: "test", Fields: "metadata.name=b",
	}, table)
	events.Add(object("b", "7", "kept"))
	end := object("", "8", "")
	end.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	events.Action(watch.Bookmark, end)
	<-synced
	if kept := table.Get(b); kept == nil || kept.text != "kept" {
		t.Errorf("got %+v", kept)
	}
}
