package executor

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/schedule"
)

// Decisions about a Backup and its runs, from plain values.

// RunName is the name of a Backup's run for a time of its schedule.
func RunName(backup string, tick time.Time) string {
	const longest = 253 - len("-20060102-150405")
	if len(backup) > longest {
		sum := sha256.Sum256([]byte(backup))
		backup = backup[:longest-9] + "-" + hex.EncodeToString(sum[:4])
	}
	return backup + "-" + tick.UTC().Format("20060102-150405")
}

// scheduleText is what Backup.status.observedSchedule holds.
func scheduleText(spec *v1alpha1.BackupSpec) string {
	return cmp.Or(spec.TimeZone, "UTC") + " " + spec.Schedule
}

// since is the point from which a Backup's ticks count.
func since(b *v1alpha1.Backup, runs []v1alpha1.BackupRun, now time.Time) time.Time {
	if b.Status.ObservedSchedule != "" && b.Status.ObservedSchedule != scheduleText(&b.Spec) {
		return now // what a new schedule would have run before it was set is not missed
	}
	latest := b.CreationTimestamp.Time
	if ahead(latest, now) {
		latest = now.Add(-maxSkew)
	}
	later := func(tick *metav1.Time) {
		if tick != nil && tick.After(latest) && !ahead(tick.Time, now) {
			latest = tick.Time
		}
	}
	later(b.Status.LastTick)
	for i := range runs {
		// A run that was created just before its executor died is not in the status.
		later(runs[i].Spec.ScheduledFor)
	}
	return latest
}

// maxSkew is how far the clocks of two machines may differ.
const maxSkew = 5 * time.Minute

// ahead says whether a time that was written down cannot have been: the clock that it
// was read from was wrong. To believe it would stop everything until that time comes.
func ahead(at, now time.Time) bool { return at.After(now.Add(maxSkew)) }

// endOf is when a run ended, as far as it can be believed; else when it was made, by
// the clock of the API server.
func endOf(run *v1alpha1.BackupRun, now time.Time) time.Time {
	if at := run.Status.CompletionTime; at != nil && !ahead(at.Time, now) {
		return at.Time
	}
	return run.CreationTimestamp.Time
}

// scheduleInput is the question of what is due.
func scheduleInput(b *v1alpha1.Backup, runs []v1alpha1.BackupRun, s *schedule.Schedule, clusterUID string, now time.Time) schedule.Input {
	in := schedule.Input{Schedule: s, Since: since(b, runs, now), Now: now, Suspended: b.Spec.Suspend, Offset: offset(b, clusterUID)}
	if resumed := now.Add(-in.Offset); wasSuspended(b) && resumed.After(in.Since) {
		in.Since = resumed // what has passed since anybody looked is not missed either
	}
	if missed := b.Spec.MissedRuns; missed != nil {
		in.SkipMissed = missed.Policy == "Skip"
		if missed.Deadline != nil {
			in.Deadline = missed.Deadline.Duration
		}
	}
	return in
}

// wasSuspended says whether the schedule was not followed when the status was written.
func wasSuspended(b *v1alpha1.Backup) bool {
	c := condition(b.Status.Conditions, v1alpha1.ConditionScheduled)
	return c != nil && c.Reason == string(schedule.Suspended)
}

func offset(b *v1alpha1.Backup, clusterUID string) time.Duration {
	if b.Spec.Jitter == nil {
		return 0
	}
	return schedule.Offset(b.Spec.Jitter.Duration, clusterUID, b.Namespace+"/"+b.Name)
}

// concurrency is what to do with a tick while other runs have not ended.
type concurrency struct {
	// Create a run for the tick.
	Create bool
	// Replace these runs.
	Replace []*v1alpha1.BackupRun
	// Why nothing is created.
	Why string
}

func decideConcurrency(policy v1alpha1.ConcurrencyPolicy, active []*v1alpha1.BackupRun) concurrency {
	if len(active) == 0 {
		return concurrency{Create: true}
	}
	switch policy {
	case v1alpha1.ConcurrencyReplace:
		return concurrency{Create: true, Replace: active}
	case v1alpha1.ConcurrencyQueue:
		for _, run := range active {
			if run.Spec.ScheduledFor != nil && run.Status.Phase != v1alpha1.RunRunning {
				return concurrency{Why: "run " + run.Name + " waits already"}
			}
		}
		return concurrency{Create: true}
	default:
		return concurrency{Why: "run " + active[0].Name + " has not ended"}
	}
}

