package propagation

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// hostRecord is an object of the host that says something about a federated object,
// as it was last seen or written. S is what it says.
type hostRecord[S any] struct {
	version uint64 // its resource version
	owners  []types.UID
	status  S
}

// versionRecord is a PropagatedVersion.
type versionRecord = hostRecord[federate.VersionRecord]

func (r *hostRecord[S]) ownedBy(uid types.UID) bool { return slices.Contains(r.owners, uid) }

func sameRecord(a, b federate.VersionRecord) bool {
	return a.TemplateVersion == b.TemplateVersion && a.OverridesVersion == b.OverridesVersion && slices.Equal(a.ClusterVersions, b.ClusterVersions)
}

// recordStore holds all records of one resource of the host cluster, such as all
// PropagatedVersions; what we write is in it at once, and stands for what the same
// version is then seen to say: a definition that drops fields would have us write
// them again and again.
type recordStore[S any] = fleet.Table[hostRecord[S]]

// newRecordStore makes a store of records that read makes sense of. onChange is told
// that somebody else may have changed or deleted a record; it may be nil.
func newRecordStore[S any](read func(*unstructured.Unstructured) S, onChange func(types.NamespacedName), onSynced func()) *recordStore[S] {
	rules := fleet.Rules[hostRecord[S]]{
		Read: func(obj metav1.Object) (*hostRecord[S], error) {
			u, ok := obj.(*unstructured.Unstructured)
			if !ok {
				return nil, fmt.Errorf("watched record is a %T", obj)
			}
			r := &hostRecord[S]{version: fleet.ParseVersion(u.GetResourceVersion()), status: read(u)}
			for _, owner := range u.GetOwnerReferences() {
				r.owners = append(r.owners, owner.UID)
			}
			return r, nil
		},
		Version:        func(r *hostRecord[S]) uint64 { return r.version },
		OwnWritesStand: true,
		SilentLists:    true,
		OnSynced:       onSynced,
	}
	if onChange != nil {
		rules.OnChange = func(key types.NamespacedName, _, _ *hostRecord[S]) { onChange(key) }
	}
	return fleet.NewTable(rules)
}

// readVersionRecord reads a PropagatedVersion. What it cannot read counts as
// another record, which is then written anew.
func readVersionRecord(u *unstructured.Unstructured) (record federate.VersionRecord) {
	if status, ok := u.Object["status"].(map[string]any); ok {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(status, &record); err != nil {
			return federate.VersionRecord{}
		}
	}
	return record
}

// recordKey is where the record of a federated object is: KubeFed's name for it.
func (t *runningType) recordKey(fed types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: fed.Namespace, Name: strings.ToLower(t.Target.GVK.Kind) + "-" + fed.Name}
}
