package propagation

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/fleet"
)

// companion is an object of the host that repeats something of a federated object, and
// goes with it: a version record or a status object of KubeFed's, as it was last seen or
// written. S is what it says. Nothing rests on companions.
type companion[S any] struct {
	version uint64 // its resource version
	owners  []types.UID
	says    S
}

func (c *companion[S]) ownedBy(uid types.UID) bool { return slices.Contains(c.owners, uid) }

// companionStore holds all companions of one resource, such as all PropagatedVersions;
// what we write is in it at once, and stands for what the same version is then seen to
// say: a definition that drops fields would have us write them again and again.
type companionStore[S any] = fleet.Table[companion[S]]

// newCompanionStore makes a store of companions that read makes sense of. onChange is
// told that somebody else may have changed or deleted one; it may be nil.
func newCompanionStore[S any](read func(*unstructured.Unstructured) S, onChange func(types.NamespacedName), onSynced func()) *companionStore[S] {
	rules := fleet.Rules[companion[S]]{
		Read: func(obj metav1.Object) (*companion[S], error) {
			u, ok := obj.(*unstructured.Unstructured)
			if !ok {
				return nil, fmt.Errorf("watched object is a %T", obj)
			}
			c := &companion[S]{version: fleet.ParseVersion(u.GetResourceVersion()), says: read(u)}
			for _, owner := range u.GetOwnerReferences() {
				c.owners = append(c.owners, owner.UID)
			}
			return c, nil
		},
		Version:        func(c *companion[S]) uint64 { return c.version },
		OwnWritesStand: true,
		SilentLists:    true,
		OnSynced:       onSynced,
	}
	if onChange != nil {
		rules.OnChange = func(key types.NamespacedName, _, _ *companion[S]) { onChange(key) }
	}
	return fleet.NewTable(rules)
}

// companionOf is the companion of a federated object that a write of ours has returned.
func companionOf[S any](version string, fed *federated, says S) *companion[S] {
	return &companion[S]{version: fleet.ParseVersion(version), owners: []types.UID{fed.UID}, says: says}
}

// ownerReference makes an object of the host go with the federated one.
func ownerReference(t *runningType, fed *federated) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: t.Federated.GVK.GroupVersion().String(),
		Kind:       t.Federated.GVK.Kind,
		Name:       fed.Name,
		UID:        fed.UID,
	}
}
