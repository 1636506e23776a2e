package federate

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/placement"
)

// FuzzParse gives Parse any JSON, and what it returns to all that takes it from
// there: nothing may panic, and a fault must name its field.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"spec":null}`, `{"spec":[]}`, `{"metadata":1,"status":2}`,
		`{"metadata":{"name":"a","namespace":"b","generation":1e300,"finalizers":["kubefed.io/sync-controller",1]},"spec":{"template":{"kind":"ConfigMap"}}}`,
		`{"metadata":{"annotations":{"kubefed.io/orphan":"true","kubefed.io/deleteoption":"{\"gracePeriodSeconds\":1e99}"}}}`,
		`{"spec":{"placement":{"clusters":[{"name":"a"},{},null],"clusterSelector":{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"k","operator":"In","values":["v",null]}]}}}}`,
		`{"spec":{"placement":{"clusterSelector":{"matchExpressions":[{"operator":"Near"}]}}}}`,
		`{"spec":{"overrides":[{"clusterName":"a","clusterOverrides":[{"path":"/a","value":{}},{"op":"remove","path":""}]},null,{"clusterName":"a"}],"retainReplicas":true}}`,
		`{"status":{"observedGeneration":1,"conditions":[{"type":"Propagation","status":"True"},{"type":"Propagation"}],"clusters":[{"name":"b","remoteStatus":[1.0]},{"name":"a"},{"name":"a"}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var raw map[string]any
		if json.Unmarshal(data, &raw) != nil {
			return
		}
		raw, _ = integers(raw).(map[string]any)
		before := must(json.Marshal(raw))
		o, err := Parse(&unstructured.Unstructured{Object: raw})
		if o == nil {
			t.Fatal("no object")
		}
		var fault *ParseError
		if err != nil && (!errors.As(err, &fault) || fault.Message == "" || fault.Reason == "") {
			t.Fatalf("%#v", err)
		}
		if err == nil && o.Template == nil && OverridesVersion(o.Overrides) == "" {
			t.Fatal("no version of the overrides")
		}
		if decision, err := placement.Decide(placement.Input{Placement: o.Placement}); err == nil && len(decision.Clusters) > 0 {
			t.Fatalf("clusters that are not joined: %v", decision.Clusters)
		}
		if IntentOf(o, fault, nil).Revision() != IntentOf(o, fault, nil).Revision() {
			t.Fatal("two revisions of one intent")
		}
		checkStatus(t, o.Status)
		if after := must(json.Marshal(raw)); !bytes.Equal(before, after) {
			t.Fatalf("the object changed from %s to %s", before, after)
		}
	})
}

// checkStatus folds on top of any status: once at most is there something to write.
func checkStatus(t *testing.T, status Status) {
	in := FoldInput{Previous: status, Generation: 1, Now: time.Unix(0, 0)}
	for _, cluster := range status.Clusters {
		in.Outcomes = append(in.Outcomes, Outcome{Cluster: cluster.Name, Status: cluster.Status, RemoteStatus: cluster.RemoteStatus})
	}
	next, _ := Fold(in)
	in.Previous = ParseStatus(next.ToUnstructured())
	if again, changed := Fold(in); changed {
		t.Fatalf("folds for ever:\n%s", cmp.Diff(next, again))
	}
}

// FuzzRender gives the Renderer any template and overrides. Whatever they are,
// what comes out is an object of the right type and name, marked as ours.
func FuzzRender(f *testing.F) {
	for _, seed := range [][2]string{
		{`{}`, `[]`}, {`null`, `null`},
		{patchedTemplate, `[{"path":"/spec/replicas","value":5},{"op":"add","path":"/spec/template/spec/containers/-","value":{}}]`},
		{patchedTemplate, `[{"op":"remove","path":"/spec/template/spec/containers/-1"}]`},
		{patchedTemplate, `[{"path":"/metadata/labels","value":null},{"op":"add","path":"/metadata/labels/a","value":"b"}]`},
		{`{"metadata":{"labels":{"kubefed.io/managed":"false"},"annotations":{"a":"b"},"name":"x","namespace":"y","finalizers":[""]}}`, `[{"op":"remove","path":"/metadata/labels"}]`},
		{`{"metadata":null,"spec":null,"status":1}`, `[{"op":"add","path":"/spec","value":[]},{"op":"add","path":"/spec/0","value":1}]`},
		{`{"kind":"Deployment","apiVersion":"apps/v2"}`, `[{"path":"/a~1b/~0","value":1},{"path":"/","value":1},{"path":"//","value":1}]`},
		{`{"a":[[[]]]}`, `[{"op":"add","path":"/a/0/0/-","value":{"creationTimestamp":null}}]`},
		{`{"metAdAtA":{"lABels":{"":0}},"KIND":3}`, `[{"path":"/Metadata","value":{}}]`},
		{`{"metadata":{"labels":{"a":1}}}`, `[{"path":"/metadata","value":{}},{"path":"","value":{}}]`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, template, overrides []byte) {
		var object struct{ template, overrides any }
		if json.Unmarshal(template, &object.template) != nil || json.Unmarshal(overrides, &object.overrides) != nil {
			return
		}
		o, err := Parse(&unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"name": "web", "namespace": "shop"},
			"spec": map[string]any{
				"template":       integers(object.template),
				"overrides":      []any{map[string]any{"clusterName": "m", "clusterOverrides": integers(object.overrides)}},
				"retainReplicas": len(template)%2 == 0,
			},
		}})
		if err != nil {
			return
		}
		before := must(json.Marshal(o.Template))
		for _, cluster := range []string{"m", "without"} {
			first, err := renderOnce(o, cluster)
			second, again := renderOnce(o, cluster)
			if !bytes.Equal(first.JSON, second.JSON) || first.Hash != second.Hash || !cmp.Equal(err, again) {
				t.Fatalf("not deterministic: %s, %v and %s, %v", first.JSON, err, second.JSON, again)
			}
			if err != nil {
				if err.Message == "" || err.Field == "" || len(err.Message) > 2000 || (err.Status != ComputeResourceFailed && err.Status != ApplyOverridesFailed) {
					t.Fatalf("%+v", err)
				}
				continue
			}
			checkRendered(t, first, o.RetainReplicas)
		}
		if after := must(json.Marshal(o.Template)); !bytes.Equal(before, after) {
			t.Fatalf("the template changed from %s to %s", before, after)
		}
	})
}

func renderOnce(o *Object, cluster string) (Rendered, *RenderError) {
	var fault *RenderError
	r, err := NewRenderer(o, deployments)
	if err != nil {
		errors.As(err, &fault)
		return Rendered{}, fault
	}
	rendered, err := r.For(cluster)
	errors.As(err, &fault)
	return rendered, fault
}

func checkRendered(t *testing.T, rendered Rendered, retain bool) {
	t.Helper()
	// Not a struct: encoding/json would take "KIND" for Kind.
	var got map[string]any
	if err := json.Unmarshal(rendered.JSON, &got); err != nil {
		t.Fatalf("%v in %s", err, rendered.JSON)
	}
	for at, want := range map[string]any{
		"/kind": "Deployment", "/metadata/name": "web", "/metadata/namespace": "shop", "/metadata/labels/kubefed.io~1managed": "true",
		"/status": nil, "/metadata/uid": nil, "/metadata/resourceVersion": nil, "/metadata/generateName": nil,
	} {
		if value, _ := lookup(got, at); value != want {
			t.Fatalf("%s is %v, want %v: %s", at, value, want, rendered.JSON)
		}
	}
	if _, sent := lookup(got, "/spec/replicas"); sent && retain {
		if _, isMap := got["spec"].(map[string]any); isMap {
			t.Fatalf("replicas are sent: %s", rendered.JSON)
		}
	}
	if len(rendered.Hash) != 16 {
		t.Fatal(rendered.Hash)
	}
}
