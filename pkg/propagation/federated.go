package propagation

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
)

// federated is a federated object as the host cluster last told it. It is
// replaced, never changed.
type federated struct {
	*federate.Object

	// fault is why it could not be read whole; the Object holds what could be read.
	fault *federate.ParseError
	// intent is what it is to be in each cluster, as far as it says so itself.
	intent federate.Intent
	// changed is what the policies make of the intent, kept as long as they are the same.
	changed         *changedIntent
	resourceVersion string
	finalizers      []string
	deletedAt       time.Time // zero: it is not being deleted
	// arrived is when the watch has first told of what it asks for.
	arrived time.Time
}

// placementUnknown says whether it cannot be told which clusters are meant.
func (f *federated) placementUnknown() bool { return f.fault.PlacementUnknown() }

// asksTheSame says whether other asks for the same: all but the status. The generation
// is more than the intent: status.observedGeneration has to follow it.
func (f *federated) asksTheSame(other *federated) bool {
	return f.UID == other.UID &&
		f.Generation == other.Generation &&
		f.intent.Revision() == other.intent.Revision() &&
		f.Deleting == other.Deleting &&
		f.Orphan == other.Orphan &&
		f.Ownership == other.Ownership &&
		maps.Equal(f.Labels, other.Labels) &&
		f.Consumed == other.Consumed &&
		f.AfterAutoscaler == other.AfterAutoscaler &&
		f.ProgressDeadline == other.ProgressDeadline &&
		reflect.DeepEqual(f.DeleteOptions, other.DeleteOptions) &&
		reflect.DeepEqual(f.DeleteOptionsError, other.DeleteOptionsError) &&
		slices.Equal(f.finalizers, other.finalizers)
}

// consumption says when what is gone from a cluster is done.
func (f *federated) consumption() federate.Consumption {
	consumption, _ := federate.ConsumptionOf(f.Consumed)
	return consumption
}

// wanted is what the object asks for now in a cluster of this membership, where the intent is its own within all bounds.
// f may be nil: it is gone.
func (f *federated) wanted(intent federate.Intent, membership string) ledger.Wanted {
	if f == nil {
		return ledger.Wanted{}
	}
	return ledger.Wanted{
		UID: f.UID, Revision: intent.Revision(), Deleting: f.Deleting, Orphan: f.Orphan, HasFinalizer: f.HasFinalizer, Membership: membership,
	}
}

// federatedStore holds the federated objects of one type. It is told of every object of
// a list: what a decision rests on may have become known only now.
type federatedStore struct{ *fleet.Table[federated] }

func newFederatedStore(onChange func(key types.NamespacedName, before, after *federated), onSynced func()) federatedStore {
	var table *fleet.Table[federated]
	table = fleet.NewTable(fleet.Rules[federated]{
		Read:        func(obj metav1.Object) (*federated, error) { return readFederated(obj, table.Get(fleet.KeyOf(obj))) },
		ByNamespace: true, OnChange: onChange, OnSynced: onSynced,
	})
	return federatedStore{table}
}

// Observe records what a write of ours returned: the new version, finalizers and
// status. It does nothing when the object has changed otherwise since.
func (s federatedStore) Observe(key types.NamespacedName, known *federated, resourceVersion string, finalizers []string, status federate.Status) *federated {
	next, object := *known, *known.Object
	object.HasFinalizer = slices.Contains(finalizers, federate.Finalizer)
	object.Status = status
	next.Object, next.resourceVersion, next.finalizers = &object, resourceVersion, finalizers
	return s.Swap(key, known, &next)
}

// readFederated reads a federated object. before is what was known of it, nil if nothing was.
func readFederated(obj metav1.Object, before *federated) (*federated, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("watched federated object is a %T", obj)
	}
	f := &federated{changed: &changedIntent{}, resourceVersion: u.GetResourceVersion(), finalizers: u.GetFinalizers()}
	if at := u.GetDeletionTimestamp(); at != nil {
		f.deletedAt = at.Time
	}
	parsed, err := federate.Parse(u)
	if err != nil && !errors.As(err, &f.fault) {
		return nil, err
	}
	f.Object = parsed
	if before != nil && before.UID == parsed.UID && before.Generation == parsed.Generation && before.Deleting == parsed.Deleting {
		f.arrived = before.arrived
	} else {
		f.arrived = time.Now()
	}
	if before != nil && before.UID == parsed.UID && before.OrphanPolicy {
		parsed.OrphanPolicy, parsed.Orphan = true, true
	}
	var known *federate.Intent
	if before != nil {
		known = &before.intent
	}
	f.intent = federate.IntentOf(parsed, f.fault, known)
	return f, nil
}
