package executor

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/backup/schedule"
)

func at(text string) time.Time {
	parsed, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return parsed
}

func mt(text string) *metav1.Time { return ptr.To(metav1.NewTime(at(text))) }

// aRun makes a run of the tick "2026-01-DD 02:30" that has the given phase.
func aRun(day string, phase v1alpha1.RunPhase) v1alpha1.BackupRun {
	tick := mt("2026-01-" + day + " 02:30")
	run := v1alpha1.BackupRun{ObjectMeta: metav1.ObjectMeta{Name: "nightly-" + day, UID: types.UID(day), CreationTimestamp: *tick},
		Spec: v1alpha1.BackupRunSpec{BackupRef: v1alpha1.LocalReference{Name: "nightly"}, ScheduledFor: tick}}
	run.Status.Phase = phase
	if phase.Done() {
		run.Status.CompletionTime = mt("2026-01-" + day + " 02:40")
	}
	return run
}

func manual(day string, phase v1alpha1.RunPhase) v1alpha1.BackupRun {
	run := aRun(day, phase)
	run.Name, run.Spec.ScheduledFor = "manual-"+day, nil
	return run
}

func TestRunName(t *testing.T) {
	if got := RunName("nightly", at("2026-11-22 02:30")); got != "nightly-20261122-023000" {
		t.Errorf("RunName = %s", got)
	}
	zone := time.FixedZone("", 3600)
	if got := RunName("nightly", at("2026-11-22 02:30").In(zone)); got != "nightly-20261122-023000" {
		t.Errorf("RunName depends on the zone that the time is written in: %s", got)
	}
	a, b := RunName(strings.Repeat("a", 253), at("2026-11-22 02:30")), RunName(strings.Repeat("a", 252)+"b", at("2026-11-22 02:30"))
	if len(a) > 253 || a == b {
		t.Errorf("names of long Backups: %d characters, equal: %t", len(a), a == b)
	}
}

