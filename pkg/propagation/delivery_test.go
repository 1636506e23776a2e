package propagation

import (
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

func TestDelivery(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(1000+seconds), 0) }
	status := func(propagated string, clusters ...federate.ClusterStatus) *federate.Status {
		return &federate.Status{Clusters: clusters, Conditions: []federate.Condition{
			{Type: federate.ConditionPropagation, Status: propagated}, {Type: federate.ConditionReady, Reason: "Healthy"},
		}}
	}
	const yes, no = federate.ConditionTrue, federate.ConditionFalse
	good := federate.ClusterStatus{Name: "a"}
	bad := federate.ClusterStatus{Name: "b", Status: federate.UpdateFailed}
	fine := federate.ClusterStatus{Name: "b"}
	left := federate.ClusterStatus{Name: "c", Status: federate.NotSelected}

	d := &delivery{}
	d.wants("1", true, true, at(0))
	expect := func(status *federate.Status, seconds int, took time.Duration, delivered bool) {
		t.Helper()
		if gotTook, got := d.told(status, at(seconds)); got != delivered || gotTook != took {
			t.Errorf("after %d s: got %v, %v; want %v, %v", seconds, gotTook, got, took, delivered)
		}
	}
	expect(status(yes, good, fine, left), 1, 0, false) // an earlier process's
	d.wants("2", false, true, at(10))
	expect(status(no, good, bad), 11, 0, false)
	d.wants("2", false, true, at(12))
	expect(status(no, good, bad), 20, 0, false)
	if l := d.behind["b"]; len(d.behind) != 1 || !l.since.Equal(at(11)) || l.status != federate.UpdateFailed {
		t.Errorf("behind: %v", d.behind)
	}
	d.wants("3", true, true, at(30)) // what was wanted before never came
	expect(status(no), 31, 0, false)
	expect(status(yes, good, fine), 32, 2*time.Second, true)
	expect(status(yes, good, fine), 40, 0, false) // once
	d.wants("4", true, false, at(50))
	expect(status(yes, good, fine), 50, 0, false) // nothing was to be done

	other := &account{delivery: delivery{ready: "Degraded", behind: map[string]lacking{"b": {federate.UpdateFailed, at(5)}}}}
	newer := &account{delivery: delivery{ready: "Degraded", behind: map[string]lacking{"b": {federate.UpdateFailed, at(7)}}}}
	sum := tally{oldest: map[string]time.Time{}, trouble: map[clusterStatus]int{}}
	readiness := sum.add([]*account{{}, {delivery: *d}, newer, other})
	if len(readiness) != 2 || readiness["Degraded"] != 2 || readiness["Healthy"] != 1 {
		t.Errorf("readiness: %v", readiness)
	}
	if !sum.oldest["b"].Equal(at(5)) || sum.trouble[clusterStatus{"b", federate.UpdateFailed}] != 2 || len(sum.trouble) != 1 {
		t.Errorf("sum: %v", sum)
	}

	fresh := &delivery{}
	fresh.wants("1", false, false, at(0)) // new, or changed while no controller ran
	if took, delivered := fresh.told(status(yes, good), at(3)); !delivered || took != 3*time.Second {
		t.Errorf("a new object: %v, %v", took, delivered)
	}
}
