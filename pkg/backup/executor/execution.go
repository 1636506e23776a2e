package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/capture"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/retries"
)

// writeTimeout bounds writes that must be tried even when the job was cancelled.
const writeTimeout = 15 * time.Second

// writing is the context of a write that does not end with ctx: one that is cut off
// may have been done, without this executor knowing it.
func writing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}

// execution is the job of one attempt of a run.
type execution struct {
	*core
	backup *v1alpha1.Backup
	run    *v1alpha1.BackupRun
	others []v1alpha1.BackupRun
	// opened says that the repository could be opened.
	opened bool
	// altered says that something in the repository is other than it was written, and
	// doubt what makes this run doubtful for that.
	altered bool
	doubt   string
}

func (x *execution) execute(ctx context.Context) {
	log := x.log.WithValues("backup", x.backup.Namespace+"/"+x.backup.Name, "run", x.run.Name, "attempt", x.run.Status.Attempts)
	log.Info("Run started")
	if x.backup.Spec.Timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, x.backup.Spec.Timeout.Duration, errTimeout)
		defer cancel()
	}
	result, check, err := x.attempt(ctx)
	run, writeErr := x.record(ctx, result, check, err)
	if writeErr != nil {
		log.Error(writeErr, "What became of a run could not be written; it will be taken for interrupted")
		return
	}
	if run == nil {
		log.Info("The run is no longer this executor's", "result", errText(err))
		return
	}
	recordRun(x.opts.Cluster, run)
	log.Info("Run ended", "phase", run.Status.Phase, "reason", run.Status.Reason, "message", run.Status.Message,
		"objects", run.Status.Totals.Objects, "bytes", run.Status.Totals.Bytes, "storedBytes", run.Status.Totals.StoredBytes)
	if run.Status.Reason != "" && run.Status.Reason != reasonReplaced {
		x.warn(x.backup, run.Status.Reason, "run %s: %s", run.Name, run.Status.Message)
	}
}

