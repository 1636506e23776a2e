package executor

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/schedule"
)

// in is a healthy Backup with its last run of the day before.
func in() statusInput {
	return statusInput{
		Backup: &v1alpha1.Backup{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "nightly", Generation: 3, CreationTimestamp: *mt("2026-01-01 00:00")},
			Spec: v1alpha1.BackupSpec{Schedule: "30 2 * * *", RepositoryRef: v1alpha1.LocalReference{Name: "store"},
				Objective: &v1alpha1.Objective{MaxAge: metav1.Duration{Duration: 26 * time.Hour}}},
		},
		Repository: &v1alpha1.BackupRepository{},
		Runs:       []v1alpha1.BackupRun{aRun("08", v1alpha1.RunSucceeded), aRun("09", v1alpha1.RunSucceeded)},
		Decision:   schedule.Decision{Reason: schedule.Waiting, Since: at("2026-01-09 02:30"), Next: at("2026-01-10 02:30")},
		Now:        at("2026-01-09 12:00"),
	}
}

func TestConditions(t *testing.T) {
	reason := func(run v1alpha1.BackupRun, reason string) v1alpha1.BackupRun {
		run.Status.Reason, run.Status.Message = reason, "because"
		return run
	}
	readBack := func(run v1alpha1.BackupRun, status metav1.ConditionStatus, when string) v1alpha1.BackupRun {
		run.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionVerified, Status: status, Reason: "Checksum", LastTransitionTime: *mt(when)}}
		if status == metav1.ConditionTrue {
			run.Status.Verified = mt(when)
		}
		return run
	}
	usable := func(in *statusInput, when string) {
		in.Repository.Status.LastChecked = mt(when)
		in.Repository.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Ready"}}
	}
	for _, tc := range []struct {
		name string
		edit func(*statusInput)
		want string // type=status/reason, of those that matter
	}{
		{"all is well", func(*statusInput) {}, "Ready=True/Ready Scheduled=True/Scheduled WithinObjective=True/Recent"},
		{"no repository", func(in *statusInput) { in.Repository = nil }, "Ready=False/RepositoryNotFound"},
		{"a read-only repository", func(in *statusInput) { in.Repository.Spec.ReadOnly = true }, "Ready=False/RepositoryReadOnly"},
		{"a repository that does not work", func(in *statusInput) {
			in.Repository.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "WrongPassword"}}
		}, "Ready=False/WrongPassword"},
		{"a bad schedule", func(in *statusInput) { in.ScheduleError, in.Decision = errors.New("bad"), schedule.Decision{} },
			"Ready=False/InvalidSchedule Scheduled=False/InvalidSchedule WithinObjective=True/Recent"},
		{"suspended", func(in *statusInput) { in.Backup.Spec.Suspend, in.Decision.Next = true, time.Time{} }, "Ready=True/Ready Scheduled=False/Suspended"},
		{"never again", func(in *statusInput) { in.Decision.Next = time.Time{} }, "Scheduled=False/NoMoreTimes"},
		{"a bad schedule of verifications", func(in *statusInput) {
			in.Backup.Spec.Verify, in.VerifyError = &v1alpha1.Verify{Schedule: "x"}, errors.New("bad")
		}, "Ready=False/InvalidSchedule Scheduled=True/Scheduled Verified=Unknown/InvalidSchedule"},
		{"a bad schedule of verifications, and no repository", func(in *statusInput) {
			in.Repository, in.VerifyError = nil, errors.New("bad")
		}, "Ready=False/RepositoryNotFound"},
		{"the last run failed", func(in *statusInput) { in.Runs = append(in.Runs, reason(aRun("10", v1alpha1.RunFailed), "DiskFull")) }, "Ready=False/DiskFull"},
		{"the last run failed for a repository that can be used again", func(in *statusInput) {
			in.Runs = append(in.Runs, reason(aRun("10", v1alpha1.RunFailed), "NotFound"))
			usable(in, "2026-01-10 02:41")
		}, "Ready=True/Ready"},
		{"the last run failed after its repository was last looked at", func(in *statusInput) {
			in.Runs = append(in.Runs, reason(aRun("10", v1alpha1.RunFailed), "NotFound"))
			usable(in, "2026-01-10 02:40")
		}, "Ready=False/NotFound"},
		{"the last run failed for what no look at a repository shows", func(in *statusInput) {
			in.Runs = append(in.Runs, reason(aRun("10", v1alpha1.RunFailed), "DiskFull"))
			usable(in, "2026-01-10 02:41")
		}, "Ready=False/DiskFull"},
		{"a failure before the last good run", func(in *statusInput) { in.Runs[0] = reason(aRun("08", v1alpha1.RunFailed), "DiskFull") }, "Ready=True/Ready"},
		{"the last run saved a part", func(in *statusInput) {
			in.Runs = append(in.Runs, reason(aRun("10", v1alpha1.RunPartiallyFailed), "ListFailed"))
		},
			"Ready=False/ListFailed WithinObjective=True/Recent"},
		{"the last run failed and will be tried again", func(in *statusInput) {
			run := reason(aRun("10", v1alpha1.RunPending), "Unreachable")
			run.Status.Attempts = 1
			in.Runs = append(in.Runs, run)
		}, "Ready=False/Unreachable"},
		{"a run that waits is no failure", func(in *statusInput) { in.Runs = append(in.Runs, reason(aRun("10", v1alpha1.RunPending), "Waiting")) }, "Ready=True/Ready"},
		{"too old", func(in *statusInput) { in.Now = at("2026-01-10 04:41") }, "WithinObjective=False/TooOld"},
		{"exactly too old", func(in *statusInput) { in.Now = at("2026-01-10 04:40") }, "WithinObjective=False/TooOld"},
		{"just within", func(in *statusInput) { in.Now = at("2026-01-10 04:39") }, "WithinObjective=True/Recent"},
		{"a run of a clock that was ahead is as old as its creation", func(in *statusInput) {
			in.Runs[1].Status.CompletionTime = mt("2036-01-01 00:00")
			in.Backup.Status.LastSuccess = &v1alpha1.RunSummary{Name: "nightly-09", Time: mt("2036-01-01 00:00")}
			in.Now = at("2026-01-10 04:41")
		}, "WithinObjective=False/TooOld"},
		{"a last success that is to come, and its run is gone", func(in *statusInput) {
			in.Runs, in.Now = nil, at("2026-01-10 04:41")
			in.Backup.Status.LastSuccess = &v1alpha1.RunSummary{Name: "gone", Time: mt("2036-01-01 00:00")}
		}, "WithinObjective=False/NoRunYet"},
		{"suspended or not, the objective counts", func(in *statusInput) {
			in.Backup.Spec.Suspend, in.Now = true, at("2026-02-01 00:00")
		}, "WithinObjective=False/TooOld"},
		{"new, without a run", func(in *statusInput) { in.Runs, in.Now = nil, at("2026-01-02 01:00") }, "WithinObjective=Unknown/NoRunYet"},
		{"long without a run", func(in *statusInput) { in.Runs = nil }, "WithinObjective=False/NoRunYet"},
		{"a partial run is not good", func(in *statusInput) {
			in.Runs, in.Now = []v1alpha1.BackupRun{aRun("09", v1alpha1.RunPartiallyFailed)}, at("2026-01-09 12:00")
		}, "WithinObjective=False/NoRunYet"},
		{"no objective", func(in *statusInput) { in.Backup.Spec.Objective = nil }, "WithinObjective=none"},
		{"nothing asks for verification", func(*statusInput) {}, "Verified=none"},
		{"not verified yet", func(in *statusInput) { in.Backup.Spec.Verify = &v1alpha1.Verify{} }, "Verified=Unknown/NotYetVerified"},
		{"verified", func(in *statusInput) { in.Runs[0] = readBack(in.Runs[0], metav1.ConditionTrue, "2026-01-08 03:00") }, "Verified=True/Verified"},
		{"data that is damaged is no recovery point", func(in *statusInput) {
			in.Runs[1], in.Now = readBack(in.Runs[1], metav1.ConditionFalse, "2026-01-09 03:00"), at("2026-01-09 05:00")
		}, "Verified=False/Checksum WithinObjective=False/TooOld"},
		{"nor when it was told as such", func(in *statusInput) {
			last := summary(&in.Runs[1])
			in.Backup.Status.LastSuccess, in.Now = &last, at("2026-01-09 05:00")
			in.Runs = []v1alpha1.BackupRun{readBack(in.Runs[1], metav1.ConditionFalse, "2026-01-09 03:00")}
		}, "WithinObjective=False/NoRunYet"},
		{"an older run that is found to be damaged later", func(in *statusInput) {
			in.Runs[0] = readBack(in.Runs[0], metav1.ConditionFalse, "2026-01-09 04:00")
			in.Runs[1] = readBack(in.Runs[1], metav1.ConditionTrue, "2026-01-09 03:00")
		}, "Verified=True/Verified WithinObjective=True/Recent"},
		{"the newest result counts", func(in *statusInput) {
			in.Runs[0] = readBack(in.Runs[0], metav1.ConditionTrue, "2026-01-08 03:00")
			in.Runs[1] = readBack(in.Runs[1], metav1.ConditionFalse, "2026-01-09 03:00")
		}, "Verified=False/Checksum"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			input := in()
			tc.edit(&input)
			status, _ := newStatus(input)
			for want := range strings.SplitSeq(tc.want, " ") {
				kind, value, _ := strings.Cut(want, "=")
				got := "none"
				if c := condition(status.Conditions, kind); c != nil {
					got = string(c.Status) + "/" + c.Reason
					if c.ObservedGeneration != 3 {
						t.Errorf("%s was observed at generation %d", kind, c.ObservedGeneration)
					}
				}
				if got != value {
					t.Errorf("%s is %s, want %s", kind, got, value)
				}
			}
		})
	}
}

