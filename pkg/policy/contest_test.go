package policy

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/workload"
)

// named gives a policy a name, since which one wins is told by it.
func named(p *Policy, name string) *Policy {
	p.Origin.Name = name
	return p
}

func TestPoliciesThatDisagreeAreTold(t *testing.T) {
	tests := []struct {
		name, one, other string
		// want are the fields; none, if they go together.
		want []string
	}{
		{name: "a class", one: `priorityClassName: low`, other: `priorityClassName: high`, want: []string{"spec.template.spec.priorityClassName"}},
		{name: "the same class", one: `priorityClassName: high`, other: `priorityClassName: high`},
		{name: "replicas", one: `replicas: 3`, other: `replicas: 4`, want: []string{"spec.replicas"}},
		{name: "a label", one: `labels: {a: b, c: d}`, other: `labels: {a: b, c: e}`, want: []string{"metadata.labels.c"}},
		{name: "other labels", one: `labels: {a: b}`, other: `labels: {c: d}`},
		{name: "a variable", one: "containers: [log]\n  env: [{name: X, value: a}]", other: `env: [{name: X, value: b}]`, want: []string{"spec.template.spec.containers[name=log].env[name=X].value"}},
		{name: "a variable of other containers", one: "containers: [log]\n  env: [{name: X, value: a}]", other: "containers: [train]\n  env: [{name: X, value: b}]"},
		{name: "parts of an image", one: `images: [{registry: mirror.example}]`, other: `images: [{tag: "3"}]`},
		{name: "a part of an image", one: `images: [{tag: "2"}]`, other: "containers: [log]\n  images: [{tag: \"3\"}]", want: []string{"spec.template.spec.containers[name=log].image (tag or digest)"}},
		{name: "a sidecar whose image comes from a mirror", one: `sidecars: [{name: proxy, image: p}]`, other: `images: [{registry: mirror.example}]`},
		{name: "tolerations", one: `tolerations: [{key: a}]`, other: `tolerations: [{key: b}]`},
		{name: "derived, both", one: `deriveTolerations: {requireNodes: true}`, other: `deriveTolerations: {requireNodes: true}`},
		{name: "a patch that takes away what was added", one: `tolerations: [{key: a}]`, other: `patches: [{op: remove, path: /spec/template/spec/tolerations}]`, want: []string{"spec.template.spec.tolerations"}},
		{name: "a patch of a field", one: `replicas: 3`, other: `patches: [{path: /spec/replicas, value: 4}]`, want: []string{"spec.replicas"}},
		{name: "a limit", one: "containers: [log]\n  resources: {limits: {memory: 1Gi}}", other: "containers: [log]\n  resources: {limits: {memory: 2Gi}, requests: {cpu: 1}}", want: []string{"spec.template.spec.containers[name=log].resources.limits.memory"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			policies := []*Policy{named(policyOf(t, "rules:\n- "+tt.one), "a"), named(policyOf(t, "rules:\n- "+tt.other), "b")}
			template := read(t, gpuWorkload)
			layers := Layers(policies, NewObject(workload.Builtin(), deployments, "", "train", nil), template, fleetOfOne)
			var want, got []string
			for _, field := range tt.want {
				want = append(want, field+": ClusterOverridePolicy a sets it as well, and ClusterOverridePolicy b wins, which comes later")
			}
			tree := template
			for _, layer := range layers {
				changed, notes, err := layer.Modifier.Modify("one", tree)
				if err != nil {
					t.Fatal(err)
				}
				if tree = changed; layer.Origin == (federate.Origin{}) {
					got = federate.NotesThatHold(notes, tree)
				}
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for _, e := range Effects(layers, template, []string{"one"}) {
				if (e.Contest != nil) != (len(tt.want) > 0) || e.Contest != nil && (e.Contest.Field != tt.want[0] || e.ContestedCluster != "one") {
					t.Errorf("%s: got contest %+v", e.Origin, e.Contest)
				}
			}
		})
	}
}

func TestEffects(t *testing.T) {
	fleet := NewFleet(Clusters{"a": {Labels: map[string]string{"x": "1"}}, "b": {Labels: map[string]string{"x": "1"}}, "c": {}, "one": fleetOfOne.clusters["one"]})
	policies := []*Policy{
		named(policyOf(t, `rules: [{clusters: {labelSelector: {matchLabels: {x: "1"}}}, replicas: 3}, {clusters: {names: [b]}, replicas: 2}]`), "changes"),
		named(policyOf(t, `rules: [{clusters: {names: [b]}, replicas: 2}]`), "changes-nothing"),
		named(policyOf(t, `rules: [{clusters: {names: [c]}, containers: [nobody], env: [{name: A}]}]`), "faulty"),
		named(policyOf(t, `rules: [{clusters: {names: [one]}, deriveTolerations: {}}]`), "noted"),
		named(policyOf(t, `rules: [{clusters: {names: [c]}, replicas: 5}]`), "waits"),
		named(policyOf(t, `rules: [{clusters: {names: [c]}, containers: [none], env: [{name: A}]}]`), "faulty-too"),
		named(policyOf(t, `{selectors: [{kind: Job}], rules: [{replicas: 9}]}`), "another"),
	}
	template := read(t, gpuWorkload)
	layers := Layers(policies, NewObject(workload.Builtin(), deployments, "", "train", nil), template, fleet)
	var got []string
	for _, e := range Effects(layers, template, []string{"a", "b", "c", "one"}) {
		text := fmt.Sprint(e.Origin.Name, e.Changed)
		if e.Fault != nil {
			text += " " + e.FaultyCluster + " " + e.Fault.Error()
		}
		if e.Note != "" {
			text += " " + e.NotedCluster + " " + e.Note[:len("the pool")]
		}
		got = append(got, text)
	}
	want := []string{"changes[a]", "changes-nothing[]", `faulty[] c spec.rules[0].containers[0]: the object has no container "nobody"`, "noted[one] one the pool", "waits[c]",
		`faulty-too[] c spec.rules[0].containers[0]: the object has no container "none"`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// counting counts how often it is carried out; all clusters are alike to it.
type counting struct{ n int }

func (c *counting) Revision() string    { return "counting" }
func (c *counting) Likeness(string) int { return everywhere }
func (c *counting) Modify(_ string, tree map[string]any) (map[string]any, []federate.Note, error) {
	c.n++
	return tree, nil, nil
}

// A policy that cannot be carried out anywhere does not make clusters differ: what the others
// do is worked out once for those that are alike.
// A federated object may be without a template, as that of a Namespace is.
func TestEffectsWithoutTemplate(t *testing.T) {
	policies := []*Policy{
		named(policyOf(t, `{selectors: [{kind: ConfigMap}], rules: [{labels: {team: shop}, annotations: {a: b}}]}`), "labels"),
		named(policyOf(t, `{selectors: [{kind: ConfigMap}], rules: [{replicas: 3}]}`), "changes-nothing"),
		named(policyOf(t, `{selectors: [{kind: ConfigMap}], rules: [{patches: [{op: add, path: /data, value: {a: b}}]}]}`), "patches"),
	}
	layers := Layers(policies, NewObject(workload.Builtin(), schema.GroupKind{Kind: "ConfigMap"}, "", "settings", nil), nil, fleetOfOne)
	var got []string
	for _, e := range Effects(layers, nil, []string{"one"}) {
		got = append(got, fmt.Sprint(e.Origin.Name, e.Changed, e.Fault))
	}
	if want := "labels[one] <nil> changes-nothing[] <nil> patches[one] <nil>"; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, " "), want)
	}
}

