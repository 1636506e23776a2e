package federate

import (
	"strings"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/workload"
)

// history is what is said of an object in one cluster as time goes on.
type history struct {
	t      *testing.T
	now    time.Time
	status Status
	again  time.Duration
}

// then is what is said when, after a while, an object is found to fare so.
func (h *history) then(after time.Duration, o Outcome, want workload.HealthStatus, changes bool) {
	h.t.Helper()
	h.now = h.now.Add(after)
	in := FoldInput{Previous: ParseStatus(h.status.ToUnstructured()), Generation: 1, Now: h.now, Outcomes: []Outcome{o}}
	next, changed := Fold(in)
	said := next.Clusters[0].Health
	if said.Status != want || changed != changes || want == workload.Progressing && said.Message != o.Health.Message {
		h.t.Fatalf("after %s: %+v, changed %v", h.now.Sub(earlier), said, changed)
	}
	h.status, h.again = next, ProgressEnds(&in, next)
}

func (h *history) left(want time.Duration) {
	h.t.Helper()
	if h.again != want {
		h.t.Fatalf("after %s: it is looked at again after %s, not %s", h.now.Sub(earlier), h.again, want)
	}
}

// patient is an outcome with ten minutes.
func patient(health workload.HealthStatus, message string) Outcome {
	o := with("a", ClusterPropagationOK, health, message)
	o.Deadline, o.ObjectGeneration = 10*time.Minute, 7
	return o
}

// An object that says nothing new for too long is Degraded, and Progressing again when it does.
func TestProgressDeadline(t *testing.T) {
	h := history{t: t, now: earlier}
	none, half := patient(workload.Progressing, "Ready: 0/2"), patient(workload.Progressing, "Ready: 1/2")
	h.then(0, none, workload.Progressing, true)
	h.then(9*time.Minute, none, workload.Progressing, false)
	h.left(time.Minute)
	h.then(time.Second, half, workload.Progressing, true)
	h.then(9*time.Minute, half, workload.Progressing, false)
	h.then(time.Minute, half, workload.Degraded, true)
	if message := h.status.Clusters[0].Health.Message; message != "no progress for 10m0s: Ready: 1/2" {
		t.Error(message)
	}
	h.left(0)
	h.then(time.Hour, half, workload.Degraded, false)
	h.then(time.Second, none, workload.Progressing, true)
}

// What a federated object says of the time counts more than what objects have.
func TestProgressDeadlineOfObject(t *testing.T) {
	o := patient(workload.Progressing, "Ready: 0/2")
	before, _ := Fold(FoldInput{Generation: 1, Now: earlier, Outcomes: []Outcome{o}})
	for deadline, want := range map[time.Duration]workload.HealthStatus{0: workload.Progressing, time.Minute: workload.Degraded, time.Hour: workload.Progressing} {
		next, _ := Fold(FoldInput{Previous: before, Generation: 1, Now: earlier.Add(20 * time.Minute), Outcomes: []Outcome{o}, ProgressDeadline: &deadline})
		if next.Clusters[0].Health.Status != want {
			t.Errorf("%s: %+v", deadline, next.Clusters[0].Health)
		}
	}
}

// Pods that crash, are started again and are ready for a moment: the object is healthy again
// and again, and never for long.
func TestUnsteady(t *testing.T) {
	const moment = 10 * time.Second
	up, crashed := patient(workload.Healthy, ""), patient(workload.Progressing, "Available: 0/1")
	crashed.Down = true
	crashing := func(t *testing.T) *history {
		h := &history{t: t, now: earlier}
		h.then(0, crashed, workload.Progressing, true)
		h.then(moment, up, workload.Healthy, true)
		for _, backOff := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second} {
			h.then(moment, crashed, workload.Progressing, true)
			h.then(backOff, up, workload.Healthy, true)
		}
		h.then(moment, crashed, workload.Progressing, true)
		h.left(10*time.Minute - 360*time.Second)
		h.then(h.again, crashed, workload.Degraded, true)
		return h
	}
	t.Run("is Degraded in the end, and stays so while it is up for moments", func(t *testing.T) {
		h := crashing(t)
		if message := h.status.Clusters[0].Health.Message; message != "healthy for moments only, for 10m0s: Available: 0/1" {
			t.Error(message)
		}
		h.then(time.Minute, up, workload.Degraded, true)
		h.left(2 * time.Minute)
		h.then(moment, crashed, workload.Degraded, true)
		h.then(5*time.Minute, crashed, workload.Degraded, false)
		h.then(0, up, workload.Degraded, true)
		h.then(time.Minute, up, workload.Degraded, false)
		h.left(time.Minute)
	})
	t.Run("is healthy when it has been for long", func(t *testing.T) {
		h := crashing(t)
		h.then(time.Minute, up, workload.Degraded, true)
		h.then(2*time.Minute, up, workload.Healthy, true)
		h.left(0)
		h.then(time.Hour, crashed, workload.Progressing, true)
		h.left(10 * time.Minute)
	})
	t.Run("has its time again when it is changed", func(t *testing.T) {
		h := crashing(t)
		changed, changedUp := crashed, up
		changed.ObjectGeneration, changedUp.ObjectGeneration = 8, 8
		h.then(time.Minute, changed, workload.Progressing, true)
		h.then(moment, changedUp, workload.Healthy, true)
		h.then(moment, changed, workload.Progressing, true)
		h.left(10 * time.Minute)
	})
	t.Run("goes on being so after the cluster was away", func(t *testing.T) {
		h := crashing(t)
		away := with("a", ClusterNotReady, workload.Unknown, "what the cluster holds is not known")
		away.Deadline = 0
		h.then(time.Minute, away, workload.Unknown, true)
		h.then(time.Minute, crashed, workload.Degraded, true)
	})
}

// What is healthy for long between its failures is not unsteady, nor is what is never
// without all that it needs.
func TestSteady(t *testing.T) {
	up, down, part := patient(workload.Healthy, ""), patient(workload.Progressing, "Available: 0/4"), patient(workload.Progressing, "Available: 3/4")
	down.Down = true
	for name, test := range map[string]struct {
		worse Outcome
		spell time.Duration
	}{
		"fails every few minutes":         {down, 2 * time.Minute},
		"of many pods, one always begins": {part, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			h := history{t: t, now: earlier}
			h.then(0, up, workload.Healthy, true)
			for range 100 {
				h.then(test.spell, test.worse, workload.Progressing, true)
				h.left(10 * time.Minute)
				h.then(30*time.Second, up, workload.Healthy, true)
			}
			if strings.Contains(h.status.Clusters[0].Health.Message, "moments") || h.status.Clusters[0].Health.Unsteady != nil {
				t.Errorf("%+v", h.status.Clusters[0].Health)
			}
		})
	}
}
