package propagation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	// types are those whose objects have replicas, by name.
	types map[string]bool
}

// scaler is what is kept of an autoscaler.
type scaler struct {
	target autoscaler.Target
	title  string
}

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
		source.List = fleet.WhereServed(source.List, client.paths, kind.GroupVersion())
		source.WhyNotFound = client.whyNotFound(t.Target)
		return fleet.Follow(ctx, source, table)
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
		Same: same, ByNamespace: true,
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
	return a.types[typeName]
}

// follow has autoscalers followed for a type, which they are until forget.
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

// forget a type. When it was the last, nothing is followed any more.
func (a *autoscalers) forget(typeName string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.types[typeName] {
		return
	}
	if delete(a.types, typeName); len(a.types) > 0 {
		return
	}
	for i := range a.kinds {
		a.members.RemoveType(a.kinds[i].Name())
	}
}

// of returns what is known of the autoscalers of an object in a cluster.
func (a *autoscalers) of(cluster string, gk schema.GroupKind, key types.NamespacedName) (found autoscaler.Found) {
	for i := range a.kinds {
		kind := &a.kinds[i]
		_, watch := a.members.Get(cluster, kind.Name())
		for _, at := range watch.Keys(key.Namespace) {
			s := watch.Get(at)
			switch {
			case s == nil || !s.target.Scales(gk, key):
			case kind.Owns == autoscaler.Replicas:
				found.Replicas = append(found.Replicas, s.title)
			default:
				found.Requests = append(found.Requests, s.title)
			}
		}
		if kind.Owns != autoscaler.Replicas {
			continue
		}
		problem := watch.Problem()
		switch {
		case watch.Unserved() && !apierrors.IsForbidden(problem): // there are none
		case problem != nil && found.Unreadable != "":
		case problem != nil:
			found.Unreadable = kind.Name() + " cannot be read: " + errtext.InMember(problem, cluster)
		case !watch.Synced():
			found.Listing = true
		}
	}
	return found
}
