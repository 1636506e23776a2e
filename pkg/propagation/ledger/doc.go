// Package ledger keeps the books of one federated object: what is wanted, what is
// known and what is under way in each member cluster. It decides what is to be
// done next in a cluster, when the object has settled, and what its status says.
//
// A Ledger is a state machine. What happens is told to it by its methods:
//
//	Plan, PlanDeletion   the host's decision: where the object belongs, and what it is there
//	Begin                an item of a member is about to be worked on; the Task says what to do
//	Sending              an apply is about to be sent
//	SendingRemoval       a delete, or the removal of the label, is about to be sent
//	Applied, Failed      ... the answer, or that there was none
//	Removed, Removing    ... the object is gone, or is on its way out
//	Seen                 the watch has told of a change
//	Parked               an item could not be worked on
//	Reported             the status has been written
//
// and what follows comes back as a value: the items to queue (Work, Next), what to
// do in a cluster (Task), how long the status waits (Waits), what it says
// (Outcomes, Refusals). Nothing in it can be changed in another way.
//
// Three rules hold after every event:
//
//   - Nothing that was sent is forgotten. From Sending on, the object may be in the
//     cluster until an answer or a read says otherwise. No watch event ends that: it
//     may be older than what was sent.
//   - Nothing is removed that may be wanted: what a task was begun for must still be
//     what the newest decision says, and that decision be of the object as it is now.
//   - The object is unsettled since a time exactly as long as a cluster is pending.
//
// It is pure: it imports pkg/federate and plain types of apimachinery, makes no
// request and reads no clock; the time is an argument. It has no lock either: a
// Ledger belongs to whoever calls it. Of one cluster's items only one may be in work
// at a time, as the engine's queue sees to.
package ledger
