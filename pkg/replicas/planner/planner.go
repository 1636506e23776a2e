// Package planner spreads replicas over clusters: from what is preferred of each
// cluster, what runs there and what it has room for to how many it gets.
//
// It may import the standard library and nothing else: no client, no clock, no
// goroutine, no other package of this module.
package planner

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/big"
	"math/bits"
	"slices"
)

// EveryCluster is the name under which Preferences.Clusters holds the
// preference for all clusters that it does not name.
const EveryCluster = "*"

// Preferences say how replicas are to be spread over clusters: the spec
// of a ReplicaSchedulingPreference.
type Preferences struct {
	// Total is how many replicas there are to be in all clusters together.
	Total int64
	// Rebalance allows to move replicas that run already. Without it they stay
	// where they are as far as Total and the maxima allow.
	Rebalance bool
	// Clusters are the preferences by the cluster's name, or EveryCluster. With
	// none at all every cluster has the weight 1; otherwise a cluster without a
	// preference gets no replicas.
	Clusters map[string]Preference
}

// Preference is what is preferred of one cluster.
type Preference struct {
	// Min replicas are given first, to clusters of greater weight before others.
	Min int64
	// Max bounds the replicas of the cluster; nil for no bound.
	Max *int64
	// Weight is the cluster's share of what is left after the minima.
	Weight int64
}

// Cluster is a cluster that may get replicas, and how it fares.
type Cluster struct {
	Name string
	// Current is how many replicas run there.
	Current int64
	// Capacity is how many replicas the cluster has room for; nil when nothing
	// is known to be in the way. Less than 0 counts as 0.
	Capacity *int64
}

// Plan says how many replicas each cluster gets.
type Plan struct {
	// Replicas has every cluster that may get replicas, those with 0 included.
	// The sum is Total at most.
	Replicas map[string]int64
	// Overflow has the clusters that are to have more replicas than they have
	// room for at the moment: Kubernetes starts them when there is room, and until
	// then others hold them instead.
	Overflow map[string]int64
	// Unplaced is how many of Total no cluster runs: the maxima, the capacities
	// or a lack of weights keep them back.
	Unplaced int64
}

// Scheduled returns what is written for each cluster: its replicas and its overflow.
func (p Plan) Scheduled() map[string]int64 {
	scheduled := maps.Clone(p.Replicas)
	for name, replicas := range p.Overflow {
		scheduled[name] += replicas
	}
	return scheduled
}

// Validate returns an error that names the first field, in the order of the
// names of clusters, that is negative.
func (p Preferences) Validate() error {
	if p.Total < 0 {
		return fmt.Errorf("spec.totalReplicas must not be negative, is %d", p.Total)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Clusters)) {
		preference := p.Clusters[name]
		for _, field := range []struct {
			name  string
			value int64
		}{{"minReplicas", preference.Min}, {"maxReplicas", value(preference.Max)}, {"weight", preference.Weight}} {
			if field.value < 0 {
				return fmt.Errorf("spec.clusters[%s].%s must not be negative, is %d", name, field.name, field.value)
			}
		}
	}
	return nil
}

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

// Spread spreads replicas over clusters, with the results of KubeFed's
// planner: first the minima, then, without Rebalance, what runs already, then
// the rest by weight, each share rounded up, until there is nothing left or no
// cluster takes more. key is the name of the object, with its namespace: where
// weights are equal, a hash of it and the cluster's name decides who comes
// first, so that not all objects of one replica end up in the same cluster.
// Preferences that Validate refuses give an empty plan; names are unique.
func Spread(preferences Preferences, clusters []Cluster, key string) Plan {
	plan := Plan{Replicas: make(map[string]int64, len(clusters)), Overflow: map[string]int64{}}
	if preferences.Validate() != nil {
		return plan
	}
	shares := sharesOf(preferences, clusters, key)
	remaining := giveMinima(shares, preferences.Total)
	if !preferences.Rebalance {
		remaining = keepRunning(shares, remaining)
	}
	remaining, _ = giveByWeight(shares, remaining)

	for _, c := range clusters {
		plan.Replicas[c.Name] = 0
	}
	for _, s := range shares {
		plan.Replicas[s.name] = s.planned
		overflow := s.overflow
		if !preferences.Rebalance {
			overflow = min(overflow, remaining)
		}
		if overflow > 0 {
			plan.Overflow[s.name] = overflow
		}
	}
	plan.Unplaced = remaining
	return plan
}

// share is the record of one cluster while a plan is made.
type share struct {
	Preference

	name     string
	hash     uint32
	current  int64
	capacity *int64

	planned, overflow int64
	// kept is what the cluster has got for running already, and has not yet been
	// due by its weight.
	kept int64
	// due is its share of the round, taken or paid with what it has kept.
	due int64
}

// room bounds n by the cluster's capacity.
func (s *share) room(n int64) int64 {
	if s.capacity == nil {
		return n
	}
	return min(n, max(0, *s.capacity))
}

