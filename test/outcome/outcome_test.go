package outcome

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, content string) map[string]any {
	t.Helper()
	object := map[string]any{}
	if err := yaml.Unmarshal([]byte(content), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestDiff(t *testing.T) {
	left := parse(t, `{same: 1, gone: {deep: x}, changed: a, list: [1, {x: y}, 3], none: null, "a/b": 1}`)
	right := parse(t, `{same: 1, changed: b, list: [1, {x: z}], new: [], "a/b": 2}`)
	var paths []string
	for _, d := range Diff(left, right) {
		paths = append(paths, d.Path)
	}
	if got := strings.Join(paths, " "); got != "/a~1b /changed /gone /list/1/x /list/2 /new" {
		t.Errorf("differences at %s", got)
	}
	if d := Diff(map[string]any{"n": int64(3)}, map[string]any{"n": 3.0}); len(d) > 0 {
		t.Errorf("the same number differs: %v", d)
	}
}

func TestAt(t *testing.T) {
	object := parse(t, `{a: {"b/c": [x, {d: null}]}}`)
	if v, ok := At(object, "/a/b~1c/0"); !ok || v != "x" {
		t.Errorf("is %v", v)
	}
	for _, pointer := range []string{"/b", "/a/b~1c/2", "/a/b~1c/-1", "/a/b~1c/0/x"} {
		if v, ok := At(object, pointer); ok {
			t.Errorf("%s is %v", pointer, v)
		}
	}
	if _, ok := At(object, "/a/b~1c/1/d"); !ok {
		t.Error("null is nothing")
	}
}

func TestMatchPath(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/a", "/a", true}, {"/a", "/a/b/c", true}, {"/a/b", "/a", false}, {"/*/b", "/x/b", true}, {"/*/b", "/x/y/b", false},
		{"/**/b", "/x/y/b", true}, {"/**/b", "/x/y/c", false}, {"/member-*/ConfigMap.it/data/new", "/member-1/ConfigMap.it/data/new", true},
	} {
		if got := MatchPath(c.pattern, c.path); got != c.want {
			t.Errorf("%s of %s is %v", c.pattern, c.path, got)
		}
	}
}

func TestClean(t *testing.T) {
	table, err := Members()
	if err != nil {
		t.Fatal(err)
	}
	service := parse(t, `
kind: Service
metadata: {name: it, namespace: here, uid: 123, annotations: {own: "it"}, labels: {}}
spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], ports: [{port: 80, nodePort: 30000}]}
status: {loadBalancer: {}}
`)
	want := parse(t, `
kind: Service
metadata: {name: (name), namespace: (namespace), annotations: {own: (name)}}
spec: {clusterIP: (the cluster's), clusterIPs: [(the cluster's)], ports: [{port: 80, nodePort: (the cluster's)}]}
`)
	if d := Diff(want, table.Clean(service)); len(d) > 0 {
		t.Errorf("differs: %v", d)
	}
	headless := parse(t, `{kind: Service, spec: {clusterIP: None}}`)
	if d := Diff(headless, table.Clean(headless)); len(d) > 0 {
		t.Errorf("None is no address: %v", d)
	}
}

func TestSheet(t *testing.T) {
	sheet, err := ParseSheet([]byte(`
- {cases: [a, b-*], at: [/x, /y/*], why: meant}
- {cases: [c], point: "1", why: broken}
`))
	if err != nil {
		t.Fatal(err)
	}
	if !sheet.Expects("a", Difference{Path: "/y/1"}) || sheet.Expects("a", Difference{Path: "/z"}) || sheet.Expects("d", Difference{Path: "/x"}) {
		t.Error("expects the wrong things")
	}
	stale := strings.Join(sheet.Stale([]string{"a", "b-1", "c"}, true), "; ")
	if stale != "b-* /x /y/* (meant); c  (point 1: broken)" {
		t.Errorf("stale: %s", stale)
	}
	if stale := sheet.Stale([]string{"a", "b-1"}, false); len(stale) > 0 {
		t.Errorf("what did not run is stale: %v", stale)
	}
	if _, err := ParseSheet([]byte(`[{cases: [a]}]`)); err == nil {
		t.Error("an entry needs a reason")
	}
}
