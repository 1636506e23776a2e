// Package redaction says what of an object may be given away: what it is called, where it
// is to be and how it fares, never what somebody has written into it. It is pure.
package redaction

import (
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/errtext"
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

// ofRules are the fields whose content is written by users where a policy's rule sets it;
// elsewhere they say what is selected, or where something runs.
var ofRules = map[string]bool{"labels": true, "nodeSelector": true}

// addresses are the fields that may hold a user and a password before a host.
var addresses = map[string]bool{"apiEndpoint": true, "proxyURL": true, "endpoint": true}

// ownPrefixes are those of annotations that only programs write.
var ownPrefixes = []string{"fedctl.io/", "kubefed.io/", "core.kubefed.io/", "cluster.fedctl.io/", "policy.fedctl.io/", "backup.fedctl.io/", "deployment.kubernetes.io/"}

// Object returns a copy of an object without contents, and without annotations of others
// wherever they are: kubectl keeps whole objects in one.
func Object(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: without(u.Object, false)}
	out.SetManagedFields(nil)
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

func without(in map[string]any, inRules bool) map[string]any {
	out := make(map[string]any, len(in))
	for key, value := range in {
		text, isText := value.(string)
		switch {
		case (contents[key] || inRules && ofRules[key]) && !isEmpty(value):
			out[key] = LeftOut
		case key == "annotations" && !isEmpty(value):
			out[key] = own(value)
		case addresses[key] && isText:
			out[key] = errtext.Address(text)
		default:
			out[key] = plain(value, inRules || key == "rules")
		}
	}
	return out
}

// own are the annotations that only programs write.
func own(annotations any) any {
	all, ok := annotations.(map[string]any)
	if !ok {
		return LeftOut
	}
	all = maps.Clone(all)
	maps.DeleteFunc(all, func(key string, _ any) bool { return !isOwn(key) })
	return without(all, false)
}

func plain(value any, inRules bool) any {
	switch value := value.(type) {
	case map[string]any:
		return without(value, inRules)
	case []any:
		out := make([]any, len(value))
		for i := range value {
			out[i] = plain(value[i], inRules)
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
