package status

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

var update = flag.Bool("update", false, "write the golden files")

func resource(group, version, kind, plural string) typeconfig.Resource {
	gv := schema.GroupVersion{Group: group, Version: version}
	return typeconfig.Resource{GVR: gv.WithResource(plural), GVK: gv.WithKind(kind), Namespaced: true}
}

func federatedType(group, kind, plural string) typeconfig.Type {
	name := plural
	if group != "" {
		name += "." + group
	}
	return typeconfig.Type{
		Name:      name,
		Target:    resource(group, "v1", kind, plural),
		Federated: resource("types.kubefed.io", "v1beta1", "Federated"+kind, "federated"+plural),
	}
}

var types = []typeconfig.Type{
	federatedType("", "ConfigMap", "configmaps"),
	federatedType("apps", "Deployment", "deployments"),
	federatedType("", "Event", "events"),
	federatedType("events.k8s.io", "Event", "events"),
}

// objects covers every state an object can be in.
const objects = `
- type: deployments.apps
  metadata: {name: web, namespace: shop, generation: 3, creationTimestamp: "2030-01-01T00:00:00Z"}
  status:
    observedGeneration: 3
    conditions: [{type: Propagation, status: "True"}]
    clusters: [{name: member-1, version: "gen:2"}, {name: member-3}]
- type: deployments.apps
  metadata: {name: broken, namespace: shop, generation: 1, creationTimestamp: "2030-01-01T11:30:00Z"}
  status:
    observedGeneration: 1
    conditions: [{type: Propagation, status: "False", reason: CheckClusters, message: "1 of 2 clusters: member-2 UpdateFailed (denied)"}]
    clusters: [{name: member-1}, {name: member-2, status: UpdateFailed, message: denied}]
- type: deployments.apps
  metadata: {name: sick, namespace: shop, generation: 1, creationTimestamp: "2030-01-01T11:30:00Z"}
  status:
    observedGeneration: 1
    conditions:
    - {type: Propagation, status: "True"}
    - {type: Ready, status: "False", reason: Degraded, message: "1 of 2 clusters: member-2 Degraded (Progress deadline exceeded)"}
    clusters:
    - {name: member-1, health: {status: Healthy}}
    - {name: member-2, health: {status: Degraded, message: Progress deadline exceeded}}
- type: configmaps
  metadata: {name: elsewhere, namespace: lost, generation: 1, creationTimestamp: "2029-12-31T12:00:00Z"}
  status:
    observedGeneration: 1
    conditions: [{type: Propagation, status: "False", reason: NamespaceNotFederated, message: "namespace lost has no FederatedNamespace"}]
- type: configmaps
  metadata: {name: doubtful, namespace: shop, generation: 1, creationTimestamp: "2030-01-01T11:00:00Z"}
  status:
    observedGeneration: 1
    conditions:
    - {type: Propagation, status: "True"}
    - {type: Accepted, status: "False", reason: UnknownCluster, message: "spec.placement.clusters[1].name: nowhere is not joined"}
    clusters: [{name: member-1}]
- type: configmaps
  metadata: {name: changed, namespace: shop, generation: 2, creationTimestamp: "2030-01-01T11:59:00Z"}
  status:
    observedGeneration: 1
    conditions: [{type: Propagation, status: "True"}]
    clusters: [{name: member-1}]
- type: configmaps
  metadata: {name: new, namespace: shop, generation: 1, creationTimestamp: "2030-01-01T11:59:59Z"}
- type: configmaps
  metadata: {name: going, namespace: shop, generation: 2, deletionTimestamp: "2030-01-01T11:59:59Z"}
  status:
    observedGeneration: 2
    conditions: [{type: Propagation, status: "False", reason: CheckClusters}]
    clusters: [{name: member-1, status: WaitingForRemoval}, {name: former, status: ClusterNotReady}]
- type: configmaps
  metadata: {name: "unreadable", namespace: shop, generation: 1, creationTimestamp: "2030-01-01T11:59:59Z"}
  spec: {placement: 3}
`

