package executor

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/settings"
)

func TestIntact(t *testing.T) {
	for name, tc := range map[string]struct {
		lost     losses
		want     string // status/reason
		says     string
		saysNone string
	}{
		"all is well":                        {losses{}, "True/Intact", "everything", "again"},
		"a run is damaged":                   {losses{runs: []string{"a"}}, "False/DataLost", "as a whole: a", "read again"},
		"the others are to be read":          {losses{runs: []string{"a"}, doubtful: []string{"b", "c"}}, "False/DataLost", "goes on: b, c", "everything"},
		"the damaged one is gone":            {losses{doubtful: []string{"b"}}, "Unknown/ReadingBack", "goes on: b", "everything"},
		"one is back, others are to be read": {losses{reading: []string{"a"}, doubtful: []string{"b"}}, "Unknown/ReadingBack", "being read back: a; data", "everything"},
	} {
		t.Run(name, func(t *testing.T) {
			c := tc.lost.intact("store")
			if got := string(c.Status) + "/" + c.Reason; got != tc.want || !strings.Contains(c.Message, tc.says) || strings.Contains(c.Message, tc.saysNone) {
				t.Errorf("%s: %s", got, c.Message)
			}
		})
	}
}

func TestRunsInDoubt(t *testing.T) {
	doubted, whole := aRun("09", v1alpha1.RunSucceeded), aRun("09", v1alpha1.RunSucceeded)
	doubt(&doubted, "data of run nightly-1", at("2026-01-09 12:00"))
	if !doubtful(&doubted) || damaged(&doubted) {
		t.Error("a run in doubt is neither whole nor damaged")
	}
	if p := losesOrGains(); !p.Update(event.UpdateEvent{ObjectOld: &whole, ObjectNew: &doubted}) || !p.Delete(event.DeleteEvent{Object: &doubted}) {
		t.Error("its repository has to be looked at")
	}
	for _, tc := range []struct {
		err  error
		want metav1.ConditionStatus
	}{
		{&problem{reasonSecretNotFound, "no Secret"}, metav1.ConditionUnknown}, {nil, metav1.ConditionTrue},
	} {
		(&verification{mode: verifyChecksum, at: at("2026-01-09 13:00"), err: tc.err}).apply(&doubted)
		if c := condition(doubted.Status.Conditions, v1alpha1.ConditionVerified); c.Status != tc.want || doubtful(&doubted) != (tc.err != nil) {
			t.Errorf("after %v: %+v", tc.err, c)
		}
	}
}

func TestDamageIsNotForgotten(t *testing.T) {
	corrupt := &repository.Error{Reason: repository.Corrupt, Message: "a pack is other than it was written"}
	for name, tc := range map[string]struct {
		err     error
		want    string // status/reason
		message string
		lost    bool
	}{
		"the storage does not answer":   {&repository.Error{Reason: repository.Unreachable, Message: "no answer"}, "False/Corrupt", corrupt.Error(), true},
		"the password is not there":     {&problem{reasonSecretNotFound, "no Secret"}, "False/Corrupt", corrupt.Error(), true},
		"the executor has ended":        {context.Canceled, "False/Corrupt", corrupt.Error(), true},
		"something else is not there":   {&repository.Error{Reason: repository.NotFound, Message: "a pack is gone"}, "False/NotFound", "gone", true},
		"it could be read, and is good": {nil, "True/Checksum", "as it was written", false},
	} {
		t.Run(name, func(t *testing.T) {
			run := aRun("09", v1alpha1.RunSucceeded)
			(&verification{mode: verifyChecksum, at: at("2026-01-09 12:00"), err: corrupt}).apply(&run)
			(&verification{mode: verifyChecksum, at: at("2026-01-09 13:00"), err: tc.err}).apply(&run)
			c := condition(run.Status.Conditions, v1alpha1.ConditionVerified)
			if got := string(c.Status) + "/" + c.Reason; got != tc.want || !strings.Contains(c.Message, tc.message) || lost(&run) != tc.lost {
				t.Errorf("%s: %s", got, c.Message)
			}
			if !c.LastTransitionTime.Time.Equal(at("2026-01-09 13:00")) {
				t.Errorf("last tried at %s", c.LastTransitionTime)
			}
		})
	}
}

// Runs in doubt that cannot be read are tried one after the other, and none without a pause,
// however often the repository is looked at.
func TestRunsThatCannotBeReadTakeTurns(t *testing.T) {
	nothing := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).Build()
	r := &repositories{core: &core{opts: Options{Backups: settings.Backups{Poll: time.Hour}, Clock: clock.RealClock{}}, log: logr.Discard(), live: nothing, client: nothing,
		jobs: newJobs(1, nil, logr.Discard()), suspects: make(chan event.GenericEvent, maxSuspects)}}
	r.jobs.cancel(errStopped) // what is read comes to nothing
	runs := map[string]*v1alpha1.BackupRun{}
	for _, day := range []string{"09", "11", "10"} {
		run := aRun(day, v1alpha1.RunSucceeded)
		doubt(&run, "data of run nightly-1", at("2026-01-12 12:00"))
		runs[day] = &run
	}
	look := func(now bool) (tried string) {
		before := time.Now()
		r.readNext(&v1alpha1.BackupRepository{}, runs, now)
		r.jobs.running.Wait()
		for day, run := range runs {
			if r.tries.at(run.UID).After(before) {
				tried += day
			}
		}
		return tried
	}
	for i, want := range []string{"11", "10", "09", "", ""} {
		if got := look(false); got != want {
			t.Errorf("look %d tried %q, want %q", i+1, got, want)
		}
	}
	if got := look(true); got != "11" {
		t.Errorf("when something has changed, %q was tried", got)
	}
}
