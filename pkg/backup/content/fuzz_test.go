package content

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// FuzzObjects gives any object of any resource to all that handles objects: none
// may panic, and what is prepared for the place it came from is what was saved.
func FuzzObjects(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"metadata":null,"spec":[],"status":7}`,
		`{"metadata":{"name":"a","namespace":"shop","uid":"u","ownerReferences":[{"uid":"u","controller":true},null,1],"finalizers":["a",1],"annotations":{"pv.kubernetes.io/x":1},"labels":[]}}`,
		`{"spec":{"clusterIP":"None","ports":[{"nodePort":1},7,null],"volumeName":"v","claimRef":{"namespace":"shop","uid":1},"selector":{},"template":{"metadata":{"labels":{"job-name":1}}}}}`,
		`{"webhooks":[{"clientConfig":{"service":{"namespace":"shop"}},"namespaceSelector":{"matchExpressions":[{"key":"kubernetes.io/metadata.name","values":["shop",1]}]}}],"subjects":[{"name":"system:serviceaccount:shop:"},{"namespace":3}]}`,
		`{"spec":{"ingress":[{"from":[{"namespaceSelector":{}}]}],"affinity":{"podAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{},{"podAffinityTerm":{"namespaces":["shop"]}}]}}}}`,
		`{"secrets":[{"name":"web-token-1"},[]],"status":{"conditions":[{"type":"Complete","status":"True"}]},"type":"kubernetes.io/service-account-token"}`,
	} {
		f.Add([]byte(seed), "/spec/ports/-", []byte(`{"a":1}`))
	}
	f.Fuzz(func(t *testing.T, data []byte, path string, value []byte) {
		var in map[string]any
		if json.Unmarshal(data, &in) != nil || in == nil {
			return
		}
		for _, resource := range resources {
			Omit(resource, in)
			saved := runtime.DeepCopyJSON(in)
			Clean(resource, saved)
			if differences := Compare(resource, in, saved, false); len(differences) > 0 {
				t.Fatalf("%s: cleaning changed %v", resource.Name(), differences)
			}
			for _, options := range []Options{back, elsewhere, moved} {
				prepared := runtime.DeepCopyJSON(saved)
				if result := Prepare(resource, prepared, options); result.Skip != "" {
					continue
				}
				once := runtime.DeepCopyJSON(prepared)
				if again := Prepare(resource, prepared, Options{SameCluster: options.SameCluster, Volume: VolumeFree}); len(again.PendingOwners) > 0 {
					t.Fatalf("%s: owners %v are left", resource.Name(), again.PendingOwners)
				}
				if diff := cmp.Diff(once, prepared); diff != "" && resource.Name() != "services" {
					t.Fatalf("%s: not prepared at once:\n%s", resource.Name(), diff)
				}
			}
			for _, live := range []map[string]any{saved, {"metadata": map[string]any{"uid": "u"}}} {
				Decide(Situation{Resource: resource, Saved: in, Live: live, Options: moved})
				Overwrite(resource, live, in)
			}
			transforms, err := CompileTransforms(patch("", "add", path, string(value)))
			if err == nil {
				_ = transforms.Apply(resource, saved)
			}
			transforms, err = CompileTransforms(patch(resource.Name(), "remove", path, ""))
			if err == nil {
				_ = transforms.Apply(resource, saved)
			}
		}
	})
}
