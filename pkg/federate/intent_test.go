package federate

import (
	"errors"
	"strings"
	"testing"

	"github.com/fedctl/fedctl/pkg/placement"
)

// Everything that an object can look like in a cluster depends on changes its revision;
// nothing else does.
func TestRevision(t *testing.T) {
	const manifest = `{"metadata":{"name":"web","namespace":"shop","uid":"u"},"spec":{"template":{"spec":{"replicas":1,"paused":false}},` +
		`"placement":{"clusters":[{"name":"a"},{"name":"b"}]},"overrides":[{"clusterName":"a","clusterOverrides":[{"path":"/spec/replicas","value":2}]}]}}`
	revision := func(manifest string) Revision {
		o, err := Parse(object(t, manifest))
		var fault *ParseError
		if err != nil && !errors.As(err, &fault) {
			t.Fatal(err)
		}
		return IntentOf(o, fault, nil).Revision()
	}
	for name, test := range map[string]struct {
		old, new string
		same     bool
	}{
		"the order of keys":             {`"replicas":1,"paused":false`, `"paused":false,"replicas":1`, true},
		"a status":                      {`"spec":{"template"`, `"status":{"observedGeneration":3},"spec":{"template"`, true},
		"an annotation":                 {`"uid":"u"`, `"uid":"u","annotations":{"kubefed.io/orphan":"true"}`, true},
		"a field of the template":       {`"replicas":1`, `"replicas":3`, false},
		"a cluster":                     {`{"name":"b"}`, `{"name":"c"}`, false},
		"two clusters in one":           {`{"name":"a"},{"name":"b"}`, `{"name":"ab"}`, false},
		"no clusters":                   {`"clusters":[{"name":"a"},{"name":"b"}]`, ``, false},
		"a selector":                    {`"placement":{`, `"placement":{"clusterSelector":{},`, false},
		"whose override it is":          {`"clusterName":"a"`, `"clusterName":"b"`, false},
		"the path of an override":       {`/spec/replicas`, `/spec/paused`, false},
		"its value":                     {`"value":2`, `"value":3`, false},
		"its operation":                 {`"path":`, `"op":"add","path":`, false},
		"retained replicas":             {`"template"`, `"retainReplicas":true,"template"`, false},
		"overrides that cannot be read": {`"overrides":[`, `"overrides":["no",`, false},
	} {
		changed := strings.Replace(manifest, test.old, test.new, 1)
		if changed == manifest {
			t.Fatalf("%s: nothing was replaced", name)
		}
		if same := revision(changed) == revision(manifest); same != test.same {
			t.Errorf("%s: the same revision: %t", name, same)
		}
	}
}

func TestRevisionIsKeptWithTheGeneration(t *testing.T) {
	o := mustParse(t, benchObject())
	first := IntentOf(o, nil, nil)
	o.Template = nil // it is not looked at
	if again := IntentOf(o, nil, &first); again.Revision() != first.Revision() || again.Template != nil {
		t.Errorf("%s, was %s", again.Revision(), first.Revision())
	}
	for name, change := range map[string]func(){
		"another generation": func() { o.Generation++ },
		"another object":     func() { o.Generation--; o.UID = "v" },
		"no generation":      func() { o.UID, o.Generation = "u", 0 },
	} {
		change()
		if IntentOf(o, nil, &first).Revision() == first.Revision() {
			t.Errorf("%s: the same revision", name)
		}
	}
}

func TestRevisionHasItsNamespacesPlacement(t *testing.T) {
	bound := func(clusters ...string) *Intent {
		i := IntentOf(&Object{Template: map[string]any{"any": "thing"}, Placement: placement.Spec{Clusters: clusters, HasClusters: true}}, nil, nil)
		return &i
	}
	intent := IntentOf(mustParse(t, benchObject()), nil, nil)
	within := intent.Within(bound("a"))
	if within.Bounds.Namespace == nil || intent.Bounds.Namespace != nil || intent.Within(nil).Revision() != intent.Revision() {
		t.Error("the bound is where it does not belong")
	}
	other := bound("a")
	other.Template = nil
	if within.Revision() != intent.Within(other).Revision() {
		t.Error("the template of a FederatedNamespace means nothing to what is in it")
	}
	for _, r := range []Revision{intent.Revision(), intent.Within(bound()).Revision(), intent.Within(bound("b")).Revision()} {
		if r == within.Revision() {
			t.Error("another bound, and the same revision")
		}
	}
}

func TestLayers(t *testing.T) {
	policy := Origin{Kind: "OverridePolicy", Namespace: "shop", Name: "gpu"}
	set := func(cluster, path string, value any) []ClusterOverrides {
		return []ClusterOverrides{{ClusterName: cluster, Overrides: []Override{{Path: path, Value: value, HasValue: true}}}}
	}
	own := mustParse(t, benchObject()) // cluster-4: replicas 4 and a toleration
	intent := IntentOf(own, nil, nil).With(Layer{Origin: policy, Overrides: append(set("cluster-4", "/spec/replicas", int64(9)), set("cluster-1", "/spec/paused", true)...)})
	renderer, err := intent.Renderer(deployments)
	if err != nil {
		t.Fatal(err)
	}
	for cluster, want := range map[string][]string{
		"cluster-4": {`"replicas":9`, `"tolerations"`},
		"cluster-2": {`"replicas":2`, `"tolerations"`},
		"cluster-1": {`"replicas":3`, `"paused":true`},
		"cluster-3": {`"replicas":3`},
	} {
		rendered, err := renderer.For(cluster)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(string(rendered.JSON), part) {
				t.Errorf("%s lacks %s: %s", cluster, part, rendered.JSON)
			}
		}
	}
	if len(IntentOf(own, nil, nil).Layers) != 1 {
		t.Error("the object's own layers have changed")
	}
	if intent.Revision() == IntentOf(own, nil, nil).Revision() || intent.Revision() == IntentOf(own, nil, nil).With(Layer{Origin: policy}).Revision() {
		t.Error("a layer is not in the revision")
	}
	// Who made the mistake is who has to mend it.
	renderer, err = intent.With(Layer{Origin: policy, Overrides: set("cluster-4", "no path", 1)}).Renderer(deployments)
	if err != nil {
		t.Fatal(err)
	}
	var bad *RenderError
	if _, err := renderer.For("cluster-4"); !errors.As(err, &bad) || !strings.HasPrefix(bad.Field, "OverridePolicy shop/gpu: spec.overrides[0].clusterOverrides[0]") {
		t.Errorf("got %v", err)
	}
	if _, err := renderer.For("cluster-2"); err != nil {
		t.Error(err)
	}
}

func TestIntentThatCouldNotBeReadRendersNothing(t *testing.T) {
	fault := &ParseError{Field: "spec.overrides", Message: "must be a list"}
	var got *ParseError
	if _, err := IntentOf(mustParse(t, benchObject()), fault, nil).Renderer(deployments); !errors.As(err, &got) || got != fault {
		t.Errorf("got %v", err)
	}
}

func BenchmarkIntent(b *testing.B) {
	o := mustParse(b, benchObject())
	b.ReportAllocs()
	for b.Loop() {
		IntentOf(o, nil, nil)
	}
}
