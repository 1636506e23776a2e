package replicas

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"
)

func TestFaults(t *testing.T) {
	type bounds = fedschedulingv1alpha1.ClusterPreferences
	for name, test := range map[string]struct {
		clusters map[string]bounds
		want     []string
	}{
		"none":                    {map[string]bounds{"*": {}, "a": {MinReplicas: 3, MaxReplicas: new(int64(3))}}, nil},
		"a cluster that left":     {map[string]bounds{"a": {}, "gone": {}}, []string{ReasonClusterNotFound}},
		"a minimum too great":     {map[string]bounds{"*": {MinReplicas: 3, MaxReplicas: new(int64(2))}}, []string{ReasonContradiction}},
		"both, sorted by cluster": {map[string]bounds{"gone": {}, "a": {MinReplicas: 1, MaxReplicas: new(int64(0))}}, []string{ReasonContradiction, ReasonClusterNotFound}},
	} {
		p := &preference{}
		p.spec.Clusters = test.clusters
		var got []string
		for _, f := range p.faults([]string{"a"}) {
			got = append(got, f.reason)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestFaultsComeAndGo(t *testing.T) {
	p := &preference{}
	o := outcome{Reason: ReasonScheduled, Faults: []fault{{ReasonClusterNotFound, "spec.clusters[x]: no cluster \"x\" has joined"}}}
	status, differs := o.next(p, time.Now())
	accepted := meta.FindStatusCondition(status.Conditions, ConditionAccepted)
	if !differs || accepted == nil || accepted.Status != metav1.ConditionFalse || accepted.Reason != ReasonClusterNotFound {
		t.Fatalf("%+v", status)
	}
	p.status = status
	if _, differs := o.next(p, time.Now()); differs {
		t.Error("the same is written again")
	}
	o.Faults = nil
	if status, differs = o.next(p, time.Now()); !differs || meta.FindStatusCondition(status.Conditions, ConditionAccepted) != nil {
		t.Errorf("%+v", status)
	}
}
