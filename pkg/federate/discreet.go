package federate

import (
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	secretKind = "Secret"
	// hidden stands for what may be a value of a Secret.
	hidden = "…"
)

// isSecret says whether objects of a kind hold values that no message may tell.
func isSecret(gvk schema.GroupVersionKind) bool { return gvk.Group == "" && gvk.Kind == secretKind }

// secretFields are the names that a path into a Secret can have and that are no values.
var secretFields = []string{
	"apiVersion", "kind", "metadata", "name", "namespace", "generateName", "labels", "annotations", "finalizers", "ownerReferences",
	"type", "immutable", "data", "stringData",
}

// shown is a part of the path as messages tell it.
func (p *patch) shown(token string) string {
	if p.secret && !slices.Contains(secretFields, token) {
		return hidden
	}
	return token
}

// shownPath is a whole path as messages tell it, whatever is wrong with it.
func shownPath(path string, secret bool) string {
	if secret && !slices.Contains([]string{"/kind", "/metadata/name", "/metadata/namespace", "/metadata/generateName"}, path) {
		return hidden
	}
	return clip(path, 200)
}

// isVersion matches what can be the version of an API.
var isVersion = regexp.MustCompile(`^v[0-9]{1,4}((alpha|beta)[0-9]{1,4})?$`)
