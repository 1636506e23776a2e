package executor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/backup/schedule"
)

// Reasons of a Backup's conditions; Ready has those of runs and repositories, too.
const (
	reasonReady             = "Ready"
	reasonScheduled         = "Scheduled"
	reasonInvalidSchedule   = "InvalidSchedule"
	reasonRepository        = "RepositoryNotFound"
	reasonRepositoryChanged = "RepositoryChanged"
	reasonReadOnly          = "RepositoryReadOnly"
	reasonNoRunYet          = "NoRunYet"
	reasonRecent            = "Recent"
	reasonTooOld            = "TooOld"
	reasonVerified          = "Verified"
	reasonNotYet            = "NotYetVerified"
	reasonStoredDataKept    = "StoredDataKept"
)

// maxRecent is how many runs a Backup's status lists.
const maxRecent = 10

// statusInput is what a Backup's status is computed from.
type statusInput struct {
	Backup *v1alpha1.Backup
	Runs   []v1alpha1.BackupRun
	// Repository is nil if there is none.
	Repository *v1alpha1.BackupRepository
	// ScheduleError is why the schedule cannot be used; Decision is then empty.
	ScheduleError error
	// VerifyError is why the schedule of spec.verify cannot be used.
	VerifyError error
	Decision    schedule.Decision
	// Skipped counts ticks that were not run although they were due.
	Skipped int
	Now     time.Time
}

// newStatus computes a Backup's status, and when it changes by time alone; zero if
// it does not.
func newStatus(in statusInput) (v1alpha1.BackupStatus, time.Time) {
	status := *in.Backup.Status.DeepCopy()
	status.ObservedGeneration = in.Backup.Generation
	followLastSuccess(&status, in.Runs, in.Now)
	status.Missed += int32(min(in.Decision.Missed+in.Skipped, 1<<30)) //nolint:gosec // limited
	status.NextRun = nil
	if !in.Decision.Next.IsZero() {
		status.NextRun = ptr.To(metav1.NewTime(in.Decision.Next))
	}
	if in.ScheduleError == nil {
		status.ObservedSchedule = scheduleText(&in.Backup.Spec)
		if tick := in.Decision.Since; tick.After(in.Backup.CreationTimestamp.Time) {
			status.LastTick = ptr.To(metav1.NewTime(tick))
		}
	}
	status.RecentRuns = recent(in.Runs)
	status.Totals = totals(in.Runs)
	if at := lastVerification(in.Backup, in.Runs, in.Now); !at.IsZero() {
		status.LastVerification = ptr.To(metav1.NewTime(at))
	}
	set := func(c metav1.Condition) {
		c.ObservedGeneration, c.Message = in.Backup.Generation, said(c.Message)
		c.LastTransitionTime = metav1.NewTime(in.Now)
		meta.SetStatusCondition(&status.Conditions, c)
	}
	set(ready(in))
	set(scheduled(in, status.NextRun))
	if verified, ok := verified(in, &status); ok {
		set(verified)
	} else {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionVerified)
	}
	within, changes, ok := withinObjective(in.Backup, status.LastSuccess, in.Now)
	if ok {
		set(within)
	} else {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionWithinObjective)
	}
	return status, changes
}

// followLastSuccess moves lastSuccess on to the newest good run; and back to an
// earlier one where the data of the last has turned out to be damaged, for nothing
// can be recovered from that.
func followLastSuccess(status *v1alpha1.BackupStatus, runs []v1alpha1.BackupRun, now time.Time) {
	if last := status.LastSuccess; last != nil && last.Time != nil && ahead(last.Time.Time, now) {
		status.LastSuccess = nil // its age is not known; what follows finds it again by a time that is
	}
	before := status.LastSuccess
	for i := range runs {
		if last := status.LastSuccess; last != nil && last.Name == runs[i].Name && damaged(&runs[i]) {
			status.LastSuccess = nil
		}
	}
	left := slices.DeleteFunc(good(runs, now), damaged)
	if len(left) == 0 {
		return
	}
	newest := summary(left[0])
	newest.Time = ptr.To(metav1.NewTime(endOf(left[0], now)))
	later := func(than *v1alpha1.RunSummary) bool {
		return than == nil || than.Time == nil || than.Time.Before(newest.Time)
	}
	if later(status.LastSuccess) {
		status.LastSuccess = &newest
	}
	if later(before) {
		status.Missed = 0
	}
}

func summary(run *v1alpha1.BackupRun) v1alpha1.RunSummary {
	at := run.Status.CompletionTime
	if at == nil {
		at = run.Status.StartTime
	}
	return v1alpha1.RunSummary{Name: run.Name, Time: at, Phase: cmp.Or(run.Status.Phase, v1alpha1.RunPending)}
}

