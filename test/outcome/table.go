package outcome

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Table says which fields of objects are a cluster's own.
type Table []Rule

// Rule is a line of a Table.
type Rule struct {
	// Kinds are those that it is for; * for all.
	Kinds []string `json:"kinds"`
	// Paths are patterns of JSON pointers: see MatchPath.
	Paths []string `json:"paths"`
	// Mask keeps the field and hides its value: whether there is one still counts.
	Mask bool `json:"mask,omitempty"`
	// Unless are values that mean something and stay.
	Unless []string `json:"unless,omitempty"`
	// Why they are the cluster's.
	Why string `json:"why"`
}

//go:embed members.yaml
var members []byte

// Members returns the table of the fields that are the members'.
func Members() (Table, error) {
	var table Table
	if err := yaml.UnmarshalStrict(members, &table); err != nil {
		return nil, fmt.Errorf("members.yaml: %w", err)
	}
	for i, rule := range table {
		if len(rule.Kinds) == 0 || len(rule.Paths) == 0 || rule.Why == "" {
			return nil, fmt.Errorf("members.yaml: rule %d needs kinds, paths and why", i)
		}
	}
	return table, nil
}

// masked stands for a value that is the cluster's.
const masked = "(the cluster's)"

// Clean returns a copy of an object without what the table names. Wherever the
// object's own UID, name or namespace is the value of a string, a word takes its
// place, so that objects in two namespaces can be compared.
func (t Table) Clean(object map[string]any) map[string]any {
	object = runtime.DeepCopyJSON(object)
	kind, _ := object["kind"].(string)
	own := map[string]string{}
	if metadata, ok := object["metadata"].(map[string]any); ok {
		for _, field := range []string{"uid", "name", "namespace"} {
			if value, ok := metadata[field].(string); ok && value != "" {
				own[value] = "(" + field + ")"
			}
		}
	}
	cleaned, _ := t.clean(kind, "", object, own).(map[string]any)
	return cleaned
}

func (t Table) clean(kind, path string, value any, own map[string]string) any {
	if rule := t.rule(kind, path); rule != nil {
		if slices.Contains(rule.Unless, fmt.Sprint(value)) {
			return value
		}
		return masked
	}
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			at := Join(path, key)
			if rule := t.rule(kind, at); rule != nil && !rule.Mask {
				delete(v, key)
				continue
			}
			v[key] = t.clean(kind, at, item, own)
		}
		if path == "/metadata" {
			dropEmpty(v, "annotations", "labels")
		}
	case []any:
		for i, item := range v {
			v[i] = t.clean(kind, Join(path, strconv.Itoa(i)), item, own)
		}
	case string:
		if word, ok := own[v]; ok {
			return word
		}
	}
	return value
}

// dropEmpty removes maps of which nothing is left.
func dropEmpty(parent map[string]any, keys ...string) {
	for _, key := range keys {
		if items, ok := parent[key].(map[string]any); ok && len(items) == 0 {
			delete(parent, key)
		}
	}
}

// rule returns the one for a path, nil if there is none.
func (t Table) rule(kind, path string) *Rule {
	for i := range t {
		if !slices.Contains(t[i].Kinds, "*") && !slices.Contains(t[i].Kinds, kind) {
			continue
		}
		for _, pattern := range t[i].Paths {
			if exact(pattern, path) {
				return &t[i]
			}
		}
	}
	return nil
}

// exact is MatchPath without what lies below.
func exact(pattern, path string) bool {
	return (strings.Contains(pattern, "**") || strings.Count(pattern, "/") == strings.Count(path, "/")) && MatchPath(pattern, path)
}
