package propagation

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/policy"
)

// policySurvey counts what policies do. What they do to an object is looked at again when the
// object is another one, or what policies rest on, and worked out again when its intent is
// another one, or its clusters are.
type policySurvey struct {
	store   *policyStore
	running *typeSet
	// intent is what is decided about, which the namespace bounds as well.
	intent  func(t *runningType, fed *federated) federate.Intent
	objects map[surveyed]objectSurvey
	// numbers are the clusters', in the order in which they were met.
	numbers map[string]int
	seed    maphash.Seed
}

// surveyed is a federated object.
type surveyed struct {
	typeName string
	key      types.NamespacedName
}

type objectSurvey struct {
	// of and epoch are the state of the object, and of policies and clusters, that this is of.
	of    *federated
	epoch uint64
	// selected says whether any policy changes the object.
	selected bool
	// late are the clusters that do not have the object as it is to be there: all, while it is
	// owed what has become of it.
	late clusterSet
	owed bool
	// undecided: nothing is known of it yet, as after a start.
	undecided bool
	revision  federate.Revision
	clusters  uint64 // a hash of their names
	effects   []objectEffect
}

// objectEffect is what one policy does to one object.
type objectEffect struct {
	origin                   federate.Origin
	object                   string
	changed                  clusterSet
	faulty, noted, contested string
}

// effects is what a policy does to all objects.
type effects struct {
	selected, changed, clusters, late     int
	faulty, noted, contested, propagating example
	// undecided is of how many objects nothing is known yet.
	undecided int
	// unmatched is what its rules name that no cluster has.
	unmatched []string
}

// example is how many objects there are that something is to be said of, what is said of one of
// them, and the first of their names.
type example struct {
	n     int
	first string
	names []string
}

// mostNamed is how many objects are named that the same is to be said of.
const mostNamed = 4

func (e *example) add(name, text string) {
	if text == "" {
		return
	}
	if e.n++; e.n == 1 || text < e.first { // the same one every time
		e.first = text
	}
	if len(e.names) == mostNamed && name > e.names[mostNamed-1] {
		return
	}
	i, _ := slices.BinarySearch(e.names, name)
	e.names = slices.Insert(e.names, i, name)
	e.names = e.names[:min(len(e.names), mostNamed)]
}

// objects says how many there are, and names them, where it is not one that is told of anyway.
func (e *example) objects() string {
	text := amountOf(e.n, "federated object")
	if e.n == 1 {
		return text
	}
	names := slices.Clone(e.names)
	if more := e.n - len(names); more > 0 {
		names = append(names, strconv.Itoa(more)+" more")
	}
	last := len(names) - 1
	return text + " (" + strings.Join(names[:last], ", ") + " and " + names[last] + ")"
}

// clusterSet holds numbers of clusters.
type clusterSet []uint64

func (s *clusterSet) add(n int) {
	for len(*s) <= n/64 {
		*s = append(*s, 0)
	}
	(*s)[n/64] |= 1 << (n % 64)
}

func (s *clusterSet) addAll(more clusterSet) {
	for len(*s) < len(more) {
		*s = append(*s, 0)
	}
	for i := range more {
		(*s)[i] |= more[i]
	}
}

// and are the numbers that are in both.
func (s clusterSet) and(other clusterSet) clusterSet {
	both := slices.Clone(s[:min(len(s), len(other))])
	for i := range both {
		both[i] &= other[i]
	}
	return both
}

func (s clusterSet) has(n int) bool { return n/64 < len(s) && s[n/64]&(1<<(n%64)) != 0 }

func (s clusterSet) count() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

func newPolicySurvey(store *policyStore, running *typeSet, intent func(*runningType, *federated) federate.Intent) *policySurvey {
	return &policySurvey{store: store, running: running, intent: intent, objects: map[surveyed]objectSurvey{}, numbers: map[string]int{}, seed: maphash.MakeSeed()}
}

// take looks at all federated objects; at none, where there are no policies.
func (s *policySurvey) take(some bool) map[federate.Origin]effects {
	found, clusters, late := map[federate.Origin]effects{}, map[federate.Origin]clusterSet{}, map[federate.Origin]clusterSet{}
	before := s.objects
	s.objects = map[surveyed]objectSurvey{}
	if !some {
		return found
	}
	for _, t := range s.running.all() {
		for _, key := range t.federated.Keys("") {
			fed := t.federated.Get(key)
			if fed == nil || fed.Deleting || !t.standsForTarget(key) {
				continue
			}
			object := surveyed{t.Name, key}
			now := s.look(before[object], t, key, fed)
			s.objects[object] = now
			for _, effect := range now.effects {
				sum, in, behind := found[effect.origin], clusters[effect.origin], late[effect.origin]
				in.addAll(effect.changed)
				clusters[effect.origin] = in
				sum.add(effect)
				if now.undecided {
					sum.undecided++
				}
				if waiting := effect.changed.and(now.late); waiting.count() > 0 {
					sum.propagating.add(effect.object, s.behind(t, fed, waiting))
					behind.addAll(waiting)
					late[effect.origin] = behind
				}
				found[effect.origin] = sum
			}
		}
	}
	for origin, sum := range found {
		sum.clusters, sum.late = clusters[origin].count(), late[origin].count()
		found[origin] = sum
	}
	return found
}

