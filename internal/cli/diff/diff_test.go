package diff

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/previews"
	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/pkg/placement"
)

// What kubectl's own masker leaves is hidden as well: kubectl apply notes a whole Secret in
// an annotation.
func TestNothingOfASecretIsLeft(t *testing.T) {
	const applied = "kubectl.kubernetes.io/last-applied-configuration"
	for kind, want := range map[string]bool{"Secret": false, "ConfigMap": true} {
		object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}}
		object.SetAnnotations(map[string]string{applied: `{"data":{"password":"aHVudGVyMg=="}}`, "a": "b"})
		object.SetResourceVersion("7")
		shown := withoutNoise(object).GetAnnotations()
		if _, there := shown[applied]; there != want || shown["a"] != "b" {
			t.Errorf("%s: %v", kind, shown)
		}
		if object.GetResourceVersion() != "7" || len(object.GetAnnotations()) != 2 {
			t.Errorf("%s: the argument was modified", kind)
		}
	}
}

func TestWhyNothingIsShown(t *testing.T) {
	// placed decides about an object for these clusters, of which only a has joined.
	placed := func(names ...string) (clusters []preview.Cluster) {
		in := placement.Input{Placement: placement.Spec{Clusters: names, HasClusters: true}, Clusters: []placement.Cluster{{Name: "a"}}}
		decision, err := placement.Decide(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, verdict := range decision.Verdicts {
			clusters = append(clusters, preview.Cluster{Verdict: verdict})
		}
		return clusters
	}
	for _, test := range []struct {
		clusters []preview.Cluster
		asked    []string
		want     string
	}{
		{placed("a", "b"), nil, ""},
		{placed("b"), nil, "FederatedConfigMap x: it is placed in no cluster, see: fedctl explain\n"},
		{nil, nil, "FederatedConfigMap x: it is placed in no cluster, see: fedctl explain\n"},
		{placed("a", "b"), []string{"a"}, ""},
		{placed("a", "b"), []string{"b"}, "FederatedConfigMap x: cluster b: "},
	} {
		streams, _, _, said := genericiooptions.NewTestIOStreams()
		f := cmdutil.NewFactory(streams)
		o := &Options{factory: f, objects: previews.New(f)}
		o.objects.Clusters = test.asked
		o.sayNowhere(&preview.Preview{Source: &unstructured.Unstructured{}, Clusters: test.clusters}, "FederatedConfigMap x")
		if got := said.String(); test.want == "" && got != "" || !strings.HasPrefix(got, test.want) {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