// sharesOf returns the clusters that have a preference, the first to be served first.
func sharesOf(preferences Preferences, clusters []Cluster, key string) []*share {
	byName := preferences.Clusters
	if len(byName) == 0 {
		byName = map[string]Preference{EveryCluster: {Weight: 1}}
	}
	shares := make([]*share, 0, len(clusters))
	for _, c := range clusters {
		preference, found := byName[c.Name]
		if !found {
			if preference, found = byName[EveryCluster]; !found {
				continue
			}
		}
		hash := fnv.New32()
		_, _ = hash.Write([]byte(c.Name + key)) // never fails
		shares = append(shares, &share{
			Preference: preference, name: c.Name, hash: hash.Sum32(), current: c.Current, capacity: c.Capacity,
		})
	}
	slices.SortFunc(shares, func(a, b *share) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.hash, b.hash), cmp.Compare(a.name, b.name))
	})
	return shares
}

// giveMinima gives each cluster its minimum and returns what is left.
func giveMinima(shares []*share, remaining int64) int64 {
	for _, s := range shares {
		s.planned = s.room(min(s.Min, remaining))
		remaining -= s.planned
	}
	return remaining
}

// keepRunning gives each cluster what runs there already and returns what is left.
func keepRunning(shares []*share, remaining int64) int64 {
	for _, s := range shares {
		if s.current <= s.planned {
			continue
		}
		target := s.room(s.current)
		if s.Max != nil {
			target = min(target, *s.Max)
		}
		s.kept = max(0, min(target-s.planned, remaining))
		s.planned += s.kept
		remaining -= s.kept
	}
	return remaining
}

// giveByWeight shares out what is left by weight, in rounds, because a cluster
// may be full or have kept more than is due to it. It returns what is left then,
// and how many rounds it took.
//
// It ends: every round leaves less of what remains or of what is kept, or is the
// last. It ends soon: of rounds in which everybody only pays with what is kept all
// but the first are skipped; in any other one a cluster takes some of what
// remains, or takes its last. The most rounds are needed where one cluster pays
// with what is kept and one of hardly any weight takes a single replica each time;
// that many are some ten thousands for as many replicas as an int32 can be.
func giveByWeight(shares []*share, remaining int64) (left int64, rounds int) {
	open := slices.Clone(shares)
	for ; remaining > 0; rounds++ {
		weights := sumOfWeights(open)
		if weights.none() {
			break
		}
		round, progress, taken := remaining, false, false
		open = slices.DeleteFunc(open, func(s *share) bool {
			before := s.planned
			s.due = min(weights.shareOf(round, s.Weight), remaining)
			used := min(s.due, s.kept)
			s.kept -= used
			full := s.give(before + s.due - used)
			remaining -= s.planned - before
			progress = progress || used > 0 || s.planned > before
			taken = taken || full || s.planned != before
			return full
		})
		if !progress {
			break
		}
		if !taken {
			skipRounds(open)
		}
	}
	return remaining, rounds
}

// skipRounds has the clusters pay what is due in all rounds that would be like the
// last one, in which each paid with what it has kept, and nothing else changed.
func skipRounds(open []*share) {
	rounds := int64(math.MaxInt64)
	for _, s := range open {
		if s.due > 0 {
			rounds = min(rounds, s.kept/s.due)
		}
	}
	for _, s := range open {
		if s.due > 0 {
			s.kept -= rounds * s.due
		}
	}
}

// give plans total replicas for the cluster, or as many as it takes, and says
// whether it takes no more.
func (s *share) give(total int64) (full bool) {
	if s.Max != nil && total > *s.Max {
		total, full = *s.Max, true
	}
	if room := s.room(total); room < total {
		s.overflow = total - room
		total, full = room, true
	}
	s.planned = total
	return full
}

// weightSum is the sum of weights, which are any that a manifest can have, so that
// it may not fit 64 bits.
type weightSum struct {
	small uint64   // if it fits
	large *big.Int // otherwise
}

func sumOfWeights(shares []*share) weightSum {
	var sum weightSum
	for _, s := range shares {
		if s.Weight == 0 {
			continue
		}
		small, carry := bits.Add64(sum.small, uint64(s.Weight), 0) //nolint:gosec // weights are not negative
		switch {
		case sum.large != nil:
			sum.large.Add(sum.large, big.NewInt(s.Weight))
		case carry != 0:
			sum.large = new(big.Int).SetUint64(sum.small)
			sum.large.Add(sum.large, big.NewInt(s.Weight))
		default:
			sum.small = small
		}
	}
	return sum
}

func (w weightSum) none() bool { return w.large == nil && w.small == 0 }

// shareOf is replicas * weight / weights, rounded up; it is replicas at most.
func (w weightSum) shareOf(replicas, weight int64) int64 {
	if w.large == nil {
		high, low := bits.Mul64(uint64(replicas), uint64(weight)) //nolint:gosec // neither is negative
		low, carry := bits.Add64(low, w.small-1, 0)
		share, _ := bits.Div64(high+carry, low, w.small)
		return int64(share) //nolint:gosec // no more than replicas
	}
	product := new(big.Int).Mul(big.NewInt(replicas), big.NewInt(weight))
	product.Add(product, w.large).Sub(product, big.NewInt(1))
	return product.Quo(product, w.large).Int64()
}
