// Package restore brings what a snapshot holds into a cluster: the one it was
// taken from, or another one.
//
//   - Choose finds the snapshot that a Restore means.
//   - Run plans what is to be done with each object, and then does it, in the order in
//     which they depend on each other. A dry run ends with the plan, after the API
//     server has been asked about it.
//   - Verify writes them into scratch namespaces, or dry, and compares.
//
// What has to be known of objects, and the decision about each, is
// pkg/backup/content's; this package makes the requests. Objects are streamed from the
// repository, twice, so memory does not grow with them, but for two UIDs of each: that
// is how owners are found again. Of the plan, what is not simply created is kept.
//
// Errors for one object end up as warnings. A fault that holds for many, such as a
// webhook that does not answer, puts them aside: they are tried again after the rest. An
// error ends a restore when nothing more can be done: the API server is gone, the
// repository cannot be read.
//
// The package may import pkg/backup/{content,repository}, the API types and
// client libraries; no controllers.
package restore

import (
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// FieldManager owns the fields that restores write.
const FieldManager = "fedctl-restore"

// Params say what is restored, and where.
type Params struct {
	// Config connects to the cluster that is restored into. Its rate limit applies;
	// where it has none, a generous one does.
	Config *rest.Config
	// Reader reads the snapshot.
	Reader *repository.Reader
	// Spec of the Restore; From is not looked at, since Reader is what it means.
	Spec backupv1alpha1.RestoreSpec
	// Progress, if set, is told now and then how far it is.
	Progress func(Result)
	// Patience, if set, is how long objects that were put aside are tried again; by
	// default that depends on why.
	Patience time.Duration
}

// Reasons of an Error, fit for a Restore's status.
const (
	// ReasonNotFound is that there is no such run in the repository.
	ReasonNotFound = "NotFound"
	// ReasonExists is that objects exist and the Restore says Fail.
	ReasonExists = "AlreadyExists"
	// ReasonInvalid is a Restore that cannot be carried out by anybody.
	ReasonInvalid = "InvalidSpec"
	// ReasonNothing is that something in the spec matches nothing that was saved.
	ReasonNothing = "MatchesNothing"
	// ReasonUnreachable is that the cluster does not answer any more.
	ReasonUnreachable = "ClusterUnreachable"
	// ReasonNotAllowed is that the executor lacks rights in the cluster.
	ReasonNotAllowed = "NotAllowed"
)

// Error is why nothing, or nothing more, could be restored. Errors of the
// repository are *repository.Error instead.
type Error struct {
	// Reason in one word.
	Reason string
	// Message says what happened and what to do.
	Message string
	// Err is the cause, if there is one.
	Err error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// StatusReason is the reason as a status has it.
func (e *Error) StatusReason() string { return e.Reason }

// RightsHint says how a member cluster gives the executor what it lacks.
const RightsHint = `"fedctl install --member CONTEXT --backup-rights restore" grants it`

// maxWarnings is how many warnings a result lists, as many as a Restore's status takes.
const maxWarnings = 100

// Result is what a restore did, or in a dry run would do.
type Result struct {
	Counts backupv1alpha1.RestoreCounts
	// Resources are the counts by resource, in the order of the restore.
	Resources []backupv1alpha1.ResourceCounts
	// Bytes of the objects that were created or updated.
	Bytes int64
	// Warnings are the first ones of all, 100 at most.
	Warnings []backupv1alpha1.ResourceWarning
	// MoreWarnings counts the others.
	MoreWarnings int64
	// Waiting says for what it waits; empty while it goes on.
	Waiting string
}

// Totals are created and updated objects.
func (r Result) Totals() backupv1alpha1.Totals {
	return backupv1alpha1.Totals{Objects: r.Counts.Created + r.Counts.Updated, Bytes: r.Bytes}
}

// Phase is how a restore that came to its end has ended.
func (r Result) Phase() backupv1alpha1.RunPhase {
	switch {
	case r.Counts.Failed+r.Counts.Deferred == 0:
		return backupv1alpha1.RunSucceeded
	case r.Counts.Created+r.Counts.Updated+r.Counts.Skipped == 0:
		return backupv1alpha1.RunFailed
	}
	return backupv1alpha1.RunPartiallyFailed
}
