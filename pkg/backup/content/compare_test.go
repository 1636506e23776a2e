package content

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

func TestCompare(t *testing.T) {
	for name, test := range map[string]struct {
		resource, saved, live string
		allowMore             bool
		want                  []string
	}{
		"what a server sets": {"configmaps", `{metadata: {name: a, uid: u, creationTimestamp: "2030-01-01T00:00:00Z"}, data: {a: b}}`, `{metadata: {name: a, uid: v, resourceVersion: "7", managedFields: [{}]}, data: {a: b}, status: {}}`, false, nil},
		"data":               {"secrets", `{data: {a: b, c/d: e, f: g}}`, `{data: {a: x, f: g, h: i}}`, false, []string{"/data/a differs", "/data/c~1d is missing", "/data/h was not there"}},
		"more":               {"secrets", `{data: {a: b}}`, `{data: {a: b, c: d}, immutable: true}`, true, nil},
		"empty":              {"secrets", `{data: {}, x: null, y: []}`, `{z: {}}`, false, nil},
		"lists":              {"deployments.apps", `{spec: {a: [1, 2], b: [1]}}`, `{spec: {a: [1, 3], b: [1, 2]}}`, false, []string{"/spec/a/1 differs", "/spec/b differs"}},
		"numbers":            {"widgets.example.com", `{spec: {a: 1, b: 1.5, c: "1"}}`, `{spec: {a: 1.0, b: 1.5, c: 1}}`, false, []string{"/spec/c differs"}},
		"types":              {"widgets.example.com", `{spec: {a: {b: c}, d: e}}`, `{spec: {a: [x], d: {f: g}}}`, false, []string{"/spec/a differs", "/spec/d differs"}},
		"a Service":          {"services", `{spec: {clusterIP: a, ports: [{port: 1, nodePort: 2}]}}`, `{spec: {clusterIP: b, ports: [{port: 1, nodePort: 3}]}}`, false, []string{"/spec/ports/0/nodePort differs"}},
		"a look asked for":   {"backuprepositories.backup.fedctl.io", `{metadata: {name: a}}`, `{metadata: {name: a, annotations: {backup.fedctl.io/check: now, b: c}}}`, false, []string{"/metadata/annotations/b was not there"}},
		"owners":             {"configmaps", `{metadata: {ownerReferences: [{name: a, uid: u}]}}`, `{metadata: {ownerReferences: [{name: a, uid: v}]}}`, false, nil},
		"an owner":           {"configmaps", `{metadata: {ownerReferences: [{name: a, uid: u}]}}`, `{metadata: {}}`, false, []string{"/metadata/ownerReferences is missing"}},
	} {
		var got []string
		saved, live := object(t, test.saved), object(t, test.live)
		for _, difference := range Compare(resourceNamed(t, test.resource), saved, live, test.allowMore) {
			got = append(got, difference.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if diff := cmp.Diff(object(t, test.saved), saved); diff != "" {
			t.Errorf("%s: changes the object:\n%s", name, diff)
		}
	}
}

func patch(resource, op, path, value string) []backupv1alpha1.Transform {
	operation := backupv1alpha1.PatchOperation{Op: op, Path: path}
	if value != "" {
		operation.Value = &apiextensionsv1.JSON{Raw: []byte(value)}
	}
	return []backupv1alpha1.Transform{{Resource: resource, Patch: []backupv1alpha1.PatchOperation{operation}}}
}

func TestTransforms(t *testing.T) {
	const in = `{metadata: {name: a}, spec: {replicas: 1, list: [{a: 1}, {a: 2}]}}`
	for name, test := range map[string]struct {
		specs   []backupv1alpha1.Transform
		want    string
		failure string
	}{
		"replace":                    {patch("", "replace", "/spec/replicas", "2"), `{metadata: {name: a}, spec: {replicas: 2, list: [{a: 1}, {a: 2}]}}`, ""},
		"replace of what is missing": {patch("", "replace", "/spec/storageClassName", `"fast"`), `{metadata: {name: a}, spec: {storageClassName: fast, replicas: 1, list: [{a: 1}, {a: 2}]}}`, ""},
		"another resource":           {patch("pods", "replace", "/spec/replicas", "2"), in, ""},
		"the resource":               {patch("deployments.apps", "remove", "/spec/list", ""), `{metadata: {name: a}, spec: {replicas: 1}}`, ""},
		"remove of what is missing":  {patch("", "remove", "/spec/template/spec/nodeSelector", ""), in, ""},
		"a list on the way":          {patch("", "add", "/spec/tolerations/-", `{"key": "gpu"}`), `{metadata: {name: a}, spec: {tolerations: [{key: gpu}], replicas: 1, list: [{a: 1}, {a: 2}]}}`, ""},
		"an object on the way":       {patch("", "add", "/metadata/labels/a~1b", `"c"`), `{metadata: {name: a, labels: {a/b: c}}, spec: {replicas: 1, list: [{a: 1}, {a: 2}]}}`, ""},
		"into a list":                {patch("", "add", "/spec/list/1", `{"a": 3}`), `{metadata: {name: a}, spec: {replicas: 1, list: [{a: 1}, {a: 3}, {a: 2}]}}`, ""},
		"in a list":                  {patch("", "replace", "/spec/list/1/a", `3`), `{metadata: {name: a}, spec: {replicas: 1, list: [{a: 1}, {a: 3}]}}`, ""},
		"out of a list":              {patch("", "remove", "/spec/list/0", ``), `{metadata: {name: a}, spec: {replicas: 1, list: [{a: 2}]}}`, ""},
		"beyond a list":              {patch("", "replace", "/spec/list/7", `3`), "", "spec.transforms[0]: replace /spec/list/7: /spec/list has only 2 elements"},
		"no index":                   {patch("", "add", "/spec/list/x", `3`), "", `"x" must be an index`},
		"a negative index":           {patch("", "remove", "/spec/list/-1", ""), "", `"-1" must be an index`},
		"through a number":           {patch("", "add", "/spec/replicas/x", `3`), "", "/spec/replicas is neither an object nor a list"},
	} {
		got := object(t, in)
		transforms, err := CompileTransforms(test.specs)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err = transforms.Apply(resources["deployments.apps"], got)
		if test.failure != "" {
			if err == nil || !contains(err.Error(), test.failure) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(object(t, test.want), got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestTransformsThatAreRefused(t *testing.T) {
	for _, test := range []struct{ op, path, value, want string }{
		{"move", "/spec/a", "1", "spec.transforms[0].patch[0].op"},
		{"add", "spec", "1", "must begin with /"},
		{"add", "/", "1", "cannot be changed"},
		{"add", "/kind", "1", "cannot be changed"},
		{"replace", "/metadata", "{}", "cannot be changed"},
		{"replace", "/metadata/namespace", `"x"`, "spec.namespaceMapping"},
		{"add", "/spec/a", "", "value: is needed"},
		{"add", "/spec/a", "{", "value:"},
	} {
		if _, err := CompileTransforms(patch("", test.op, test.path, test.value)); err == nil || !contains(err.Error(), test.want) {
			t.Errorf("%s %s: %v", test.op, test.path, err)
		}
	}
}
