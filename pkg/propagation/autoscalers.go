package propagation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/autoscaler"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// autoscalers know what scales objects in the members, as long as objects of a type that is
// switched on have replicas that are sent. Of each autoscaler they keep what it scales.
type autoscalers struct {
	kinds   []autoscaler.Kind
	members *fleet.Members[*memberClient, scaler]

	mu sync.Mutex
	// types are those for which autoscalers are followed, by name, and whether they were found
	// to be needed since that was looked at last.
	types map[string]bool
}

// scaler is what is kept of an autoscaler.
type scaler struct {
	target autoscaler.Target
	title  string
}

// scaled is what autoscalers are found by.
type scaled struct {
	namespace string
	target    autoscaler.Target
}

// unneededInterval is how often it is looked whether any object needs autoscalers to be followed.
const unneededInterval = 5 * time.Minute

// unservedRetry is how often it is asked whether a member has come to serve a kind of autoscalers.
const unservedRetry = 30 * time.Second

// newAutoscalers returns none. changed is told that other autoscalers scale a target than
// before, and known that all autoscalers of a kind in a member are known, or no longer.
func newAutoscalers(changed func(namespace string, target autoscaler.Target), known func(cluster string), namespace string, log logr.Logger) *autoscalers {
	a := &autoscalers{kinds: autoscaler.Kinds(), types: map[string]bool{}}
	a.members = fleet.NewMembers(func(ctx context.Context, cluster string, client *memberClient, t typeconfig.Type, table *fleet.Table[scaler]) *fleet.Watch[scaler] {
		kind, known := a.kind(t.Name), func() { known(cluster) }
		if table == nil {
			table = fleet.NewTable(scalerRules(kind, changed, known))
		}
		source := fleet.Objects(client.dynamic, t.Target, namespace)
		source.Name, source.OnTrouble = "member "+cluster+": "+t.Name, known
		source.Log = log.WithValues("cluster", cluster, "autoscalers", t.Name)
		source.RetryMax = unservedRetry
		return fleet.Follow(ctx, client.serves.Explain(source, t.Target.GVR), table)
	})
	return a
}

func (a *autoscalers) kind(name string) *autoscaler.Kind {
	return &a.kinds[slices.IndexFunc(a.kinds, func(k autoscaler.Kind) bool { return k.Name() == name })]
}

func scalerRules(kind *autoscaler.Kind, changed func(namespace string, target autoscaler.Target), known func()) fleet.Rules[scaler] {
	same := func(before, after *scaler) bool { return *before == *after }
	return fleet.Rules[scaler]{
		Read: func(obj metav1.Object) (*scaler, error) {
			u, ok := obj.(*unstructured.Unstructured)
			if !ok {
				return nil, fmt.Errorf("watched object is a %T", obj)
			}
			return &scaler{target: kind.TargetOf(u.Object), title: kind.Title(u)}, nil
		},
		Same: same, Index: func(key types.NamespacedName, s *scaler) any {
			if s.target == (autoscaler.Target{}) {
				return nil
			}
			return scaled{key.Namespace, s.target}
		},
		OnChange: func(key types.NamespacedName, before, after *scaler) {
			if before != nil && after != nil && same(before, after) {
				return // most of what is told of autoscalers is what they measure
			}
			for _, s := range []*scaler{before, after} {
				if s != nil {
					changed(key.Namespace, s.target)
				}
			}
		},
		OnSynced: known,
	}
}

// engage begins to follow a member's autoscalers, until ctx ends.
func (a *autoscalers) engage(ctx context.Context, cluster string, client *memberClient) {
	a.members.Engage(ctx, cluster, client)
}

// follows says whether autoscalers are followed for a type.
func (a *autoscalers) follows(typeName string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, follows := a.types[typeName]
	return follows
}

// needed says whether it is known that a type needs them.
func (a *autoscalers) needed(typeName string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.types[typeName]
}

// follow has autoscalers followed for a type that needs them.
func (a *autoscalers) follow(typeName string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	begun := len(a.types) > 0
	a.types[typeName] = true
	if begun {
		return
	}
	for i := range a.kinds {
		kind := &a.kinds[i]
		a.members.AddType(typeconfig.Type{Name: kind.Name(), Target: typeconfig.Resource{
			GVR: kind.GroupVersionResource, GVK: kind.GroupVersion().WithKind(kind.Kind), Namespaced: true,
		}})
	}
}

// unneeded notes that no object of a type has replicas. When that was so before, and nothing has
// been decided otherwise since, the type is forgotten.
func (a *autoscalers) unneeded(typeName string) (forgotten bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	needed, follows := a.types[typeName]
	if !needed && follows {
		a.remove(typeName)
		return true
	}
	if follows {
		a.types[typeName] = false
	}
	return false
}

// forget a type. When it was the last, nothing is followed any more.
func (a *autoscalers) forget(typeName string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, follows := a.types[typeName]; follows {
		a.remove(typeName)
	}
}

// remove a type that is followed. The caller holds mu.
func (a *autoscalers) remove(typeName string) {
	if delete(a.types, typeName); len(a.types) > 0 {
		return
	}
	for i := range a.kinds {
		a.members.RemoveType(a.kinds[i].Name())
	}
}

// of returns what is known of the autoscalers of an object in a cluster.
func (a *autoscalers) of(cluster string, gk schema.GroupKind, key types.NamespacedName) (found autoscaler.Found) {
	at := scaled{key.Namespace, autoscaler.Target{GroupKind: gk, Name: key.Name}}
	for i := range a.kinds {
		kind := &a.kinds[i]
		_, watch := a.members.Get(cluster, kind.Name())
		titles, problem := titlesOf(watch.At(at)), watch.Problem()
		known := watch.Lacks() || watch.Synced() && problem == nil
		if kind.Owns != autoscaler.Replicas {
			found.Requests = append(found.Requests, titles...)
			found.RequestsUnknown = found.RequestsUnknown || !known
			continue
		}
		found.Replicas = append(found.Replicas, titles...)
		switch {
		case known:
		case problem == nil:
			found.Listing = true
		case found.Unreadable == "":
			found.Unreadable = kind.Name() + " cannot be read: " + errtext.InMember(problem, cluster)
		}
	}
	return found
}

func titlesOf(scalers []*scaler) []string {
	titles := make([]string, 0, len(scalers))
	for _, s := range scalers {
		titles = append(titles, s.title)
	}
	return titles
}