func rowsOf(t *testing.T, text string) []view.ObjectRow {
	t.Helper()
	var list []map[string]any
	if err := yaml.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	var rows []view.ObjectRow
	for _, object := range list {
		for _, typ := range types {
			if typ.Name == object["type"] {
				rows = append(rows, view.Object(typ.Name, typ.Federated.GVK, &unstructured.Unstructured{Object: object}))
			}
		}
	}
	return rows
}

// golden compares with the file of the test in testdata; -update writes it.
func golden(t *testing.T, got string) {
	t.Helper()
	path := filepath.Join("testdata", strings.ReplaceAll(t.Name(), "/", "_")+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func as(format string) cmdutil.Output {
	output := cmdutil.NewOutput(cmdutil.TableFormats...)
	output.Format = format
	return output
}

func newTestOutput(o *Options, clusters ...string) (*output, *bytes.Buffer) {
	buffer := &bytes.Buffer{}
	o.factory = cmdutil.NewFactory(genericiooptions.IOStreams{Out: buffer, ErrOut: buffer})
	out := newOutput(o, clusters)
	out.now = func() time.Time { return time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC) }
	return out, buffer
}

func TestOutput(t *testing.T) {
	named := []request{{typeName: "deployment", name: "web", typ: types[1]}}
	for name, test := range map[string]struct {
		opts Options
		rows func([]view.ObjectRow) []view.ObjectRow
	}{
		"table":      {opts: Options{}},
		"wide":       {opts: Options{Output: as("wide")}},
		"no headers": {opts: Options{NoHeaders: true}},
		"name":       {opts: Options{Output: as("name")}},
		"json":       {opts: Options{Output: as("json")}},
		"yaml":       {opts: Options{Output: as("yaml")}},
		"json of one": {
			opts: Options{Output: as("json"), requests: named},
			rows: func(rows []view.ObjectRow) []view.ObjectRow { return rows[len(rows)-1:] },
		},
		"json of nothing": {opts: Options{Output: as("json")}, rows: func([]view.ObjectRow) []view.ObjectRow { return nil }},
		"json of a watch": {opts: Options{Output: as("json"), Watch: true}, rows: func(rows []view.ObjectRow) []view.ObjectRow { return rows[:2] }},
		"yaml of a watch": {opts: Options{Output: as("yaml"), Watch: true}, rows: func(rows []view.ObjectRow) []view.ObjectRow { return rows[:2] }},
	} {
		t.Run(name, func(t *testing.T) {
			rows := rowsOf(t, objects)
			view.SortObjects(rows)
			if test.rows != nil {
				rows = test.rows(rows)
			}
			out, buffer := newTestOutput(&test.opts, "member-1", "member-2", "member-3")
			if err := out.print(rows); err != nil {
				t.Fatal(err)
			}
			golden(t, buffer.String())
		})
	}
}

// The tables that the documentation shows have the columns of today.
func TestColumnsInTheDocumentation(t *testing.T) {
	shown := 0
	for _, name := range []string{"README.md", "docs/user-guide.md"} {
		text, err := os.ReadFile(filepath.Join("../../..", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			header := strings.Fields(line)
			if len(header) == 0 || header[0] != "NAMESPACE" || !strings.Contains(line, "PROPAGATED") {
				continue
			}
			shown++
			var want []string
			for _, column := range view.ObjectColumns([]string{"member-1", "member-2", "member-3"}) {
				if column.Priority == 0 || slices.Contains(header, "REASON") {
					want = append(want, strings.ToUpper(column.Name))
				}
			}
			if !slices.Equal(header, want) {
				t.Errorf("%s: %v, want %v", name, header, want)
			}
		}
	}
	if shown < 5 {
		t.Errorf("%d tables of objects are shown", shown)
	}
}

// A watch prints what looks different, keeps its columns, and prints headers
// again only when there is a cluster more.
func TestWatchOutput(t *testing.T) {
	const before = `
- type: configmaps
  metadata: {name: a-long-name-of-a-configmap, namespace: shop, generation: 1, creationTimestamp: "2030-01-01T11:00:00Z"}
  status: {observedGeneration: 1, conditions: [{type: Propagation, status: "True"}], clusters: [{name: member-1, version: "gen:1"}]}
- type: configmaps
  metadata: {name: b, namespace: shop, generation: 1, creationTimestamp: "2030-01-01T11:00:00Z"}
`
	const after = `
- type: configmaps
  metadata: {name: a-long-name-of-a-configmap, namespace: shop, generation: 1, creationTimestamp: "2030-01-01T11:00:00Z"}
  status: {observedGeneration: 1, conditions: [{type: Propagation, status: "True"}], clusters: [{name: member-1, version: "gen:2"}]}
- type: configmaps
  metadata: {name: b, namespace: shop, generation: 1, creationTimestamp: "2030-01-01T11:00:00Z"}
  status: {observedGeneration: 1, conditions: [{type: Propagation, status: "True"}], clusters: [{name: member-1}]}
- type: configmaps
  metadata: {name: b, namespace: shop, generation: 1, creationTimestamp: "2030-01-01T11:00:00Z"}
  status: {observedGeneration: 1, conditions: [{type: Propagation, status: "True"}], clusters: [{name: member-1}, {name: joined-since}]}
`
	out, buffer := newTestOutput(&Options{Watch: true}, "member-1")
	if err := out.print(rowsOf(t, before)); err != nil {
		t.Fatal(err)
	}
	for _, r := range rowsOf(t, after) {
		for range 2 { // the second time nothing has changed
			if err := out.printChange(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone := rowsOf(t, before)[1]
	gone.Propagated = view.Deleted
	if err := out.printChange(gone); err != nil {
		t.Fatal(err)
	}
	golden(t, buffer.String())
}

func TestParseArgs(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "[]",
		"deploy":                  "[{deploy }]",
		"deploy,cm":               "[{deploy } {cm }]",
		"deploy web api":          "[{deploy web} {deploy api}]",
		"deploy/web":              "[{deploy web}]",
		"deploy/web cm/c":         "[{deploy web} {cm c}]",
		"deploy/":                 `"deploy/" is not TYPE/NAME`,
		"/web":                    `"/web" is not TYPE/NAME`,
		"deploy/web cm":           `"cm" is not TYPE/NAME`,
		"deploy/a/b":              `"deploy/a/b" is not TYPE/NAME`,
		"deploy web cm/c":         `"cm/c": after a type come names only, or every argument is TYPE/NAME`,
		"deploy,":                 `"deploy," is not a type`,
		"deployments.apps/web":    "[{deployments.apps web}]",
		"deploy,cm same-name":     "[{deploy same-name} {cm same-name}]",
		"federateddeployment/web": "[{federateddeployment web}]",
	} {
		requests, err := parseArgs(strings.Fields(text))
		var got string
		if err != nil {
			got = err.Error()
		} else {
			parts := []string{}
			for _, r := range requests {
				parts = append(parts, fmt.Sprintf("{%s %s}", r.typeName, r.name))
			}
			got = "[" + strings.Join(parts, " ") + "]"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	for want, o := range map[string]Options{
		"": {Output: as("wide"), Selector: "app=web,tier!=back"},
		"--namespace and --all-namespaces exclude each other": {Namespace: "x", AllNamespaces: true},
		`--output takes wide, json, yaml or name, not "csv"`:  {Output: as("csv")},
	} {
		got := ""
		if err := o.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := (&Options{Selector: "a=="}).Validate(); err != nil {
		t.Error(err)
	}
	if err := (&Options{Selector: "=,"}).Validate(); err == nil || !strings.HasPrefix(err.Error(), `--selector "=,": `) {
		t.Error(err)
	}
}

// A watch follows what is enabled, as far as it was asked for.
func TestChangeOfFollowedTypes(t *testing.T) {
	clusterScoped := federatedType("rbac.authorization.k8s.io", "ClusterRole", "clusterroles")
	clusterScoped.Federated.Namespaced = false
	moved := types[0]
	moved.Federated.GVR.Group = "other.example.com"
	collecting := types[0]
	collecting.StatusCollection = true // no matter for what is watched
	all, shop := &Options{AllNamespaces: true}, &Options{Namespace: "shop"}
	named := &Options{Namespace: "shop", requests: []request{{typeName: "cm", name: "c"}}}
	for name, test := range map[string]struct {
		opts    *Options
		began   []typeconfig.Type
		enabled []typeconfig.Type
		want    string
	}{
		"nothing new":                 {all, types[:2], types[:2], "start [] stop []"},
		"one enabled":                 {shop, types[:1], types[:2], `start [deployments.apps "shop" []] stop []`},
		"one disabled":                {shop, types[:2], types[1:2], "start [] stop [configmaps]"},
		"all disabled":                {shop, types[:2], nil, "start [] stop [configmaps deployments.apps]"},
		"cluster-scoped, all":         {all, types[:1], []typeconfig.Type{types[0], clusterScoped}, `start [clusterroles.rbac.authorization.k8s.io "" []] stop []`},
		"cluster-scoped, a namespace": {shop, types[:1], []typeconfig.Type{types[0], clusterScoped}, "start [] stop []"},
		"another federated type":      {shop, types[:1], []typeconfig.Type{moved}, `start [configmaps "shop" []] stop [configmaps]`},
		"status collected":            {shop, types[:1], []typeconfig.Type{collecting}, "start [] stop []"},
		"not asked for":               {named, types[:1], types[:2], "start [] stop []"},
		"asked for, and disabled":     {named, types[:1], types[1:2], "start [] stop [configmaps]"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &source{opts: test.opts}
			for _, began := range test.began {
				s.addQuery(began, requestedName(test.opts))
			}
			running := map[string]query{}
			for _, q := range s.queries {
				running[q.typ.Name] = q
			}
			if got := describeChange(s.changeOf(running, test.enabled)); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	s := &source{opts: named}
	s.addQuery(types[0], "c")
	if got, want := describeChange(s.changeOf(nil, types[:2])), `start [configmaps "shop" [c]] stop []`; got != want {
		t.Errorf("enabled again: %s, want %s", got, want)
	}
}

func requestedName(o *Options) string {
	if len(o.requests) == 0 {
		return ""
	}
	return o.requests[0].name
}

func describeChange(start []query, stop []string) string {
	parts := []string{}
	for _, q := range start {
		parts = append(parts, fmt.Sprintf("%s %q %v", q.typ.Name, q.namespace, q.names))
	}
	return fmt.Sprintf("start %v stop %v", parts, stop)
}

func TestQueries(t *testing.T) {
	clusterScoped := federatedType("rbac.authorization.k8s.io", "ClusterRole", "clusterroles")
	clusterScoped.Federated.Namespaced = false
	all := append([]typeconfig.Type{clusterScoped}, types[:2]...)
	describe := func(s *source) string {
		parts := []string{}
		for _, q := range s.queries {
			parts = append(parts, fmt.Sprintf("%s %q %v %q", q.typ.Name, q.namespace, q.names, q.options("").FieldSelector))
		}
		return strings.Join(parts, "; ")
	}
	s := &source{opts: &Options{Namespace: "shop"}}
	if err := s.resolve(all, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := describe(s), `configmaps "shop" [] ""; deployments.apps "shop" [] ""`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	s = &source{opts: &Options{AllNamespaces: true}}
	if err := s.resolve(all, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := describe(s), `clusterroles.rbac.authorization.k8s.io "" [] ""; configmaps "" [] ""; deployments.apps "" [] ""`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	s = &source{opts: &Options{Namespace: "shop"}}
	s.addQuery(clusterScoped, "reader")
	s.addQuery(types[1], "web")
	s.addQuery(types[1], "api")
	s.addQuery(types[0], "c")
	s.addQuery(types[0], "")
	s.addQuery(types[0], "d")
	if got, want := describe(s), `clusterroles.rbac.authorization.k8s.io "" [reader] "metadata.name=reader"; deployments.apps "shop" [web api] ""; configmaps "shop" [] ""`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
