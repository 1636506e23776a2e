package executor

import (
	"strings"
	"testing"

	"k8s.io/utils/clock"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/restore"
)

func TestRestoreWhoseExecutorStops(t *testing.T) {
	some := &restored{Run: "nightly-1", Result: restore.Result{}}
	for name, test := range map[string]struct {
		result *restored
		err    error
		want   v1alpha1.RunPhase
	}{
		"before anything was restored": {nil, errStopped, v1alpha1.RunPending},
		"in the middle":                {some, errStopped, v1alpha1.RunFailed},
		"when all is done":             {some, nil, v1alpha1.RunSucceeded},
	} {
		t.Run(name, func(t *testing.T) {
			r := &restores{&core{opts: Options{Clock: clock.RealClock{}}}}
			object := &v1alpha1.Restore{Status: v1alpha1.RestoreStatus{Phase: v1alpha1.RunRunning, Executor: "this"}}
			r.conclude(object, test.result, test.err, errStopped)
			if object.Status.Phase != test.want {
				t.Errorf("%s (%s), want %s", object.Status.Phase, object.Status.Message, test.want)
			}
			if pending := object.Status.Phase == v1alpha1.RunPending; pending != (object.Status.Executor == "") {
				t.Errorf("executor %q", object.Status.Executor)
			}
		})
	}
}

func TestRestoreWhoseExecutorWasKilledSaysWhatIsKnown(t *testing.T) {
	if text := killedMessage(&v1alpha1.RestoreStatus{Executor: "that"}); !strings.Contains(text, "that ended") || !strings.Contains(text, "is not known") {
		t.Error(text)
	}
	told := v1alpha1.RestoreStatus{Counts: v1alpha1.RestoreCounts{Created: 7, Deferred: 2}}
	if text := killedMessage(&told); !strings.Contains(text, "7 objects created, 0 updated, 0 skipped, 0 failed, 2 put aside, and it may have restored more") {
		t.Error(text)
	}
}