func TestStatusChangesByTimeAlone(t *testing.T) {
	input := in()
	_, changes := newStatus(input)
	if want := at("2026-01-10 04:40"); !changes.Equal(want) {
		t.Errorf("the objective is missed at %s, want %s", changes, want)
	}
	input.Now = changes
	status, changes := newStatus(input)
	if c := condition(status.Conditions, v1alpha1.ConditionWithinObjective); c.Status != metav1.ConditionFalse || !changes.IsZero() {
		t.Errorf("at that time it is %s, and changes again at %s", c.Status, changes)
	}
}

func TestStatusFields(t *testing.T) {
	input := in()
	input.Backup.Status.Missed = 2
	input.Backup.Status.LastSuccess = &v1alpha1.RunSummary{Name: "nightly-08", Time: mt("2026-01-08 02:40")}
	input.Runs[0].Status.SnapshotID, input.Runs[0].Status.Totals = "a", v1alpha1.Totals{Objects: 1, Bytes: 10, StoredBytes: 5}
	input.Runs[1].Status.SnapshotID, input.Runs[1].Status.Totals = "b", v1alpha1.Totals{Objects: 2, Bytes: 20, StoredBytes: 6}
	input.Decision.Missed, input.Skipped = 3, 1
	status, _ := newStatus(input)
	if status.LastSuccess.Name != "nightly-09" || status.Missed != 4 {
		t.Errorf("lastSuccess %s, missed %d; want nightly-09, and 4 since then", status.LastSuccess.Name, status.Missed)
	}
	if status.Totals != (v1alpha1.Totals{Objects: 3, Bytes: 30, StoredBytes: 11}) {
		t.Errorf("totals %+v", status.Totals)
	}
	if len(status.RecentRuns) != 2 || status.RecentRuns[0].Name != "nightly-09" || status.ObservedSchedule != "UTC 30 2 * * *" ||
		!status.LastTick.Time.Equal(at("2026-01-09 02:30")) || !status.NextRun.Time.Equal(at("2026-01-10 02:30")) {
		t.Errorf("status %+v", status)
	}

	// Going back to an earlier run is no success.
	damaged := input
	damaged.Backup = input.Backup.DeepCopy()
	damaged.Backup.Status, damaged.Decision.Missed, damaged.Skipped = status, 0, 0
	damaged.Runs = []v1alpha1.BackupRun{input.Runs[0], *input.Runs[1].DeepCopy()}
	damaged.Runs[1].Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionFalse, LastTransitionTime: *mt("2026-01-09 03:00")}}
	if back, _ := newStatus(damaged); back.LastSuccess == nil || back.LastSuccess.Name != "nightly-08" || back.Missed != 4 {
		t.Errorf("with the last run damaged: lastSuccess %v, missed %d", back.LastSuccess, back.Missed)
	}

	// What retention or somebody else has removed is not forgotten.
	input.Backup.Status, input.Runs, input.Decision = status, nil, schedule.Decision{Since: at("2026-01-09 02:30")}
	input.Skipped = 0
	later, _ := newStatus(input)
	if later.LastSuccess == nil || later.LastSuccess.Name != "nightly-09" || later.Missed != 4 || later.NextRun != nil {
		t.Errorf("without runs: lastSuccess %v, missed %d, nextRun %v", later.LastSuccess, later.Missed, later.NextRun)
	}

	for i := range 30 {
		run := manual("09", v1alpha1.RunFailed)
		run.Name += string(rune('a' + i%26))
		input.Runs = append(input.Runs, run)
	}
	if many, _ := newStatus(input); len(many.RecentRuns) != maxRecent {
		t.Errorf("%d recent runs, want %d", len(many.RecentRuns), maxRecent)
	}
	if ptr.Deref(input.Backup.Status.NextRun, metav1.Time{}) != *status.NextRun {
		t.Error("the Backup that was given has been changed")
	}
}
