package federate

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

func render(t testing.TB, r *Renderer, cluster string) Rendered {
	t.Helper()
	rendered, err := r.For(cluster)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

// wantYAML compares rendered JSON with YAML.
func wantYAML(t testing.TB, want string, got Rendered) {
	t.Helper()
	text, err := yaml.JSONToYAML(got.JSON)
	if err != nil {
		t.Fatalf("%v in %s", err, got.JSON)
	}
	canonical, err := yaml.JSONToYAML(must(yaml.YAMLToJSON([]byte(want))))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(canonical), string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestRender(t *testing.T) {
	for name, test := range map[string]struct {
		target Target
		object string
		want   string
	}{
		"a whole deployment": {deployments, `
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}, annotations: {note: kept}}
    spec:
      replicas: 3
      template: {metadata: {creationTimestamp: null, labels: {app: web}}, spec: {containers: [{name: c, image: "i:1", resources: {}}]}}
    status: {}
`, `
apiVersion: apps/v1
kind: Deployment
metadata: {annotations: {note: kept}, labels: {app: web, kubefed.io/managed: "true"}, name: web, namespace: shop}
spec:
  replicas: 3
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: "i:1", imagePullPolicy: IfNotPresent, resources: {}}]}}
`},
		"no template":    {configMaps, `{metadata: {name: c, namespace: ns}}`, `{apiVersion: v1, kind: ConfigMap, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}}`},
		"null template":  {configMaps, `{metadata: {name: c, namespace: ns}, spec: {template: null}}`, `{apiVersion: v1, kind: ConfigMap, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}}`},
		"namespace":      {namespaces, `{metadata: {name: ns, namespace: ns}}`, `{apiVersion: v1, kind: Namespace, metadata: {labels: {kubefed.io/managed: "true"}, name: ns}}`},
		"cluster-scoped": {clusterRoles, `{metadata: {name: r}, spec: {template: {metadata: {namespace: x}, rules: []}}}`, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {labels: {kubefed.io/managed: "true"}, name: r}, rules: []}`},
		"name and namespace are the federated object's": {configMaps, `{metadata: {name: c, namespace: ns}, spec: {template: {metadata: {name: x, namespace: other, generateName: z}}}}`,
			`{apiVersion: v1, kind: ConfigMap, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}}`},
		"what servers set is not sent": {configMaps, `
metadata: {name: c, namespace: ns}
spec:
  template:
    metadata:
      uid: u
      resourceVersion: "1"
      generation: 2
      creationTimestamp: "2020-01-01T00:00:00Z"
      deletionTimestamp: "2020-01-01T00:00:00Z"
      deletionGracePeriodSeconds: 3
      managedFields: [{manager: x}]
      ownerReferences: [{uid: u}]
      selfLink: /x
      finalizers: [a/b]
      annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}", deployment.kubernetes.io/revision: "3"}
    status: {phase: x}
    data: {creationTimestamp: text, k: v}
`, `{apiVersion: v1, kind: ConfigMap, data: {creationTimestamp: text, k: v}, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}}`},
		"the label is forced": {configMaps, `{metadata: {name: c, namespace: ns}, spec: {template: {metadata: {labels: {kubefed.io/managed: "false", a: null}, annotations: null}}}}`,
			`{apiVersion: v1, kind: ConfigMap, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}}`},
		"another version of the group": {deployments, `{metadata: {name: c, namespace: ns}, spec: {template: {apiVersion: apps/v1beta2, kind: Deployment}}}`,
			`{apiVersion: apps/v1beta2, kind: Deployment, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}}`},
		"other nulls mean something": {configMaps, `{metadata: {name: c, namespace: ns}, spec: {template: {spec: {a: null, b: [null]}}}}`,
			`{apiVersion: v1, kind: ConfigMap, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}, spec: {a: null, b: [null]}}`},
		"retained replicas are not sent": {deployments, `{metadata: {name: c, namespace: ns}, spec: {retainReplicas: true, template: {spec: {replicas: 3, paused: true}}}}`,
			`{apiVersion: apps/v1, kind: Deployment, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}, spec: {paused: true}}`},
		"retained replicas without any": {deployments, `{metadata: {name: c, namespace: ns}, spec: {retainReplicas: true}}`,
			`{apiVersion: apps/v1, kind: Deployment, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}}`},
	} {
		t.Run(name, func(t *testing.T) {
			wantYAML(t, test.want, render(t, mustRenderer(t, test.object, test.target), "a"))
		})
	}
}

func TestTemplateErrors(t *testing.T) {
	for name, test := range map[string]struct {
		target Target
		object string
		want   string
	}{
		"kind is a number":               {deployments, `{spec: {template: {kind: 1}}}`, "spec.template.kind: must be a string, is a number"},
		"wrong group":                    {deployments, `{spec: {template: {apiVersion: extensions/v1beta1}}}`, "spec.template.apiVersion: is extensions/v1beta1, must be apps/v1 or left out"},
		"core for another":               {deployments, `{spec: {template: {apiVersion: v1}}}`, "spec.template.apiVersion: is v1, must be apps/v1 or left out"},
		"another for core":               {configMaps, `{spec: {template: {apiVersion: apps/v1}}}`, "spec.template.apiVersion: is apps/v1, must be v1 or left out"},
		"not an apiVersion":              {configMaps, `{spec: {template: {apiVersion: a/b/c}}}`, "spec.template.apiVersion: is a/b/c, must be v1 or left out"},
		"group without version":          {deployments, `{spec: {template: {apiVersion: apps/}}}`, "spec.template.apiVersion: is apps/, must be apps/v1 or left out"},
		"apiVersion is a list":           {configMaps, `{spec: {template: {apiVersion: []}}}`, "spec.template.apiVersion: must be a string, is a list"},
		"metadata is text":               {configMaps, `{spec: {template: {metadata: x}}}`, `spec.template.metadata: must be an object, is a string`},
		"labels are a list":              {configMaps, `{spec: {template: {metadata: {labels: []}}}}`, "spec.template.metadata.labels: must be an object, is a list"},
		"a label is a number":            {configMaps, `{spec: {template: {metadata: {labels: {b: 2, a: true}}}}}`, "spec.template.metadata.labels[a]: must be a string, is a boolean: put it in quotes"},
		"an annotation is an object":     {configMaps, `{spec: {template: {metadata: {annotations: {a: {}}}}}}`, "spec.template.metadata.annotations[a]: must be a string, is an object: put it in quotes"},
		"federated namespace, odd names": {namespaces, `{metadata: {name: a, namespace: b}}`, `metadata.name: must be "b": a federated namespace has the name of the namespace it is in`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewRenderer(mustParse(t, test.object), test.target)
			var fault *RenderError
			if !errors.As(err, &fault) {
				t.Fatalf("error is %v, want a RenderError", err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if fault.Status != ComputeResourceFailed || fault.Cluster != "" {
				t.Errorf("%+v", fault)
			}
		})
	}
}

func TestTypeOfRendered(t *testing.T) {
	r := mustRenderer(t, `{spec: {template: {apiVersion: apps/v1beta2}}}`, deployments)
	if got := r.GVK().String(); got != "apps/v1beta2, Kind=Deployment" {
		t.Error(got)
	}
}

// What JSON cannot say comes from programs, not from API servers.
func TestRenderOddValues(t *testing.T) {
	o := &Object{Name: "x", Template: map[string]any{"data": make(chan int)}}
	r, err := NewRenderer(o, configMaps)
	if err != nil {
		t.Fatal(err)
	}
	var fault *RenderError
	if _, err := r.For("a"); !errors.As(err, &fault) || fault.Status != ComputeResourceFailed || fault.Field != "spec.template" {
		t.Errorf("%v", err)
	}
}

func TestClustersShareWhatIsTheSame(t *testing.T) {
	r := mustRenderer(t, `
