package workload

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
)

var training = schema.GroupKind{Group: "example.com", Kind: "Training"}

func kindWith(health *v1alpha1.Health, components ...v1alpha1.Component) *v1alpha1.WorkloadKindSpec {
	return &v1alpha1.WorkloadKindSpec{Group: training.Group, Kind: training.Kind, Health: health, Components: components}
}

func TestHealthByExpressions(t *testing.T) {
	spec := kindWith(&v1alpha1.Health{
		Healthy:   `object.status.phase == "Done" || object.status.ready >= size(object.spec.workers)`,
		Degraded:  `object.status.phase == "Failed"`,
		Suspended: `object.spec.?suspend.orValue(false)`,
		Message:   `"phase " + object.status.phase`,
	})
	kind, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	table := Builtin().With(kind)
	for object, want := range map[string]Health{
		`{}`:                                    {Progressing, ""},
		`{"status":{"phase":"Done"},"spec":{}}`: {Healthy, ""},
		`{"status":{"phase":"Running","ready":2},"spec":{"workers":[1,2]}}`:                        {Healthy, ""},
		`{"status":{"phase":"Running","ready":1},"spec":{"workers":[1,2]}}`:                        {Progressing, "phase Running"},
		`{"status":{"phase":"Failed"}}`:                                                            {Degraded, "phase Failed"},
		`{"spec":{"suspend":true},"status":{"phase":"Waiting"}}`:                                   {Suspended, "phase Waiting"},
		`{"metadata":{"generation":2},"status":{"phase":"Done","observedGeneration":1},"spec":{}}`: {Progressing, "generation 2 has not been observed yet"},
	} {
		if got := table.Health(training, tree(t, object)); got != want {
			t.Errorf("%s: got %+v, want %+v", object, got, want)
		}
	}
	if got := table.Health(training, tree(t, `{"status":{"phase":7,"ready":"x"},"spec":{"workers":[1]}}`)); got.Status != Unknown || !strings.HasPrefix(got.Message, "spec.health.healthy: ") {
		t.Errorf("of what is no number it says %+v", got)
	}
}

