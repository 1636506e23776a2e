package planner

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"
	kubefedplanner "sigs.k8s.io/kubefed/pkg/controller/util/planner"
)

// random draws inputs small enough for every kind of coincidence to happen often.
type random struct{ *rand.Rand }

type counts = map[string]int64

// planCase is a plan to be made. Clusters are a, b, c … as far as they are named.
type planCase struct {
	name      string
	prefs     map[string]Preference
	total     int64
	rebalance bool
	clusters  string // one letter each
	current   counts
	capacity  counts
	want      counts
	overflow  counts
	unplaced  int64
}

func (c planCase) input() (Preferences, []Cluster) {
	var clusters []Cluster
	for _, letter := range c.clusters {
		cluster := Cluster{Name: string(letter), Current: c.current[string(letter)]}
		if capacity, ok := c.capacity[string(letter)]; ok {
			cluster.Capacity = &capacity
		}
		clusters = append(clusters, cluster)
	}
	return Preferences{Total: c.total, Rebalance: c.rebalance, Clusters: c.prefs}, clusters
}

var equal = map[string]Preference{"*": {Weight: 1}}

func TestSpread(t *testing.T) {
	for _, test := range []planCase{
		{name: "no preference is the same for all", total: 4, clusters: "ab", want: counts{"a": 2, "b": 2}},
		{name: "two equal", prefs: equal, total: 4, clusters: "ab", want: counts{"a": 2, "b": 2}},
		{name: "no clusters", prefs: equal, total: 4, clusters: "", want: counts{}, unplaced: 4},
		{name: "nothing to spread", prefs: equal, total: 0, clusters: "ab", want: counts{"a": 0, "b": 0}},
		{
			name: "weights", prefs: map[string]Preference{"a": {Weight: 2}, "b": {Weight: 1}}, total: 6, clusters: "ab",
			want: counts{"a": 4, "b": 2},
		},
		{
			name:  "minima before weights",
			prefs: map[string]Preference{"a": {Min: 3, Weight: 2}, "b": {Min: 3, Weight: 1}}, total: 6, clusters: "ab",
			want: counts{"a": 3, "b": 3},
		},
		{
			name: "a cluster that is not named gets none", prefs: map[string]Preference{"a": {Weight: 1}, "b": {Weight: 2}},
			total: 60, clusters: "abc", want: counts{"a": 20, "b": 40, "c": 0},
		},
		{
			name: "the others share what * says", prefs: map[string]Preference{"*": {Weight: 1}, "a": {Weight: 2}},
			total: 8, clusters: "abc", want: counts{"a": 4, "b": 2, "c": 2},
		},
		{
			name: "a name beats *", prefs: map[string]Preference{"*": {Weight: 1}, "a": {}},
			total: 8, clusters: "abc", want: counts{"a": 0, "b": 4, "c": 4},
		},
		{
			name: "more minima than replicas: the greater weight first", prefs: map[string]Preference{"*": {Min: 20}, "a": {Min: 100, Weight: 1}},
			total: 50, clusters: "abc", want: counts{"a": 50, "b": 0, "c": 0},
		},
		{
			name: "minima alone leave a rest", prefs: map[string]Preference{"*": {Min: 2}},
			total: 50, clusters: "abc", want: counts{"a": 2, "b": 2, "c": 2}, unplaced: 44,
		},
		{
			name: "maxima leave a rest", prefs: map[string]Preference{"*": {Weight: 1, Min: 10, Max: new(int64(12))}},
			total: 50, clusters: "abc", want: counts{"a": 12, "b": 12, "c": 12}, unplaced: 14,
		},
		{
			name:  "what a maximum keeps back goes to the others",
			prefs: map[string]Preference{"a": {Weight: 10000, Max: new(int64(10))}, "b": {Weight: 1}, "c": {Weight: 1, Max: new(int64(21))}, "d": {Weight: 1, Max: new(int64(10))}},
			total: 71, clusters: "abcd", want: counts{"a": 10, "b": 30, "c": 21, "d": 10},
		},
		{
			name: "running replicas stay", prefs: equal, total: 50, clusters: "abc", current: counts{"c": 30},
			want: counts{"a": 10, "b": 10, "c": 30},
		},
		{
			name: "running replicas move", prefs: equal, total: 60, rebalance: true, clusters: "abc", current: counts{"c": 30},
			want: counts{"a": 20, "b": 20, "c": 20},
		},
		{
			name: "fewer in total than run", prefs: equal, total: 1, clusters: "ab", current: counts{"a": 30},
			want: counts{"a": 1, "b": 0},
		},
		{
			name: "a little room: the others help out, and it may have its share later", prefs: map[string]Preference{"a": {Weight: 1}, "b": {Weight: 2}},
			total: 60, rebalance: true, clusters: "abc", capacity: counts{"b": 10},
			want: counts{"a": 50, "b": 10, "c": 0}, overflow: counts{"b": 30},
		},
		{
			name: "a little room, without moving back", prefs: map[string]Preference{"a": {Weight: 1}, "b": {Weight: 5}},
			total: 60, clusters: "abc", capacity: counts{"b": 10}, want: counts{"a": 50, "b": 10, "c": 0},
		},
		{
			name: "little room everywhere", prefs: map[string]Preference{"a": {Weight: 1}, "b": {Weight: 1}},
			total: 60, clusters: "abc", capacity: counts{"a": 10, "b": 10},
			want: counts{"a": 10, "b": 10, "c": 0}, overflow: counts{"a": 20, "b": 20}, unplaced: 40,
		},
		{
			name: "no room bounds a minimum", prefs: map[string]Preference{"*": {Min: 20}},
			total: 50, clusters: "abc", capacity: counts{"b": -3}, want: counts{"a": 20, "b": 0, "c": 20}, unplaced: 10,
		},
		{
			name: "weights whose sum does not fit 64 bits", prefs: map[string]Preference{"*": {Weight: math.MaxInt64}},
			total: math.MaxInt32, clusters: "ab", want: counts{"a": math.MaxInt32/2 + 1, "b": math.MaxInt32 / 2},
		},
		{
			name: "weights whose sum does not fit 64 bits, with or without a sign", prefs: map[string]Preference{"*": {Weight: math.MaxInt64}, "d": {Weight: 1}},
			total: 3_000_000, clusters: "abcd", want: counts{"a": 1_000_000, "b": 1_000_000, "c": 1_000_000, "d": 0},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			preferences, clusters := test.input()
			plan := Spread(preferences, clusters, "ns/web")
			want := Plan{Replicas: test.want, Overflow: test.overflow, Unplaced: test.unplaced}
			if diff := cmp.Diff(want, plan, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// One replica does not always go to the cluster whose name sorts first.
func TestOneReplicaIsSpreadByTheObjectsName(t *testing.T) {
	got := counts{}
	clusters := []Cluster{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	for i := range 300 {
		for name, replicas := range Spread(Preferences{Total: 1}, clusters, fmt.Sprintf("ns/app-%d", i)).Replicas {
			if replicas > 0 {
				got[name] += replicas
			}
		}
	}
	if len(got) < 2 || got["a"] > 150 {
		t.Errorf("300 single replicas are spread as %v", got)
	}
}

func TestValidateReplicas(t *testing.T) {
	for _, test := range []struct {
		preferences Preferences
		want        string
	}{
		{Preferences{Total: 3, Clusters: map[string]Preference{"a": {Min: 1, Max: new(int64(2)), Weight: 3}}}, ""},
		{Preferences{Total: -1}, "spec.totalReplicas must not be negative, is -1"},
		{Preferences{Clusters: map[string]Preference{"b": {Min: -2}, "c": {Weight: -9}}}, "spec.clusters[b].minReplicas must not be negative, is -2"},
		{Preferences{Clusters: map[string]Preference{"*": {Max: new(int64(-3))}}}, "spec.clusters[*].maxReplicas must not be negative, is -3"},
		{Preferences{Clusters: map[string]Preference{"*": {Weight: -4}}}, "spec.clusters[*].weight must not be negative, is -4"},
	} {
		err := test.preferences.Validate()
		if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
		if plan := Spread(test.preferences, []Cluster{{Name: "a"}}, "k"); test.want != "" && len(plan.Replicas) != 0 {
			t.Errorf("%s: the plan is %v", test.want, plan)
		}
	}
}

// input draws a case; sane ones have no maximum below the minimum.
func (r random) input(sane bool) (Preferences, []Cluster) {
	preferences := Preferences{Total: r.Int64N(40), Rebalance: r.IntN(2) == 0, Clusters: map[string]Preference{}}
	for _, name := range []string{"a", "b", "c", "d", "*"} {
		if r.IntN(3) == 0 {
			continue
		}
		preference := Preference{Min: max(0, r.Int64N(16)-8), Weight: r.Int64N(5)}
		if r.IntN(3) == 0 {
			preference.Max = new(r.Int64N(20))
			if sane {
				preference.Max = new(preference.Min + r.Int64N(12))
			}
		}
		preferences.Clusters[name] = preference
	}
	var clusters []Cluster
	for _, i := range r.Perm(6)[:r.IntN(7)] {
		cluster := Cluster{Name: string("abcdef"[i])}
		if r.IntN(2) == 0 {
			cluster.Current = r.Int64N(25)
		}
		if r.IntN(4) == 0 {
			cluster.Capacity = new(r.Int64N(15))
		}
		clusters = append(clusters, cluster)
	}
	return preferences, clusters
}

func eachInput(t *testing.T, sane bool, check func(r random, preferences Preferences, clusters []Cluster)) {
	t.Helper()
	for seed := range uint64(20000) {
		r := random{rand.New(rand.NewPCG(seed, 2))}
		preferences, clusters := r.input(sane)
		check(r, preferences, clusters)
		if t.Failed() {
			t.Fatalf("seed %d: %+v over %+v", seed, preferences, clusters)
		}
	}
}

// compareWithKubeFed has KubeFed's own planner plan the same.
func compareWithKubeFed(t *testing.T, preferences Preferences, clusters []Cluster, key string) {
	t.Helper()
	theirs := &fedschedulingv1alpha1.ReplicaSchedulingPreference{}
	theirs.Spec.TotalReplicas = int32(preferences.Total)
	theirs.Spec.Rebalance = preferences.Rebalance
	theirs.Spec.Clusters = map[string]fedschedulingv1alpha1.ClusterPreferences{}
	for name, p := range preferences.Clusters {
		theirs.Spec.Clusters[name] = fedschedulingv1alpha1.ClusterPreferences{MinReplicas: p.Min, MaxReplicas: p.Max, Weight: p.Weight}
	}
	if len(theirs.Spec.Clusters) == 0 { // what its controller does before it asks the planner
		theirs.Spec.Clusters["*"] = fedschedulingv1alpha1.ClusterPreferences{Weight: 1}
	}
	var names []string
	current, capacity := counts{}, counts{}
	for _, c := range clusters {
		names = append(names, c.Name)
		current[c.Name] = c.Current
		if c.Capacity != nil {
			capacity[c.Name] = *c.Capacity
		}
	}
	replicas, overflow, err := kubefedplanner.NewPlanner(theirs).Plan(names, current, capacity, key)
	if err != nil {
		t.Fatal(err)
	}
	plan := Spread(preferences, clusters, key)
	if diff := cmp.Diff(replicas, plan.Replicas); diff != "" {
		t.Errorf("replicas (-KubeFed +ours):\n%s", diff)
	}
	if diff := cmp.Diff(overflow, plan.Overflow); diff != "" {
		t.Errorf("overflow (-KubeFed +ours):\n%s", diff)
	}
}

func TestReplicasAreKubeFeds(t *testing.T) {
	eachInput(t, false, func(r random, preferences Preferences, clusters []Cluster) {
		compareWithKubeFed(t, preferences, clusters, fmt.Sprintf("ns/app-%d", r.IntN(100)))
	})
}

func TestReplicasKeepTheBounds(t *testing.T) {
	eachInput(t, true, func(_ random, preferences Preferences, clusters []Cluster) {
		plan := Spread(preferences, clusters, "ns/web")
		var sum, minima int64
		willing := false // somebody would take more
		for _, c := range clusters {
			preference, found := preferences.Clusters[c.Name]
			if !found {
				if preference, found = preferences.Clusters[EveryCluster]; !found && len(preferences.Clusters) == 0 {
					preference, found = Preference{Weight: 1}, true
				}
			}
			got, planned := plan.Replicas[c.Name]
			switch {
			case !planned || got < 0:
				t.Errorf("cluster %s has %d, %t", c.Name, got, planned)
			case !found && got > 0:
				t.Errorf("cluster %s has %d without a preference", c.Name, got)
			case preference.Max != nil && got > *preference.Max:
				t.Errorf("cluster %s has %d, more than the maximum %d", c.Name, got, *preference.Max)
			case c.Capacity != nil && got > *c.Capacity:
				t.Errorf("cluster %s has %d, more than the capacity %d", c.Name, got, *c.Capacity)
			}
			least := preference.Min
			if c.Capacity != nil {
				least = min(least, *c.Capacity)
			}
			minima += least
			sum += got
			willing = willing || preference.Weight > 0 && (preference.Max == nil || got < *preference.Max) && (c.Capacity == nil || got < *c.Capacity)
		}
		if minima <= preferences.Total {
			for _, c := range clusters {
				least := preferences.Clusters[c.Name].Min
				if c.Capacity != nil {
					least = min(least, *c.Capacity)
				}
				if plan.Replicas[c.Name] < least {
					t.Errorf("cluster %s has %d, less than the minimum %d, although there are enough", c.Name, plan.Replicas[c.Name], least)
				}
			}
		}
		if sum+plan.Unplaced != preferences.Total || plan.Unplaced < 0 {
			t.Errorf("%d placed and %d not, of %d", sum, plan.Unplaced, preferences.Total)
		}
		if plan.Unplaced > 0 && willing {
			t.Errorf("%d not placed although a cluster would take them: %v", plan.Unplaced, plan.Replicas)
		}
	})
}

func TestReplicasAreStable(t *testing.T) {
	eachInput(t, true, func(r random, preferences Preferences, clusters []Cluster) {
		plan := Spread(preferences, clusters, "ns/web")
		shuffled := slices.Clone(clusters)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(plan, Spread(preferences, shuffled, "ns/web")); diff != "" {
			t.Errorf("the order of the clusters matters:\n%s", diff)
		}
		// Once what was planned runs, nothing moves any more.
		running := slices.Clone(clusters)
		for i := range running {
			running[i].Current = plan.Replicas[running[i].Name]
		}
		if diff := cmp.Diff(plan.Replicas, Spread(preferences, running, "ns/web").Replicas); diff != "" {
			t.Errorf("what runs as planned is moved:\n%s", diff)
		}
	})
}
