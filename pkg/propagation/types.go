package propagation

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// runningType is a federated type that is switched on.
type runningType struct {
	typeconfig.Type
	host   hostStore
	cancel context.CancelFunc
	done   chan struct{} // closed when the watch on the host has ended
	// statusObjects repeat the collected status; nil where the type has none.
	statusObjects *statusObjects
	// working counts the items in work.
	working sync.WaitGroup

	mu      sync.Mutex
	objects map[types.NamespacedName]*object
}

var _ typeconfig.Registrar = &Engine{}

// targetKey is the key of the object in a member that a federated object stands for.
func (t *runningType) targetKey(fed types.NamespacedName) types.NamespacedName {
	if t.IsNamespace || !t.Target.Namespaced {
		return types.NamespacedName{Name: fed.Name}
	}
	return fed
}

// standsForTarget says whether a federated object of this name has a target at all.
func (t *runningType) standsForTarget(fed types.NamespacedName) bool {
	return !t.IsNamespace || fed.Namespace == fed.Name
}

// federatedKey is the inverse of targetKey.
func (t *runningType) federatedKey(target types.NamespacedName) types.NamespacedName {
	if t.IsNamespace {
		return types.NamespacedName{Namespace: target.Name, Name: target.Name}
	}
	return target
}

func (t *runningType) object(key types.NamespacedName) *object {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.objects[key]
}

// objectFor returns the engine's record of a federated object; one that was
// deleted and created again under the same name starts afresh.
func (t *runningType) objectFor(key types.NamespacedName, host *hostObject) *object {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.objects[key]
	if !ok || o.uid != host.fed.UID {
		o = newObject(host)
		t.objects[key] = o
	}
	return o
}

func (t *runningType) forget(key types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.objects, key)
}

func (e *Engine) typeNamed(name string) *runningType {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.types[name]
}

// begin returns a type whose item is about to be worked on; the caller calls
// working.Done afterwards. nil if the type has been switched off.
func (e *Engine) begin(name string) *runningType {
	e.mu.RLock()
	defer e.mu.RUnlock()
	t := e.types[name]
	if t != nil {
		t.working.Add(1)
	}
	return t
}

func (e *Engine) runningTypes() []*runningType {
	e.mu.RLock()
	defer e.mu.RUnlock()
	list := make([]*runningType, 0, len(e.types))
	for _, t := range e.types {
		list = append(list, t)
	}
	return list
}

// Register implements typeconfig.Registrar.
func (e *Engine) Register(ctx context.Context, definition typeconfig.Type) error {
	if running := e.typeNamed(definition.Name); running != nil {
		if running.Type == definition {
			return nil
		}
		if err := e.Unregister(ctx, definition.Name); err != nil {
			return err
		}
	}
	select {
	case <-e.starting:
	case <-ctx.Done():
		return fmt.Errorf("type %s: the engine has not started: %w", definition.Name, ctx.Err())
	}

	typeCtx, cancel := context.WithCancel(e.ctx)
	t := &runningType{
		Type:    definition,
		cancel:  cancel,
		done:    make(chan struct{}),
		objects: map[types.NamespacedName]*object{},
	}
	t.host = newHostStore(
		func(key types.NamespacedName, before, after *hostObject) { e.hostChanged(t, key, before, after) },
		func() { e.reconsider(t) })
	if t.HasStatusObjects() {
		t.statusObjects = newStatusObjects(e, t)
	}
	e.mu.Lock()
	e.types[t.Name] = t
	e.mu.Unlock()

	e.namespaces.ensure(e, definition.FederatedNamespace)
	e.watches.AddType(definition)
	watch := fleet.Follow(typeCtx, e.hostSource(t.Federated), t.host.Table)
	go func() {
		<-watch.Done()
		close(t.done)
	}()
	e.watchStatusObjects(typeCtx, t)
	e.log.Info("Propagation of a type started", "type", t.Name, "federatedKind", t.Federated.GVK.Kind)
	return nil
}

// Unregister implements typeconfig.Registrar.
func (e *Engine) Unregister(ctx context.Context, name string) error {
	e.mu.Lock()
	t := e.types[name]
	delete(e.types, name)
	e.mu.Unlock()
	if t == nil {
		return nil
	}
	e.watches.RemoveType(name)
	t.cancel()
	idle := make(chan struct{})
	go func() {
		<-t.done
		t.working.Wait()
		close(idle)
	}()
	select {
	case <-idle: // nothing puts a finalizer on anything any more
	case <-ctx.Done():
		return fmt.Errorf("type %s: its work has not ended: %w", name, ctx.Err())
	}
	e.log.Info("Propagation of a type stopped", "type", name)
	return nil
}

// hostSource is what is watched of a resource in the host cluster.
func (e *Engine) hostSource(r typeconfig.Resource) fleet.Source {
	source := fleet.Objects(e.host, r, e.opts.TargetNamespace)
	source.Name, source.Log = "host: "+r.GVR.Resource, e.log.WithValues("hostResource", r.GVR.GroupResource().String())
	source.Retry, source.RetryMax = 200*time.Millisecond, 15*time.Second
	return source
}

// hostChanged is called when a federated object differs from what was known of it.
func (e *Engine) hostChanged(t *runningType, key types.NamespacedName, before, after *hostObject) {
	if before != nil && after != nil && before.sameIntent(after) &&
		(reflect.DeepEqual(before.fed.Status, after.fed.Status) || e.isEcho(t, key, after)) {
		return
	}
	e.queue.Add(Item{Type: t.Name, Object: key})
}

// isEcho says whether the status of host is the one we wrote last.
func (e *Engine) isEcho(t *runningType, key types.NamespacedName, host *hostObject) bool {
	o := t.object(key)
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.uid == host.fed.UID && o.written != nil && shows(host.fed.Status, *o.written)
}

// sameStatus compares what the two would say on the wire.
func sameStatus(a, b federate.Status) bool {
	x, errX := json.Marshal(a.ToUnstructured())
	y, errY := json.Marshal(b.ToUnstructured())
	return errX == nil && errY == nil && string(x) == string(y)
}
