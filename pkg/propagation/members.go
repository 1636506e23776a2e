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

	remote string // the status as JSON; only for types that collect it
}

// known is what an applier is told of it; nil of none.
func (l *live) known() *member.Live {
	if l == nil {
		return nil
	}
	return &l.Live
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
func newMemberSet(g *triggers, namespace string, log logr.Logger) *memberSet {
	return fleet.NewMembers(func(ctx context.Context, cluster string, client *memberClient, t typeconfig.Type, known *memberStore) *memberWatch {
		if known == nil {
			known = newMemberStore(t.CollectsStatus(),
				func(target types.NamespacedName, before, after *live) {
					g.memberChanged(cluster, t.Name, target, before, after)
				},
				func() { g.memberListed(cluster, t.Name) })
		}
		source := client.managed(t, namespace)
		source.Name = "member " + cluster + ": " + t.Name
		source.Log = log.WithValues("cluster", cluster, "type", t.Name)
		source.OnTrouble = func() { g.memberTroubled(t.Name) }
		return fleet.Follow(ctx, source, known)
	})
}

// newMemberStore returns a store. onChange is told of every difference, also of those
// found by listing again after an outage.
func newMemberStore(collectStatus bool, onChange func(target types.NamespacedName, before, after *live), onSynced func()) *memberStore {
	return fleet.NewTable(fleet.Rules[live]{
		Read:     func(obj metav1.Object) (*live, error) { return liveOf(obj, collectStatus), nil },
		Version:  func(l *live) uint64 { return l.Version },
		Same:     func(before, after *live) bool { return *before == *after },
		Carry:    func(before, after *live) { after.remote = before.remote },
		OnChange: onChange,
		OnSynced: onSynced,
	})
}

// observe records an object that a request of ours has returned.
func observe(t *runningType, watch *memberWatch, obj metav1.Object) *live {
	l := liveOf(obj, t.CollectsStatus())
	watch.Observe(fleet.KeyOf(obj), l)
	return l
}

// liveOf takes what is remembered from an object; with collectStatus also its status.
func liveOf(obj metav1.Object, collectStatus bool) *live {
	l := &live{Live: member.LiveOf(obj)}
	if u, ok := obj.(*unstructured.Unstructured); ok && collectStatus {
		if status, ok := u.Object["status"]; ok {
			if raw, err := json.Marshal(status); err == nil {
				l.remote = string(raw)
			}
		}
	}
	return l
}

// status is the collected status, nil if there is none.
func (l *live) status() any {
	if l == nil || l.remote == "" {
		return nil
	}
	var status any
	if err := json.Unmarshal([]byte(l.remote), &status); err != nil {
		return nil
	}
	return status
}
