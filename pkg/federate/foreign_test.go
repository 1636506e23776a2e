package federate

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/errtext"
)

func managedBy(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields)}
}

func appliedFields(fields string) metav1.ManagedFieldsEntry {
	return managedBy(FieldManager, metav1.ManagedFieldsOperationApply, fields)
}

func edited(manager, fields string) metav1.ManagedFieldsEntry {
	return managedBy(manager, metav1.ManagedFieldsOperationUpdate, fields)
}

// when is an entry of a second.
func when(second int64, entry metav1.ManagedFieldsEntry) metav1.ManagedFieldsEntry {
	at := metav1.Unix(second, 0)
	entry.Time = &at
	return entry
}

func ofSubresource(name string, entry metav1.ManagedFieldsEntry) metav1.ManagedFieldsEntry {
	entry.Subresource = name
	return entry
}

const admissionGroup = "admissionregistration.k8s.io"

func TestForeign(t *testing.T) {
	const labels = `"f:metadata":{"f:labels":{"f:kubefed.io/managed":{}}}`
	settings := appliedFields(`{` + labels + `,"f:data":{"f:a":{}}}`)
	workload := appliedFields(`{` + labels + `,"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:name":{},"f:image":{}}}}}}}`)
	hook := appliedFields(`{` + labels + `,"f:webhooks":{"k:{\"name\":\"a.example.com\"}":{".":{},"f:name":{},"f:clientConfig":{"f:service":{}}}}}`)
	deployment, configMap := schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupKind{Kind: "ConfigMap"}
	webhook := schema.GroupKind{Group: admissionGroup, Kind: "ValidatingWebhookConfiguration"}
	clusterRole := schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}
	for name, test := range map[string]struct {
		of      schema.GroupKind
		entries []metav1.ManagedFieldsEntry
		want    string
		// retained is said where the replicas are the member's, if that is something else.
		retained string
	}{
		"nothing":     {configMap, nil, "", ""},
		"ours alone":  {configMap, []metav1.ManagedFieldsEntry{settings}, "", ""},
		"a key":       {configMap, []metav1.ManagedFieldsEntry{settings, edited("kubectl-edit", `{"f:data":{"f:b":{}}}`)}, "kubectl-edit: data.b", ""},
		"a whole map": {configMap, []metav1.ManagedFieldsEntry{settings, edited("x", `{"f:binaryData":{".":{},"f:b":{}}}`)}, "x: binaryData", ""},
		"who made the map that ours are in": {
			configMap, []metav1.ManagedFieldsEntry{settings, edited("x", `{"f:data":{".":{},"f:a":{},"f:b":{}}}`)}, "x: data.b", "",
		},
		"the same value as ours": {configMap, []metav1.ManagedFieldsEntry{settings, edited("x", `{"f:data":{"f:a":{}}}`)}, "", ""},
		"applied by somebody":    {configMap, []metav1.ManagedFieldsEntry{settings, managedBy("x", metav1.ManagedFieldsOperationApply, `{"f:data":{"f:b":{}}}`)}, "x: data.b", ""},
		"metadata and status": {
			configMap,
			[]metav1.ManagedFieldsEntry{settings, edited("x", `{"f:metadata":{"f:annotations":{".":{},"f:a":{}},"f:finalizers":{"v:\"a\"":{}},"f:ownerReferences":{}},"f:status":{"f:a":{}}}`)}, "", "",
		},
		"two of one name":      {configMap, []metav1.ManagedFieldsEntry{settings, edited("x", `{"f:data":{"f:c":{}}}`), managedBy("x", metav1.ManagedFieldsOperationApply, `{"f:data":{"f:b":{}}}`)}, "x: data.b, data.c", ""},
		"several":              {configMap, []metav1.ManagedFieldsEntry{settings, edited("y", `{"f:data":{"f:c":{}}}`), edited("x", `{"f:data":{"f:a.b":{}}}`)}, "x: data[a.b]; y: data.c", ""},
		"admission, as ours":   {configMap, []metav1.ManagedFieldsEntry{settings, edited(FieldManager, `{"f:data":{"f:b":{}}}`), edited(TakingBackManager, `{"f:data":{"f:c":{}}}`)}, "", ""},
		"admission, with ours": {configMap, []metav1.ManagedFieldsEntry{when(5, settings), when(5, edited(FieldManager, `{"f:data":{"f:b":{}}}`))}, "", ""},
		"by our name, later":   {configMap, []metav1.ManagedFieldsEntry{when(5, settings), when(6, edited(FieldManager, `{"f:data":{"f:b":{}}}`)), when(6, edited(RetainingManager, `{"f:data":{"f:c":{}}}`))}, "fedctl: data.b; fedctl-retained: data.c", ""},
		"what was given to us": {configMap, []metav1.ManagedFieldsEntry{settings, managedBy(TakingBackManager, metav1.ManagedFieldsOperationApply, `{"f:data":{"f:b":{}}}`)}, TakingBackManager + ": data.b", ""},
		"not to be read":       {configMap, []metav1.ManagedFieldsEntry{settings, edited("x", `{"f:data":`), edited("y", `[]`), {Manager: "z", Operation: "Update"}}, "", ""},
		"a variable": {
			deployment, []metav1.ManagedFieldsEntry{workload, edited("kubectl-edit",
				`{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{"f:env":{".":{},"k:{\"name\":\"A\"}":{".":{},"f:name":{},"f:value":{}}}}}}}}}`)},
			"kubectl-edit: spec.template.spec.containers[web].env", "",
		},
		"a container":                  {deployment, []metav1.ManagedFieldsEntry{workload, edited("x", `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"side\"}":{".":{},"f:image":{}}}}}}}`)}, "x: spec.template.spec.containers[side]", ""},
		"replicas":                     {deployment, []metav1.ManagedFieldsEntry{workload, edited("x", `{"f:spec":{"f:replicas":{}}}`)}, "x: spec.replicas", "-"},
		"replicas and more":            {deployment, []metav1.ManagedFieldsEntry{workload, edited("x", `{"f:spec":{"f:paused":{},"f:replicas":{}}}`)}, "x: spec.paused, spec.replicas", "x: spec.paused"},
		"replicas of an autoscaler":    {deployment, []metav1.ManagedFieldsEntry{workload, ofSubresource("scale", edited("kube-controller-manager", `{"f:spec":{"f:replicas":{}}}`))}, "", ""},
		"what restarts a workload":     {deployment, []metav1.ManagedFieldsEntry{workload, edited("kubectl-rollout", `{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{".":{},"f:kubectl.kubernetes.io/restartedAt":{}}}}}}`)}, "", ""},
		"an authority":                 {webhook, []metav1.ManagedFieldsEntry{hook, edited("cainjector", `{"f:webhooks":{"k:{\"name\":\"a.example.com\"}":{"f:clientConfig":{"f:caBundle":{}}}}}`)}, "", ""},
		"an authority and a selector":  {webhook, []metav1.ManagedFieldsEntry{hook, edited("x", `{"f:webhooks":{"k:{\"name\":\"a.example.com\"}":{"f:clientConfig":{"f:caBundle":{}},"f:objectSelector":{}}}}`)}, "x: webhooks[a.example.com].objectSelector", ""},
		"a selector of the platform":   {webhook, []metav1.ManagedFieldsEntry{hook, edited("admissionsenforcer", `{"f:webhooks":{"k:{\"name\":\"a.example.com\"}":{"f:namespaceSelector":{}}}}`)}, "", ""},
		"rules":                        {clusterRole, []metav1.ManagedFieldsEntry{appliedFields(`{` + labels + `}`), edited("x", `{"f:rules":{}}`)}, "x: rules", ""},
		"rules that are aggregated":    {clusterRole, []metav1.ManagedFieldsEntry{appliedFields(`{` + labels + `,"f:aggregationRule":{}}`), edited("x", `{"f:rules":{}}`)}, "", ""},
		"rules aggregated by somebody": {clusterRole, []metav1.ManagedFieldsEntry{appliedFields(`{` + labels + `}`), edited("x", `{"f:aggregationRule":{"f:clusterRoleSelectors":{}},"f:rules":{}}`)}, "x: aggregationRule.clusterRoleSelectors, rules", ""},
		"a token": {
			schema.GroupKind{Kind: "Secret"},
			[]metav1.ManagedFieldsEntry{
				appliedFields(`{"f:metadata":{"f:annotations":{"f:kubernetes.io/service-account.name":{}}},"f:type":{}}`),
				edited("kube-controller-manager", `{"f:data":{".":{},"f:ca.crt":{},"f:namespace":{},"f:token":{}}}`),
			}, "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			foreign := ForeignOf(test.of, test.entries)
			if got := foreign.Text(false); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			want := strings.TrimPrefix(test.retained, "-")
			if test.retained == "" {
				want = test.want
			}
			if got := foreign.Text(true); got != want {
				t.Errorf("with the member's replicas: got %q, want %q", got, want)
			}
			if again := ForeignOf(test.of, test.entries); again != foreign {
				t.Error("two of the same differ")
			}
		})
	}
}

