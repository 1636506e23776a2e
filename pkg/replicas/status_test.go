package replicas

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/replicas/planner"
)

func TestOutcomeIsWrittenOnce(t *testing.T) {
	p := &preference{}
	p.meta.Generation = 2
	began := time.Now().Truncate(time.Second)
	o := outcome{}
	o.tell(planner.Plan{Replicas: map[string]int64{"a": 3, "b": 1}}, nil, []clusterState{
		{Cluster: planner.Cluster{Name: "a"}},
		{Cluster: planner.Cluster{Name: "b"}, unschedulable: 2},
	}, []string{"c"}, 4)
	status, differs := o.next(p, began)
	if !differs || status.ObservedGeneration != 2 || len(status.Clusters) != 2 || status.Clusters[1] != (ClusterStatus{Name: "b", Replicas: 1, Unschedulable: 2}) {
		t.Fatalf("%+v, %t", status, differs)
	}
	condition := status.Conditions[0]
	if condition.Status != metav1.ConditionTrue || condition.Reason != ReasonScheduled {
		t.Errorf("%+v", condition)
	}
	for _, part := range []string{"4 replicas in 2 clusters", "the nodes of b have no room for 2", "others have the share: c"} {
		if !strings.Contains(condition.Message, part) {
			t.Errorf("message %q lacks %q", condition.Message, part)
		}
	}
	p.status = status
	if _, differs := o.next(p, began.Add(time.Hour)); differs {
		t.Error("the same outcome is written again")
	}
	worse, differs := failed(ReasonNoClusters, "none").next(p, began.Add(time.Hour))
	if !differs || worse.Conditions[0].Status != metav1.ConditionFalse || len(worse.Clusters) != 0 || !worse.Conditions[0].LastTransitionTime.After(began) {
		t.Errorf("%+v, %t", worse, differs)
	}
	if len(p.status.Conditions) != 1 || p.status.Conditions[0].Reason != ReasonScheduled {
		t.Error("the present status was modified")
	}
}

// What an autoscaler keeps in a cluster that is to have none is said, since it is not changed.
func TestOutcomeTellsOfAutoscaled(t *testing.T) {
	o := outcome{}
	o.tell(planner.Plan{Replicas: map[string]int64{"a": 0, "c": 4}}, map[string]int64{"b": 7}, []clusterState{
		{Cluster: planner.Cluster{Name: "a", Current: 10}, left: true},
		{Cluster: planner.Cluster{Name: "b", Current: 7}, left: true},
		{Cluster: planner.Cluster{Name: "c", Current: 4}},
	}, nil, 11)
	const want = "11 replicas in 3 clusters; a is to have none, and has 10, which its autoscaler decides on; b has 7, which its autoscaler decides on"
	if o.Reason != ReasonScheduled || o.Message != want {
		t.Errorf("%s: %s", o.Reason, o.Message)
	}
}

func TestReadPreference(t *testing.T) {
	for _, test := range []struct{ name, spec, wantInvalid string }{
		{"good", `{"targetKind":"FederatedDeployment","totalReplicas":3,"clusters":{"a":{"maxReplicas":2,"weight":1}}}`, ""},
		{"nothing", `null`, ""},
		{"another shape", `{"clusters":{"a":7}}`, "spec: "},
		{"negative", `{"totalReplicas":3,"clusters":{"*":{"weight":-1}}}`, "spec.clusters[*].weight"},
	} {
		u := &unstructured.Unstructured{}
		raw := `{"apiVersion":"scheduling.kubefed.io/v1alpha1","kind":"ReplicaSchedulingPreference","metadata":{"name":"x"},"status":{"conditions":7},"spec":` + test.spec + `}`
		if err := u.UnmarshalJSON([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		p, err := readPreference(u)
		if err != nil {
			t.Fatal(err)
		}
		if (test.wantInvalid == "") != (p.invalid == nil) || p.invalid != nil && !strings.Contains(p.invalid.Error(), test.wantInvalid) {
			t.Errorf("%s: %v, want %q", test.name, p.invalid, test.wantInvalid)
		}
		if test.name == "good" && (p.preferences().Total != 3 || *p.preferences().Clusters["a"].Max != 2) {
			t.Errorf("%+v", p.preferences())
		}
	}
}
