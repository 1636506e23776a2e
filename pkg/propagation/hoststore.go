package propagation

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// hostObject is a federated object as the host cluster last told it. It is
// replaced, never changed.
type hostObject struct {
	fed             *federate.Object
	invalid         *federate.ParseError // why fed could not be read whole; it holds what could be read
	resourceVersion string
	finalizers      []string
	deletedAt       time.Time // zero: it is not being deleted
}

// placementUnknown says whether it cannot be told which clusters are meant.
func (a *hostObject) placementUnknown() bool { return a.invalid != nil && a.invalid.Status == "" }

// sameIntent says whether b asks for the same as a: all but the status.
func (a *hostObject) sameIntent(b *hostObject) bool {
	return a.fed.UID == b.fed.UID &&
		a.fed.Generation == b.fed.Generation &&
		a.fed.Deleting == b.fed.Deleting &&
		a.fed.Orphan == b.fed.Orphan &&
		reflect.DeepEqual(a.fed.DeleteOptions, b.fed.DeleteOptions) &&
		reflect.DeepEqual(a.fed.DeleteOptionsError, b.fed.DeleteOptionsError) &&
		slices.Equal(a.finalizers, b.finalizers)
}

// hostStore holds the federated objects of one type. It is told of every object of a
// list: what a decision rests on may have become known only now.
type hostStore struct{ *fleet.Table[hostObject] }

func newHostStore(onChange func(key types.NamespacedName, before, after *hostObject), onSynced func()) hostStore {
	return hostStore{fleet.NewTable(fleet.Rules[hostObject]{
		Read: hostObjectOf, ByNamespace: true, OnChange: onChange, OnSynced: onSynced,
	})}
}

// Observe records what a write of ours returned: the new version, finalizers and
// status. It does nothing when the object has changed otherwise since.
func (s hostStore) Observe(key types.NamespacedName, seen *hostObject, resourceVersion string, finalizers []string, status federate.Status) *hostObject {
	next := *seen
	fed := *seen.fed
	fed.HasFinalizer = slices.Contains(finalizers, federate.Finalizer)
	fed.Status = status
	next.fed, next.resourceVersion, next.finalizers = &fed, resourceVersion, finalizers
	return s.Swap(key, seen, &next)
}

func hostObjectOf(obj metav1.Object) (*hostObject, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("watched federated object is a %T", obj)
	}
	h := &hostObject{resourceVersion: u.GetResourceVersion(), finalizers: u.GetFinalizers()}
	if at := u.GetDeletionTimestamp(); at != nil {
		h.deletedAt = at.Time
	}
	fed, err := federate.Parse(u)
	h.fed = fed
	if err != nil && !errors.As(err, &h.invalid) {
		return nil, err
	}
	return h, nil
}
