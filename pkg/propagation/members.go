package propagation

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/propagation/member"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// memberSet keeps one thin watch for each (member cluster, federated type).
type memberSet = fleet.Members[*memberClient, live]

// memberWatch is one of its watches; nil where there is none. memberStore is what it
// fills: one type's managed objects of one member cluster.
type (
	memberWatch = fleet.Watch[live]
	memberStore = fleet.Table[live]
)

// live is what the engine remembers of one target object in one member cluster.
// It is all that is kept: the object itself is never cached.
type live struct {
	member.Live

	// ended says how it has ended by itself; only of kinds that do.
	ended federate.Ending
	// remote is the status as JSON; only for types that collect it. unkept is how long it
	// was where it was too large to be kept.
	remote string
	unkept int
	// fares is how it fares, of types whose health is collected.
	fares fares
	// foreign is what other managers have written of it.
	foreign federate.Foreign
}

// known is what an applier is told of it; nil of none.
func (l *live) known() *member.Live {
	if l == nil {
		return nil
	}
	return &l.Live
}

// says is what other managers have written of it; empty if nothing.
func (l *live) says(retained bool) string {
	if l == nil {
		return ""
	}
	return l.foreign.Text(retained)
}

// recorded is the version of a member's object in KubeFed's words; empty without an object.
func (l *live) recorded() string {
	if l == nil {
		return ""
	}
	return federate.ObjectVersion(l.Generation, strconv.FormatUint(l.Version, 10))
}

// newMemberSet returns a set whose watches tell the triggers what differs from what was
// known, and when a member's objects of a type have been listed.
func newMemberSet(g *triggers, kinds *kindTable, namespace string, log logr.Logger) *memberSet {
	return fleet.NewMembers(func(ctx context.Context, cluster string, client *memberClient, t typeconfig.Type, known *memberStore) *memberWatch {
		if known == nil {
			known = newMemberStore(t, kinds,
				func(target types.NamespacedName, before, after *live) {
					g.memberChanged(cluster, t.Name, target, before, after)
				},
				func(target types.NamespacedName, last *live) { g.memberDeleted(cluster, t.Name, target, last) },
				func() { g.memberListed(cluster, t.Name) })
		}
		source := client.managed(t, kinds.watchedWhole(t), namespace)
		source.Name = "member " + cluster + ": " + t.Name
		source.Log = log.WithValues("cluster", cluster, "type", t.Name)
		source.OnTrouble = func() {
			g.memberTroubled(t.Name)
			g.rightsChanged(t.Name)
		}
		return fleet.Follow(ctx, source, known)
	})
}

// newMemberStore returns a store. onChange is told of every difference, also of those
// found by listing again after an outage. onDeleted is told before of what the watch has
// told to be deleted, of kinds that end by themselves.
func newMemberStore(t typeconfig.Type, kinds *kindTable, onChange func(target types.NamespacedName, before, after *live),
	onDeleted func(target types.NamespacedName, last *live), onSynced func()) *memberStore {
	if !federate.Ends(t.Target.GVK.GroupKind()) {
		onDeleted = nil
	}
	return fleet.NewTable(fleet.Rules[live]{
		Read:      func(obj metav1.Object) (*live, error) { return liveOf(t, kinds, obj), nil },
		Version:   func(l *live) uint64 { return l.Version },
		Same:      func(before, after *live) bool { return *before == *after },
		Carry:     func(before, after *live) { before.carry(after) },
		OnDeleted: onDeleted,
		Weigh:     func(l *live) int { return len(l.remote) }, MostWeight: federate.MostCollectedOfMember, Lighten: (*live).lighter,
		OnChange: onChange,
		OnSynced: onSynced,
	})
}

// observe records an object that a request of ours has returned.
func observe(t *runningType, watch *memberWatch, obj metav1.Object) *live {
	l := liveOf(t.Type, t.kinds, obj)
	watch.Observe(fleet.KeyOf(obj), l)
	return l
}

// liveOf takes what is remembered from an object of a type; its status and its health as
// well, if they are collected.
func liveOf(t typeconfig.Type, kinds *kindTable, obj metav1.Object) *live {
	gk := t.Target.GVK.GroupKind()
	l := &live{Live: member.LiveOf(obj), foreign: federate.ForeignOf(gk, obj.GetManagedFields())}
	u, whole := obj.(*unstructured.Unstructured)
	if whole {
		l.ended = federate.EndingOf(gk, u.Object)
		if kinds.collectsHealth(t) {
			l.fares = faresOf(kinds.get().Judge(gk, u.Object), l.Generation)
		}
	}
	if whole && t.CollectsStatus() {
		if status, ok := u.Object["status"]; ok {
			if raw, err := json.Marshal(status); err == nil {
				l.remote = string(raw)
			}
			if len(l.remote) > federate.MostCollected {
				return l.lighter()
			}
		}
	}
	return l
}

// carry takes over into after, of which only the metadata was told, what else is known.
func (l *live) carry(after *live) {
	after.remote, after.unkept = l.remote, l.unkept
	if l.UID == after.UID {
		after.ended, after.fares = l.ended, l.fares
	}
}

// lighter is the same without the status; how large it is stays known.
func (l *live) lighter() *live {
	if l.remote == "" {
		return l
	}
	without := *l
	without.remote, without.unkept = "", len(l.remote)
	return &without
}

// saysLike says whether the status of the federated object says the same of both.
func (l *live) saysLike(other *live) bool {
	return l.saysLikeButHealth(other) && l.judgement() == other.judgement()
}

func (l *live) saysLikeButHealth(other *live) bool {
	return l.remote == other.remote && l.unkept == other.unkept && l.ended == other.ended && l.foreign == other.foreign
}

// status is the collected status, nil if there is none.
func (l *live) status() any {
	switch {
	case l == nil:
		return nil
	case l.unkept > 0:
		return federate.TooLarge(l.unkept)
	case l.remote == "":
		return nil
	}
	var status any
	if err := json.Unmarshal([]byte(l.remote), &status); err != nil {
		return nil
	}
	return status
}
