package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Members are the member clusters that are engaged: of each its connection, of which C
// is what the owner uses, and one watch for each type, of which V is kept. Every watch
// runs in its own goroutine with its own back-off: a member that hangs or refuses
// delays no other, and nothing here ever waits for one.
type Members[C, V any] struct {
	follow Follower[C, V]

	mu       sync.Mutex
	clusters map[string]*member[C, V]
	types    map[string]typeconfig.Type
}

// Follower begins the watch on a type's objects in a member; it ends with ctx. known
// is what an earlier watch there has filled, marked as possibly out of date; nil if
// there was none. It is called under a lock and makes no request of its own.
type Follower[C, V any] func(ctx context.Context, cluster string, connection C, t typeconfig.Type, known *Table[V]) *Watch[V]

// member is a member cluster's connection and the watches on it.
type member[C, V any] struct {
	ctx        context.Context //nolint:containedctx // the life of the connection: watches come and go within it
	connection C
	watches    map[string]*Watch[V] // by type name
}

// NewMembers returns a set without members and types.
func NewMembers[C, V any](follow Follower[C, V]) *Members[C, V] {
	return &Members[C, V]{follow: follow, clusters: map[string]*member[C, V]{}, types: map[string]typeconfig.Type{}}
}

// Engage starts the watches of all types on a member; a cluster of the same name is
// replaced. They end when ctx does.
func (s *Members[C, V]) Engage(ctx context.Context, cluster string, connection C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return // it has left, and must not displace the one after it
	}
	m := &member[C, V]{ctx: ctx, connection: connection, watches: map[string]*Watch[V]{}}
	old := s.clusters[cluster]
	s.clusters[cluster] = m
	for name, t := range s.types {
		var known *Table[V]
		if old != nil && old.watches[name] != nil {
			// Keep what is known, so that the new connection's first list finds the differences.
			known = old.watches[name].retire()
		}
		m.watches[name] = s.follow(ctx, cluster, connection, t, known)
	}
	context.AfterFunc(ctx, func() { s.remove(cluster, m) })
}

func (s *Members[C, V]) remove(cluster string, m *member[C, V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clusters[cluster] == m {
		delete(s.clusters, cluster)
	}
}

// retire ends a watch for one that is to go on with its table.
func (w *Watch[V]) retire() *Table[V] {
	w.stop()
	w.table.Unsync()
	return w.table
}

// AddType starts the watches of a type on all members; of another definition of the
// same name nothing is kept.
func (s *Members[C, V]) AddType(t typeconfig.Type) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addType(t)
}

// addType is AddType for who holds the lock.
func (s *Members[C, V]) addType(t typeconfig.Type) {
	s.types[t.Name] = t
	for cluster, m := range s.clusters {
		if old := m.watches[t.Name]; old != nil {
			old.stop()
		}
		m.watches[t.Name] = s.follow(m.ctx, cluster, m.connection, t, nil)
	}
}

// Renew starts the watches of a type anew, with nothing that was remembered: what is read of
// an object is another thing now.
func (s *Members[C, V]) Renew(typeName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, running := s.types[typeName]; running {
		s.addType(t)
	}
}

// RemoveType ends the watches of a type.
func (s *Members[C, V]) RemoveType(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.types, name)
	for _, m := range s.clusters {
		if running := m.watches[name]; running != nil {
			running.stop()
			delete(m.watches, name)
		}
	}
}

// Relist starts every watch of a member anew: after an outage nothing that was
// remembered is taken for granted.
func (s *Members[C, V]) Relist(cluster string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.clusters[cluster]
	if m == nil {
		return
	}
	for name, running := range m.watches {
		m.watches[name] = s.follow(m.ctx, cluster, m.connection, s.types[name], running.retire())
	}
}

// Get returns a member's connection and the watch of a type there. Of a cluster that
// is not engaged the connection is C's zero value, and of a type that is not switched
// on the watch is nil.
func (s *Members[C, V]) Get(cluster, typeName string) (connection C, watch *Watch[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.clusters[cluster]
	if m == nil {
		return connection, nil
	}
	return m.connection, m.watches[typeName]
}

// Heard is, for each cluster, since when the watch there has told nothing that has been
// silent for longest. Types that the cluster does not serve do not count.
func (s *Members[C, V]) Heard() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	earliest := make(map[string]time.Time, len(s.clusters))
	for name, m := range s.clusters {
		for _, w := range m.watches {
			if w.Unserved() {
				continue
			}
			if at, known := earliest[name]; !known || w.Heard().Before(at) {
				earliest[name] = w.Heard()
			}
		}
	}
	return earliest
}