func recent(runs []v1alpha1.BackupRun) []v1alpha1.RunSummary {
	sorted := newestFirst(runs)
	var list []v1alpha1.RunSummary
	for _, run := range sorted[:min(len(sorted), maxRecent)] {
		list = append(list, summary(run))
	}
	return list
}

func newestFirst(runs []v1alpha1.BackupRun) []*v1alpha1.BackupRun {
	list := make([]*v1alpha1.BackupRun, 0, len(runs))
	for i := range runs {
		list = append(list, &runs[i])
	}
	slices.SortFunc(list, func(a, b *v1alpha1.BackupRun) int {
		return cmp.Or(orderTime(b).Compare(orderTime(a)), cmp.Compare(b.Name, a.Name))
	})
	return list
}

func totals(runs []v1alpha1.BackupRun) v1alpha1.Totals {
	var sum v1alpha1.Totals
	for i := range runs {
		if status := &runs[i].Status; status.SnapshotID != "" {
			sum.Objects += status.Totals.Objects
			sum.Bytes += status.Totals.Bytes
			sum.StoredBytes += status.Totals.StoredBytes
		}
	}
	return sum
}

// ready says whether the Backup does what it is for: its parts are in order, and the
// last run did not fail.
func ready(in statusInput) metav1.Condition {
	no := func(reason, format string, args ...any) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	name := in.Backup.Spec.RepositoryRef.Name
	switch {
	case in.ScheduleError != nil:
		return no(reasonInvalidSchedule, "%s", in.ScheduleError)
	case in.Repository == nil:
		return no(reasonRepository, "there is no BackupRepository %s in namespace %s: create it, or correct spec.repositoryRef", name, in.Backup.Namespace)
	case in.Repository.Spec.ReadOnly:
		return no(reasonReadOnly, "BackupRepository %s is read-only: name another one in spec.repositoryRef", name)
	case in.VerifyError != nil:
		return no(reasonInvalidSchedule, "%s; runs go on, and are not read back", in.VerifyError)
	}
	if c := condition(in.Repository.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Status == metav1.ConditionFalse {
		return no(c.Reason, "BackupRepository %s: %s", name, c.Message)
	}
	message := "the schedule and the repository are in order"
	for _, run := range newestFirst(in.Runs) {
		status := &run.Status
		failed := status.Phase == v1alpha1.RunFailed || (status.Phase == v1alpha1.RunPending && status.Attempts > 0)
		if failed && in.overcome(run) {
			message += fmt.Sprintf("; run %s failed (%s) before the repository could be used again: \"fedctl backup run\" makes up for it, or the next run does", run.Name, status.Reason)
			break
		}
		if failed {
			return no(cmp.Or(status.Reason, "Failed"), "run %s failed: %s", run.Name, status.Message)
		}
		if status.Phase == v1alpha1.RunPartiallyFailed {
			return no(cmp.Or(status.Reason, "PartiallyFailed"), "run %s saved only a part: %s", run.Name, status.Message)
		}
		if status.Phase == v1alpha1.RunSucceeded {
			break
		}
	}
	return metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: reasonReady, Message: message}
}

// overcome says whether what a run failed for was its repository, which was found to be
// usable since. A run that will be tried again says itself how it stands.
func (in *statusInput) overcome(run *v1alpha1.BackupRun) bool {
	status, checked := &run.Status, in.Repository.Status.LastChecked
	return status.Phase == v1alpha1.RunFailed && status.CompletionTime != nil && checked != nil && checked.After(status.CompletionTime.Time) &&
		(waitsForSomebody(status.Reason) || status.Reason == string(repository.Unreachable)) &&
		meta.IsStatusConditionTrue(in.Repository.Status.Conditions, v1alpha1.ConditionReady)
}

func scheduled(in statusInput, next *metav1.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionScheduled, Status: metav1.ConditionFalse}
	switch {
	case in.ScheduleError != nil:
		c.Reason, c.Message = reasonInvalidSchedule, in.ScheduleError.Error()
	case in.Backup.Spec.Suspend:
		c.Reason, c.Message = string(schedule.Suspended), "spec.suspend is set"
	case next == nil:
		c.Reason, c.Message = string(schedule.NoMoreTimes), "the schedule has no time in the next ten years"
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, reasonScheduled, "the schedule is followed; status.nextRun is the next run"
	}
	return c
}

