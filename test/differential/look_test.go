package differential

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/differential/cases"
	"github.com/fedctl/fedctl/test/outcome"
)

// look returns what is there of a case's objects, without what is a cluster's own:
// for the host and for each member, the objects as KIND.NAME.
func (f *fleet) look(ctx context.Context, c *cases.Case, table outcome.Table) (map[string]any, error) {
	hosted := map[string]any{}
	for _, ref := range c.Hosted() {
		u, err := f.host.find(ctx, ref, c.Namespace())
		if err != nil {
			return nil, err
		}
		if u != nil {
			hosted[key(ref)] = hostView(u)
		}
	}
	all := map[string]any{"host": hosted}
	for _, m := range f.members {
		there := map[string]any{}
		for _, ref := range c.Spread() {
			u, err := m.find(ctx, ref, c.Namespace())
			if err != nil {
				return nil, err
			}
			if u != nil {
				there[key(ref)] = table.Clean(u.Object)
			}
		}
		all[m.Name] = there
	}
	return all, nil
}

func key(ref cases.Ref) string { return ref.Kind + "." + ref.Name }

// hostView is what matters of an object in the host.
func hostView(u *unstructured.Unstructured) map[string]any {
	view := map[string]any{"deleting": u.GetDeletionTimestamp() != nil}
	if !strings.HasPrefix(u.GetKind(), "Federated") {
		return view
	}
	view["observed"] = observed(u)
	view["spec"] = sortedSpec(u)
	conditions := map[string]any{}
	for _, c := range items(u, "status", "conditions") {
		if c["type"] == "Ready" || c["type"] == "Stalled" {
			continue // of every object, and only fedctl has them
		}
		conditions[fmt.Sprint(c["type"])] = strings.TrimSpace(fmt.Sprint(c["status"]) + " " + word(c["reason"]))
	}
	view["conditions"] = conditions
	clusters := map[string]any{}
	for _, c := range items(u, "status", "clusters") {
		clusters[fmt.Sprint(c["name"])] = "OK"
		if status := word(c["status"]); status != "" {
			clusters[fmt.Sprint(c["name"])] = status
		}
	}
	view["clusters"] = clusters
	return view
}

// observed says whether the status is of the object as it is.
func observed(u *unstructured.Unstructured) bool {
	generation, _, _ := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
	return generation == u.GetGeneration()
}

// sortedSpec is the spec with its clusters in the order of their names: a scheduler may
// write them in any.
func sortedSpec(u *unstructured.Unstructured) any {
	spec, _ := u.DeepCopy().Object["spec"].(map[string]any)
	placement, _ := spec["placement"].(map[string]any)
	for _, list := range []struct {
		of  map[string]any
		key string
		by  string
	}{{placement, "clusters", "name"}, {spec, "overrides", "clusterName"}} {
		if entries, ok := list.of[list.key].([]any); ok {
			slices.SortStableFunc(entries, func(a, b any) int { return strings.Compare(name(a, list.by), name(b, list.by)) })
		}
	}
	return spec
}

func name(entry any, field string) string {
	fields, _ := entry.(map[string]any)
	return word(fields[field])
}

func word(value any) string {
	text, _ := value.(string)
	return text
}

func items(u *unstructured.Unstructured, path ...string) []map[string]any {
	list, _, _ := unstructured.NestedSlice(u.Object, path...)
	var all []map[string]any
	for _, entry := range list {
		if fields, ok := entry.(map[string]any); ok {
			all = append(all, fields)
		}
	}
	return all
}
