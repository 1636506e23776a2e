package ledger

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Settings are the times that decisions depend on.
type Settings struct {
	// SettleTimeout is how long a status waits for clusters that have not answered.
	SettleTimeout time.Duration
	// RequestTimeout is how long a request to a member takes at most.
	RequestTimeout time.Duration
	// UnreadyDeletionTimeout is how long a deletion waits for a cluster that is not
	// ready; 0 means until it is ready or has been removed.
	UnreadyDeletionTimeout time.Duration
	// LeftoverRetention is how long what a new membership has found, and nobody selects,
	// is kept; 0 means until it is pruned.
	LeftoverRetention time.Duration
}

// Cluster is what is known of a joined cluster.
type Cluster struct {
	Name  string
	Ready bool
	// Probed says that it is known whether it is ready.
	Probed bool
	// Reason says why it is not ready.
	Reason string
	// Keeps says that the object is never deleted there: it is a namespace of the
	// host cluster, which only loses the label.
	Keeps bool
	// Membership stands for the cluster's present membership, and Joined is when it began.
	// A cluster that joins again is a member of its own.
	Membership string
	Joined     time.Time
	// Prune is the time up to which what was found, and is kept, is to be removed.
	Prune time.Time
}

// Sighting is what the watch on a cluster shows of the object.
type Sighting struct {
	// Listed says that the watch's knowledge is complete. Otherwise that it shows no
	// object says nothing.
	Listed bool
	// Unserved says that the cluster does not serve the type of the object at all: what
	// is shown is what was known before. Undefined says that it has no such type, so that
	// there is no object either.
	Unserved, Undefined bool
	// Problem says why what is shown may be out of date: the objects cannot be listed, or
	// have not been followed for a while. Empty if they are.
	Problem string

	// Shown says that there is an object with the managed label, whatever its value.
	Shown bool
	UID   types.UID
	// Version is its resource version; empty if it is not known.
	Version string
	// Owned is a hash of the fields that are ours; 0 if none are.
	Owned uint64
	// Trace tells of a change that Owned does not tell of.
	Trace Trace
	// Managed says that the label's value is ours. With another one the owner of the
	// cluster keeps the object out of the federation.
	Managed  bool
	Deleting bool
	// Replaced says that it was written by an update, because apply was refused.
	Replaced bool
	// Ended says how it has ended by itself; empty if it has not.
	Ended federate.Ending
	// Foreign says what other managers have written of it; empty if they have written nothing.
	Foreign string
}

// Situation is one joined cluster as a decision finds it.
type Situation struct {
	Cluster
	Sighting
	// Selected says that the placement selects the cluster.
	Selected bool
}

// Rendering is what a cluster is to hold, as far as decisions depend on it.
type Rendering struct {
	Hash string
	// Vanishes says that the cluster removes the object when it has ended.
	Vanishes bool
}

// Render returns what a cluster is to hold. An error, a *federate.RenderError or a
// *federate.ParseError, says why that cannot be told.
type Render func(cluster string) (Rendering, error)

// Wanted is what the federated object in the host asks for now of one cluster, as far as
// it can revoke what was decided earlier. The zero value stands for one that is gone.
type Wanted struct {
	UID          types.UID
	Revision     federate.Revision
	Deleting     bool
	Orphan       bool
	HasFinalizer bool
	// Membership is that of the cluster, as far as it asks for anything there.
	Membership string
}

// Namespace is the state of the object's namespace in a cluster.
type Namespace int

const (
	// NamespaceThere is also that of an object that needs none.
	NamespaceThere Namespace = iota
	// NamespaceMissing is one that is not there yet. Its own item may be about to create it.
	NamespaceMissing
	// NamespaceLeaving is one that is being deleted: nothing can be created in it.
	NamespaceLeaving
)
