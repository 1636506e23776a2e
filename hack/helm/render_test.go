package helm

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/serverapply"
)

var update = flag.Bool("update", false, "write the golden files again")

const (
	controlPlane = "fedctl"
	definitions  = "fedctl-crds"
	standard     = "kube-federation-system"
)

func TestLint(t *testing.T) {
	for _, name := range []string{controlPlane, definitions} {
		dir, err := Dir(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range lint.RunAll(dir, nil, standard).Messages {
			if message.Severity > support.InfoSev {
				t.Errorf("%s: %s", name, message)
			}
		}
	}
}

// What is installed by Helm and by fedctl is the same, object by object.
func TestIsWhatFedctlInstalls(t *testing.T) {
	for name, options := range map[string]manifests.Options{
		"by default":          {Namespace: standard},
		"elsewhere":           {Namespace: "federation"},
		"for one":             {Namespace: "team-a", Scope: manifests.ScopeNamespaced},
		"with an image":       {Namespace: standard, Image: "example.com:5000/c:v1"},
		"with a digest":       {Namespace: standard, Image: "example.com/c@sha256:" + strings.Repeat("0f", 32)},
		"a numeric namespace": {Namespace: "123", Scope: manifests.ScopeNamespaced},
	} {
		t.Run(name, func(t *testing.T) {
			built, err := manifests.Build(options)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(render(t, controlPlane, options.Namespace, valuesFor(options)), render(t, definitions, options.Namespace, nil))
			for _, object := range built {
				if object.GetKind() == "Namespace" {
					continue // the release's, which --create-namespace makes
				}
				what := serverapply.Describe(object)
				if diff := cmp.Diff(object.Object, got[what]); diff != "" {
					t.Errorf("%s: fedctl install (-), chart (+)\n%s", what, diff)
				}
				delete(got, what)
			}
			for what := range got {
				t.Errorf("only the chart has %s", what)
			}
		})
	}
}

// So is the API of the fleet, but for the certificate, which fedctl makes while it installs.
func TestFleetAPIIsWhatFedctlInstalls(t *testing.T) {
	for _, options := range []manifests.Options{{Namespace: standard}, {Namespace: "federation", Image: "example.com:5000/c:v1"}} {
		built, err := manifests.FleetAPI(options, manifests.FleetAPIOptions{})
		if err != nil {
			t.Fatal(err)
		}
		values := valuesFor(options)
		without := describe(render(t, controlPlane, options.Namespace, values))
		values["fleetAPI"] = Values{"enabled": true}
		got := describe(render(t, controlPlane, options.Namespace, values))
		for what := range without {
			delete(got, what)
		}
		certificate, service := "secret/fedctl-fleet-api in namespace "+options.Namespace, "apiservice.apiregistration.k8s.io/"+manifests.FleetAPIService
		data, _, _ := unstructured.NestedStringMap(got[certificate], "data")
		authority, _, _ := unstructured.NestedString(got[service], "spec", "caBundle")
		if authority == "" || data["ca.crt"] != authority || data["tls.crt"] == "" || data["tls.key"] == "" {
			t.Errorf("the certificate: %v, its authority: %q", data, authority)
		}
		unstructured.RemoveNestedField(got[service], "spec", "caBundle")
		delete(got, certificate)
		for _, object := range built {
			what := serverapply.Describe(object)
			if diff := cmp.Diff(object.Object, got[what]); diff != "" {
				t.Errorf("%s: fedctl install (-), chart (+)\n%s", what, diff)
			}
			delete(got, what)
		}
		for what := range got {
			t.Errorf("only the chart has %s", what)
		}
	}
}

func valuesFor(options manifests.Options) Values {
	values := Values{}
	if options.Scope != "" {
		values["scope"] = options.Scope
	}
	if repository, digest, ok := strings.Cut(options.Image, "@"); ok {
		values["image"] = Values{"repository": repository, "digest": digest}
	} else if i := strings.LastIndex(options.Image, ":"); i > 0 {
		values["image"] = Values{"repository": options.Image[:i], "tag": options.Image[i+1:]}
	}
	return values
}

// describe are the objects of charts by their names, without what only Helm reads.
func describe(charts ...*Rendered) map[string]map[string]any {
	objects := map[string]map[string]any{}
	for _, c := range charts {
		for _, object := range c.Objects {
			annotations := object.GetAnnotations()
			maps.DeleteFunc(annotations, func(key, _ string) bool { return strings.HasPrefix(key, "helm.sh/") })
			if len(annotations) == 0 {
				unstructured.RemoveNestedField(object.Object, "metadata", "annotations")
			} else {
				object.SetAnnotations(annotations)
			}
			objects[serverapply.Describe(object)] = object.Object
		}
	}
	return objects
}

// What must survive a release says so; nothing else does, so that a release leaves no rights.
func TestWhatStays(t *testing.T) {
	choices := map[string]bool{"KubeFedConfig": true, "FederatedTypeConfig": true}
	for _, object := range render(t, definitions, standard, nil).Objects {
		if object.GetAnnotations()["helm.sh/resource-policy"] != "keep" {
			t.Errorf("%s is not kept", serverapply.Describe(object))
		}
	}
	for _, hooks := range []bool{true, false} {
		for _, object := range render(t, controlPlane, standard, Values{"configuration": Values{"hooks": hooks}}).Objects {
			annotations, choice := object.GetAnnotations(), choices[object.GetKind()]
			if hook := annotations["helm.sh/hook"] != ""; hook != (choice && hooks) {
				t.Errorf("%s: hook: %v", serverapply.Describe(object), hook)
			}
			if kept := annotations["helm.sh/resource-policy"] == "keep"; kept != (choice && !hooks) {
				t.Errorf("%s: kept: %v", serverapply.Describe(object), kept)
			}
			if policy := annotations["helm.sh/hook-delete-policy"]; (policy != "" && policy != "hook-failed") || (policy == "") != (annotations["helm.sh/hook"] == "") {
				t.Errorf("%s: deleted by policy %q", serverapply.Describe(object), policy)
			}
		}
	}
}

// Golden renders say what values change: what differs from the render without values.
func TestValues(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.values.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatal(inputs, err)
	}
	for _, input := range inputs {
		t.Run(strings.TrimSuffix(filepath.Base(input), ".values.yaml"), func(t *testing.T) {
			data, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			var values Values
			if err := yaml.UnmarshalStrict(data, &values); err != nil {
				t.Fatal(err)
			}
			namespace := standard
			if values["scope"] == manifests.ScopeNamespaced {
				namespace = "team-a"
			}
			got := golden(t, render(t, controlPlane, namespace, nil), render(t, controlPlane, namespace, values))
			file := strings.TrimSuffix(input, ".values.yaml") + ".golden.yaml"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got; go test . -update writes it)\n%s", file, diff)
			}
		})
	}
}

