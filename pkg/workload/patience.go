package workload

import (
	"math"
	"time"
)

// Judgement is how an object fares, and what it takes to say that this has gone on for too
// long: that needs a clock, and what was said before.
type Judgement struct {
	Health

	// Deadline is how long the object may be Progressing with the same words before it is
	// Degraded; 0: as long as it takes, or as its own controller says.
	Deadline time.Duration
	// Down says that the object has less than it needs at the least: what it is for is not done.
	Down bool
}

// defaultProgressDeadline is a Deployment's.
//
// Source: Kubernetes API, apps/v1, DeploymentSpec.progressDeadlineSeconds.
const defaultProgressDeadline = 10 * time.Minute

// patience is what is had with objects that are to become available.
type patience struct {
	deadline func(object map[string]any) time.Duration
	// down says that an object which is Progressing has less than it needs; nil: nobody knows.
	down func(object map[string]any) bool
}

// patientFor is of objects of which nothing is known but how long they may take.
func patientFor(deadline time.Duration) *patience {
	return &patience{deadline: func(map[string]any) time.Duration { return deadline }}
}

// untilReady is of objects that never say that they have failed to become available, with
// the field that has the number of their pods that are ready.
func untilReady(field string) *patience {
	p := patientFor(defaultProgressDeadline)
	p.down = func(object map[string]any) bool {
		ready, _ := number(at(object, field))
		return ready <= 0
	}
	return p
}

// likeDeployments: their controller watches the time while they are rolled out, and says
// when that takes too long. From the moment at which all pods are available once it does
// so no more, whatever becomes of them: pods that crash again and again, and pods that are
// added and find no node, are never said to be late.
//
// Source: k8s.io/kubernetes/pkg/controller/deployment (progress.go; util/deployment_util.go,
// DeploymentTimedOut).
var likeDeployments = &patience{
	deadline: func(object map[string]any) time.Duration {
		if progressing := conditionOf(object, "Progressing"); progressing == nil || progressing["reason"] != "NewReplicaSetAvailable" {
			return 0
		}
		seconds, says := number(at(object, "spec.progressDeadlineSeconds"))
		switch {
		case !says:
			return defaultProgressDeadline
		case seconds <= 0 || seconds >= math.MaxInt32:
			return 0
		}
		return time.Duration(seconds) * time.Second
	},
	down: func(object map[string]any) bool {
		available := conditionOf(object, "Available")
		return available != nil && available["status"] == "False"
	},
}

// judge adds to the health of an object what its kind's patience says; nil has none.
func (p *patience) judge(h Health, object map[string]any) Judgement {
	j := Judgement{Health: h}
	if p != nil {
		j.Deadline = p.deadline(object)
		j.Down = h.Status == Progressing && p.down != nil && p.down(object)
	}
	return j
}
