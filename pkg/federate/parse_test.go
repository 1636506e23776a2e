package federate

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/placement"
)

func TestParse(t *testing.T) {
	got := mustParse(t, `
metadata:
  name: web
  namespace: shop
  uid: 6c5b
  generation: 7
  deletionTimestamp: "2030-01-02T03:04:05Z"
  finalizers: [other/one, kubefed.io/sync-controller]
  annotations:
    kubefed.io/orphan: "true"
    kubefed.io/deleteoption: '{"kind":"DeleteOptions","propagationPolicy":"Orphan","gracePeriodSeconds":5}'
spec:
  template: {spec: {replicas: 3}}
  retainReplicas: true
  placement:
    clusters: [{name: b}, {name: a, weight: 3}]
    clusterSelector:
      matchLabels: {region: eu}
      matchExpressions: [{key: gpu, operator: In, values: ["1", "2"]}, {key: spot, operator: DoesNotExist}]
  overrides:
  - clusterName: a
    clusterOverrides:
    - {path: /spec/replicas, value: 5}
    - {op: remove, path: /spec/paused}
    - {op: add, path: /spec/x, value: null}
  - clusterName: b
status:
  observedGeneration: 6
`)
	want := &Object{
		Namespace: "shop", Name: "web", UID: "6c5b", Generation: 7, Deleting: true, HasFinalizer: true,
		Template:       map[string]any{"spec": map[string]any{"replicas": int64(3)}},
		RetainReplicas: true,
		Placement: placement.Spec{
			HasClusters: true, Clusters: []string{"b", "a"},
			ClusterSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"region": "eu"},
				MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: "gpu", Operator: "In", Values: []string{"1", "2"}},
					{Key: "spot", Operator: "DoesNotExist"},
				},
			},
		},
		Overrides: []ClusterOverrides{
			{ClusterName: "a", Overrides: []Override{
				{Path: "/spec/replicas", Value: int64(5), HasValue: true},
				{Op: "remove", Path: "/spec/paused"},
				{Op: "add", Path: "/spec/x"},
			}},
			{ClusterName: "b"},
		},
		Orphan:        true,
		DeleteOptions: &metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationOrphan), GracePeriodSeconds: ptr.To(int64(5))},
		Status:        Status{ObservedGeneration: 6},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParsePlacementPresence(t *testing.T) {
	for name, test := range map[string]struct {
		spec string
		want placement.Spec
	}{
		"no spec":           {`{}`, placement.Spec{}},
		"no placement":      {`spec: {}`, placement.Spec{}},
		"null placement":    {`spec: {placement: null}`, placement.Spec{}},
		"null fields":       {`spec: {placement: {clusters: null, clusterSelector: null}}`, placement.Spec{}},
		"empty list":        {`spec: {placement: {clusters: []}}`, placement.Spec{HasClusters: true, Clusters: []string{}}},
		"empty selector":    {`spec: {placement: {clusterSelector: {}}}`, placement.Spec{ClusterSelector: &metav1.LabelSelector{}}},
		"selector of nulls": {`spec: {placement: {clusterSelector: {matchLabels: null, matchExpressions: null}}}`, placement.Spec{ClusterSelector: &metav1.LabelSelector{}}},
		"name missing":      {`spec: {placement: {clusters: [{}]}}`, placement.Spec{HasClusters: true, Clusters: []string{""}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, mustParse(t, test.spec).Placement); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		want   string
		reason AggregateReason
		status PropagationStatus
	}{
		"spec":                {`spec: 3`, "spec: must be an object, is a number", ComputePlacementFailed, ""},
		"placement":           {`spec: {placement: []}`, "spec.placement: must be an object, is a list", ComputePlacementFailed, ""},
		"clusters":            {`spec: {placement: {clusters: a}}`, `spec.placement.clusters: must be a list, is a string`, ComputePlacementFailed, ""},
		"cluster":             {`spec: {placement: {clusters: [{name: a}, b]}}`, `spec.placement.clusters[1]: must be an object with a name, is a string`, ComputePlacementFailed, ""},
		"cluster name":        {`spec: {placement: {clusters: [{name: 1}]}}`, "spec.placement.clusters[0].name: must be a string, is a number", ComputePlacementFailed, ""},
		"selector":            {`spec: {placement: {clusterSelector: true}}`, "spec.placement.clusterSelector: must be an object, is a boolean", ComputePlacementFailed, ""},
		"match labels":        {`spec: {placement: {clusterSelector: {matchLabels: []}}}`, "spec.placement.clusterSelector.matchLabels: must be an object, is a list", ComputePlacementFailed, ""},
		"match label":         {`spec: {placement: {clusterSelector: {matchLabels: {a: 1}}}}`, "spec.placement.clusterSelector.matchLabels[a]: must be a string, is a number", ComputePlacementFailed, ""},
		"expressions":         {`spec: {placement: {clusterSelector: {matchExpressions: {}}}}`, "spec.placement.clusterSelector.matchExpressions: must be a list, is an object", ComputePlacementFailed, ""},
		"expression":          {`spec: {placement: {clusterSelector: {matchExpressions: [1]}}}`, "spec.placement.clusterSelector.matchExpressions[0]: must be an object, is a number", ComputePlacementFailed, ""},
		"expression key":      {`spec: {placement: {clusterSelector: {matchExpressions: [{key: 1}]}}}`, "spec.placement.clusterSelector.matchExpressions[0].key: must be a string, is a number", ComputePlacementFailed, ""},
		"expression operator": {`spec: {placement: {clusterSelector: {matchExpressions: [{operator: 1}]}}}`, "spec.placement.clusterSelector.matchExpressions[0].operator: must be a string, is a number", ComputePlacementFailed, ""},
		"expression values":   {`spec: {placement: {clusterSelector: {matchExpressions: [{values: 1}]}}}`, "spec.placement.clusterSelector.matchExpressions[0].values: must be a list, is a number", ComputePlacementFailed, ""},
		"expression value":    {`spec: {placement: {clusterSelector: {matchExpressions: [{values: [a, 1]}]}}}`, "spec.placement.clusterSelector.matchExpressions[0].values[1]: must be a string, is a number", ComputePlacementFailed, ""},
		"template":            {`spec: {template: x}`, `spec.template: must be an object, is a string`, CheckClusters, ComputeResourceFailed},
		"retainReplicas":      {`spec: {retainReplicas: "yes"}`, `spec.retainReplicas: must be true or false, is a string`, CheckClusters, FieldRetentionFailed},
		"overrides":           {`spec: {overrides: {}}`, "spec.overrides: must be a list, is an object", CheckClusters, ApplyOverridesFailed},
		"override":            {`spec: {overrides: [a]}`, `spec.overrides[0]: must be an object, is a string`, CheckClusters, ApplyOverridesFailed},
		"cluster of override": {`spec: {overrides: [{clusterName: 1}]}`, "spec.overrides[0].clusterName: must be a string, is a number", CheckClusters, ApplyOverridesFailed},
		"cluster overrides":   {`spec: {overrides: [{clusterOverrides: 1}]}`, "spec.overrides[0].clusterOverrides: must be a list, is a number", CheckClusters, ApplyOverridesFailed},
		"operation":           {`spec: {overrides: [{clusterOverrides: [{path: /a}, 1.5]}]}`, "spec.overrides[0].clusterOverrides[1]: must be an object, is a number", CheckClusters, ApplyOverridesFailed},
		"op":                  {`spec: {overrides: [{clusterOverrides: [{op: 1}]}]}`, "spec.overrides[0].clusterOverrides[0].op: must be a string, is a number", CheckClusters, ApplyOverridesFailed},
		"path":                {`spec: {overrides: [{}, {clusterOverrides: [{path: {}}]}]}`, "spec.overrides[1].clusterOverrides[0].path: must be a string, is an object", CheckClusters, ApplyOverridesFailed},
		"the placement first": {`spec: {template: x, placement: x}`, `spec.placement: must be an object, is a string`, ComputePlacementFailed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := Parse(object(t, "metadata: {name: x, finalizers: [kubefed.io/sync-controller]}\n"+test.text))
			var parse *ParseError
			if !errors.As(err, &parse) {
				t.Fatalf("error is %v, want a ParseError", err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if parse.Reason != test.reason || parse.Status != test.status {
				t.Errorf("reason %q, status %q", parse.Reason, parse.Status)
			}
			if o == nil || o.Name != "x" || !o.HasFinalizer {
				t.Errorf("what could be read is not there: %+v", o)
			}
		})
	}
}

// A fault in one field must not hide the others: a deletion needs the placement,
// whatever the template is.
func TestParseReadsOnAfterAnError(t *testing.T) {
	o, err := Parse(object(t, `spec: {template: 1, placement: {clusters: [{name: a}]}, overrides: [{clusterName: b}], retainReplicas: true}`))
	if err == nil || !o.Placement.HasClusters || len(o.Overrides) != 1 || !o.RetainReplicas {
		t.Errorf("%v, %+v", err, o)
	}
}

func TestParseDeleteOptions(t *testing.T) {
	o, err := Parse(object(t, `metadata: {annotations: {kubefed.io/deleteoption: 'Orphan', kubefed.io/orphan: "yes"}}`))
	if err != nil {
		t.Fatalf("propagation must go on: %v", err)
	}
	if o.DeleteOptions != nil || o.DeleteOptionsError == nil || o.DeleteOptionsError.Status != DeletionFailed ||
		!strings.HasPrefix(o.DeleteOptionsError.Error(), "metadata.annotations[kubefed.io/deleteoption]: must be DeleteOptions as JSON") {
		t.Errorf("%+v, %v", o.DeleteOptions, o.DeleteOptionsError)
	}
	if o.Orphan {
		t.Error("only what means true orphans")
	}
	for _, text := range []string{
		`{"dryRun":["All"]}`, `{"propagationPolice":"Orphan"}`, `{} {}`, `null`, `[]`, `""`, ``, `{"kind":"Pod"}`, `{"PropagationPolicy":"Orphan"}`,
		`{"propagationPolicy":"orphan"}`, `{"propagationPolicy":"Orphan","propagationPolicy":"Background"}`, `{"preconditions":{"name":"x"}}`,
	} {
		if _, fault := parseDeleteOptions(text); fault == nil {
			t.Errorf("%s is taken", text)
		}
	}
	for _, text := range []string{`{}`, `{"kind":"DeleteOptions","apiVersion":"apps/v1"}`, `{"propagationPolicy":null}`, `{"preconditions":{"uid":"x","resourceVersion":"1"}}`} {
		if _, fault := parseDeleteOptions(text); fault != nil {
			t.Errorf("%s is not taken: %v", text, fault)
		}
	}
}

func TestParseOrphan(t *testing.T) {
	for text, want := range map[string]struct{ orphan, fault bool }{
		"": {}, "false": {}, "False": {}, "true": {orphan: true}, "True": {orphan: true}, "TRUE": {orphan: true},
		"yes": {fault: true}, "ture": {fault: true},
	} {
		orphan, fault := parseOrphan(text)
		if orphan != want.orphan || (fault != nil) != want.fault {
			t.Errorf("%q: %t, %v", text, orphan, fault)
		}
	}
}

func TestParseOddInput(t *testing.T) {
	for name, u := range map[string]*unstructured.Unstructured{
		"nil":              nil,
		"no object":        {},
		"not JSON's types": {Object: map[string]any{"metadata": map[string]string{"name": "x"}, "spec": struct{}{}}},
		"odd metadata": {Object: map[string]any{"metadata": map[string]any{
			"name": 1, "generation": "x", "finalizers": []any{1, nil, map[string]any{}}, "annotations": []any{},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			if o, _ := Parse(u); o == nil {
				t.Error("no object")
			}
		})
	}
	for _, generation := range []any{int64(3), 3, 3.0} {
		o, _ := Parse(&unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"generation": generation}}})
		if o.Generation != 3 {
			t.Errorf("generation %T is %d", generation, o.Generation)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		value any
		want  string
	}{
		{nil, "null"},
		{false, "a boolean"},
		{int64(3), "a number"},
		{0.5, "a number"},
		{"hunter2", "a string"}, // never the value: it may be a secret
		{map[string]any{"password": "hunter2"}, "an object"},
		{[]any{"hunter2"}, "a list"},
		{json.Number("3"), "a json.Number"},
	} {
		if got := DescribeValue(test.value); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	if got := clip("aéé", 4); got != "aé…" {
		t.Errorf("cut inside a rune: %q", got)
	}
}

// The garbage collector takes its finalizer off at once: what it stands for is only told
// while the object is being deleted.
func TestOrphanPolicy(t *testing.T) {
	for name, test := range map[string]struct {
		metadata string
		orphan   bool
	}{
		"deleted with --cascade=orphan":    {`{deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: [kubefed.io/sync-controller, orphan]}`, true},
		"deleted otherwise":                {`{deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: [kubefed.io/sync-controller, foregroundDeletion]}`, false},
		"a finalizer of somebody's making": {`{finalizers: [kubefed.io/sync-controller, orphan]}`, false},
	} {
		o, err := Parse(object(t, "metadata: "+test.metadata))
		if err != nil || o.Orphan != test.orphan || o.OrphanPolicy != test.orphan {
			t.Errorf("%s: %t, %t, %v", name, o.Orphan, o.OrphanPolicy, err)
		}
	}
}