func TestForeignIsBoundedAndClean(t *testing.T) {
	var fields []string
	for i := range 1000 {
		fields = append(fields, fmt.Sprintf(`"f:k%d\u001b[31m;\n%s":{}`, i, strings.Repeat("x", 500)))
	}
	var entries []metav1.ManagedFieldsEntry
	for i := range 100 {
		entries = append(entries, edited(fmt.Sprintf("m%d: %s\x1b", i, strings.Repeat("y", 200)), `{"f:data":{`+strings.Join(fields, ",")+`}}`))
	}
	got := ForeignOf(schema.GroupKind{Kind: "ConfigMap"}, entries).Text(false)
	if len(got) > 2000 || strings.ContainsAny(got, "\x1b\n") || !strings.HasSuffix(got, "; …") || errtext.Bounded(got, 4000) != got {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

// FuzzForeign reads what a member says of the managers of an object.
func FuzzForeign(f *testing.F) {
	f.Add("kubectl-edit", `{"f:data":{".":{},"f:b":{}}}`, `{"f:data":{"f:a":{}}}`)
	f.Add("x", `{"f:webhooks":{"k:{\"name\":\"a\"}":{"f:clientConfig":{"f:caBundle":{}},".":{}}}}`, `{"f:webhooks":{"k:{\"name\":\"a\"}":{".":{}}}}`)
	f.Add("", `{"f:spec":{"v:1":{},"v:\"x\"":{},"i:3":{},"k:{\"a\":null,\"b\":[1.5]}":{}}}`, `{}`)
	f.Add("a: b; c", strings.Repeat(`{"f:a":`, 20000), `[]`)
	f.Add("y", `{"f:spec":1,"f:a":null,"x":{},"f:":{},"f:status":{}}`, `{"f:spec":"x"}`)
	f.Fuzz(func(t *testing.T, manager, theirs, ours string) {
		entries := []metav1.ManagedFieldsEntry{appliedFields(ours), edited(manager, theirs)}
		for _, kind := range ExactKinds() {
			foreign := ForeignOf(kind.GroupKind, entries)
			text := foreign.Text(false)
			if len(text) > 1000 || strings.ContainsAny(text, "\n\x1b") || utf8.ValidString(theirs) && utf8.ValidString(manager) && !utf8.ValidString(text) {
				t.Fatalf("%q", text)
			}
			claims := Claims(kind.GroupKind, entries, false)
			if (len(claims) == 0) != (text == "") {
				t.Fatalf("%d claims, said as %q", len(claims), text)
			}
			for _, claim := range claims {
				if !claim.Fields.Difference(ownFields(entries)).Equals(claim.Fields) || !contentOf(claim.Fields).Equals(claim.Fields) {
					t.Fatalf("claimed: %s", claim.Fields)
				}
			}
		}
	})
}

func BenchmarkForeign(b *testing.B) {
	entries := []metav1.ManagedFieldsEntry{
		appliedFields(`{"f:metadata":{"f:labels":{"f:kubefed.io/managed":{}}},"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{},"f:name":{}}}}}}}`),
		edited("kube-controller-manager", `{"f:metadata":{"f:annotations":{".":{},"f:deployment.kubernetes.io/revision":{}}}}`),
		ofSubresource("status", edited("kube-controller-manager", `{"f:status":{"f:replicas":{}}}`)),
	}
	for b.Loop() {
		ForeignOf(schema.GroupKind{Group: "apps", Kind: "Deployment"}, entries)
	}
}