// verified follows the newest run that was read back; of one that was found to be damaged,
// a newer one that is whole takes the place.
func verified(in statusInput, status *v1alpha1.BackupStatus) (metav1.Condition, bool) {
	newest, found := lastReadBack(in, status)
	if found != nil && found.Status == metav1.ConditionFalse {
		for _, run := range newestFirst(in.Runs) {
			c := condition(run.Status.Conditions, v1alpha1.ConditionVerified)
			if run.Name == newest.Name {
				break
			}
			if c != nil && c.Status == metav1.ConditionTrue {
				newest, found = run, c
				break
			}
		}
	}
	lost := ""
	for i := range in.Runs {
		if run := &in.Runs[i]; newest != nil && run.Name != newest.Name && damaged(run) {
			lost = "; older runs are damaged, fedctl backup list names them"
		}
	}
	out := metav1.Condition{Type: v1alpha1.ConditionVerified}
	switch {
	case found != nil && found.Status == metav1.ConditionTrue && found.Reason == verifyQuick:
		out.Status, out.Reason, out.Message = metav1.ConditionTrue, verifyQuick, fmt.Sprintf(
			"all data of run %s is in the storage; within %s, all that is there is read back%s", newest.Name, within(&in.Backup.Spec), lost)
	case found != nil && found.Status == metav1.ConditionTrue:
		out.Status, out.Reason, out.Message = metav1.ConditionTrue, reasonVerified, "run "+newest.Name+" was read back and is as it was written"+lost
	case found != nil:
		out.Status, out.Reason, out.Message = found.Status, found.Reason, "run "+newest.Name+": "+found.Message
	case status.LastVerified != nil: // the run is gone, by retention
		return out, condition(status.Conditions, v1alpha1.ConditionVerified) != nil && keepCondition(status, &out)
	case in.Backup.Spec.Verify == nil:
		return out, false
	case in.VerifyError != nil:
		out.Status, out.Reason, out.Message = metav1.ConditionUnknown, reasonInvalidSchedule, in.VerifyError.Error()
	default:
		out.Status, out.Reason, out.Message = metav1.ConditionUnknown, reasonNotYet, "no run was read back yet, as spec.verify asks for"
	}
	return out, true
}

// lastReadBack is the run that was read back last, with what came of it, nil if there is
// none; and notes the last one that was whole. Where spec.verify asks for more, what every
// run does counts for nothing.
func lastReadBack(in statusInput, status *v1alpha1.BackupStatus) (newest *v1alpha1.BackupRun, found *metav1.Condition) {
	asked := in.Backup.Spec.Verify != nil && (in.Backup.Spec.Verify.EveryRuns != nil || in.Backup.Spec.Verify.Schedule != "")
	for i := range in.Runs {
		run := &in.Runs[i]
		if run.Status.Verified != nil && (status.LastVerified == nil || status.LastVerified.Time.Before(run.Status.Verified)) {
			status.LastVerified = &v1alpha1.RunSummary{Name: run.Name, Time: run.Status.Verified, Phase: run.Status.Phase}
		}
		c := condition(run.Status.Conditions, v1alpha1.ConditionVerified)
		if c == nil || (c.Reason == verifyQuick && asked) {
			continue
		}
		if found == nil || cmp.Or(found.LastTransitionTime.Compare(c.LastTransitionTime.Time), orderTime(newest).Compare(orderTime(run))) < 0 {
			newest, found = run, c
		}
	}
	return newest, found
}

func keepCondition(status *v1alpha1.BackupStatus, out *metav1.Condition) bool {
	*out = *condition(status.Conditions, out.Type)
	return true
}

// countsFrom is from when the objective of a Backup counts: from the end of the last good run
// or, if it has none, from its beginning.
func countsFrom(b *v1alpha1.Backup, last *v1alpha1.RunSummary) time.Time {
	if last != nil && last.Time != nil {
		return last.Time.Time
	}
	return b.CreationTimestamp.Time
}

// withinObjective compares the last good run with spec.objective; changes is when
// the answer becomes another one if nothing happens.
func withinObjective(b *v1alpha1.Backup, last *v1alpha1.RunSummary, now time.Time) (c metav1.Condition, changes time.Time, ok bool) {
	if b.Spec.Objective == nil {
		return c, changes, false
	}
	age := b.Spec.Objective.MaxAge.Duration
	c.Type = v1alpha1.ConditionWithinObjective
	from := countsFrom(b, last)
	if last != nil && last.Time != nil {
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, reasonRecent, fmt.Sprintf("run %s is the last good one", last.Name)
	} else {
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, reasonNoRunYet, "there is no good run yet"
	}
	if limit := from.Add(age); now.Before(limit) {
		return c, limit, true
	}
	c.Status = metav1.ConditionFalse
	if c.Reason == reasonRecent {
		c.Reason, c.Message = reasonTooOld, fmt.Sprintf("the last good run, %s, ended more than %s ago, at %s", last.Name, age, from.UTC().Format(time.RFC3339))
	} else {
		c.Message = fmt.Sprintf("there has been no good run since the Backup was created, more than %s ago", age)
	}
	return c, time.Time{}, true
}
