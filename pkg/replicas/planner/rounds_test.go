package planner

import (
	"math"
	"math/rand/v2"
	"testing"
)

// keepers draws a case in which clusters have kept most of the replicas, a few are
// left to be shared out, and weights differ widely: the ones that need many rounds.
func (r random) keepers(total int64) (Preferences, []Cluster) {
	preferences := Preferences{Total: total, Clusters: map[string]Preference{}}
	weights := []int64{1, 1, 2, 1000, 1_000_000, 1 << 40, math.MaxInt64}
	var clusters []Cluster
	left := total - r.Int64N(1+int64(math.Pow(float64(total), r.Float64())))
	for _, letter := range "abcdef"[:1+r.IntN(6)] {
		name := string(letter)
		preference := Preference{Weight: weights[r.IntN(len(weights))]}
		if r.IntN(4) == 0 {
			preference.Max = new(r.Int64N(total))
		}
		preferences.Clusters[name] = preference
		cluster := Cluster{Name: name}
		if r.IntN(3) > 0 {
			cluster.Current = r.Int64N(left + 1)
			left -= cluster.Current
		}
		if r.IntN(6) == 0 {
			cluster.Capacity = new(r.Int64N(total))
		}
		clusters = append(clusters, cluster)
	}
	return preferences, clusters
}

func TestManyKeptReplicasAreKubeFeds(t *testing.T) {
	for seed := range uint64(2000) {
		r := random{rand.New(rand.NewPCG(seed, 3))}
		preferences, clusters := r.keepers(2000)
		for name, p := range preferences.Clusters { // KubeFed's products overflow beyond that
			p.Weight = min(p.Weight, 1<<40)
			preferences.Clusters[name] = p
		}
		compareWithKubeFed(t, preferences, clusters, "ns/web")
		if t.Failed() {
			t.Fatalf("seed %d: %+v over %+v", seed, preferences, clusters)
		}
	}
}

// mostRounds is far from what any number of replicas that fits an int32 needs, and
// from the two thousand millions that paying one by one would take.
const mostRounds = 200_000

// rounds is how many rounds the sharing by weight takes.
func rounds(preferences Preferences, clusters []Cluster) int {
	shares := sharesOf(preferences, clusters, "ns/web")
	_, rounds := giveByWeight(shares, keepRunning(shares, giveMinima(shares, preferences.Total)))
	return rounds
}

func TestPlansOfTwoThousandMillionReplicasTakeFewRounds(t *testing.T) {
	for name, test := range map[string]struct {
		current counts
		weights counts
		want    counts
	}{
		"a hair short": {
			counts{"a": math.MaxInt32 - 1}, counts{"a": 1}, counts{"a": math.MaxInt32},
		},
		"a hair short, and another one without weight": {
			counts{"a": math.MaxInt32 - 1}, counts{"a": 1, "b": 0}, counts{"a": math.MaxInt32, "b": 0},
		},
		"a hair short in both": {
			counts{"a": 1 << 30, "b": 1<<30 - 2}, counts{"a": 1, "b": 1}, counts{"a": 1 << 30, "b": 1<<30 - 1},
		},
		"one of hardly any weight takes one by one": {
			counts{"a": math.MaxInt32 - 65536}, counts{"a": 1 << 40, "b": 1}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			preferences := Preferences{Total: math.MaxInt32, Clusters: map[string]Preference{}}
			var clusters []Cluster
			for _, letter := range "ab" {
				weight, named := test.weights[string(letter)]
				if named {
					preferences.Clusters[string(letter)] = Preference{Weight: weight}
					clusters = append(clusters, Cluster{Name: string(letter), Current: test.current[string(letter)]})
				}
			}
			if n := rounds(preferences, clusters); n > mostRounds {
				t.Errorf("%d rounds", n)
			}
			plan := Spread(preferences, clusters, "ns/web")
			var sum int64
			for name, replicas := range plan.Replicas {
				sum += replicas
				if test.want != nil && replicas != test.want[name] {
					t.Errorf("cluster %s gets %d, want %d", name, replicas, test.want[name])
				}
			}
			if sum != math.MaxInt32 {
				t.Errorf("%d replicas in all: %v", sum, plan)
			}
		})
	}
}

func TestPlansTakeFewRounds(t *testing.T) {
	most := 0
	for seed := range uint64(20000) {
		r := random{rand.New(rand.NewPCG(seed, 4))}
		preferences, clusters := r.keepers(math.MaxInt32)
		n := rounds(preferences, clusters)
		if most = max(most, n); n > mostRounds {
			t.Fatalf("seed %d: %d rounds for %+v over %+v", seed, n, preferences, clusters)
		}
	}
	t.Logf("%d rounds at most", most)
}
