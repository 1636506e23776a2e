package placement

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// random draws inputs small enough for every kind of coincidence to happen often.
type random struct{ *rand.Rand }

func (r random) clusters() []Cluster {
	clusters := make([]Cluster, r.IntN(6))
	for i, n := range r.Perm(8)[:len(clusters)] {
		labels := map[string]string{}
		for _, key := range []string{"region", "gpu"} {
			if r.IntN(3) > 0 {
				labels[key] = fmt.Sprint(r.IntN(3))
			}
		}
		clusters[i] = Cluster{Name: fmt.Sprint("c", n), Labels: labels, Ready: r.IntN(2) == 0}
	}
	return clusters
}

func (r random) spec() Spec {
	var spec Spec
	if r.IntN(2) == 0 {
		spec.HasClusters = true
		for range r.IntN(6) {
			spec.Clusters = append(spec.Clusters, fmt.Sprint("c", r.IntN(10)))
		}
	}
	if r.IntN(3) > 0 {
		spec.ClusterSelector = &metav1.LabelSelector{}
		if r.IntN(2) == 0 {
			metav1.AddLabelToSelector(spec.ClusterSelector, "region", fmt.Sprint(r.IntN(3)))
		}
		if r.IntN(2) == 0 {
			operators := []metav1.LabelSelectorOperator{metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist}
			spec.ClusterSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "gpu", Operator: operators[r.IntN(2)]}}
		}
	}
	return spec
}

func (r random) input() Input {
	in := Input{Placement: r.spec(), Namespaced: r.IntN(2) == 0, LimitedScope: r.IntN(4) == 0, Clusters: r.clusters()}
	if r.IntN(3) > 0 {
		in.Namespace = new(r.spec())
	}
	return in
}

// eachRandom runs check on many inputs; a failure prints the seed to repeat it.
func eachRandom(t *testing.T, check func(t *testing.T, r random, in Input)) {
	t.Helper()
	for seed := range uint64(3000) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		check(t, r, r.input())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func mustDecide(t *testing.T, in Input) Decision {
	t.Helper()
	decision, err := Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	return decision
}

// verdicts has verdicts compared by what they say.
var verdicts = cmp.Comparer(func(a, b Verdict) bool { return slices.Equal(saidBy([]Verdict{a}), saidBy([]Verdict{b})) })

func TestOrderDoesNotMatter(t *testing.T) {
	eachRandom(t, func(t *testing.T, r random, in Input) {
		want := mustDecide(t, in)
		shuffled := in
		shuffled.Clusters = slices.Clone(in.Clusters)
		r.Shuffle(len(shuffled.Clusters), func(i, j int) {
			shuffled.Clusters[i], shuffled.Clusters[j] = shuffled.Clusters[j], shuffled.Clusters[i]
		})
		if diff := cmp.Diff(want, mustDecide(t, shuffled), verdicts); diff != "" {
			t.Errorf("the order of clusters matters:\n%s", diff)
		}
		shuffled.Placement.Clusters = slices.Clone(in.Placement.Clusters)
		slices.Reverse(shuffled.Placement.Clusters)
		if diff := cmp.Diff(want.Clusters, mustDecide(t, shuffled).Clusters); diff != "" {
			t.Errorf("the order of names matters:\n%s", diff)
		}
	})
}

func TestNamespaceIntersects(t *testing.T) {
	eachRandom(t, func(t *testing.T, _ random, in Input) {
		got := mustDecide(t, in)
		own := mustDecide(t, Input{Placement: in.Placement, Clusters: in.Clusters})
		want := own.Clusters
		switch {
		case in.Namespaced && in.Namespace != nil:
			bound := mustDecide(t, Input{Placement: *in.Namespace, Clusters: in.Clusters})
			want = slices.DeleteFunc(want, func(name string) bool { return !slices.Contains(bound.Clusters, name) })
		case in.Namespaced && !in.LimitedScope:
			want = []string{}
		}
		if diff := cmp.Diff(want, got.Clusters); diff != "" {
			t.Errorf("not the intersection (-want +got):\n%s", diff)
		}
	})
}

func TestReadinessDoesNotSelect(t *testing.T) {
	eachRandom(t, func(t *testing.T, _ random, in Input) {
		want := mustDecide(t, in).Clusters
		flipped := in
		flipped.Clusters = slices.Clone(in.Clusters)
		for i := range flipped.Clusters {
			flipped.Clusters[i].Ready = !flipped.Clusters[i].Ready
		}
		if diff := cmp.Diff(want, mustDecide(t, flipped).Clusters); diff != "" {
			t.Errorf("readiness matters:\n%s", diff)
		}
	})
}

func TestDecisionIsCoherent(t *testing.T) {
	eachRandom(t, func(t *testing.T, _ random, in Input) {
		got := mustDecide(t, in)
		if !slices.IsSorted(got.Clusters) {
			t.Errorf("clusters are not sorted: %v", got.Clusters)
		}
		var selected, judged, expected []string
		for _, verdict := range got.Verdicts {
			judged = append(judged, verdict.Cluster)
			if verdict.Selected {
				selected = append(selected, verdict.Cluster)
			}
			if verdict.Reason == "" || verdict.Filter() == "" || verdict.Message() == "" {
				t.Errorf("no reason or message: %+v", verdict)
			}
		}
		if !slices.Equal(selected, got.Clusters) {
			t.Errorf("verdicts select %v, the decision %v", selected, got.Clusters)
		}
		for _, cluster := range in.Clusters {
			expected = append(expected, cluster.Name)
		}
		for _, unknown := range got.Unknown {
			if slices.Contains(expected, unknown.Name) {
				t.Errorf("%s is joined or listed twice", unknown.Name)
			}
			if slices.Contains(got.Clusters, unknown.Name) {
				t.Errorf("%s is not joined and selected", unknown.Name)
			}
			expected = append(expected, unknown.Name)
		}
		slices.Sort(expected)
		if !slices.Equal(expected, judged) {
			t.Errorf("verdicts on %v, want %v", judged, expected)
		}
	})
}

// many is an input with as many clusters, a fourth of which are selected.
func many(clusters int) Input {
	namespace := selecting()
	in := Input{Placement: selecting("region=1"), Namespaced: true, Namespace: &namespace}
	for i := range clusters {
		in.Clusters = append(in.Clusters, Cluster{Name: fmt.Sprintf("cluster-%04d", i), Labels: map[string]string{"region": fmt.Sprint(i % 4)}, Ready: true})
	}
	return in
}

// Nobody reads why each of a thousand clusters was not selected, so nothing is said of
// a cluster until somebody asks.
func TestClustersCostNoAllocations(t *testing.T) {
	allocations := func(clusters int) float64 {
		in := many(clusters)
		return testing.AllocsPerRun(20, func() {
			if _, err := Decide(in); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, lots := allocations(2), allocations(2000); lots > few {
		t.Errorf("%v allocations for 2,000 clusters, %v for two", lots, few)
	}
}

func BenchmarkDecide(b *testing.B) {
	in := many(100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decide(in); err != nil {
			b.Fatal(err)
		}
	}
}