func TestEffectsBesideAnInvalidPolicy(t *testing.T) {
	policies := []*Policy{
		named(policyOf(t, `rules: [{replicas: 3}]`), "a"),
		named(policyOf(t, `rules: []`), "invalid"),
		named(policyOf(t, `rules: [{replicas: 4}]`), "z"),
	}
	var clusters []string
	for i := range 100 {
		clusters = append(clusters, fmt.Sprint("c", i))
	}
	template, counter := read(t, gpuWorkload), &counting{}
	layers := Layers(policies, NewObject(workload.Builtin(), deployments, "", "train", nil), template, NewFleet(Clusters{}))
	layers = append([]federate.Layer{{Modifier: counter}}, layers...)
	effects := Effects(layers, template, clusters)
	if counter.n != 1 {
		t.Errorf("carried out %d times for clusters that are all alike", counter.n)
	}
	if len(effects) != 3 || len(effects[0].Changed) != 100 || len(effects[2].Changed) != 100 || effects[0].Contest == nil {
		t.Errorf("got %+v", effects)
	}
	if e := effects[1]; e.Changed != nil || e.FaultyCluster != "c0" || e.Fault == nil || e.Fault.Field != "spec.rules" || e.Contest != nil {
		t.Errorf("of the invalid one: %+v", e)
	}
	if e := Effects(layers, template, nil)[1]; e.Fault != nil {
		t.Errorf("in no cluster: %+v", e)
	}
}

