package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

// ReasonApplyRefused is the reason of the Accepted condition when the template cannot be applied.
const ReasonApplyRefused = "ApplyRefused"

// ReasonVersionNotServed is the reason of the Accepted condition when clusters hold the
// object in another version of its type.
const ReasonVersionNotServed = "VersionNotServed"

// ReasonUnknownFields is the reason of the Accepted condition when clusters hold the
// object without fields that they do not know.
const ReasonUnknownFields = "UnknownFields"

// ReasonLeftToMember is the reason of the Accepted condition when clusters hold the
// object with labels or annotations of their own, which are not taken over by force.
const ReasonLeftToMember = "LeftToMember"

// Waits returns how long the status still waits for clusters that have not
// answered; 0 if it waits no longer.
func (l *Ledger) Waits(now time.Time) time.Duration {
	if l.open == 0 {
		return 0
	}
	return max(0, l.settings.SettleTimeout-now.Sub(l.since))
}

// Outcomes returns what the status says of each cluster, by name, but for what is
// collected from them. Of those that have not answered it is said from now on that
// they have not.
func (l *Ledger) Outcomes() []federate.Outcome {
	outcomes := make([]federate.Outcome, 0, len(l.entries))
	for _, name := range l.clusters() {
		e := l.entries[name]
		if e.pending && e.silent {
			e.status, e.message = cmp.Or(e.waits.word, e.unanswered()), e.waits.message
		}
		e.recording = false
		if e.goal == goalNothing && e.status == "" {
			continue
		}
		version := e.version()
		if e.recording = version == neverSent; e.recording {
			e.recorded = true
		}
		outcomes = append(outcomes, federate.Outcome{
			Cluster: name, Status: e.status, Message: e.message, Version: version, Updated: e.updated, Ended: e.endedAs(),
		})
	}
	return outcomes
}

// Reported notes that the host has the status that Outcomes told last; written: it was
// another one before.
func (l *Ledger) Reported(written bool) {
	for _, e := range l.entries {
		e.updated = e.updated && !written
		e.recorded = e.recording
	}
}

// Refusals says why the object is updated, and not applied, in clusters that hold it.
func (l *Ledger) Refusals(look func(cluster string) Sighting) []string {
	var list []string
	for name, e := range l.entries {
		if e.refusal == "" || e.goal != goalApplied {
			continue
		}
		if s := look(name); s.Shown && s.Replaced {
			list = append(list, e.refusal)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Unknown says which fields each of the clusters that hold the object does not know.
func (l *Ledger) Unknown() map[string][]string {
	unknown := map[string][]string{}
	for name, e := range l.entries {
		if e.goal == goalApplied && e.applied != "" {
			unknown[name] = e.unknown
		}
	}
	return unknown
}

// ServedAs says in which version clusters hold the object that do not serve the one that
// is wanted.
func (l *Ledger) ServedAs() map[string]string {
	versions := map[string]string{}
	for name, e := range l.entries {
		if e.goal == goalApplied && e.applied != "" && e.servedAs != "" {
			versions[name] = e.servedAs
		}
	}
	return versions
}

// UpToDate says whether the cluster holds what is wanted there.
func (l *Ledger) UpToDate(cluster string, s Sighting) bool {
	e := l.entries[cluster]
	return e != nil && l.upToDate(e, s)
}

// unanswered is KubeFed's word for a write whose answer is not there yet. What is
// kept, a namespace of the host, only loses the label.
func (e *entry) unanswered() federate.PropagationStatus {
	switch {
	case e.goal == goalAbsent && e.keeps:
		return federate.LabelRemovalTimedOut
	case e.goal == goalAbsent:
		return federate.DeletionTimedOut
	case e.applied == "":
		return federate.CreationTimedOut
	}
	return federate.UpdateTimedOut
}

// word is KubeFed's word for a task that has failed.
func (t Task) word(trouble Trouble) federate.PropagationStatus {
	switch trouble {
	case Unreadable:
		return federate.RetrievalFailed
	case InTheWay:
		return federate.AlreadyExists
	case KeptOut:
		return federate.ManagedLabelFalse
	case Unserved:
		if t.goal == goalAbsent {
			return federate.WaitingForRemoval
		}
		return federate.CachedRetrievalFailed
	case Unbound:
		return federate.WaitingForRights
	case BadOptions:
		return federate.DeletionFailed
	case Refused, Late:
	}
	words := [2]federate.PropagationStatus{federate.UpdateFailed, federate.UpdateTimedOut}
	switch {
	case t.goal == goalAbsent && t.keeps:
		words = [2]federate.PropagationStatus{federate.LabelRemovalFailed, federate.LabelRemovalTimedOut}
	case t.goal == goalAbsent:
		words = [2]federate.PropagationStatus{federate.DeletionFailed, federate.DeletionTimedOut}
	case t.first:
		words = [2]federate.PropagationStatus{federate.CreationFailed, federate.CreationTimedOut}
	}
	if trouble == Late {
		return words[1]
	}
	return words[0]
}