// golden prints the objects that values have changed, in full, and names those that are gone.
func golden(t *testing.T, before, after *Rendered) string {
	t.Helper()
	had, has := describe(before), describe(after)
	var b strings.Builder
	for _, object := range after.Objects {
		what := serverapply.Describe(object)
		if cmp.Equal(had[what], has[what]) {
			continue
		}
		data, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n" + string(data))
	}
	for _, object := range before.Objects {
		if what := serverapply.Describe(object); has[what] == nil {
			b.WriteString("# gone: " + what + "\n")
		}
	}
	return b.String()
}

func TestRefusedValues(t *testing.T) {
	for name, test := range map[string]struct {
		namespace string
		values    Values
		want      string
	}{
		"a value there is not":     {standard, Values{"replica": 1}, "replica"},
		"a type there is not":      {standard, Values{"types": Values{"cronjobs.batch": true}}, "cronjobs.batch"},
		"a scope there is not":     {standard, Values{"scope": "Galaxy"}, "scope"},
		"a digest that is none":    {standard, Values{"image": Values{"digest": "sha256:1"}}, "digest"},
		"an issuer that is none":   {standard, Values{"fleetAPI": Values{"issuerRef": "letsencrypt"}}, "issuerRef"},
		"a limit Go does not read": {standard, Values{"goMemLimit": "1800Mi"}, "goMemLimit"},
		"a namespace taken":        {"metrics-a", nil, "does not begin with metrics"},
		"a monitor of nothing":     {standard, Values{"podMonitor": Values{"enabled": true}, "metrics": Values{"enabled": false}}, "podMonitor.enabled needs metrics.enabled"},
	} {
		if _, err := Render(t.Context(), controlPlane, test.namespace, test.values); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want something about %q", name, err, test.want)
		}
	}
	if _, err := Render(t.Context(), definitions, standard, Values{"keep": false}); err == nil {
		t.Error("the definitions have no values")
	}
	for _, name := range []string{controlPlane, definitions} {
		render(t, name, standard, Values{"global": Values{"anything": true}}) // a chart that has them as its parts
	}
}

// The chart refuses the namespaces that fedctl refuses.
func TestNamespaces(t *testing.T) {
	for _, namespace := range []string{"metrics", "webhook-a", "namespaced", "metricsb", "team-a", standard} {
		_, err := Render(t.Context(), controlPlane, namespace, nil)
		if refused := manifests.CheckNamespace(namespace) != nil; refused != (err != nil) {
			t.Errorf("%s: fedctl refuses: %v, the chart says: %v", namespace, refused, err)
		}
	}
}

func TestNotes(t *testing.T) {
	notes := render(t, controlPlane, "team-a", Values{"scope": manifests.ScopeNamespaced, "shared": false}).Notes
	for _, want := range []string{"fedctl join CLUSTER", "--kubefed-namespace team-a", "the only one that it federates", "another release"} {
		if !strings.Contains(notes, want) {
			t.Errorf("not said: %s\n%s", want, notes)
		}
	}
	if notes := render(t, controlPlane, standard, nil).Notes; strings.Contains(notes, "--kubefed-namespace") {
		t.Errorf("a flag that is not needed\n%s", notes)
	}
}

func render(t *testing.T, name, namespace string, values Values) *Rendered {
	t.Helper()
	rendered, err := Render(t.Context(), name, namespace, values)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}
