package redaction

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const secret = "hunter2"

func TestObject(t *testing.T) {
	for name, manifest := range map[string]string{
		"a federated object": `
apiVersion: types.kubefed.io/v1beta1
kind: FederatedSecret
metadata: {name: keep-a, annotations: {kubectl.kubernetes.io/last-applied-configuration: hunter2, fedctl.io/keep-b: keep-c}, managedFields: [{manager: hunter2}]}
spec:
  template: {stringData: {password: hunter2}}
  placement: {clusters: [{name: keep-d}]}
  overrides: [{clusterName: keep-e, clusterOverrides: [{path: /keep-f, value: hunter2}, {path: /x, value: {deep: [hunter2]}}]}]
status: {clusters: [{name: keep-g, status: keep-h, remoteStatus: {token: hunter2}}]}`,
		"a policy": `
kind: OverridePolicy
metadata: {name: keep-a}
spec: {rules: [{clusters: {names: [keep-b]}, env: [{name: A, value: hunter2}], args: [hunter2], sidecars: [{image: hunter2}], patches: [{path: /keep-c, value: hunter2}]}]}`,
		"what a policy's rule sets": `
kind: ClusterOverridePolicy
metadata: {name: keep-a, labels: {keep-b: keep-c}}
spec:
  selectors: [{kind: Deployment, labelSelector: {matchLabels: {keep-d: keep-e}}}]
  rules: [{clusters: {labelSelector: {matchLabels: {keep-f: keep-g}}}, labels: {a: hunter2}, nodeSelector: {a: hunter2}, annotations: {a: hunter2, fedctl.io/keep-h: keep-i}}]`,
		"annotations that are none": `{kind: OverridePolicy, spec: {rules: [{name: keep-a, annotations: [hunter2]}]}}`,
		"a member's addresses": `
kind: KubeFedCluster
metadata: {name: keep-a}
spec: {apiEndpoint: "https://a:hunter2@keep-b:6443", proxyURL: "http://a:hunter2@keep-c:3128", secretRef: {name: keep-d}}`,
		"a repository's address": `{kind: BackupRepository, spec: {s3: {endpoint: "https://a:hunter2@keep-a/", bucket: keep-b}}}`,
		"a pod": `
kind: Pod
metadata: {name: keep-a}
spec: {containers: [{name: keep-b, image: keep-c, command: [hunter2], env: [{name: A, value: hunter2}]}]}`,
		"a Secret": `{kind: Secret, metadata: {name: keep-a}, data: {a: hunter2}}`,
	} {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(manifest), &u.Object); err != nil {
			t.Fatal(err)
		}
		before, _ := json.Marshal(u.Object)
		got, err := json.Marshal(Object(u).Object)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(got), secret) {
			t.Errorf("%s gives it away: %s", name, got)
		}
		for kept := 'a'; strings.Contains(manifest, "keep-"+string(kept)); kept++ {
			if !strings.Contains(string(got), "keep-"+string(kept)) {
				t.Errorf("%s has lost keep-%c: %s", name, kept, got)
			}
		}
		if after, _ := json.Marshal(u.Object); string(after) != string(before) {
			t.Errorf("%s was changed itself", name)
		}
	}
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"spec":{"template":{"a":"hunter2"}},"metadata":{"annotations":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		u := &unstructured.Unstructured{}
		if json.Unmarshal(data, &u.Object) != nil || u.Object == nil {
			return
		}
		if spec, ok := Object(u).Object["spec"].(map[string]any); ok && spec["template"] != nil && !isEmpty(spec["template"]) && spec["template"] != LeftOut {
			t.Errorf("%s", data)
		}
	})
}
