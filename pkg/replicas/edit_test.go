package replicas

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// specOf reads the spec of a federated object, with numbers as a client has them.
func specOf(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte("apiVersion: types.kubefed.io/v1beta1\nkind: FederatedDeployment\nspec:\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestEdit(t *testing.T) {
	for _, test := range []struct {
		name, spec string
		scheduled  map[string]int64
		want       map[string]any
	}{
		{
			name: "nothing was there", spec: "  template: {}", scheduled: map[string]int64{"b": 2, "a": 1},
			want: map[string]any{
				"placement": map[string]any{"clusters": []any{map[string]any{"name": "a"}, map[string]any{"name": "b"}}},
				"overrides": []any{
					map[string]any{"clusterName": "a", "clusterOverrides": []any{map[string]any{"path": "/spec/replicas", "value": int64(1)}}},
					map[string]any{"clusterName": "b", "clusterOverrides": []any{map[string]any{"path": "/spec/replicas", "value": int64(2)}}},
				},
			},
		},
		{
			name: "all is there, in another order and with operations",
			spec: `
  placement: {clusters: [{name: b}, {name: a}], clusterSelector: {}}
  overrides:
  - {clusterName: b, clusterOverrides: [{op: add, path: /spec/replicas, value: 2}]}
  - {clusterName: a, clusterOverrides: [{path: /x, value: 1}, {op: replace, path: /spec/replicas, value: 1.0}]}`,
			scheduled: map[string]int64{"a": 1, "b": 2},
		},
		{
			name: "other overrides stay, and their order",
			spec: `
  placement: {clusters: [{name: a}, {name: b}]}
  overrides:
  - {clusterName: c, clusterOverrides: [{path: /y, value: 1}, {path: /spec/replicas, value: 9}]}
  - {clusterName: d, clusterOverrides: [{path: /spec/replicas, value: 9}]}
  - {clusterName: a, clusterOverrides: [{path: /x, value: 1}, {path: /spec/replicas, value: 5}, {op: remove, path: /z}]}`,
			scheduled: map[string]int64{"a": 1, "b": 2},
			want: map[string]any{"overrides": []any{
				map[string]any{"clusterName": "c", "clusterOverrides": []any{map[string]any{"path": "/y", "value": int64(1)}}},
				map[string]any{"clusterName": "a", "clusterOverrides": []any{
					map[string]any{"path": "/x", "value": int64(1)},
					map[string]any{"path": "/spec/replicas", "value": int64(1)},
					map[string]any{"op": "remove", "path": "/z"},
				}},
				map[string]any{"clusterName": "b", "clusterOverrides": []any{map[string]any{"path": "/spec/replicas", "value": int64(2)}}},
			}},
		},
		{
			name: "a string is no number, a removal no replicas, and twice is once too often",
			spec: `
  placement: {clusters: [{name: a}, {name: b}, {name: c}]}
  overrides:
  - {clusterName: a, clusterOverrides: [{path: /spec/replicas, value: "1"}]}
  - {clusterName: b, clusterOverrides: [{op: remove, path: /spec/replicas}]}
  - {clusterName: c, clusterOverrides: [{path: /spec/replicas, value: 3}, {path: /spec/replicas, value: 4}]}`,
			scheduled: map[string]int64{"a": 1, "b": 0, "c": 3},
			want: map[string]any{"overrides": []any{
				map[string]any{"clusterName": "a", "clusterOverrides": []any{map[string]any{"path": "/spec/replicas", "value": int64(1)}}},
				map[string]any{"clusterName": "b", "clusterOverrides": []any{map[string]any{"path": "/spec/replicas", "value": int64(0)}}},
				map[string]any{"clusterName": "c", "clusterOverrides": []any{map[string]any{"path": "/spec/replicas", "value": int64(3)}}},
			}},
		},
		{
			name: "an empty list is another thing than none", spec: "  overrides: null\n  placement: {clusterSelector: {}}", scheduled: map[string]int64{},
			want: map[string]any{"placement": map[string]any{"clusters": []any{}}},
		},
		{
			name: "the last of ours goes", spec: "  placement: {clusters: []}\n  overrides: [{clusterName: a, clusterOverrides: [{path: /spec/replicas, value: 1}]}]",
			scheduled: map[string]int64{}, want: map[string]any{"overrides": []any{}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := specOf(t, test.spec)
			before := u.DeepCopy()
			got, err := edit(u, test.scheduled)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, u); diff != "" {
				t.Errorf("the object was modified:\n%s", diff)
			}
			// What has been written is not written again.
			for field, value := range got {
				if field == "placement" {
					_ = unstructured.SetNestedField(u.Object, value.(map[string]any)["clusters"], "spec", "placement", "clusters")
					continue
				}
				_ = unstructured.SetNestedField(u.Object, value, "spec", field)
			}
			if again, err := edit(u, test.scheduled); err != nil || again != nil {
				t.Errorf("the second time: %v, %v", again, err)
			}
		})
	}
}

func TestEditRefusesWhatItCannotRead(t *testing.T) {
	for _, spec := range []string{"  placement: {clusters: 3}", "  overrides: {a: b}", "  overrides: [7]", "  overrides: [{clusterName: a, clusterOverrides: x}]"} {
		if changes, err := edit(specOf(t, spec), map[string]int64{"a": 1}); err == nil {
			t.Errorf("%s: %v", spec, changes)
		}
	}
}
