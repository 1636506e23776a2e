package propagation

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"

	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/policy"
)

// A policy that selects nothing any more says so: a merge patch leaves what it does not name.
func TestPolicyStatusPatchNamesWhatIsZero(t *testing.T) {
	patch, err := policyStatusPatch("uid", policyv1alpha1.OverridePolicyStatus{})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"objects":0`, `"selectedObjects":0`, `"clusters":0`, `"observedGeneration":0`, `"uid":"uid"`} {
		if !strings.Contains(string(patch), part) {
			t.Errorf("%s is not in %s", part, patch)
		}
	}
}

// examples are objects that something is to be said of.
func examples(names ...string) (e example) {
	for _, name := range names {
		e.add(name, name+" is wrong")
	}
	return e
}

func TestStatusOfPolicy(t *testing.T) {
	tests := []struct {
		name  string
		found effects
		// want are the conditions' type, status and reason, and parts of the messages.
		want, parts []string
	}{
		{name: "selects nothing", want: []string{"Accepted True SelectsNothing", "Applied True SelectsNothing", "Contested False Uncontested"}, parts: []string{"see spec.selectors"}},
		{name: "selects nothing, and names what there is none of", found: effects{unmatched: []string{"spec.rules[0].clusters.names[0]: x"}},
			want: []string{"Accepted True SelectsNothing", "Applied True SelectsNothing", "Contested False Uncontested"}, parts: []string{"see spec.selectors; spec.rules[0].clusters.names[0]: x"}},
		{name: "names what there is none of", found: effects{selected: 1, changed: 1, clusters: 1, unmatched: []string{"one", "two"}},
			want: []string{"Accepted True Unmatched", "Applied True Unmatched", "Contested False Uncontested"}, parts: []string{"selects 1 federated object; one; two", "changes 1 federated object in 1 cluster: see the condition Accepted"}},
		{name: "changes some", found: effects{selected: 3, changed: 2, clusters: 5},
			want: []string{"Accepted True Accepted", "Applied True Applied", "Contested False Uncontested"}, parts: []string{"changes 2 federated objects in 5 clusters"}},
		{name: "does not reach all", found: effects{selected: 1, changed: 1, clusters: 1, noted: example{n: 1, first: "FederatedJob a/b in cluster c: the pool is closed"}},
			want: []string{"Accepted True Accepted", "Applied True Restricted", "Contested False Uncontested"}, parts: []string{"FederatedJob a/b in cluster c: the pool is closed"}},
		{name: "is not everywhere", found: effects{selected: 1, changed: 1, clusters: 3, late: 2, propagating: example{n: 1, first: "FederatedJob a/b in cluster c: ClusterNotReady"}, noted: example{n: 1, first: "y"}, unmatched: []string{"one"}},
			want: []string{"Accepted True Unmatched", "Applied False Propagating", "Contested False Uncontested"}, parts: []string{"in 3 clusters; not there yet in 2 clusters: FederatedJob a/b in cluster c: ClusterNotReady"}},
		{name: "fails, which counts more", found: effects{selected: 4, faulty: examples("b", "c", "a"), noted: example{n: 1, first: "y"}, contested: examples("z")},
			want: []string{"Accepted True Accepted", "Applied False Failed", "Contested True SetByAnother"}, parts: []string{"the last good state stays of 3 federated objects (a, b and c): a is wrong", "another policy sets a field of 1 federated object to something else: z is wrong"}},
		{name: "fails on many", found: effects{selected: 9, faulty: examples("f", "b", "e", "a", "d", "c")},
			want: []string{"Accepted True Accepted", "Applied False Failed", "Contested False Uncontested"}, parts: []string{"the last good state stays of 6 federated objects (a, b, c, d and 2 more): a is wrong"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			compiled := policy.Compile(federate.Origin{Kind: policy.KindOverridePolicy, Namespace: "a", Name: "p"}, &policyv1alpha1.OverridePolicySpec{Rules: []policyv1alpha1.OverrideRule{{}}})
			status := statusOfPolicy(&storedPolicy{generation: 7, compiled: compiled}, tt.found, time.Unix(0, 0))
			var got []string
			var said strings.Builder
			for _, c := range status.Conditions {
				got = append(got, c.Type+" "+string(c.Status)+" "+c.Reason)
				said.WriteString(c.Message + "\n")
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q", got)
			}
			for _, part := range tt.parts {
				if !strings.Contains(said.String(), part) {
					t.Errorf("%q is not in\n%s", part, said.String())
				}
			}
			if status.ObservedGeneration != 7 || int(status.Objects) != tt.found.changed || int(status.Clusters) != tt.found.clusters || int(status.SelectedObjects) != tt.found.selected {
				t.Errorf("got %+v", status)
			}
		})
	}
}

func TestClusterSet(t *testing.T) {
	var one, other clusterSet
	for _, n := range []int{0, 63, 64, 200, 200} {
		one.add(n)
	}
	other.add(1)
	other.addAll(one)
	if both := one.and(other[:1]); !both.has(0) || !both.has(63) || both.has(1) || both.has(64) || both.count() != 2 {
		t.Errorf("both have %v", both)
	}
	if one.count() != 4 || other.count() != 5 {
		t.Errorf("got %d and %d", one.count(), other.count())
	}
}

// What policies do to an object is looked at again when the object is another one, or what
// policies rest on, and not because somebody's status was written.
func TestASurveyLooksAtWhatIsNew(t *testing.T) {
	b := newBench(t, "ConfigMap")
	b.kind.kinds = newKindTable()
	origin := federate.Origin{Kind: policy.KindClusterOverridePolicy, Name: "p"}
	b.policies.policies = []*policy.Policy{policy.Compile(origin, &policyv1alpha1.OverridePolicySpec{
		Selectors: []policyv1alpha1.ObjectSelector{{Kind: "ConfigMap"}}, Rules: []policyv1alpha1.OverrideRule{{Labels: map[string]string{"a": "b"}}},
	})}
	in := func(clusters ...any) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) {
			u.Object["status"] = map[string]any{"clusters": clusters}
		}
	}
	m, n := map[string]any{"name": "m"}, map[string]any{"name": "n"}
	survey := newPolicySurvey(b.policies, b.types, b.hostWorker.placer.intent)
	expect := func(when string, clusters int) {
		t.Helper()
		if found := survey.take(true)[origin]; found.clusters != clusters {
			t.Errorf("%s: got %+v", when, found)
		}
	}
	b.policies.forgetClusters()
	b.put(in(m))
	expect("at first", 1)
	b.put(in(m, n))
	expect("another status", 2)
	if found := survey.take(true)[origin]; found.late != 2 || found.propagating.first != " /b in cluster m: not written yet" {
		t.Errorf("nothing was decided yet, and got %+v", found)
	}
	if found := survey.take(true)[origin]; found.undecided != 1 {
		t.Errorf("nothing was decided yet, and got %+v", found)
	}
	b.told()
	if found := survey.take(true)[origin]; found.late != 0 || found.undecided != 0 {
		t.Errorf("all is there, and got %+v", found)
	}
	b.put(in(m, map[string]any{"name": "n", "status": "ClusterNotReady"}))
	expect("a cluster that does not answer", 2)
	if found := survey.take(true)[origin]; found.late != 1 || found.propagating.first != " /b in cluster n: ClusterNotReady" {
		t.Errorf("got %+v", found)
	}
	b.policies.policies = nil
	expect("nobody has said that there is something new", 2)
	b.policies.forgetClusters()
	expect("without policies", 0)
}

// A controller that starts says nothing else of policies before it knows what they select, and what
// has become of that.
func TestWhatWasSaidOfAPolicyOutlivesARestart(t *testing.T) {
	stored := &storedPolicy{generation: 2, status: policyv1alpha1.OverridePolicyStatus{ObservedGeneration: 2, SelectedObjects: 3}}
	for name, tt := range map[string]struct {
		of      *storedPolicy
		found   effects
		running time.Duration
		want    bool
	}{
		"types are not known yet":       {stored, effects{selected: 1}, time.Second, true},
		"nothing was decided yet":       {stored, effects{selected: 3, undecided: 2}, time.Hour, true},
		"all is known":                  {stored, effects{selected: 3}, time.Second, false},
		"fewer are selected, later":     {stored, effects{selected: 1}, time.Hour, false},
		"a policy of another status":    {&storedPolicy{generation: 3, status: stored.status}, effects{undecided: 2}, time.Second, false},
		"a policy that nobody has seen": {&storedPolicy{generation: 1}, effects{undecided: 2}, time.Second, false},
	} {
		if got := tooEarly(tt.of, tt.found, tt.running); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

// told has the object's status tell what has become of what it is to be by now.
func (b *bench) told() {
	fed := b.kind.federated.Get(b.key)
	acc := b.kind.accountOf(b.key, fed, b.hostWorker.settings)
	acc.delivery.wants(b.hostWorker.placer.intent(b.kind, fed).Revision(), true, true, time.Now())
	acc.delivery.told(&fed.Status, time.Now())
}

// What a status says of an earlier revision does not count: a policy that has just changed is
// not there before a status tells so of what comes of it.
func TestASurveyWaitsForTheStatusOfWhatIsWanted(t *testing.T) {
	b := newBench(t, "ConfigMap")
	b.kind.kinds = newKindTable()
	origin := federate.Origin{Kind: policy.KindClusterOverridePolicy, Name: "p"}
	become := func(value string) {
		b.policies.policies = []*policy.Policy{policy.Compile(origin, &policyv1alpha1.OverridePolicySpec{
			Selectors: []policyv1alpha1.ObjectSelector{{Kind: "ConfigMap"}}, Rules: []policyv1alpha1.OverrideRule{{Labels: map[string]string{"a": value}}},
		})}
		b.policies.forgetClusters()
	}
	b.put(func(u *unstructured.Unstructured) {
		u.Object["status"] = map[string]any{"clusters": []any{map[string]any{"name": "m"}, map[string]any{"name": "n"}}}
	})
	survey := newPolicySurvey(b.policies, b.types, b.hostWorker.placer.intent)
	expect := func(when string, late int) {
		t.Helper()
		if found := survey.take(true)[origin]; found.late != late || found.clusters != 2 {
			t.Errorf("%s: got %+v", when, found)
		}
	}
	become("b")
	expect("a policy that is new", 2)
	b.told()
	expect("the status tells of it", 0)
	become("c")
	expect("another one", 2)
	expect("and nothing is new", 2)
	acc := b.kind.account(b.key)
	acc.delivery.wants(b.hostWorker.placer.intent(b.kind, b.kind.federated.Get(b.key)).Revision(), true, true, time.Now())
	expect("it was decided, and its clusters have not answered", 2)
	b.told()
	expect("the status tells of that as well", 0)
}

// hostThatTakesAll is a host that takes what is written.
type hostThatTakesAll struct {
	metadata.Getter

	written int
}

func (h *hostThatTakesAll) Resource(schema.GroupVersionResource) metadata.Getter { return h }

func (h *hostThatTakesAll) Patch(context.Context, string, types.PatchType, []byte, metav1.PatchOptions, ...string) (*metav1.PartialObjectMetadata, error) {
	h.written++
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "2"}}, nil
}

// The policies' statuses are looked at once the status of an object tells of what they have
// made, also where it says what it has said before, and then no more.
func TestPoliciesLearnThatAStatusStaysAsItIs(t *testing.T) {
	b := newBench(t, "ConfigMap")
	b.kind.kinds = newKindTable()
	host := &hostThatTakesAll{}
	b.hostWorker.status.host = &hostClient{metadata: host, timeout: time.Minute}
	b.put(func(u *unstructured.Unstructured) {
		u.Object["spec"].(map[string]any)["placement"] = map[string]any{"clusters": []any{}} //nolint:forcetypeassert // put has made it
	})
	expect := func(when string, written, asked int) {
		t.Helper()
		fed := b.kind.federated.Get(b.key)
		if _, err := b.hostWorker.propagate(t.Context(), b.kind, b.key, fed, b.kind.accountOf(b.key, fed, b.hostWorker.settings)); err != nil {
			t.Fatal(err)
		}
		if host.written != written || len(b.policies.changes) != asked {
			t.Errorf("%s: %d writes, and the policies' statuses are looked at %d times", when, host.written, len(b.policies.changes))
		}
		for len(b.policies.changes) > 0 {
			<-b.policies.changes
		}
	}
	expect("at first", 1, 1)
	expect("nothing is new", 1, 0)
	b.policies.policies = []*policy.Policy{policy.Compile(federate.Origin{Kind: policy.KindClusterOverridePolicy, Name: "p"}, &policyv1alpha1.OverridePolicySpec{
		Selectors: []policyv1alpha1.ObjectSelector{{Kind: "ConfigMap"}}, Rules: []policyv1alpha1.OverrideRule{{Labels: map[string]string{"a": "b"}}},
	})}
	b.policies.forgetClusters()
	<-b.policies.changes // they may name another one
	expect("a policy that makes no difference to the status", 1, 1)
	expect("nothing is new again", 1, 0)
}
