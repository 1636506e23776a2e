package federate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const patchedTemplate = `{"metadata":{"labels":{"app":"web"}},"spec":{"replicas":3,"none":null,"empty":{},"a/b":{"c~d":1},` +
	`"template":{"spec":{"containers":[{"name":"c","image":"i:1","args":["x","y"]},{"name":"d"}],"list":[]}}}}`

// renderPatched renders the template for cluster m with the overrides, a JSON list.
func renderPatched(t testing.TB, overrides string) (map[string]any, error) {
	t.Helper()
	r := mustRenderer(t, `{"metadata":{"name":"web","namespace":"shop"},"spec":{"template":`+patchedTemplate+
		`,"overrides":[{"clusterName":"other"},{"clusterName":"m","clusterOverrides":`+overrides+`}]}}`, deployments)
	rendered, err := r.For("m")
	if err != nil {
		return nil, err
	}
	return tree(t, rendered.JSON), nil
}

func TestOverrides(t *testing.T) {
	for name, test := range map[string]struct {
		overrides string
		at        string // JSON pointer
		want      string // JSON; "" means absent
	}{
		"replace is the default":         {`[{"path":"/spec/replicas","value":5}]`, "/spec/replicas", "5"},
		"empty op":                       {`[{"op":"","path":"/spec/replicas","value":5}]`, "/spec/replicas", "5"},
		"replace of a missing leaf adds": {`[{"path":"/spec/paused","value":true}]`, "/spec/paused", "true"},
		"replace by null":                {`[{"path":"/spec/replicas","value":null}]`, "/spec/replicas", "null"},
		"replace without value":          {`[{"path":"/spec/replicas"}]`, "/spec/replicas", "null"},
		"replace an object":              {`[{"path":"/spec/empty","value":{"x":[1]}}]`, "/spec/empty", `{"x":[1]}`},
		"replace a null":                 {`[{"path":"/spec/none","value":1}]`, "/spec/none", "1"},
		"replace an element":             {`[{"path":"/spec/template/spec/containers/0/args/1","value":"z"}]`, "/spec/template/spec/containers/0/args", `["x","z"]`},
		"replace through an index":       {`[{"path":"/spec/template/spec/containers/1/image","value":"i:2"}]`, "/spec/template/spec/containers/1", `{"image":"i:2","imagePullPolicy":"IfNotPresent","name":"d"}`},
		"add replaces a key":             {`[{"op":"add","path":"/spec/replicas","value":5}]`, "/spec/replicas", "5"},
		"add inserts":                    {`[{"op":"add","path":"/spec/template/spec/containers/0/args/1","value":"z"}]`, "/spec/template/spec/containers/0/args", `["x","z","y"]`},
		"add at the front":               {`[{"op":"add","path":"/spec/template/spec/containers/0/args/0","value":"z"}]`, "/spec/template/spec/containers/0/args", `["z","x","y"]`},
		"add at the end by index":        {`[{"op":"add","path":"/spec/template/spec/containers/0/args/2","value":"z"}]`, "/spec/template/spec/containers/0/args", `["x","y","z"]`},
		"add appends":                    {`[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"z"}]`, "/spec/template/spec/containers/0/args", `["x","y","z"]`},
		"add to an empty list":           {`[{"op":"add","path":"/spec/template/spec/list/-","value":{"a":1}}]`, "/spec/template/spec/list", `[{"a":1}]`},
		"remove a key":                   {`[{"op":"remove","path":"/spec/replicas"}]`, "/spec/replicas", ""},
		"remove a null":                  {`[{"op":"remove","path":"/spec/none"}]`, "/spec/none", ""},
		"remove an element":              {`[{"op":"remove","path":"/spec/template/spec/containers/0"}]`, "/spec/template/spec/containers", `[{"name":"d"}]`},
		"remove the last element":        {`[{"op":"add","path":"/spec/template/spec/list/-","value":1},{"op":"remove","path":"/spec/template/spec/list/0"}]`, "/spec/template/spec/list", `[]`},
		"operations build on another":    {`[{"path":"/spec/new","value":{}},{"path":"/spec/new/deep","value":[]},{"op":"add","path":"/spec/new/deep/-","value":1}]`, "/spec/new", `{"deep":[1]}`},
		"escapes":                        {`[{"path":"/spec/a~1b/c~0d","value":2}]`, "/spec/a~1b", `{"c~d":2}`},
		"an empty key":                   {`[{"path":"/spec/","value":2}]`, "/spec/", "2"},
		"a leading zero":                 {`[{"path":"/spec/template/spec/containers/0/args/00","value":"z"}]`, "/spec/template/spec/containers/0/args", `["z","y"]`},
		"the managed label survives":     {`[{"path":"/metadata/labels","value":{"x":"y","kubefed.io/managed":"no"}}]`, "/metadata/labels", `{"x":"y","kubefed.io/managed":"true"}`},
		"labels removed":                 {`[{"op":"remove","path":"/metadata/labels"}]`, "/metadata/labels", `{"kubefed.io/managed":"true"}`},
		"the first annotation":           {`[{"op":"add","path":"/metadata/annotations/a~1b","value":"y"}]`, "/metadata/annotations", `{"a/b":"y"}`},
		"finalizers by override":         {`[{"path":"/metadata/finalizers","value":["a/b"]}]`, "/metadata/finalizers", `["a/b"]`},
		"no resourceVersion by override": {`[{"path":"/metadata/resourceVersion","value":"1"}]`, "/metadata/resourceVersion", ""},
		"no uid by override":             {`[{"path":"/metadata/uid","value":"1"}]`, "/metadata/uid", ""},
		"no status by override":          {`[{"path":"/status","value":{}}]`, "/status", ""},
		"the last by a negative index":   {`[{"path":"/spec/template/spec/containers/0/args/-1","value":"z"}]`, "/spec/template/spec/containers/0/args", `["x","z"]`},
		"the first by a negative index":  {`[{"op":"remove","path":"/spec/template/spec/containers/0/args/-2"}]`, "/spec/template/spec/containers/0/args", `["y"]`},
		"through a negative index":       {`[{"path":"/spec/template/spec/containers/-2/image","value":"i:2"}]`, "/spec/template/spec/containers/0/image", `"i:2"`},
		"add behind the last":            {`[{"op":"add","path":"/spec/template/spec/containers/0/args/-1","value":"z"}]`, "/spec/template/spec/containers/0/args", `["x","y","z"]`},
		"another version of the type":    {`[{"path":"/apiVersion","value":"apps/v1beta2"}]`, "/apiVersion", `"apps/v1beta2"`},
		"nothing":                        {`[]`, "/spec/replicas", "3"},
		"null":                           {`null`, "/spec/replicas", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := renderPatched(t, test.overrides)
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			if value, ok := lookup(got, test.at); ok {
				text = string(must(json.Marshal(value)))
			}
			if test.want != "" {
				test.want = string(must(json.Marshal(tree(t, []byte(`{"v":`+test.want+`}`))["v"])))
			}
			if diff := cmp.Diff(test.want, text); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// KubeFed refuses what stays behind only here: the rest is untouched.
			if test.at != "/metadata/labels" {
				if app, _ := lookup(got, "/metadata/labels/app"); app != "web" {
					t.Errorf("the template's label is gone: %v", got)
				}
			}
		})
	}
}