func TestExpressionsThatCannotBeCarriedOut(t *testing.T) {
	for text, want := range map[string]string{
		`object.status.`:                   "spec.health.healthy: ERROR",
		`object.status.phase + 1 == now()`: "undeclared reference to 'now'",
		`"Done"`:                           "spec.health.healthy: must be a bool, is a string",
		`subject.status`:                   "undeclared reference to 'subject'",
	} {
		kind, err := Compile(kindWith(&v1alpha1.Health{Healthy: text}, v1alpha1.Component{Path: "spec.template"}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
		table := Builtin().With(kind)
		if h := table.Health(training, map[string]any{}); h.Status != Unknown || len(table.PodTemplates(training)) != 1 {
			t.Errorf("%s: %+v, templates %v", text, h, table.PodTemplates(training))
		}
	}
	_, err := Compile(kindWith(&v1alpha1.Health{Healthy: "1", Degraded: "2"}))
	if err == nil || !strings.Contains(err.Error(), "healthy") || !strings.Contains(err.Error(), "degraded") {
		t.Errorf("one of two faults is kept quiet: %v", err)
	}
}

// Nothing that an object holds is told because an expression fails of it; and nothing at all
// is told by expressions of what a Secret holds.
func TestFailuresTellNoValues(t *testing.T) {
	for _, text := range []string{`int(object.password) > 1`, `timestamp(object.password).getFullYear() > 1`, `object.password.matches("(" + object.password)`, `object.list[object.password] == 1`} {
		kind, err := Compile(kindWith(&v1alpha1.Health{Healthy: text}))
		if err != nil {
			t.Fatal(err)
		}
		h := Builtin().With(kind).Health(training, map[string]any{"password": `hunter2"\'`, "list": []any{}})
		if h.Status != Unknown || !strings.HasPrefix(h.Message, "spec.health.healthy: ") || strings.Contains(h.Message, "hunter2") {
			t.Errorf("%s: got %+v", text, h)
		}
	}
	kind, err := Compile(&v1alpha1.WorkloadKindSpec{Kind: "Secret", Health: &v1alpha1.Health{Healthy: "false", Message: "object.data.password"}})
	if kind != nil || !errors.Is(err, ErrSecret) {
		t.Errorf("got %+v, %v", kind, err)
	}
	if secrets := (schema.GroupKind{Kind: "Secret"}); Builtin().With(kind).Has(secrets) {
		t.Error("a Secret is a workload")
	}
}

// An expression that never ends costs what it may, and no more.
func TestExpressionsAreBounded(t *testing.T) {
	kind, err := Compile(kindWith(&v1alpha1.Health{Healthy: `object.list.all(a, object.list.all(b, object.list.all(c, a + b + c >= 0)))`}))
	if err != nil {
		t.Fatal(err)
	}
	list := make([]any, 1000)
	for i := range list {
		list[i] = int64(i)
	}
	got := Builtin().With(kind).Health(training, map[string]any{"list": list})
	if got.Status != Unknown || !strings.Contains(got.Message, "cost limit exceeded") {
		t.Errorf("got %+v", got)
	}
}

func TestCompile(t *testing.T) {
	kind, err := Compile(kindWith(nil,
		v1alpha1.Component{Path: "spec.workers.*.template"}, v1alpha1.Component{Path: "spec.head", Type: v1alpha1.PodSpec}))
	if err != nil {
		t.Fatal(err)
	}
	table := Builtin().With(kind)
	var at []string
	object := tree(t, `{"spec":{"head":{"x":1},"workers":{"a":{"template":{"spec":{"x":1}}},"b":{"template":{}}}}}`)
	if _, err := Edit(object, table.PodTemplates(training), func(_ map[string]any, where string) error {
		at = append(at, where)
		return nil
	}); err != nil || strings.Join(at, " ") != "spec.workers.a.template.spec spec.head" {
		t.Errorf("got %v, %v", at, err)
	}
	if Builtin().Has(training) || !table.Has(training) || table.Revision(training) == "" {
		t.Error("the table of all was changed, or the other one was not")
	}
	other, _ := Compile(kindWith(nil))
	again := Builtin().With(other)
	if differs := again.Differs(table); len(differs) != 1 || differs[0] != training {
		t.Errorf("they differ in %v", differs)
	}
	if differs := table.Differs(Builtin().With(kind)); len(differs) != 0 {
		t.Errorf("they differ in %v", differs)
	}
	if differs := Builtin().Differs(table); len(differs) != 1 {
		t.Errorf("they differ in %v", differs)
	}
}

// What is a workload can be said of another kind as well; then that is what counts.
func TestAKnownKindIsReplaced(t *testing.T) {
	deployments := schema.GroupKind{Group: "apps", Kind: "Deployment"}
	kind, err := Compile(&v1alpha1.WorkloadKindSpec{Group: "apps", Kind: "Deployment", Health: &v1alpha1.Health{Healthy: "true"}})
	if err != nil {
		t.Fatal(err)
	}
	table := Builtin().With(kind)
	if h := table.Health(deployments, map[string]any{}); h.Status != Healthy {
		t.Errorf("got %+v", h)
	}
	if templates := table.PodTemplates(deployments); !reflect.DeepEqual(templates, Builtin().PodTemplates(deployments)) {
		t.Errorf("its pods are in %v: nothing was said of them", templates)
	}
	kind.Templates = []Template{{Path: Path{"spec", "other"}}}
	if templates := Builtin().With(kind).PodTemplates(deployments); !reflect.DeepEqual(templates, kind.Templates) {
		t.Errorf("its pods are in %v", templates)
	}
}

func FuzzExpression(f *testing.F) {
	for _, seed := range []string{"true", "object.a", "object.all(x, true)", "object.a.b.c[0] == 'x'", "[object].map(x, x.a).exists(y, y)", "object.?a.orValue(1) < 2", "((((("} {
		f.Add(seed)
	}
	object := map[string]any{"a": map[string]any{"b": []any{int64(1), "x", nil, true}}, "s": strings.Repeat("x", 1000)}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		kind, _ := Compile(kindWith(&v1alpha1.Health{Healthy: text, Message: text}))
		if h := Builtin().With(kind).Health(training, object); h.Status == "" || len(h.Message) > longestMessage {
			t.Errorf("got %+v", h)
		}
	})
}

// The example can be carried out.
func TestTheExample(t *testing.T) {
	text, err := os.ReadFile("../../examples/45-workload-kind.yaml")
	if err != nil {
		t.Fatal(err)
	}
	example := v1alpha1.WorkloadKind{}
	if err := yaml.UnmarshalStrict(text, &example); err != nil {
		t.Fatal(err)
	}
	kind, err := Compile(&example.Spec)
	if err != nil {
		t.Fatal(err)
	}
	table := Builtin().With(kind)
	object := tree(t, `{"spec":{"workers":[{"replicas":3,"template":{}},{"template":{}}],"head":{}},"status":{"phase":"Failed"}}`)
	if h := table.Health(training, object); h != (Health{Degraded, "Failed"}) {
		t.Errorf("got %+v", h)
	}
	if pods, known := table.Pods(training, object); pods != 5 || !known {
		t.Errorf("got %d, %v", pods, known)
	}
}
