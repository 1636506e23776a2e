package propagation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// runningType is a federated type that is switched on.
type runningType struct {
	typeconfig.Type

	// kinds say what the target's objects look like.
	kinds     *kindTable
	federated federatedStore
	cancel    context.CancelFunc
	done      chan struct{} // closed when the watch on the federated objects has ended
	// statusObjects repeat the collected status; nil where the type has none.
	statusObjects *statusObjects
	// working counts the items in work.
	working sync.WaitGroup

	mu       sync.Mutex
	accounts map[types.NamespacedName]*account
}

// standsForTarget says whether a federated object of this name has a target at all.
func (t *runningType) standsForTarget(fed types.NamespacedName) bool {
	return !t.IsNamespace || fed.Namespace == fed.Name
}

// federatedKey is the inverse of TargetKey.
func (t *runningType) federatedKey(target types.NamespacedName) types.NamespacedName {
	if t.IsNamespace {
		return types.NamespacedName{Namespace: target.Name, Name: target.Name}
	}
	return target
}

// ownership is that of the objects in the members that a federated object stands for. fault
// says why nobody can tell.
func (t *runningType) ownership(fed *federated) (ownership federate.Ownership, fault string) {
	return federate.OwnershipOf(t.Target.GVK.GroupKind(), t.Ownership, fed.Ownership)
}

func (t *runningType) isExact(fed *federated) bool {
	ownership, _ := t.ownership(fed)
	return ownership == federate.Exact
}

// leavesReplicas says whether the replicas of an object are a member's.
func (t *runningType) leavesReplicas(key types.NamespacedName, cluster string) bool {
	fed, acc := t.federated.Get(key), t.account(key)
	return fed != nil && (fed.RetainReplicas || acc != nil && acc.scaling.Load().leaves(cluster))
}

// account returns what is kept of a federated object, nil if nothing was decided yet.
func (t *runningType) account(key types.NamespacedName) *account {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.accounts[key]
}

// everyAccount returns what is kept of all federated objects.
func (t *runningType) everyAccount() []*account {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.accounts))
}

// accountOf returns what is kept of a federated object; one that was deleted and
// created again under the same name starts afresh.
func (t *runningType) accountOf(key types.NamespacedName, fed *federated, settings *ledger.Settings) *account {
	t.mu.Lock()
	defer t.mu.Unlock()
	acc, ok := t.accounts[key]
	if !ok || acc.ledger.UID() != fed.UID {
		acc = newAccount(fed, settings)
		t.accounts[key] = acc
	}
	return acc
}

func (t *runningType) forget(key types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.accounts, key)
}

// typeSet are the types that are switched on.
type typeSet struct {
	mu     sync.RWMutex
	byName map[string]*runningType
}

func newTypeSet() *typeSet { return &typeSet{byName: map[string]*runningType{}} }

func (s *typeSet) get(name string) *runningType {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[name]
}

// begin returns a type whose item is about to be worked on; the caller calls
// working.Done afterwards. nil if the type has been switched off.
func (s *typeSet) begin(name string) *runningType {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.byName[name]
	if t != nil {
		t.working.Add(1)
	}
	return t
}

func (s *typeSet) all() []*runningType {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]*runningType, 0, len(s.byName))
	for _, t := range s.byName {
		list = append(list, t)
	}
	return list
}

func (s *typeSet) add(t *runningType) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName[t.Name] = t
}

// remove takes a type out; its items are not begun any more.
func (s *typeSet) remove(name string) *runningType {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.byName[name]
	delete(s.byName, name)
	return t
}

var _ typeconfig.Registrar = &Engine{}

// Register implements typeconfig.Registrar.
func (e *Engine) Register(ctx context.Context, definition typeconfig.Type) error {
	if running := e.types.get(definition.Name); running != nil {
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
	t := &runningType{Type: definition, kinds: e.kinds, cancel: cancel, done: make(chan struct{}), accounts: map[types.NamespacedName]*account{}}
	t.federated = newFederatedStore(
		func(key types.NamespacedName, before, after *federated) {
			e.triggers.federatedChanged(t, key, before, after)
		},
		func() { e.triggers.reconsider(t) })
	e.statusObjects.prepare(t)
	e.types.add(t)

	e.namespaces.ensure(e.ctx, definition.FederatedNamespace)
	e.members.AddType(definition)
	watch := fleet.Follow(typeCtx, e.host.source(t.Federated), t.federated.Table)
	go func() {
		<-watch.Done()
		close(t.done)
	}()
	e.statusObjects.follow(typeCtx, t)
	e.log.Info("Propagation of a type started", "type", t.Name, "federatedKind", t.Federated.GVK.Kind)
	return nil
}

// Unregister implements typeconfig.Registrar.
func (e *Engine) Unregister(ctx context.Context, name string) error {
	t := e.types.remove(name)
	if t == nil {
		return nil
	}
	e.members.RemoveType(name)
	e.autoscalers.forget(name)
	t.cancel()
	idle := make(chan struct{})
	go func() {
		<-t.done
		t.working.Wait()
		close(idle)
	}()
	select {
	case <-idle: // nothing puts a finalizer on anything any more
		e.leftovers.forget(name)
		for _, acc := range t.everyAccount() {
			e.hostWorker.tracing.dropped(acc, time.Now())
		}
	case <-ctx.Done():
		return fmt.Errorf("type %s: its work has not ended: %w", name, ctx.Err())
	}
	e.log.Info("Propagation of a type stopped", "type", name)
	return nil
}