metadata: {name: c, namespace: ns}
spec:
  template: {data: {k: v}}
  overrides:
  - {clusterName: a, clusterOverrides: [{path: /data/k, value: w}]}
  - {clusterName: b}
  - {clusterName: same, clusterOverrides: [{path: /data/k, value: v}]}
`, configMaps)
	c, d, b := render(t, r, "c"), render(t, r, "d"), render(t, r, "b")
	if &c.JSON[0] != &d.JSON[0] || &c.JSON[0] != &b.JSON[0] {
		t.Error("clusters without overrides have copies of their own")
	}
	if a := render(t, r, "a"); a.Hash == c.Hash {
		t.Error("different objects, same hash")
	}
	if same := render(t, r, "same"); same.Hash != c.Hash {
		t.Error("same objects, different hashes")
	}
}

// Hashes are stored, so they must not change with a release: a change here
// re-applies every object of every installation once.
func TestHashIsStable(t *testing.T) {
	r := mustRenderer(t, `{metadata: {name: c, namespace: ns}, spec: {template: {data: {k: "<v>", num: "1"}}}}`, configMaps)
	got := render(t, r, "a")
	const json = `{"apiVersion":"v1","data":{"k":"\u003cv\u003e","num":"1"},"kind":"ConfigMap","metadata":{"labels":{"kubefed.io/managed":"true"},"name":"c","namespace":"ns"}}`
	if string(got.JSON) != json {
		t.Errorf("%s", got.JSON)
	}
	// printf '%s' "$json" | sha256sum | cut -c1-16
	if got.Hash != "2aa0ed3f43728694" {
		t.Errorf("%s", got.Hash)
	}
}

func TestWarnings(t *testing.T) {
	r := mustRenderer(t, `
