package federate

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestKept(t *testing.T) {
	service, job := schema.GroupKind{Kind: "Service"}, schema.GroupKind{Group: "batch", Kind: "Job"}
	spec := func(fields map[string]any) map[string]any { return map[string]any{"spec": fields} }
	headless := map[string]any{"clusterIP": "None"}
	for name, test := range map[string]struct {
		gk            schema.GroupKind
		live, desired map[string]any
		others        string
		want          string
	}{
		"a headless Service that is not any more": {service, headless, map[string]any{"type": "ClusterIP"}, "", "spec.clusterIP: stays None, which is not in the template: field is immutable"},
		"a headless Service":                      {service, headless, headless, "", ""},
		"one that somebody else made so":          {service, headless, map[string]any{}, `{"f:spec":{"f:clusterIP":{}}}`, ""},
		"one of which somebody has other fields":  {service, headless, map[string]any{}, `{"f:spec":{"f:type":{}}}`, "spec.clusterIP: stays None, which is not in the template: field is immutable"},
		"a Service with an address":               {service, map[string]any{"clusterIP": "10.0.0.1"}, map[string]any{}, "", ""},
		"a Service of two families":               {service, map[string]any{"ipFamilyPolicy": "PreferDualStack"}, map[string]any{}, "", "spec.ipFamilyPolicy: stays PreferDualStack, which is not in the template: name it there, SingleStack as for a new Service, to change it"},
		"one that says so":                        {service, map[string]any{"ipFamilyPolicy": "PreferDualStack"}, map[string]any{"ipFamilyPolicy": "PreferDualStack"}, "", ""},
		"one that names the families":             {service, map[string]any{"ipFamilyPolicy": "RequireDualStack"}, map[string]any{"ipFamilies": []any{"IPv4", "IPv6"}}, "", ""},
		"a headless one of two families":          {service, map[string]any{"clusterIP": "None", "ipFamilyPolicy": "RequireDualStack"}, headless, "", ""},
		"an ExternalName":                         {service, map[string]any{}, map[string]any{"type": "ExternalName"}, "", ""},
		"a Job that has gained parallelism":       {job, map[string]any{"completions": int64(1)}, map[string]any{"parallelism": int64(3)}, "", "spec.completions: stays 1, which is not in the template: field is immutable"},
		"a Job with both":                         {job, map[string]any{"completions": int64(1)}, map[string]any{"parallelism": int64(3), "completions": int64(1)}, "", ""},
		"a Job with neither":                      {job, map[string]any{"completions": int64(1)}, map[string]any{}, "", ""},
		"a Job without completions":               {job, map[string]any{"parallelism": int64(3)}, map[string]any{"parallelism": int64(3)}, "", ""},
		"another kind":                            {schema.GroupKind{Kind: "ConfigMap"}, headless, map[string]any{}, "", ""},
		"a spec that is none":                     {service, headless, nil, "", "spec.clusterIP: stays None, which is not in the template: field is immutable"},
	} {
		t.Run(name, func(t *testing.T) {
			live := &unstructured.Unstructured{Object: spec(test.live)}
			if test.others != "" {
				live.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "somebody", Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(test.others)}})
			}
			if got := Kept(test.gk, live, spec(test.desired)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestKeptByAdmission(t *testing.T) {
	const advice = ", which is not what the template says: the cluster's admission keeps it; delete the object and make it anew, or take the change back"
	for name, test := range map[string]struct{ live, created, desired, want string }{
		"as wanted":                     {`{spec: {a: 1, b: x}}`, `{spec: {a: 1, b: x}}`, `{spec: {a: 1}}`, ""},
		"kept":                          {`{spec: {a: x}}`, `{spec: {a: y}}`, `{spec: {a: y}}`, `spec.a: stays x` + advice},
		"kept, no text":                 {`{spec: {a: 1}}`, `{spec: {a: 2}}`, `{spec: {a: 2}}`, `spec.a: stays 1` + advice},
		"kept away":                     {`{spec: {}}`, `{spec: {a: y}}`, `{spec: {a: y}}`, `spec.a: stays unset` + advice},
		"a whole that is kept away":     {`{}`, `{spec: {a: y}}`, `{spec: {a: y}}`, `spec.a: stays unset` + advice},
		"made another by any write":     {`{spec: {a: "1"}}`, `{spec: {a: "1"}}`, `{spec: {a: 1000m}}`, ""},
		"made another each time":        {`{spec: {a: p}}`, `{spec: {a: q}}`, `{spec: {a: r}}`, ""},
		"only beside it":                {`{spec: {a: x, b: 1}}`, `{spec: {a: x, b: 2}}`, `{spec: {a: x}}`, ""},
		"a list with more":              {`{spec: {a: [x, y]}}`, `{spec: {a: [x]}}`, `{spec: {a: [x]}}`, ""},
		"a list that is kept":           {`{spec: {a: [x]}}`, `{spec: {a: [x, y]}}`, `{spec: {a: [x, y]}}`, `spec.a: stays without an item` + advice},
		"items that creation completes": {`{spec: {a: [{b: 1, c: 2}]}}`, `{spec: {a: [{b: 1, c: 2}]}}`, `{spec: {a: [{b: 1}]}}`, ""},
		"null":                          {`{spec: {a: x}}`, `{spec: {}}`, `{spec: {a: null}}`, ""},
		"metadata and status":           {`{metadata: {labels: {a: x}}, status: {b: x}}`, `{metadata: {labels: {a: y}}, status: {b: y}}`, `{metadata: {labels: {a: y}}, status: {b: y}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			live, created, desired := object(t, test.live).Object, object(t, test.created).Object, object(t, test.desired).Object
			if got := KeptByAdmission(live, created, desired); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.want != "" && !MayDiffer(live, desired) {
				t.Error("it is not looked at")
			}
		})
	}
}

func TestEmptied(t *testing.T) {
	for name, test := range map[string]struct {
		live, desired string
		want          []string
	}{
		"nothing empty":          {`{spec: {a: {b: c}}}`, `{spec: {a: {b: c}}}`, nil},
		"there":                  {`{spec: {a: {}, b: []}}`, `{spec: {a: {}, b: []}}`, nil},
		"there, with defaults":   {`{spec: {a: {b: c}}}`, `{spec: {a: {}}}`, nil},
		"gone":                   {`{spec: {}}`, `{spec: {b: {}, a: []}}`, []string{".spec.a", ".spec.b"}},
		"null":                   {`{spec: {a: null, b: null}}`, `{spec: {a: {}, b: []}}`, []string{".spec.a", ".spec.b"}},
		"gone below":             {`{spec: {a: {c: d}}}`, `{spec: {a: {b: {}, c: d}}}`, []string{".spec.a.b"}},
		"gone with what was in":  {`{spec: {}}`, `{spec: {a: {b: []}}}`, []string{".spec.a"}},
		"a list that is not":     {`{spec: {}}`, `{spec: {a: [b]}}`, nil},
		"empty metadata":         {`{spec: {}}`, `{metadata: {}, status: {}, spec: {metadata: {}}}`, nil},
		"something else instead": {`{spec: {a: [b]}}`, `{spec: {a: {}}}`, []string{".spec.a"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Emptied(object(t, test.live).Object, object(t, test.desired).Object); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