// lookup finds a value by JSON pointer.
func lookup(v any, pointer string) (any, bool) {
	for token := range strings.SplitSeq(pointer[1:], "/") {
		switch node := v.(type) {
		case map[string]any:
			value, ok := node[pointerEscapes.Replace(token)]
			if !ok {
				return nil, false
			}
			v = value
		case []any:
			var i int
			if _, err := fmt.Sscan(token, &i); err != nil || i >= len(node) || i < -len(node) {
				return nil, false
			}
			if i < 0 {
				i += len(node)
			}
			v = node[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func TestOverrideErrors(t *testing.T) {
	const first = "cluster m: spec.overrides[1].clusterOverrides[0]."
	for name, test := range map[string]struct{ overrides, want string }{
		"another group":          {`[{"path":"/apiVersion","value":"v2"}]`, "cluster m: spec.overrides[1].clusterOverrides: the result is not valid: apiVersion: must be a version of the same group, such as apps/v1"},
		"apiVersion by number":   {`[{"path":"/apiVersion","value":2}]`, "cluster m: spec.overrides[1].clusterOverrides: the result is not valid: apiVersion: must be a version of the same group, such as apps/v1"},
		"an unescaped slash":     {`[{"path":"/spec/a/b/c~0d","value":2}]`, first + "path: there is no /spec/a: /spec has a/b, empty, none, replicas, template; a slash in a key is written ~1: /spec/a~1b"},
		"a slash in a label":     {`[{"op":"add","path":"/metadata/labels/app.kubernetes.io/name","value":"web"}]`, first + "path: there is no /metadata/labels/app.kubernetes.io: /metadata/labels has app; a slash in a key is written ~1: /metadata/labels/app.kubernetes.io~1name"},
		"kind":                   {`[{"op":"remove","path":"/kind"}]`, first + "path: /kind cannot be overridden: the type is the same in every cluster"},
		"below kind":             {`[{"path":"/kind/x","value":1}]`, first + "path: /kind/x cannot be overridden: the type is the same in every cluster"},
		"name":                   {`[{"path":"/metadata/name","value":"x"}]`, first + "path: /metadata/name cannot be overridden: name and namespace are those of the federated object"},
		"namespace":              {`[{"path":"/metadata/namespace","value":"x"}]`, first + "path: /metadata/namespace cannot be overridden: name and namespace are those of the federated object"},
		"generateName":           {`[{"path":"/metadata/generateName","value":"x"}]`, first + "path: /metadata/generateName cannot be overridden: name and namespace are those of the federated object"},
		"metadata":               {`[{"path":"/metadata","value":{"name":"x"}}]`, first + "path: /metadata cannot be overridden as a whole, name a field in it, e.g. /metadata/labels"},
		"everything":             {`[{"path":"","value":{}}]`, first + "path: is empty: the whole object cannot be overridden, name a field, e.g. /spec/replicas"},
		"no path":                {`[{"value":{}}]`, first + "path: is empty: the whole object cannot be overridden, name a field, e.g. /spec/replicas"},
		"no slash":               {`[{"path":"spec/replicas","value":1}]`, first + `path: "spec/replicas" must start with /, e.g. /spec/replicas`},
		"op":                     {`[{"op":"move","path":"/spec/replicas"}]`, first + `op: "move" is not supported, use add, remove or replace`},
		"op in capitals":         {`[{"op":"Replace","path":"/spec/replicas"}]`, first + `op: "Replace" is not supported, use add, remove or replace`},
		"the same path twice":    {`[{"path":"/spec/x","value":1},{"op":"remove","path":"/spec/x"}]`, "cluster m: spec.overrides[1].clusterOverrides[1].path: /spec/x appears more than once for the cluster, first in clusterOverrides[0]"},
		"missing parent":         {`[{"path":"/spec/nope/deeper","value":1}]`, first + "path: there is no /spec/nope: /spec has a/b, empty, none, replicas, template"},
		"missing at the top":     {`[{"op":"add","path":"/data/k","value":1}]`, first + "path: there is no /data: the object has metadata, spec"},
		"below null":             {`[{"path":"/spec/none/x","value":1}]`, first + "path: there is no /spec/none: /spec has a/b, empty, none, replicas, template"},
		"in an empty object":     {`[{"path":"/spec/empty/x/y","value":1}]`, first + "path: there is no /spec/empty/x: /spec/empty is empty"},
		"below a number":         {`[{"path":"/spec/replicas/x/y","value":1}]`, first + "path: /spec/replicas is a number, so there is nothing at /spec/replicas/x/y"},
		"remove what is not":     {`[{"op":"remove","path":"/spec/nope"}]`, first + "path: there is no /spec/nope to remove: /spec has a/b, empty, none, replicas, template"},
		"remove no annotation":   {`[{"op":"remove","path":"/metadata/annotations/x"}]`, first + "path: there is no /metadata/annotations: /metadata has labels"},
		"out of range":           {`[{"path":"/spec/template/spec/containers/2/image","value":1}]`, first + "path: the index 2 is out of range: /spec/template/spec/containers has 2 elements, counted from 0"},
		"replace past the end":   {`[{"path":"/spec/template/spec/containers/2","value":{}}]`, first + "path: the index 2 is out of range: /spec/template/spec/containers has 2 elements, counted from 0"},
		"add past the end":       {`[{"op":"add","path":"/spec/template/spec/containers/3","value":{}}]`, first + "path: the index 3 is out of range: /spec/template/spec/containers has 2 elements, counted from 0"},
		"remove past the end":    {`[{"op":"remove","path":"/spec/template/spec/list/0"}]`, first + "path: the index 0 is out of range: /spec/template/spec/list has 0 elements, counted from 0"},
		"negative":               {`[{"path":"/spec/template/spec/containers/-3","value":{}}]`, first + "path: the index -3 is out of range: /spec/template/spec/containers has 2 elements, and negative indices count from its end"},
		"negative on the way":    {`[{"path":"/spec/template/spec/containers/-3/image","value":{}}]`, first + "path: the index -3 is out of range: /spec/template/spec/containers has 2 elements, and negative indices count from its end"},
		"replace the end":        {`[{"path":"/spec/template/spec/containers/-","value":{}}]`, first + "path: - stands for the end of the list /spec/template/spec/containers and can only be the last part of the path of an add"},
		"through the end":        {`[{"op":"add","path":"/spec/template/spec/containers/-/x","value":{}}]`, first + "path: - stands for the end of the list /spec/template/spec/containers and can only be the last part of the path of an add"},
		"a name for an index":    {`[{"path":"/spec/template/spec/containers/c/image","value":{}}]`, first + `path: /spec/template/spec/containers is a list of 2 elements, so "c" must be an index`},
		"a signed index":         {`[{"path":"/spec/template/spec/containers/+1/image","value":{}}]`, first + `path: /spec/template/spec/containers is a list of 2 elements, so "+1" must be an index`},
		"an empty index":         {`[{"path":"/spec/template/spec/containers//image","value":{}}]`, first + `path: /spec/template/spec/containers is a list of 2 elements, so "" must be an index`},
		"a huge index":           {`[{"path":"/spec/template/spec/containers/99999999999999999999","value":{}}]`, first + `path: /spec/template/spec/containers is a list of 2 elements, so "99999999999999999999" must be an index`},
		"labels that are none":   {`[{"path":"/metadata/labels","value":3}]`, "cluster m: spec.overrides[1].clusterOverrides: the result is not valid: metadata.labels: must be an object, is a number"},
		"a label that is none":   {`[{"path":"/metadata/labels/x","value":3}]`, "cluster m: spec.overrides[1].clusterOverrides: the result is not valid: metadata.labels[x]: must be a string, is a number: put it in quotes"},
		"annotations a list":     {`[{"path":"/metadata/annotations","value":[]}]`, "cluster m: spec.overrides[1].clusterOverrides: the result is not valid: metadata.annotations: must be an object, is a list"},
		"the second is at fault": {`[{"path":"/spec/x","value":1},{"path":"/spec/x/y","value":1}]`, "cluster m: spec.overrides[1].clusterOverrides[1].path: /spec/x is a number, so there is nothing at /spec/x/y"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := renderPatched(t, test.overrides)
			var fault *RenderError
			if !errors.As(err, &fault) {
				t.Fatalf("error is %v, want a RenderError", err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if fault.Status != ApplyOverridesFailed || fault.Cluster != "m" || !strings.HasPrefix(fault.Field, "spec.overrides[1].clusterOverrides") {
				t.Errorf("%+v", fault)
			}
		})
	}
}

// A mistake for one cluster stays with that cluster.
func TestOverrideErrorsStayWithTheirCluster(t *testing.T) {
	r := mustRenderer(t, `
metadata: {name: c, namespace: ns}
spec:
  template: {data: {k: v}}
  overrides:
  - {clusterName: a, clusterOverrides: [{path: /nope/x, value: 1}]}
  - {clusterName: b, clusterOverrides: [{path: /data/k, value: w}]}
  - {clusterName: twice, clusterOverrides: [{path: /data/k, value: w}]}
  - {clusterName: twice}
  - {clusterName: twice}
`, configMaps)
	render(t, r, "b")
	render(t, r, "c")
	if _, err := r.For("a"); err == nil {
		t.Error("no error for a")
	}
	_, err := r.For("twice")
	want := "cluster twice: spec.overrides[3].clusterName: the cluster appears more than once: merge with spec.overrides[2]"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	var fault *RenderError
	if errors.As(err, &fault) && "cluster twice: "+fault.Detail() != want {
		t.Error(fault.Detail())
	}
}

func TestLongMessagesAreCut(t *testing.T) {
	long := strings.Repeat("/very-long-name-of-a-field", 100)
	many := map[string]any{}
	for i := range 100 {
		many[fmt.Sprintf("%03d%s", i, long)] = 1
	}
	for _, path := range []string{long, long[1:], "/kind" + long, "/spec/x/" + long, "/spec/list" + long} {
		_, _, fault := applyOverrides(map[string]any{"spec": many}, []Override{{Op: "add", Path: path}}, false)
		if fault == nil || len(fault.message) > 1500 {
			t.Errorf("%+v", fault)
		}
	}
}

// The reference for what applies, and to what, is the library KubeFed used.
func TestOverridesAgreeWithTheLibrary(t *testing.T) {
	options := jsonpatch.NewApplyOptions()
	applied := 0
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 2))
		doc := map[string]any{"m": randomValue(r, 3), "l": []any{randomValue(r, 2), randomValue(r, 1)}, "s": "x"}
		overrides := randomOverrides(r, doc)
		before, values := string(must(json.Marshal(doc))), string(must(json.Marshal(overrides)))
		got, _, fault := applyOverrides(doc, overrides, false)
		if after := string(must(json.Marshal(doc))); after != before {
			t.Fatalf("seed %d: the document changed from %s to %s", seed, before, after)
		}
		if after := string(must(json.Marshal(overrides))); after != values {
			t.Fatalf("seed %d: the overrides changed from %s to %s", seed, values, after)
		}
		want, err := before, error(nil)
		for i := 0; i < len(overrides) && err == nil; i++ {
			want, err = applyByLibrary(want, overrides[i], options)
		}
		switch {
		case (err == nil) != (fault == nil):
			t.Fatalf("seed %d: %+v on %s: library says %v, we say %+v", seed, overrides, before, err, fault)
		case err == nil:
			applied++
			if text := string(must(json.Marshal(got))); text != want {
				t.Fatalf("seed %d: %+v on %s\nwant %s\ngot  %s", seed, overrides, before, want, text)
			}
		}
	}
	if applied < 2000 {
		t.Errorf("only %d of the patches applied", applied)
	}
}

// randomOverrides are one to four overrides of different paths.
func randomOverrides(r *rand.Rand, doc map[string]any) []Override {
	var list []Override
	for range 1 + r.IntN(4) {
		path := randomPath(r, doc)
		if slices.ContainsFunc(list, func(o Override) bool { return o.Path == path }) {
			continue
		}
		list = append(list, Override{Op: []string{"", "add", "remove", "replace"}[r.IntN(4)], Path: path, Value: randomValue(r, 2), HasValue: true})
	}
	return list
}

// Each map and list on the way is copied once, however many overrides there are.
func TestManyOverridesAreCopiedOnce(t *testing.T) {
	data := map[string]any{}
	var overrides []Override
	for i := range MaxOverrides {
		data[fmt.Sprintf("k%05d", i)] = "v"
		overrides = append(overrides, Override{Path: fmt.Sprintf("/data/k%05d", i), Value: "w"})
	}
	doc := map[string]any{"data": data, "list": []any{}}
	allocations := testing.AllocsPerRun(1, func() {
		if _, _, fault := applyOverrides(doc, overrides, false); fault != nil {
			t.Fatal(fault.message)
		}
	})
	// A copy of data for each override would be some 40 allocations of each.
	if most := float64(5 * MaxOverrides); allocations > most {
		t.Errorf("%.0f allocations for %d overrides, want at most %.0f", allocations, MaxOverrides, most)
	}
	if data["k00000"] != "v" {
		t.Error("the template was changed")
	}
	_, _, fault := applyOverrides(doc, append(overrides, Override{Path: "/data/one-more", Value: "w"}), false)
	if want := "is one too many: a cluster can have 5000 overrides, and has 5001"; fault == nil || fault.index != MaxOverrides || fault.message != want {
		t.Errorf("%+v, want %s", fault, want)
	}
}

func applyByLibrary(doc string, override Override, options *jsonpatch.ApplyOptions) (string, error) {
	op := override.operation()
	apply := func(op string) ([]byte, error) {
		operation := map[string]any{"op": op, "path": override.Path, "value": override.Value}
		patch, err := jsonpatch.DecodePatch(must(json.Marshal([]any{operation})))
		if err != nil {
			return nil, err
		}
		return patch.ApplyWithOptions([]byte(doc), options)
	}
	out, err := apply(op)
	if err != nil && op == opReplace && errors.Is(err, jsonpatch.ErrMissing) && !endsInList(doc, override.Path) {
		out, err = apply(opAdd) // v4, KubeFed's, adds a missing key
	}
	if err != nil {
		return "", err
	}
	var decoded any
	if err := json.Unmarshal(out, &decoded); err != nil {
		return "", err
	}
	return string(must(json.Marshal(decoded))), nil
}

func endsInList(doc, path string) bool {
	var v any
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		return false
	}
	parent := path[:strings.LastIndex(path, "/")]
	if parent != "" {
		v, _ = lookup(v, parent)
	}
	return reflect.TypeOf(v) == reflect.TypeFor[[]any]()
}

func randomValue(r *rand.Rand, depth int) any {
	switch kind := r.IntN(8); {
	case depth > 0 && kind < 3:
		m := map[string]any{}
		for range r.IntN(4) {
			m[[]string{"a", "b", "0", "a/b", "~"}[r.IntN(5)]] = randomValue(r, depth-1)
		}
		return m
	case depth > 0 && kind < 6:
		l := []any{}
		for range r.IntN(4) {
			l = append(l, randomValue(r, depth-1))
		}
		return l
	case kind == 6:
		return int64(r.IntN(3))
	}
	return []any{"x", true, nil}[r.IntN(3)]
}

// randomPath mostly follows the document, so that many patches apply.
func randomPath(r *rand.Rand, doc map[string]any) string {
	path, v := "", any(doc)
	for range 1 + r.IntN(4) {
		token := []string{"a", "b", "0", "1", "2", "-", "a/b", "~", "-1", "-2"}[r.IntN(10)]
		switch node := v.(type) {
		case map[string]any:
			keys := make([]string, 0, len(node))
			for key := range node {
				keys = append(keys, key)
			}
			slices.Sort(keys)
			if len(keys) > 0 && r.IntN(4) > 0 {
				token = keys[r.IntN(len(keys))]
			}
			v = node[token]
		case []any:
			if len(node) > 0 && r.IntN(4) > 0 {
				i := r.IntN(len(node))
				token, v = fmt.Sprint(i), node[i]
			}
		default:
			v = nil
			if path != "" && r.IntN(4) > 0 {
				return path
			}
		}
		path += "/" + pointerEscaper.Replace(token)
	}
	return path
}

// TestSecretsInWordsAboutOverrides: whatever is mistaken for what in an override of a
// Secret, the words about it say where the mistake is, and nothing of what it holds.
func TestSecretsInWordsAboutOverrides(t *testing.T) {
	const planted = "hunter2"
	for name, test := range map[string]struct {
		override Override
		want     string
	}{
		"an operation":            {Override{Op: planted, Path: "/data/a"}, "this is not supported, use add, remove or replace"},
		"no pointer":              {Override{Path: planted}, `"…" must start with /, e.g. /spec/replicas`},
		"a key that is not there": {Override{Op: "remove", Path: "/data/" + planted}, "there is no /data/… to remove: /data has a"},
		"a parent that is not":    {Override{Path: "/" + planted + "/a"}, "there is no /…: the object has data, metadata"},
		"below a value":           {Override{Path: "/data/a/" + planted}, "/data/… is a string, so there is nothing at /data/…/…"},
		"below the kind":          {Override{Path: "/kind/" + planted}, "… cannot be overridden: the type is the same in every cluster"},
		"the name":                {Override{Path: "/metadata/name", Value: planted}, "/metadata/name cannot be overridden: name and namespace are those of the federated object"},
		"below the name":          {Override{Path: "/metadata/name/" + planted}, "… cannot be overridden: name and namespace are those of the federated object"},
		"no index":                {Override{Path: "/metadata/finalizers/" + planted}, `/metadata/finalizers is a list of 1 elements, so "…" must be an index`},
		"an index":                {Override{Path: "/metadata/finalizers/48151623"}, "the index … is out of range: /metadata/finalizers has 1 elements, counted from 0"},
		"a negative index":        {Override{Path: "/metadata/finalizers/-48151623"}, "the index … is out of range: /metadata/finalizers has 1 elements, and negative indices count from its end"},
	} {
		doc := map[string]any{"data": map[string]any{"a": "b"}, "metadata": map[string]any{"finalizers": []any{"x"}}}
		_, _, fault := applyOverrides(doc, []Override{test.override}, true)
		if fault == nil || fault.message != test.want {
			t.Errorf("%s: got %+v, want %s", name, fault, test.want)
		}
	}
}

// TestSecretsInWordsAboutTypes: the same of what a template says that it is.
func TestSecretsInWordsAboutTypes(t *testing.T) {
	const planted = "hunter2"
	object := func(template map[string]any) (*Renderer, error) {
		return NewRenderer(&Object{Namespace: "a", Name: "b", Template: template}, Target{GVK: schema.GroupVersionKind{Version: "v1", Kind: secretKind}, Namespaced: true})
	}
	r, err := object(map[string]any{"kind": planted})
	if err != nil || !slices.Equal(r.Warnings(), []string{"spec.template.kind: this has no effect, the kind is Secret"}) {
		t.Errorf("kind: %v, %v", r.Warnings(), err)
	}
	for _, version := range []string{planted, "v1/" + planted, planted + "/v1"} {
		if _, err := object(map[string]any{"apiVersion": version}); err == nil || strings.Contains(err.Error(), planted) {
			t.Errorf("apiVersion: %v", err)
		}
	}
}
