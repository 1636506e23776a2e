package enablement

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, shortNames: [wd]}
  versions:
  - {name: v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
  - name: v1
    served: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
  - {name: v2, served: false, schema: {openAPIV3Schema: {type: object}}}
---
kind: Ignored
`

func TestReadFile(t *testing.T) {
	for _, test := range []struct {
		name, file, want, problem string
		crd                       bool
	}{
		{name: "KubeFed's", file: "apiVersion: core.kubefed.io/v1beta1\nkind: EnableTypeDirective\nmetadata:\n  name: jobs.batch\nspec:\n  targetVersion: v1\n", want: "jobs.batch"},
		{name: "without a kind", file: "metadata: {name: jobs.batch}", want: "jobs.batch"},
		{name: "JSON", file: `{"kind": "EnableTypeDirective", "metadata": {"name": "jobs.batch"}}`, want: "jobs.batch"},
		{name: "a definition", file: widgets, want: "widgets.example.com", crd: true},
		{name: "an old definition", file: strings.Replace(widgets, "k8s.io/v1", "k8s.io/v1beta1", 1), problem: "apiVersion is apiextensions.k8s.io/v1beta1, want apiextensions.k8s.io/v1"},
		{name: "no name", file: "kind: EnableTypeDirective\n", problem: "metadata.name must name the type"},
		{name: "empty", problem: "metadata.name must name the type"},
		{name: "another kind", file: "kind: Deployment\nmetadata: {name: x}\n", problem: "kind is Deployment, want EnableTypeDirective or CustomResourceDefinition"},
		{name: "no YAML", file: "{", problem: "yaml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file.yaml")
			if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
				t.Fatal(err)
			}
			fromFile, err := ReadFile(path, nil)
			got, stdinErr := ReadFile("-", strings.NewReader(test.file))
			if (err == nil) != (stdinErr == nil) || fromFile.Directive.Name != got.Directive.Name {
				t.Errorf("the file gives %v, %v; standard input %v, %v", fromFile, err, got, stdinErr)
			}
			switch {
			case test.problem != "":
				if err == nil || !strings.Contains(err.Error(), test.problem) || !strings.HasPrefix(err.Error(), path) {
					t.Errorf("got error %v, want %q", err, test.problem)
				}
			case err != nil || got.Directive.Name != test.want || (got.CRD != nil) != test.crd:
				t.Errorf("got %+v, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestPrepareCRD(t *testing.T) {
	file, err := ReadFile("-", strings.NewReader(widgets))
	if err != nil {
		t.Fatal(err)
	}
	host := &Host{Namespace: "kf"}
	for version, want := range map[string]string{"": "v1", "v1beta1": "v1beta1"} {
		directive := file.Directive
		directive.Spec.TargetVersion = version
		enablement, err := host.PrepareCRD(t.Context(), file.CRD, directive)
		if err != nil {
			t.Fatal(err)
		}
		if target := enablement.TypeConfig.Spec.TargetType; target.Version != want || target.Kind != "Widget" || target.Scope != "Namespaced" || enablement.TypeConfig.Name != "widgets.example.com" {
			t.Errorf("%q: target %+v", version, target)
		}
		if names := enablement.CRD.Spec.Names; names.Kind != "FederatedWidget" || len(names.ShortNames) != 1 || names.ShortNames[0] != "fwd" {
			t.Errorf("%q: names %+v", version, names)
		}
		template := enablement.CRD.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["template"]
		if _, known := template.Properties["spec"].Properties["size"]; known != (want == "v1") {
			t.Errorf("%q: the template's schema knows spec.size: %v", version, known)
		}
	}
	directive := file.Directive
	directive.Spec.TargetVersion = "v2"
	if _, err := host.PrepareCRD(t.Context(), file.CRD, directive); err == nil || !strings.Contains(err.Error(), "serves no version v2") {
		t.Errorf("a version that is not served: %v", err)
	}
	file.CRD.Spec.Group, file.CRD.Spec.Names.Kind = "types.kubefed.io", "FederatedWidget"
	if _, err := host.PrepareCRD(t.Context(), file.CRD, file.Directive); err == nil || !strings.Contains(err.Error(), "is a federated type itself") {
		t.Errorf("a federated type: %v", err)
	}
}
