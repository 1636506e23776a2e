// Package content knows Kubernetes objects as far as saving and restoring them
// needs it:
//
//   - OmitResource and Omit say what is never saved, and why.
//   - Clean removes from an object what only its cluster can know.
//   - Rank orders resources so that what others depend on is restored first.
//   - Prepare makes of a saved object what can be created in a cluster.
//   - Transforms are the user's own changes to it.
//   - Compare says whether a live object is what was saved.
//
// All of it are functions of plain values that do not panic on any input:
// objects come from users and from repositories. Objects are maps as
// unstructured.Unstructured holds them.
//
// The package may import our API types and apimachinery; no client, no
// controller-runtime, no clock, no goroutine, nothing else of this module.
package content

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Resource is a kind of objects as an API server serves it.
type Resource struct {
	Group   string `json:"group,omitempty"`
	Version string `json:"version"`
	// Plural is the name in paths, such as deployments.
	Plural     string `json:"plural"`
	Kind       string `json:"kind"`
	Namespaced bool   `json:"namespaced,omitempty"`
}

// Name is the resource's name in Backups and Restores, <plural>[.<group>].
func (r Resource) Name() string {
	return resourceName(r.Group, r.Plural)
}

// GVK is the type of the resource's objects.
func (r Resource) GVK() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

func resourceName(group, plural string) string {
	if group == "" {
		return plural
	}
	return plural + "." + group
}

// Matches says whether a list of names, each <plural>[.<group>], or *.<group> for all
// of a group, holds the resource. An empty list holds none.
func (r Resource) Matches(names []string) bool {
	for _, name := range names {
		name = strings.TrimSpace(name)
		if strings.EqualFold(name, r.Name()) || (r.Group != "" && strings.EqualFold(name, "*."+r.Group)) {
			return true
		}
	}
	return false
}
