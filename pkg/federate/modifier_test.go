package federate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// labeller is a Modifier that labels objects.
type labeller struct {
	value string
	err   error
}

func (l labeller) Revision() string { return l.value }

func (l labeller) Likeness(cluster string) int {
	if cluster == "untouched" {
		return 0
	}
	return 1
}

func (l labeller) Modify(cluster string, tree map[string]any) (map[string]any, []Note, error) {
	if l.err != nil || cluster == "untouched" {
		return tree, nil, l.err
	}
	tree = maps.Clone(tree)
	tree["metadata"] = map[string]any{"name": "c", "namespace": "ns", "labels": map[string]any{"by": l.value}}
	return tree, []Note{{Text: "labelled"}, {Text: "not the object's own", Holds: func(tree map[string]any) bool { return strings.Contains(fmt.Sprint(tree), "by:me") }}}, nil
}

func modified(t *testing.T, kind string, m Modifier) *Renderer {
	t.Helper()
	o := mustParse(t, `{metadata: {name: c, namespace: ns}, spec: {template: {}, overrides: [{clusterName: own, clusterOverrides: [{op: add, path: /metadata/labels/by, value: me}]}]}}`)
	target := Target{GVK: schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: kind}, Namespaced: true}
	r, err := IntentOf(o, nil, nil).Beneath(Layer{Origin: Origin{Kind: "OverridePolicy", Namespace: "ns", Name: "p"}, Modifier: m}).Renderer(target)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestModifiersAreBeneathTheObjectsOwnOverrides(t *testing.T) {
	r := modified(t, "CronJob", labeller{value: "policy"})
	for cluster, want := range map[string]string{"any": `"by":"policy"`, "own": `"by":"me"`} {
		rendered, err := r.For(cluster)
		if err != nil || !strings.Contains(string(rendered.JSON), want) {
			t.Errorf("%s: got %s, %v", cluster, rendered.JSON, err)
		}
		notes := []string{"OverridePolicy ns/p: labelled"}
		if cluster == "own" { // what holds of a note is asked of what has become of the object in the end
			notes = append(notes, "OverridePolicy ns/p: not the object's own")
		}
		if !slices.Equal(rendered.Notes, notes) {
			t.Errorf("%s: got notes %v", cluster, rendered.Notes)
		}
	}
	untouched, err := r.For("untouched")
	if err != nil || strings.Contains(string(untouched.JSON), "by") {
		t.Errorf("got %s, %v", untouched.JSON, err)
	}
	var bad *RenderError
	if _, err := modified(t, "CronJob", labeller{err: &ModifyError{"spec.rules[0]", "no"}}).For("any"); !errors.As(err, &bad) ||
		bad.Field != "OverridePolicy ns/p: spec.rules[0]" || bad.Status != ApplyOverridesFailed || bad.Cluster != "any" {
		t.Errorf("got %v", err)
	}
}

// A Job is not to run again because a policy is another one, nor to be refused.
func TestWhatEndsIsAsPoliciesMakeItWhenItIsCreated(t *testing.T) {
	hash := func(kind, value string) string {
		rendered, err := modified(t, kind, labeller{value: value}).For("any")
		if err != nil || !strings.Contains(string(rendered.JSON), value) {
			t.Fatalf("got %s, %v", rendered.JSON, err)
		}
		return rendered.Hash
	}
	if hash("Job", "one") != hash("Job", "two") {
		t.Error("a Job is another one when a policy is")
	}
	if hash("CronJob", "one") == hash("CronJob", "two") {
		t.Error("a CronJob does not follow a policy")
	}
}