func (e *effects) add(effect objectEffect) {
	e.selected++
	if effect.changed.count() > 0 {
		e.changed++
	}
	e.faulty.add(effect.object, effect.faulty)
	e.noted.add(effect.object, effect.noted)
	e.contested.add(effect.object, effect.contested)
}

// look is what policies do to an object, as it was found before if nothing is new.
func (s *policySurvey) look(before objectSurvey, t *runningType, key types.NamespacedName, fed *federated) objectSurvey {
	epoch := s.store.state() // what is newer by the time it is used is looked at again
	if before.of == fed && before.epoch == epoch && !before.owed {
		return before
	}
	now := objectSurvey{}
	if s.store.selected(t, fed) {
		now = s.survey(before, t, fed)
		acc := t.account(key)
		now.owed, now.undecided = acc.owes(s.intent(t, fed).Revision()), acc.undecided()
		now.late = s.late(fed, now.owed)
	}
	now.of, now.epoch = fed, epoch
	return now
}

// survey is what policies do to one object in the clusters in which it is.
func (s *policySurvey) survey(before objectSurvey, t *runningType, fed *federated) objectSurvey {
	intent, clusters, refused := s.store.changed(t, fed), clustersOf(fed), refusals(fed)
	var hash maphash.Hash
	hash.SetSeed(s.seed)
	for _, name := range clusters {
		_, _ = hash.WriteString(name + "/" + refused[name] + "/") // it takes all
	}
	if before.selected && before.revision == intent.Revision() && before.clusters == hash.Sum64() {
		return before
	}
	now := objectSurvey{selected: true, revision: intent.Revision(), clusters: hash.Sum64()}
	name := nameOf(t, fed)
	for _, e := range policy.Effects(intent.Layers, fed.Template, clusters) {
		effect := objectEffect{origin: e.Origin, object: name}
		for _, cluster := range e.Changed {
			effect.changed.add(s.number(cluster))
			if why := refused[cluster]; why != "" && effect.faulty == "" {
				effect.faulty = name + " in cluster " + cluster + ": the cluster refuses what the policy has changed: " + why
			}
		}
		if e.Fault != nil {
			effect.faulty = name + " in cluster " + e.FaultyCluster + ": " + e.Fault.Error()
		}
		if e.Note != "" {
			effect.noted = name + " in cluster " + e.NotedCluster + ": " + e.Note
		}
		if e.Contest != nil {
			effect.contested = name + " in cluster " + e.ContestedCluster + ": " + e.Contest.String()
		}
		now.effects = append(now.effects, effect)
	}
	return now
}

func nameOf(t *runningType, fed *federated) string {
	return t.Federated.GVK.Kind + " " + types.NamespacedName{Namespace: fed.Namespace, Name: fed.Name}.String()
}

// late are the clusters that do not have an object as it is to be there, but for those that
// refuse it. owed: its status is of before.
func (s *policySurvey) late(fed *federated, owed bool) (late clusterSet) {
	if owed {
		for _, name := range clustersOf(fed) {
			late.add(s.number(name))
		}
		return late
	}
	for i := range fed.Status.Clusters {
		if isLate(fed.Status.Clusters[i].Status) {
			late.add(s.number(fed.Status.Clusters[i].Name))
		}
	}
	return late
}

func isLate(status federate.PropagationStatus) bool {
	switch status {
	case federate.CreationFailed, federate.UpdateFailed: // see refusals
		return false
	case federate.LabelStripped, federate.Drifted: // it has got there
		return false
	case federate.WaitingForRemoval, federate.DeletionFailed, federate.DeletionTimedOut, federate.LabelRemovalFailed, federate.LabelRemovalTimedOut: // it is to go
		return false
	}
	return status.Trouble()
}

// behind says of the first of some clusters why an object is not there as it is to be.
func (s *policySurvey) behind(t *runningType, fed *federated, waiting clusterSet) string {
	for i := range fed.Status.Clusters {
		c := &fed.Status.Clusters[i]
		if !waiting.has(s.number(c.Name)) {
			continue
		}
		text := nameOf(t, fed) + " in cluster " + c.Name + ": "
		if !isLate(c.Status) { // it is what is so of an earlier revision
			return text + "not written yet"
		}
		text += string(c.Status)
		if c.Message != "" {
			text += " (" + c.Message + ")"
		}
		return text
	}
	return ""
}

func (s *policySurvey) number(cluster string) int {
	n, found := s.numbers[cluster]
	if !found {
		n = len(s.numbers)
		s.numbers[cluster] = n
	}
	return n
}

// refusals are what clusters that do not take the object say of it, by name.
func refusals(fed *federated) map[string]string {
	refused := map[string]string{}
	for i := range fed.Status.Clusters {
		if c := &fed.Status.Clusters[i]; c.Status == federate.CreationFailed || c.Status == federate.UpdateFailed {
			refused[c.Name] = c.Message
		}
	}
	return refused
}

// clustersOf are the clusters that an object's status says it is, or is to be, in.
func clustersOf(fed *federated) []string {
	var names []string
	for i := range fed.Status.Clusters {
		if fed.Status.Clusters[i].Status != federate.NotSelected {
			names = append(names, fed.Status.Clusters[i].Name)
		}
	}
	return names
}
