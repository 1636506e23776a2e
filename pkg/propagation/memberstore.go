package propagation

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/propagation/member"
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

// memberStore holds one type's managed objects of one member cluster. OnChange is told
// of every difference, also of those found by listing again after an outage.
type memberStore = fleet.Table[live]

// memberWatch is the watch that fills it; nil where there is none.
type memberWatch = fleet.Watch[live]

func newMemberStore(collectStatus bool, onChange func(key types.NamespacedName, before, after *live), onSynced func()) *memberStore {
	return fleet.NewTable(fleet.Rules[live]{
		Read:     func(obj metav1.Object) (*live, error) { return liveOf(obj, collectStatus), nil },
		Version:  func(l *live) uint64 { return l.Version },
		Same:     func(before, after *live) bool { return *before == *after },
		Carry:    func(before, after *live) { after.remote = before.remote },
		OnChange: onChange,
		OnSynced: onSynced,
	})
}

// observe records an object that a write of ours returned.
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
