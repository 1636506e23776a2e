// Package redaction says what of an object may be given away: what it is called, where it
// is to be and how it fares, never what somebody has written into it. It is pure.
package redaction

import (
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// LeftOut stands for a value that is not given away.
const LeftOut = "(left out)"

// contents are the fields that hold what users write, wherever they are: the content of
// objects, values of patches and variables, commands, and what members say of objects.
var contents = map[string]bool{
	"template": true, "value": true, "values": true, "data": true, "binaryData": true, "stringData": true,
	"env": true, "envFrom": true, "args": true, "command": true, "remoteStatus": true, "caBundle": true, "token": true,
	"volumes": true, "initContainers": true, "sidecars": true, "hooks": true, "targetSpec": true,
}

// ownPrefixes are those of annotations that only programs write.
var ownPrefixes = []string{"fedctl.io/", "kubefed.io/", "core.kubefed.io/", "cluster.fedctl.io/", "policy.fedctl.io/", "backup.fedctl.io/", "deployment.kubernetes.io/"}

// Object returns a copy of an object without contents, and without annotations of others:
// kubectl keeps whole objects in one.
func Object(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: without(u.Object)}
	out.SetManagedFields(nil)
	annotations := out.GetAnnotations()
	maps.DeleteFunc(annotations, func(key, _ string) bool { return !isOwn(key) })
	out.SetAnnotations(annotations)
	return out
}

func isOwn(key string) bool {
	for _, prefix := range ownPrefixes {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

func without(in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	for key, value := range in {
		if contents[key] && !isEmpty(value) {
			out[key] = LeftOut
			continue
		}
		out[key] = plain(value)
	}
	return out
}

func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		return without(value)
	case []any:
		out := make([]any, len(value))
		for i := range value {
			out[i] = plain(value[i])
		}
		return out
	}
	return value
}

func isEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	}
	return false
}