func TestSince(t *testing.T) {
	now := at("2026-01-10 12:00")
	for _, tc := range []struct {
		name string
		edit func(*v1alpha1.Backup)
		runs []v1alpha1.BackupRun
		want string
	}{
		{"a new Backup counts from its creation", func(*v1alpha1.Backup) {}, nil, "2026-01-01 00:00"},
		{"the last tick", func(b *v1alpha1.Backup) { b.Status.LastTick = mt("2026-01-05 02:30") }, nil, "2026-01-05 02:30"},
		{"a run that the status does not know of yet", func(b *v1alpha1.Backup) { b.Status.LastTick = mt("2026-01-05 02:30") },
			[]v1alpha1.BackupRun{aRun("06", v1alpha1.RunRunning), aRun("04", v1alpha1.RunFailed)}, "2026-01-06 02:30"},
		{"runs that were deleted are not repeated", func(b *v1alpha1.Backup) { b.Status.LastTick = mt("2026-01-05 02:30") },
			[]v1alpha1.BackupRun{aRun("04", v1alpha1.RunFailed)}, "2026-01-05 02:30"},
		{"a manual run is no tick", func(*v1alpha1.Backup) {}, []v1alpha1.BackupRun{manual("06", v1alpha1.RunSucceeded)}, "2026-01-01 00:00"},
		{"a new schedule counts from now", func(b *v1alpha1.Backup) {
			b.Status.LastTick, b.Status.ObservedSchedule = mt("2026-01-05 02:30"), "UTC 0 1 * * *"
		}, nil, "2026-01-10 12:00"},
		{"a new time zone, too", func(b *v1alpha1.Backup) {
			b.Status.ObservedSchedule, b.Spec.TimeZone = "UTC 30 2 * * *", "Europe/Berlin"
		}, nil, "2026-01-10 12:00"},
		{"a tick that is to come is not believed", func(b *v1alpha1.Backup) { b.Status.LastTick = mt("2036-01-01 00:00") },
			[]v1alpha1.BackupRun{aRun("06", v1alpha1.RunSucceeded), aRun("11", v1alpha1.RunSucceeded)}, "2026-01-06 02:30"},
		{"clocks may differ a little", func(b *v1alpha1.Backup) { b.Status.LastTick = mt("2026-01-10 12:04") }, nil, "2026-01-10 12:04"},
		{"a creation that is to come, neither", func(b *v1alpha1.Backup) { b.CreationTimestamp = *mt("2036-01-01 00:00") }, nil, "2026-01-10 11:55"},
		{"UTC is the default", func(b *v1alpha1.Backup) { b.Status.ObservedSchedule = "UTC 30 2 * * *" }, nil, "2026-01-01 00:00"},
	} {
		b := &v1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: *mt("2026-01-01 00:00")}, Spec: v1alpha1.BackupSpec{Schedule: "30 2 * * *"}}
		tc.edit(b)
		if got := since(b, tc.runs, now); !got.Equal(at(tc.want)) {
			t.Errorf("%s: since = %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestDecideConcurrency(t *testing.T) {
	running, waiting, failing := aRun("05", v1alpha1.RunRunning), aRun("06", v1alpha1.RunPending), aRun("04", v1alpha1.RunPending)
	failing.Status.Attempts = 1
	byHand := manual("07", v1alpha1.RunPending)
	for _, tc := range []struct {
		name   string
		policy v1alpha1.ConcurrencyPolicy
		runs   []v1alpha1.BackupRun

		create  bool
		replace int
	}{
		{"nothing goes on", v1alpha1.ConcurrencyForbid, []v1alpha1.BackupRun{aRun("01", v1alpha1.RunSucceeded), aRun("02", v1alpha1.RunCancelled)}, true, 0},
		{"forbid", v1alpha1.ConcurrencyForbid, []v1alpha1.BackupRun{running}, false, 0},
		{"forbid is the default", "", []v1alpha1.BackupRun{running}, false, 0},
		{"forbid: one that will be tried again goes on", v1alpha1.ConcurrencyForbid, []v1alpha1.BackupRun{failing}, false, 0},
		{"replace", v1alpha1.ConcurrencyReplace, []v1alpha1.BackupRun{running, waiting}, true, 2},
		{"queue behind one", v1alpha1.ConcurrencyQueue, []v1alpha1.BackupRun{running}, true, 0},
		{"queue: one waits at most", v1alpha1.ConcurrencyQueue, []v1alpha1.BackupRun{running, waiting}, false, 0},
		{"queue: one that somebody asked for is not counted", v1alpha1.ConcurrencyQueue, []v1alpha1.BackupRun{running, byHand}, true, 0},
	} {
		got := decideConcurrency(tc.policy, active(tc.runs))
		if got.Create != tc.create || len(got.Replace) != tc.replace || (got.Why == "") != tc.create {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}

func TestBefore(t *testing.T) {
	first, second, running, done := aRun("05", ""), aRun("06", ""), aRun("07", v1alpha1.RunRunning), aRun("04", v1alpha1.RunFailed)
	later := aRun("05", v1alpha1.RunPending)
	later.Status.NextAttempt = mt("2026-01-08 00:01")
	for _, tc := range []struct {
		name string
		run  v1alpha1.BackupRun
		all  []v1alpha1.BackupRun
		want string
	}{
		{"alone", first, []v1alpha1.BackupRun{first, done}, ""},
		{"the older one is first", first, []v1alpha1.BackupRun{second, first}, ""},
		{"the newer one waits", second, []v1alpha1.BackupRun{second, first}, "nightly-05"},
		{"one that is tried again later holds nobody up", second, []v1alpha1.BackupRun{later, second}, ""},
		{"whatever is running comes first", first, []v1alpha1.BackupRun{first, second, running}, "nightly-07"},
	} {
		got := ""
		if b := before(&tc.run, tc.all, at("2026-01-08 00:00")); b != nil {
			got = b.Name
		}
		if got != tc.want {
			t.Errorf("%s: before = %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestNextAttempt(t *testing.T) {
	now := at("2026-01-01 00:00")
	for _, tc := range []struct {
		name     string
		retry    *v1alpha1.Retry
		attempts int32
		want     time.Duration // 0: none
	}{
		{"by default after a minute", nil, 1, time.Minute},
		{"then two", nil, 2, 2 * time.Minute},
		{"then four", nil, 3, 4 * time.Minute},
		{"then no more", nil, 4, 0},
		{"never", &v1alpha1.Retry{Limit: ptr.To[int32](0)}, 1, 0},
		{"doubling ends at an hour", &v1alpha1.Retry{Limit: ptr.To[int32](20)}, 15, time.Hour},
		{"whoever wants more than an hour gets it", &v1alpha1.Retry{Backoff: &metav1.Duration{Duration: 3 * time.Hour}}, 2, 3 * time.Hour},
	} {
		next, ok := nextAttempt(tc.retry, tc.attempts, now)
		if ok != (tc.want > 0) || (ok && next.Sub(now) != tc.want) {
			t.Errorf("%s: %s %t, want %s", tc.name, next.Sub(now), ok, tc.want)
		}
	}
}

func TestVerifyThis(t *testing.T) {
	verified := aRun("03", v1alpha1.RunSucceeded)
	verified.Status.Verified = mt("2026-01-03 02:41")
	this := aRun("06", v1alpha1.RunRunning)
	others := []v1alpha1.BackupRun{aRun("02", v1alpha1.RunSucceeded), verified, aRun("04", v1alpha1.RunSucceeded), aRun("05", v1alpha1.RunFailed), this}
	for every, want := range map[int32]bool{1: true, 2: true, 3: false} {
		if got := verifyThis(&v1alpha1.Verify{EveryRuns: &every}, &this, others, at("2026-01-06 12:00")); got != want {
			t.Errorf("everyRuns %d: %t, want %t: the second good run since the last that was verified", every, got, want)
		}
	}
	if verifyThis(nil, &this, others, time.Now()) || verifyThis(&v1alpha1.Verify{Schedule: "@daily"}, &this, others, time.Now()) {
		t.Error("verified without everyRuns")
	}
}

func TestVerifySchedule(t *testing.T) {
	b := &v1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "nightly", CreationTimestamp: *mt("2026-01-01 00:00")}}
	if parsed, err := verifySchedule(&b.Spec); parsed != nil || err != nil {
		t.Errorf("without spec.verify: %v, %v", parsed, err)
	}
	b.Spec.Verify = &v1alpha1.Verify{Schedule: "0 0 30 2 *"}
	if _, err := verifySchedule(&b.Spec); err == nil || !strings.Contains(err.Error(), "spec.verify.schedule") {
		t.Errorf("a day that does not exist: %v", err)
	}

	// Every hour, and each time later by the jitter's offset.
	b.Spec.Verify.Schedule, b.Spec.Jitter = "0 * * * *", &metav1.Duration{Duration: 6 * time.Hour}
	parsed, err := verifySchedule(&b.Spec)
	if err != nil {
		t.Fatal(err)
	}
	shift := offset(b, "uid")
	if shift < time.Hour {
		t.Fatalf("an offset of %s shows nothing", shift)
	}
	for name, test := range map[string]struct {
		last, now string // both before the offset
		due       bool
	}{
		"never verified":               {"", "2026-01-01 00:59", false},
		"the first time":               {"", "2026-01-01 01:00", true},
		"verified for that hour":       {"2026-01-02 06:01", "2026-01-02 06:59", false},
		"the next hour":                {"2026-01-02 06:01", "2026-01-02 07:00", true},
		"verified by hand before that": {"2026-01-02 05:59", "2026-01-02 06:00", true},
	} {
		run := aRun("01", v1alpha1.RunSucceeded)
		if test.last != "" {
			run.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionVerified, Status: metav1.ConditionTrue,
				LastTransitionTime: metav1.NewTime(at(test.last).Add(shift))}}
		}
		decision := schedule.Decide(verifyInput(b, []v1alpha1.BackupRun{run}, parsed, "uid", at(test.now).Add(shift)))
		if got := !decision.Tick.IsZero(); got != test.due {
			t.Errorf("%s: due is %t: %+v", name, got, decision)
		}
	}
}

func TestSurplus(t *testing.T) {
	snapshot := func(id, run, when string, partial bool) repository.Snapshot {
		return repository.Snapshot{ID: id, Source: repository.Source{Run: run}, EndTime: at(when), Partial: partial}
	}
	all := []repository.Snapshot{
		snapshot("a", "run-1", "2026-01-01 00:00", false),
		snapshot("b", "run-2", "2026-01-02 00:00", false), // interrupted before it was recorded
		snapshot("c", "run-2", "2026-01-02 01:00", false),
		snapshot("d", "run-3", "2026-01-03 00:00", false), // cannot be read back
		snapshot("e", "run-4", "2026-01-04 00:00", true),
	}
	gone := func(rules *v1alpha1.Retention) string {
		var ids []string
		for _, s := range surplus(all, rules, map[string]bool{"d": true}, at("2026-01-05 00:00"), time.UTC) {
			if s.Why == "" {
				t.Errorf("snapshot %s goes without a reason", s.ID)
			}
			ids = append(ids, s.ID)
		}
		return strings.Join(ids, " ")
	}
	if got := gone(nil); got != "b" {
		t.Errorf("without rules %q go, want only the doubled one", got)
	}
	// The only good one that is kept is c; the newer ones are no good, and one of
	// them stands in for a newer one that is.
	if got := gone(&v1alpha1.Retention{Last: ptr.To[int32](1)}); got != "b d a" {
		t.Errorf("with last 1 %q go, want b d a", got)
	}
}