metadata: {name: c, namespace: ns}
spec:
  retainReplicas: true
  template: {metadata: {name: other, finalizers: [a/b], ownerReferences: [{uid: u}], annotations: {fine: "1"}}}
  overrides:
  - clusterName: a
    clusterOverrides:
    - {path: /status/x, value: 1}
    - {path: /spec/replicas, value: 1}
    - {op: add, path: /spec/x}
    - {op: remove, path: /spec/y}
`, deployments)
	want := []string{
		"spec.template.metadata.finalizers: not propagated, since nothing in the member clusters may know to remove them; use an override where something does",
		"spec.template.metadata.ownerReferences: not propagated, since the owner's UID is another in every cluster",
		"spec.template.metadata.name: has no effect, the federated object's name c is used",
		"spec.overrides[0].clusterOverrides[0].path: has no effect, status is not propagated",
		"spec.overrides[0].clusterOverrides[1].path: has no effect while spec.retainReplicas is true",
		"spec.overrides[0].clusterOverrides[2].value: is missing, so the field is set to null; use op: remove to remove it",
	}
	if diff := cmp.Diff(want, r.Warnings()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := mustRenderer(t, `{metadata: {name: c}, spec: {template: {metadata: {name: c, finalizers: [], ownerReferences: []}}}}`, configMaps).Warnings(); len(got) != 0 {
		t.Errorf("unexpected: %v", got)
	}
}

// What identifies an object of one cluster is wrong in every other one.
func TestWhatNeverTravels(t *testing.T) {
	secrets := Target{GVK: schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, Namespaced: true}
	volumes := Target{GVK: schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolume"}}
	jobs := Target{GVK: schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}, Namespaced: true}
	for name, test := range map[string]struct {
		target         Target
		template, want string
		warnings       int
	}{
		"a token": {secrets, `{type: kubernetes.io/service-account-token, metadata: {annotations: {kubernetes.io/service-account.name: robot, kubernetes.io/service-account.uid: u}}, data: {token: dA==, ca.crt: Yw==, namespace: bg==, extra: eA==}}`,
			`{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: {labels: {kubefed.io/managed: "true"}, annotations: {kubernetes.io/service-account.name: robot}, name: c, namespace: ns}, data: {extra: eA==}}`, 4},
		"another Secret": {secrets, `{type: Opaque, metadata: {annotations: {kubernetes.io/service-account.uid: u}}, data: {token: dA==}}`,
			`{apiVersion: v1, kind: Secret, type: Opaque, metadata: {labels: {kubefed.io/managed: "true"}, annotations: {kubernetes.io/service-account.uid: u}, name: c, namespace: ns}, data: {token: dA==}}`, 0},
		"a bound volume": {volumes, `{spec: {claimRef: {name: data, namespace: ns, uid: u, resourceVersion: "1"}}}`,
			`{apiVersion: v1, kind: PersistentVolume, metadata: {labels: {kubefed.io/managed: "true"}, name: c}, spec: {claimRef: {name: data, namespace: ns}}}`, 2},
		"a Job's selector": {jobs, `{spec: {selector: {matchLabels: {controller-uid: u}}, template: {metadata: {labels: {app: a, controller-uid: u, job-name: c}}}}}`,
			`{apiVersion: batch/v1, kind: Job, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}, spec: {template: {metadata: {labels: {app: a}}}}}`, 3},
		"a Job's own selector": {jobs, `{spec: {manualSelector: true, selector: {matchLabels: {a: b}}}}`,
			`{apiVersion: batch/v1, kind: Job, metadata: {labels: {kubefed.io/managed: "true"}, name: c, namespace: ns}, spec: {manualSelector: true, selector: {matchLabels: {a: b}}}}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			manifest := `{metadata: {name: c, namespace: ns}, spec: {template: ` + test.template + `}}`
			r := mustRenderer(t, manifest, test.target)
			if diff := cmp.Diff(object(t, test.want).Object, tree(t, render(t, r, "m").JSON)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := r.Warnings(); len(got) != test.warnings {
				t.Errorf("%d warnings, want %d: %q", len(got), test.warnings, got)
			}
		})
	}
}

