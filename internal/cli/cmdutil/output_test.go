package cmdutil

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

func object(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": name, "managedFields": []any{map[string]any{"manager": "x"}}},
	}}
}

func TestOutputOfObjects(t *testing.T) {
	one, two := object("a"), object("b")
	cluster := &fedcorev1beta1.KubeFedCluster{}
	cluster.Name = "member-1"
	cluster.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"))
	for name, test := range map[string]struct {
		format string
		print  func(*Output, *bytes.Buffer) error
		want   string
	}{
		"name": {"name", all(one, two), "deployment.apps/a\ndeployment.apps/b\n"},
		"yaml": {"yaml", all(one, two), `---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: a
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: b
`},
		"json": {"json", all(one, two), `{
    "kind": "List",
    "apiVersion": "v1",
    "metadata": {},
    "items": [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "a"
            }
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "b"
            }
        }
    ]
}
`},
		"json of one": {"json", all(one), `{
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "a"
    }
}
`},
		"json of none":  {"json", all(), "{\n    \"kind\": \"List\",\n    \"apiVersion\": \"v1\",\n    \"metadata\": {},\n    \"items\": []\n}\n"},
		"typed in yaml": {"yaml", single(cluster), "apiVersion: core.kubefed.io/v1beta1\nkind: KubeFedCluster\nmetadata:\n  name: member-1\nspec:\n  apiEndpoint: \"\"\n  proxyURL: \"\"\n  secretRef:\n    name: \"\"\nstatus:\n  conditions: null\n"},
		"typed by name": {"name", single(cluster), "kubefedcluster.core.kubefed.io/member-1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			output, buffer := NewOutput(ObjectFormats...), &bytes.Buffer{}
			output.Format = test.format
			if err := output.Validate(); err != nil {
				t.Fatal(err)
			}
			if err := test.print(&output, buffer); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, buffer.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func all(objects ...*unstructured.Unstructured) func(*Output, *bytes.Buffer) error {
	return func(o *Output, w *bytes.Buffer) error { return o.PrintAll(w, objects) }
}

func single(object runtime.Object) func(*Output, *bytes.Buffer) error {
	return func(o *Output, w *bytes.Buffer) error { return o.Print(w, object) }
}

func TestOutputSaysWhichFormatsThereAre(t *testing.T) {
	for _, test := range []struct {
		formats []string
		want    string
	}{
		{ObjectFormats, `--output takes json, yaml or name, not "wide"`},
		{[]string{"name"}, `--output takes name, not "wide"`},
		{[]string{"json", "yaml"}, `--output takes json or yaml, not "wide"`},
	} {
		output := NewOutput(test.formats...)
		output.Format = "wide"
		if err := output.Validate(); err == nil || err.Error() != test.want {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
}

// What a command does is told on standard error when its output is for programs.
func TestProgressIsNotMixedWithObjects(t *testing.T) {
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	f := NewFactory(streams)
	output := NewOutput("name")
	if output.Progress(f) != out {
		t.Error("without -o, progress is the output")
	}
	if output.NamePrinter(f) != nil {
		t.Error("without -o, deletions are told in words")
	}
	output.Format = "name"
	if output.Progress(f) != errOut {
		t.Error("with -o, progress is not on standard error")
	}
	output.NamePrinter(f)("secret/y")
	if out.String() != "secret/y\n" {
		t.Errorf("%q", out.String())
	}
}
