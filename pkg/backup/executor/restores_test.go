package executor

import (
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