func TestTheKindIsTheTargets(t *testing.T) {
	r := mustRenderer(t, `{metadata: {name: c, namespace: ns}, spec: {template: {kind: deployment}}}`, deployments)
	if kind := tree(t, render(t, r, "m").JSON)["kind"]; kind != "Deployment" {
		t.Errorf("kind is %v", kind)
	}
	want := []string{`spec.template.kind: "deployment" has no effect, the kind is Deployment`}
	if diff := cmp.Diff(want, r.Warnings()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOverriddenVersion(t *testing.T) {
	r := mustRenderer(t, `{metadata: {name: c, namespace: ns}, spec: {overrides: [{clusterName: old, clusterOverrides: [{path: /apiVersion, value: apps/v1beta2}]}]}}`, deployments)
	for cluster, want := range map[string]string{"old": "v1beta2", "new": "v1"} {
		if rendered := render(t, r, cluster); rendered.Version != want {
			t.Errorf("%s: version %s, want %s", cluster, rendered.Version, want)
		}
	}
}

// The federated object comes from a cache: rendering must leave it alone, and
// be right, from many goroutines at once.
func TestRenderConcurrently(t *testing.T) {
	u := object(t, `
metadata: {name: web, namespace: shop}
spec:
  template: {metadata: {labels: {a: b}, finalizers: [x/y]}, spec: {replicas: 1, list: [1, 2, 3]}}
  retainReplicas: true
  overrides:
  - clusterName: a
    clusterOverrides: [{op: add, path: /spec/list/1, value: 9}, {op: remove, path: /metadata/labels/a}, {op: add, path: /metadata/annotations/x, value: "y"}]
  - clusterName: b
    clusterOverrides: [{op: remove, path: /spec/list/0}, {path: /metadata/labels, value: {z: z}}]
`)
	before := must(json.Marshal(u.Object))
	o := must(Parse(u))
	r := must(NewRenderer(o, deployments))
	want := map[string]string{}
	for _, cluster := range []string{"a", "b", "c"} {
		want[cluster] = render(t, must(NewRenderer(o, deployments)), cluster).Hash
	}
	var group sync.WaitGroup
	for range 8 {
		for cluster := range want {
			group.Go(func() {
				if got, err := r.For(cluster); err != nil || got.Hash != want[cluster] {
					t.Errorf("%s: %v, %s", cluster, err, got.JSON)
				}
			})
		}
	}
	group.Wait()
	if diff := cmp.Diff(string(before), string(must(json.Marshal(u.Object)))); diff != "" {
		t.Errorf("the object changed:\n%s", diff)
	}
}

func TestRetainReplicasWithholdsThem(t *testing.T) {
	spec := func(replicas any) map[string]any {
		return map[string]any{"replicas": replicas, "paused": true}
	}
	object := func(retain bool) *Object {
		return &Object{Namespace: "ns", Name: "web", Template: map[string]any{"spec": spec(int64(3))}, RetainReplicas: retain}
	}
	target := Target{GVK: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespaced: true}
	for _, retain := range []bool{false, true} {
		r, err := NewRenderer(object(retain), target)
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := r.For("member-1")
		if err != nil {
			t.Fatal(err)
		}
		if sent := strings.Contains(string(rendered.JSON), "replicas"); sent == retain {
			t.Errorf("retainReplicas %v: sent %s", retain, rendered.JSON)
		}
		if !retain && (rendered.Initial != nil || rendered.LeavesReplicas) {
			t.Error("something is withheld without retainReplicas")
		}
		if retain && (rendered.Replicas == nil || *rendered.Replicas != 3 || !strings.Contains(string(rendered.Initial), `"replicas":3`)) {
			t.Errorf("an object is created with %v replicas, as %s", rendered.Replicas, rendered.Initial)
		}
	}
}

// What a cluster gets is a function of what concerns it: nothing tells of the others, neither
// their names nor what is overridden there.
func TestNothingOfOtherClustersIsRendered(t *testing.T) {
	r := mustRenderer(t, `
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: told, namespace: shop, annotations: {note: of the federated object}}
spec:
  template: {data: {a: "1"}}
  placement: {clusters: [{name: berlin}, {name: oslo}]}
  overrides:
  - clusterName: oslo
    clusterOverrides: [{path: /data/a, value: hunter2}]
status: {clusters: [{name: oslo, status: hunter2}]}
`, configMaps)
	wantYAML(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: told, namespace: shop, labels: {kubefed.io/managed: "true"}}, data: {a: "1"}}`, render(t, r, "berlin"))
	if got := string(render(t, r, "oslo").JSON); !strings.Contains(got, "hunter2") || strings.Contains(got, "berlin") {
		t.Errorf("oslo gets %s", got)
	}
}