// What policies do in many clusters is what they do in each, whether some cannot be carried
// out or not.
func TestEffectsInManyClustersAreThoseInEach(t *testing.T) {
	policies := []*Policy{
		named(policyOf(t, `rules: [{clusters: {names: [c3, c4]}, containers: [nobody], env: [{name: A}]}]`), "a-faulty"),
		named(policyOf(t, `rules: []`), "b-invalid"),
		named(policyOf(t, `rules: [{deriveTolerations: {}}, {clusters: {labelSelector: {matchLabels: {region: "1"}}}, replicas: 3}]`), "c"),
		named(policyOf(t, `rules: [{clusters: {accelerator: amd.com/gpu}, replicas: 4}]`), "d"),
		named(policyOf(t, `rules: [{patches: [{path: nothing}]}]`), "e-invalid"),
	}
	template, r := read(t, gpuWorkload), rand.New(rand.NewPCG(3, 4))
	for range 50 {
		fleet := NewFleet(someClusters(r, 12))
		layers := Layers(policies, NewObject(workload.Builtin(), deployments, "", "train", nil), template, fleet)
		var want []Effect
		for _, cluster := range fleet.names {
			want = merged(want, Effects(layers, template, []string{cluster}))
		}
		got := Effects(layers, template, fleet.names)
		for i := range got {
			slices.Sort(got[i].Changed)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v: got\n%+v\nwant\n%+v", fleet.clusters, got, want)
		}
	}
}

// merged adds the effects in one more cluster.
func merged(all, more []Effect) []Effect {
	if all == nil {
		return more
	}
	for i, m := range more {
		e := &all[i]
		e.Changed = append(e.Changed, m.Changed...)
		if e.Fault == nil {
			e.Fault, e.FaultyCluster = m.Fault, m.FaultyCluster
		}
		if e.Note == "" {
			e.Note, e.NotedCluster = m.Note, m.NotedCluster
		}
		if e.Contest == nil {
			e.Contest, e.ContestedCluster = m.Contest, m.ContestedCluster
		}
	}
	return all
}

// That an image has no tag is said of the one that is there in the end, by the policy that has made
// it so: a later policy, or the object's own override, may set one.
func TestImagesWithoutATagInTheEnd(t *testing.T) {
	mirror := named(policyOf(t, `rules: [{containers: [log], images: [{registry: mirror.example}]}]`), "a")
	other := named(policyOf(t, `rules: [{containers: [log], images: [{repository: another}]}]`), "b")
	tag := named(policyOf(t, `rules: [{containers: [log], images: [{tag: "2"}]}]`), "c")
	own := `{clusterName: one, clusterOverrides: [{path: /spec/template/spec/containers/1/image, value: "own:1"}]}`
	said := func(name string) string {
		return "ClusterOverridePolicy " + name + `: container "log": its image has no tag and no digest, so each pull may bring another one`
	}
	for _, tt := range []struct {
		name, overrides string
		policies        []*Policy
		want            []string
	}{
		{"alone", "", []*Policy{mirror}, []string{said("a")}},
		{"another one, without a tag as well", "", []*Policy{mirror, other}, []string{said("b")}},
		{"a later policy sets it", "", []*Policy{mirror, other, tag}, nil},
		{"the object sets it", own, []*Policy{mirror}, nil},
	} {
		template := read(t, gpuWorkload)
		object, err := federate.Parse(&unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "train", "namespace": "ml"},
			"spec": map[string]any{"template": template, "overrides": read(t, "list: ["+tt.overrides+"]")["list"]}}})
		if err != nil {
			t.Fatal(err)
		}
		layers := Layers(tt.policies, NewObject(workload.Builtin(), deployments, "ml", "train", nil), template, fleetOfOne)
		renderer, err := federate.IntentOf(object, nil, nil).Beneath(layers...).Renderer(federate.Target{GVK: deployments.WithVersion("v1"), Namespaced: true})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second is shared
			rendered, err := renderer.For("one")
			if err != nil || !slices.Equal(rendered.Notes, tt.want) {
				t.Errorf("%s: got %q, %v", tt.name, rendered.Notes, err)
			}
		}
		var noted []string
		for _, e := range Effects(layers, template, []string{"one"}) {
			if e.Note != "" {
				noted = append(noted, e.Origin.String()+": "+e.Note)
			}
		}
		if tt.overrides == "" && !slices.Equal(noted, tt.want) {
			t.Errorf("%s: the policies say %q", tt.name, noted)
		}
	}
}
