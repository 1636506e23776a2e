package federate

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// An API server refuses to change some fields, and keeps the value of others when an
// update does not name them, without a word: what is applied then succeeds, and the object
// is another than one that would be created.

// keeps are those fields. is says whether the object that is there keeps what one that were
// created as desired would not have; advice is what can be done about it.
type keeps struct {
	path   []string
	is     func(live, desired map[string]any) bool
	advice string
}

// cannot is the advice for a field that no update changes: errtext.InMember says the rest.
const cannot = "field is immutable"

var keepers = map[schema.GroupKind][]keeps{
	// Source: patchAllocatedValues and defaultOnReadIPFamilies in
	// k8s.io/kubernetes/pkg/registry/core/service/storage.
	{Kind: "Service"}: {
		{[]string{"spec", "clusterIP"}, keepsHeadless, cannot},
		{[]string{"spec", "ipFamilyPolicy"}, keepsFamilies, "name it there, SingleStack as for a new Service, to change it"},
	},
	// Source: SetDefaults_Job in k8s.io/kubernetes/pkg/apis/batch/v1.
	{Group: "batch", Kind: "Job"}: {{[]string{"spec", "completions"}, keepsCompletions, cannot}},
}

// MayKeep says whether an API server keeps fields of objects of a kind without a word.
func MayKeep(gk schema.GroupKind) bool { return len(keepers[gk]) > 0 }

// Kept says which field of an object in a member, as it is after desired was applied to it,
// stands against what is wanted; empty if none does. What another manager has written is
// the member's.
func Kept(gk schema.GroupKind, live *unstructured.Unstructured, desired map[string]any) string {
	for _, rule := range keepers[gk] {
		if rule.is(live.Object, desired) && !othersOwn(live.GetManagedFields(), rule.path) {
			value, _, _ := unstructured.NestedFieldNoCopy(live.Object, rule.path...)
			return fmt.Sprintf("%s: stays %v, which is not in the template: %s", strings.Join(rule.path, "."), value, rule.advice)
		}
	}
	return ""
}

func keepsHeadless(live, desired map[string]any) bool {
	is, _, _ := unstructured.NestedString(live, "spec", "clusterIP")
	wanted, _, _ := unstructured.NestedString(desired, "spec", "clusterIP")
	return is == "None" && wanted == ""
}

// keepsFamilies: a Service with an address that says nothing of IP families has one. A
// headless one may have got more by having no selector once.
func keepsFamilies(live, desired map[string]any) bool {
	is, _, _ := unstructured.NestedString(live, "spec", "ipFamilyPolicy")
	address, _, _ := unstructured.NestedString(live, "spec", "clusterIP")
	spec, _ := desired["spec"].(map[string]any)
	return is != "" && is != "SingleStack" && address != "None" && spec["ipFamilyPolicy"] == nil && spec["ipFamilies"] == nil && spec["clusterIPs"] == nil
}

// keepsCompletions: a Job of which neither is said has both at 1; one of which only the
// parallelism is said ends when one pod has succeeded and all have ended.
func keepsCompletions(live, desired map[string]any) bool {
	is, _, _ := unstructured.NestedFieldNoCopy(live, "spec", "completions")
	wanted, _, _ := unstructured.NestedFieldNoCopy(desired, "spec", "completions")
	parallelism, _, _ := unstructured.NestedFieldNoCopy(desired, "spec", "parallelism")
	return is != nil && wanted == nil && parallelism != nil
}

// KeptByAdmission says which field of an object in a member, as it is after desired was applied
// to it, stands against what is wanted although one that is created has it: the cluster's
// admission keeps it, as that of a kind does which nobody may change. created is what would
// be created of desired. Empty if none does: what admission makes of every object is its own.
func KeptByAdmission(live, created, desired map[string]any) string {
	at := keptIn("", withoutMetadata(live), withoutMetadata(created), withoutMetadata(desired))
	if at == "" {
		return ""
	}
	return at + ", which is not what the template says: the cluster's admission keeps it; delete the object and make it anew, or take the change back"
}

// MayDiffer says whether an object in a member holds something else than desired, as far as
// KeptByAdmission would look.
func MayDiffer(live, desired map[string]any) bool {
	desired = withoutMetadata(desired)
	return keptIn("", withoutMetadata(live), desired, desired) != ""
}

func withoutMetadata(object map[string]any) map[string]any {
	content := maps.Clone(object)
	for _, field := range []string{"apiVersion", "kind", "metadata", "status"} {
		delete(content, field)
	}
	return content
}

// keptIn looks for a value of desired that created has and live has not; it returns its path,
// and what stands there. Of a list only what is missing counts: others may have added to it.
func keptIn(path string, live, created, desired any) string {
	switch want := desired.(type) {
	case map[string]any:
		is, _ := live.(map[string]any)
		would, _ := created.(map[string]any)
		for _, field := range slices.Sorted(maps.Keys(want)) {
			if at := keptIn(path+"."+field, is[field], would[field], want[field]); at != "" {
				return at
			}
		}
	case []any:
		is, _ := live.([]any)
		would, _ := created.([]any)
		for _, item := range want {
			if contains(would, item) && !contains(is, item) {
				return strings.TrimPrefix(path, ".") + ": stays without an item"
			}
		}
	default:
		if want == nil || !reflect.DeepEqual(created, want) || reflect.DeepEqual(live, want) {
			return ""
		}
		if live == nil {
			live = "unset"
		}
		return fmt.Sprintf("%s: stays %v", strings.TrimPrefix(path, "."), live)
	}
	return ""
}

func contains(list []any, item any) bool {
	return slices.ContainsFunc(list, func(other any) bool { return reflect.DeepEqual(other, item) })
}

func othersOwn(entries []metav1.ManagedFieldsEntry, path []string) bool {
	field := fieldpath.MakePathOrDie(path[0], path[1])
	for i := range entries {
		if isOwn(entries, &entries[i]) {
			continue
		}
		if fields, err := FieldsOf(&entries[i]); err != nil || fields.Has(field) {
			return true
		}
	}
	return false
}

// Emptied are the paths of objects that are wanted, and of empty lists, which a live object
// lacks, sorted. An apply that takes away all that was in one takes it away too, also where
// it says that it is there; the next apply puts it there. Some an API server never keeps, such
// as an empty nodeSelector. Metadata, and what is in lists, is not looked at.
//
// Source: doMap and doList in sigs.k8s.io/structured-merge-diff/v6/typed/remove.go.
func Emptied(live, desired map[string]any) []string {
	paths := appendEmptied(nil, live, desired, "")
	slices.Sort(paths)
	return paths
}

func appendEmptied(paths []string, live, desired map[string]any, at string) []string {
	for field, value := range desired {
		if field == "metadata" || field == "status" {
			continue
		}
		path := at + "." + field
		switch want := value.(type) {
		case map[string]any:
			if have, there := live[field].(map[string]any); there {
				paths = appendEmptied(paths, have, want, path)
			} else {
				paths = append(paths, path)
			}
		case []any:
			if len(want) == 0 && live[field] == nil {
				paths = append(paths, path)
			}
		}
	}
	return paths
}