// active are the runs that have not ended, the oldest first.
func active(runs []v1alpha1.BackupRun) []*v1alpha1.BackupRun {
	var list []*v1alpha1.BackupRun
	for i := range runs {
		if !runs[i].Status.Phase.Done() && runs[i].DeletionTimestamp.IsZero() {
			list = append(list, &runs[i])
		}
	}
	slices.SortFunc(list, func(a, b *v1alpha1.BackupRun) int {
		return cmp.Or(orderTime(a).Compare(orderTime(b)), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// orderTime is when it was a run's turn: two runs of one moment go by their names.
func orderTime(run *v1alpha1.BackupRun) time.Time {
	if run.Spec.ScheduledFor != nil {
		return run.Spec.ScheduledFor.Time
	}
	return run.CreationTimestamp.Time
}

// before is the run that another one has to wait for: a Backup's runs go one by one,
// but what failed and is to be tried again later holds nobody up.
func before(run *v1alpha1.BackupRun, runs []v1alpha1.BackupRun, now time.Time) *v1alpha1.BackupRun {
	var first *v1alpha1.BackupRun
	for _, other := range active(runs) {
		if other.UID == run.UID {
			continue
		}
		if other.Status.Phase == v1alpha1.RunRunning {
			return other
		}
		if next := other.Status.NextAttempt; next != nil && next.After(now) {
			continue
		}
		earlier := cmp.Or(orderTime(other).Compare(orderTime(run)), cmp.Compare(other.Name, run.Name)) < 0
		if first == nil && earlier {
			first = other
		}
	}
	return first
}

// The defaults of spec.retry.
const (
	defaultRetries = 3
	defaultBackoff = time.Minute
	maxBackoff     = time.Hour
)

// nextAttempt says when a run that has been tried so often is tried again; false if
// it is not.
func nextAttempt(retry *v1alpha1.Retry, attempts int32, now time.Time) (time.Time, bool) {
	limit, backoff := int32(defaultRetries), defaultBackoff
	if retry != nil && retry.Limit != nil {
		limit = *retry.Limit
	}
	if retry != nil && retry.Backoff != nil {
		backoff = retry.Backoff.Duration
	}
	if attempts > limit {
		return time.Time{}, false
	}
	ceiling := max(maxBackoff, backoff) // whoever sets more than an hour gets it
	for range attempts - 1 {
		backoff = min(2*backoff, ceiling)
	}
	return now.Add(backoff), true
}

// good are the runs that saved everything, the newest first.
func good(runs []v1alpha1.BackupRun, now time.Time) []*v1alpha1.BackupRun {
	var list []*v1alpha1.BackupRun
	for i := range runs {
		if runs[i].Status.Phase == v1alpha1.RunSucceeded && runs[i].Status.CompletionTime != nil {
			list = append(list, &runs[i])
		}
	}
	slices.SortFunc(list, func(a, b *v1alpha1.BackupRun) int {
		return cmp.Or(endOf(b, now).Compare(endOf(a, now)), cmp.Compare(b.Name, a.Name))
	})
	return list
}

// verifyThis says whether the run that has just been written is to be verified
// because of verify.everyRuns; runs are the others.
func verifyThis(verify *v1alpha1.Verify, run *v1alpha1.BackupRun, runs []v1alpha1.BackupRun, now time.Time) bool {
	if verify == nil || verify.EveryRuns == nil {
		return false
	}
	unverified := int32(1)
	for _, other := range good(runs, now) {
		if other.UID == run.UID {
			continue
		}
		if other.Status.Verified != nil {
			break
		}
		unverified++
	}
	return unverified >= *verify.EveryRuns
}

// lastVerification is when data was last read back, with whatever result; zero if never.
func lastVerification(b *v1alpha1.Backup, runs []v1alpha1.BackupRun, now time.Time) time.Time {
	var latest time.Time
	if b.Status.LastVerification != nil && !ahead(b.Status.LastVerification.Time, now) {
		latest = b.Status.LastVerification.Time
	}
	for i := range runs {
		if c := condition(runs[i].Status.Conditions, v1alpha1.ConditionVerified); c != nil && c.Reason != verifyQuick && !doubtful(&runs[i]) && c.LastTransitionTime.After(latest) && !ahead(c.LastTransitionTime.Time, now) {
			latest = c.LastTransitionTime.Time
		}
	}
	return latest
}

// verifySchedule is when spec.verify asks for data to be read back; nil if it names
// no times.
func verifySchedule(spec *v1alpha1.BackupSpec) (*schedule.Schedule, error) {
	if spec.Verify == nil || spec.Verify.Schedule == "" {
		return nil, nil //nolint:nilnil // documented: there is none
	}
	parsed, err := schedule.Parse(spec.Verify.Schedule, spec.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("spec.verify.schedule: %w", err)
	}
	return parsed, nil
}

// verifyInput is the question whether data is to be read back. Ticks come before the
// jitter's offset, and a verification after it.
func verifyInput(b *v1alpha1.Backup, runs []v1alpha1.BackupRun, s *schedule.Schedule, clusterUID string, now time.Time) schedule.Input {
	in := schedule.Input{Schedule: s, Offset: offset(b, clusterUID), Since: b.CreationTimestamp.Time, Now: now}
	if last := lastVerification(b, runs, now).Add(-in.Offset); last.After(in.Since) {
		in.Since = last
	}
	return in
}

func condition(conditions []metav1.Condition, kind string) *metav1.Condition {
	for i := range conditions {
		if conditions[i].Type == kind {
			return &conditions[i]
		}
	}
	return nil
}