// attempt saves, verifies if it is due, and removes what is not kept any more.
func (x *execution) attempt(ctx context.Context) (result *capture.Result, check *verification, err error) {
	r, err := x.open(ctx, x.backup.Namespace, x.backup.Spec.RepositoryRef.Name)
	if err != nil {
		return nil, nil, err
	}
	defer closeRepository(ctx, r)
	if err := r.Try(ctx); repository.ReasonOf(err) == repository.NotWritable {
		x.suspect(x.backup.Namespace, x.backup.Spec.RepositoryRef.Name)
		return nil, nil, err
	}
	x.opened = true
	lost, err := x.examine(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	result, err = x.save(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if lost {
		if err := x.nameDamaged(ctx, r, result.Snapshot.ID); err != nil {
			return nil, nil, err
		}
	}
	if err := x.stillThere(ctx, r); err != nil {
		return nil, nil, err
	}
	if !result.Partial && verifyThis(x.backup.Spec.Verify, x.run, x.others, x.opts.Clock.Now()) {
		if check = x.verify(ctx, r, result.Snapshot.ID, x.backup.Spec.Verify.Mode); check.unfinished() {
			check = nil
		} else if repository.Altered(check.err) {
			if err := x.doubtOthers(ctx, x.backup.Namespace, x.backup.Spec.RepositoryRef.Name, x.run, "data of run "+x.run.Name); err != nil {
				return nil, nil, err
			}
		}
	}
	if x.doubt, err = x.inDoubt(ctx); err != nil {
		return nil, nil, err
	}
	if problem := x.retain(ctx, r, result.Snapshot.ID); problem != nil {
		// The run is good all the same; the next one tries again.
		x.warn(x.backup, "RetentionFailed", "what is not kept any more could not be removed: %s", problem)
		x.log.Info("Retention failed", "backup", x.backup.Namespace+"/"+x.backup.Name, "error", problem.Error())
	}
	return result, check, nil
}

// stillThere makes sure that the BackupRepository names the place that was written to,
// also now: whoever looks for the run's data looks there.
func (x *execution) stillThere(ctx context.Context, r *repository.Repository) error {
	found := &v1alpha1.BackupRepository{}
	name := x.backup.Spec.RepositoryRef.Name
	if err := x.live.Get(ctx, client.ObjectKey{Namespace: x.backup.Namespace, Name: name}, found); err != nil {
		return err
	}
	storage, err := repository.StorageOf(&found.Spec)
	if err != nil || storage.Location() != r.Location() {
		return &problem{reasonRepositoryChanged, fmt.Sprintf("BackupRepository %s names another place than when the run began; what was saved at %s does not count", name, r)}
	}
	return nil
}

// record writes what became of the attempt; nil if the run is no longer ours.
func (x *execution) record(ctx context.Context, result *capture.Result, check *verification, problem error) (*v1alpha1.BackupRun, error) {
	cause := context.Cause(ctx)
	ctx, cancel := writing(ctx)
	defer cancel()
	return x.updateRun(ctx, func(run *v1alpha1.BackupRun) bool {
		if !x.owns(run) {
			return false
		}
		if problem == nil {
			x.succeed(run, result, check)
		} else {
			x.giveUp(run, problem, cause)
		}
		return true
	})
}

func (x *execution) succeed(run *v1alpha1.BackupRun, result *capture.Result, check *verification) {
	status := &run.Status
	status.Repository = x.backup.Spec.RepositoryRef.Name
	status.SnapshotID, status.Totals = result.Snapshot.ID, result.Totals
	status.Warnings, status.VolumeSnapshots = result.Warnings, result.VolumeSnapshots
	now, phase := x.opts.Clock.Now(), v1alpha1.RunSucceeded
	if result.Partial {
		phase = v1alpha1.RunPartiallyFailed
		status.Reason, status.Message = "PartiallyFailed", said(partialMessage(result.Warnings))
		if result.MatchesNothing {
			status.Reason = capture.ReasonMatchesNothing
		}
	}
	switch {
	case check == nil && x.doubt != "":
		doubt(run, x.doubt, now)
	case check == nil:
		(&verification{mode: verifyQuick, at: now}).apply(run)
	default:
		check.apply(run)
		if check.err != nil {
			phase, status.Reason, status.Message = v1alpha1.RunFailed, reasonVerifyFailed, said(check.err.Error())
		}
	}
	x.finish(run, phase, now)
}

// giveUp ends an attempt that did not save, for the reason that it was cancelled for
// or the problem it had.
func (x *execution) giveUp(run *v1alpha1.BackupRun, problem, cause error) {
	status := &run.Status
	switch {
	case errors.Is(cause, errStopped):
		// Not its fault: the next executor begins at once, and the attempt does not count.
		status.Phase, status.NextAttempt, status.Executor = v1alpha1.RunPending, nil, ""
		status.Reason, status.Message = reasonInterrupted, "its executor has stopped"
		status.Attempts--
	case errors.Is(cause, errReplaced), errors.Is(cause, errDeleted):
		status.Reason, status.Message = reasonReplaced, said(cause.Error())
		if errors.Is(cause, errDeleted) {
			status.Reason = reasonDeleted
		}
		x.finish(run, v1alpha1.RunCancelled, x.opts.Clock.Now())
	case errors.Is(cause, errTimeout):
		x.fail(run, x.backup.Spec.Retry, reasonTimeout, fmt.Sprintf("it took longer than spec.timeout, %s", x.backup.Spec.Timeout.Duration))
	case reasonOf(problem) == capture.ReasonMatchesNothing, // until somebody changes the Backup
		!x.opened && run.Spec.ScheduledFor == nil && waitsForSomebody(reasonOf(problem)):
		status.Reason, status.Message = reasonOf(problem), said(problem.Error())
		x.finish(run, v1alpha1.RunFailed, x.opts.Clock.Now())
	default:
		x.fail(run, x.backup.Spec.Retry, reasonOf(problem), problem.Error())
	}
}

// waitsForSomebody says whether what keeps a repository from being opened stays wrong
// until somebody mends it. A run by schedule is tried again all the same, since a volume
// may be mounted late, and so is one that had opened it, since credentials may have been
// replaced meanwhile. Who has asked for a run now is told now.
func waitsForSomebody(reason string) bool {
	switch repository.Reason(reason) {
	case repository.InvalidConfiguration, repository.NotFound, repository.WrongPassword, repository.ForeignOwner,
		repository.AddressNotAllowed, repository.AccessDenied, repository.NotWritable, repository.BucketMissing,
		reasonRepository, reasonReadOnly, reasonSecretNotFound, reasonSecretIncomplete, reasonNotAllowed:
		return true
	}
	return false
}

// updateRun changes the status of the run as it is now; nil if change says no or the
// run is gone.
func (x *execution) updateRun(ctx context.Context, change func(*v1alpha1.BackupRun) bool) (*v1alpha1.BackupRun, error) {
	return x.core.updateRun(ctx, x.run, change)
}

func (c *core) updateRun(ctx context.Context, of *v1alpha1.BackupRun, change func(*v1alpha1.BackupRun) bool) (*v1alpha1.BackupRun, error) {
	var written *v1alpha1.BackupRun
	err := retries.OnError(retriable, func() error {
		run := &v1alpha1.BackupRun{}
		if err := c.live.Get(ctx, client.ObjectKeyFromObject(of), run); err != nil {
			return client.IgnoreNotFound(err)
		}
		if run.UID != of.UID || !change(run) {
			return nil
		}
		if err := c.client.Status().Update(ctx, run); err != nil {
			return err
		}
		written = run
		return nil
	})
	return written, err
}

func retriable(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsTimeout(err) || apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err)
}

// reasonOf is the word for an error: its own if it has one.
func reasonOf(err error) string {
	var reasoned interface{ StatusReason() string }
	switch {
	case errors.As(err, &reasoned):
		return reasoned.StatusReason()
	case apierrors.IsForbidden(err):
		return "Forbidden"
	}
	return "Failed"
}

// problem is an error of this package with a reason.
type problem struct{ reason, message string }

func (p *problem) Error() string        { return p.message }
func (p *problem) StatusReason() string { return p.reason }
