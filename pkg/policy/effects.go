package policy

import (
	"errors"
	"reflect"
	"slices"

	"github.com/fedctl/fedctl/pkg/federate"
)

// step is what one layer has made of an object.
type step struct {
	origin        federate.Origin
	before, after map[string]any
	notes         []federate.Note
}

// through carries out layers on a template for a cluster; nil is one that is empty. The error is
// that of the last step.
func through(layers []federate.Layer, cluster string, template map[string]any) (steps []step, err error) {
	tree := template
	if tree == nil {
		tree = map[string]any{}
	}
	for i := range layers {
		if layers[i].Modifier == nil {
			continue
		}
		after, notes, err := layers[i].Modifier.Modify(cluster, tree)
		if err != nil {
			return append(steps, step{origin: layers[i].Origin}), err
		}
		steps = append(steps, step{origin: layers[i].Origin, before: tree, after: after, notes: notes})
		tree = after
	}
	return steps, nil
}

// referee is a layer on top of those of policies that may disagree: it changes nothing, and
// says at the object where they do.
type referee struct {
	layers   []federate.Layer
	template map[string]any
}

// Remembering implements federate.Rememberer.
func (r *referee) Remembering() federate.Modifier {
	return &referee{layers: remembering(r.layers), template: r.template}
}

// remembering are layers that remember what they have made.
func remembering(layers []federate.Layer) []federate.Layer {
	layers = slices.Clone(layers)
	for i := range layers {
		if r, ok := layers[i].Modifier.(federate.Rememberer); ok {
			layers[i].Modifier = r.Remembering()
		}
	}
	return layers
}

// Revision implements federate.Modifier: it depends on the layers beneath it alone.
func (r *referee) Revision() string { return "contests" }

// Likeness implements federate.Modifier.
func (r *referee) Likeness(string) int { return everywhere }

// Modify implements federate.Modifier.
func (r *referee) Modify(cluster string, tree map[string]any) (changed map[string]any, notes []federate.Note, err error) {
	steps, err := through(r.layers, cluster, r.template)
	if err != nil {
		return tree, nil, nil //nolint:nilerr // the layer itself has said so
	}
	for _, contest := range contests(steps) {
		notes = append(notes, federate.Note{Text: contest.String()})
	}
	return tree, notes, nil
}

// Effect is what one policy does to one object.
type Effect struct {
	Origin federate.Origin
	// Changed are the clusters in which the object is another one for it, or would be if
	// another policy could be carried out.
	Changed []string
	// Fault is why it cannot be carried out in FaultyCluster; nil if it can everywhere. The
	// object stays there as it is.
	Fault         *federate.ModifyError
	FaultyCluster string
	// Note is what it says of the object in NotedCluster; empty if nothing.
	Note, NotedCluster string
	// Contest is a field in which it disagrees with another policy, in ContestedCluster.
	Contest          *Contest
	ContestedCluster string
}

// Effects says what policies do to an object in clusters, those of one kind of clusters after
// the other. layers are what Layers has made, template what they were made for.
func Effects(layers []federate.Layer, template map[string]any, clusters []string) []Effect {
	layers = remembering(layers)
	a := account{of: map[federate.Origin]int{}}
	for i := range layers {
		if origin := layers[i].Origin; origin != (federate.Origin{}) {
			a.effect(origin)
		}
	}
	layers = a.sound(layers, clusters)
	alike := map[string][]string{}
	var kinds []string
	for _, cluster := range clusters {
		kind := likenessOf(layers, cluster)
		if alike[kind] == nil {
			kinds = append(kinds, kind)
		}
		alike[kind] = append(alike[kind], cluster)
	}
	for _, kind := range kinds {
		a.take(layers, template, alike[kind])
	}
	return a.effects
}

// likenessOf is the same for clusters that all layers treat alike; a cluster that is like no
// other has its name in it.
func likenessOf(layers []federate.Layer, cluster string) string {
	key := make([]byte, 0, 32)
	for i := range layers {
		if layers[i].Modifier == nil {
			continue
		}
		longer, shared := federate.AppendLikeness(key, layers[i].Modifier, cluster)
		if !shared {
			return "=" + cluster
		}
		key = longer
	}
	return string(key)
}

// account gathers effects.
type account struct {
	effects []Effect
	of      map[federate.Origin]int
}

func (a *account) effect(origin federate.Origin) *Effect {
	i, found := a.of[origin]
	if !found {
		i = len(a.effects)
		a.of[origin] = i
		a.effects = append(a.effects, Effect{Origin: origin})
	}
	return &a.effects[i]
}

// sound are the layers but for those of policies that cannot be carried out, which is so in
// every cluster: they say nothing of what clusters are alike to the others.
func (a *account) sound(layers []federate.Layer, clusters []string) []federate.Layer {
	var sound []federate.Layer
	for i := range layers {
		m, ok := layers[i].Modifier.(*modifier)
		switch {
		case !ok || m.problem == nil:
			sound = append(sound, layers[i])
		case len(clusters) > 0:
			a.fail(layers[i].Origin, clusters[0], m.problem)
		}
	}
	return sound
}

// fail notes why a policy cannot be carried out in a cluster, of the first one.
func (a *account) fail(origin federate.Origin, cluster string, why error) {
	e := a.effect(origin)
	if e.Fault == nil {
		e.FaultyCluster, e.Fault = cluster, &federate.ModifyError{Message: why.Error()}
		errors.As(why, &e.Fault)
	}
}

// take adds what happens in clusters that are alike.
func (a *account) take(layers []federate.Layer, template map[string]any, clusters []string) {
	steps, err := through(layers, clusters[0], template)
	if err != nil {
		faulty := steps[len(steps)-1].origin
		a.fail(faulty, clusters[0], err)
		// Nothing is sent there. What the others change waits for this one.
		if others := without(layers, faulty); len(others) < len(layers) {
			a.take(others, template, clusters)
		}
		return
	}
	for first := 0; first < len(steps); {
		origin, last := steps[first].origin, first
		for last+1 < len(steps) && steps[last+1].origin == origin {
			last++
		}
		if origin != (federate.Origin{}) {
			a.note(steps[first:last+1], steps[len(steps)-1].after, clusters)
		}
		first = last + 1
	}
	for _, contest := range contests(steps) {
		for _, origin := range []federate.Origin{contest.Loser, contest.Winner} {
			if e := a.effect(origin); e.Contest == nil {
				e.Contest, e.ContestedCluster = &contest, clusters[0]
			}
		}
	}
}

// without are layers but for those of one policy.
func without(layers []federate.Layer, origin federate.Origin) []federate.Layer {
	return slices.DeleteFunc(slices.Clone(layers), func(l federate.Layer) bool { return l.Origin == origin })
}

// note adds what one policy has made, by all its rules together. final is what has become of the
// object by all policies.
func (a *account) note(steps []step, final map[string]any, clusters []string) {
	e := a.effect(steps[0].origin)
	if !reflect.DeepEqual(steps[0].before, steps[len(steps)-1].after) {
		e.Changed = append(e.Changed, clusters...)
	}
	for i := range steps {
		if notes := federate.NotesThatHold(steps[i].notes, final); len(notes) > 0 && e.Note == "" {
			e.Note, e.NotedCluster = notes[0], clusters[0]
		}
	}
}
