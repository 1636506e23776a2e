package content

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// lastApplied is kubectl's copy of the whole object, whose fields are found in the
// object itself.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// unknownReferences are fields that seem to name a namespace that moves, of which it
// is not known what they mean, so that they are left as they are. The object is one
// in which the known ones are mapped already.
func (o Options) unknownReferences(resource Resource, object map[string]any, known []Reference) []Reference {
	moving := map[string]string{}
	for from, to := range o.NamespaceMapping {
		if to != "" && to != from {
			moving[from] = to
		}
	}
	if len(moving) == 0 {
		return nil
	}
	u := unknown{moving: moving, secret: resource.Name() == secrets}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		switch key {
		case "apiVersion", "kind", "status":
		case "metadata":
			annotations := mapping(object, "metadata", "annotations")
			for _, name := range slices.Sorted(maps.Keys(annotations)) {
				if name != lastApplied {
					u.value("/metadata/annotations/"+escape.Replace(name), name, annotations[name])
				}
			}
		default:
			u.value("/"+escape.Replace(key), key, object[key])
		}
	}
	return slices.DeleteFunc(u.found, func(found Reference) bool {
		return slices.ContainsFunc(known, func(k Reference) bool { return k.Path == found.Path })
	})
}

type unknown struct {
	moving map[string]string
	secret bool
	found  []Reference
}

// value looks at what is below a key.
func (u *unknown) value(at, key string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range slices.Sorted(maps.Keys(value)) {
			u.value(at+"/"+escape.Replace(inner), inner, value[inner])
		}
	case []any:
		for i := range value {
			u.value(at+"/"+strconv.Itoa(i), key, value[i])
		}
	case string:
		u.text(at, key, value)
	}
}

func (u *unknown) text(at, key, value string) {
	if u.secret && strings.HasPrefix(at, "/data/") {
		if decoded, err := base64.StdEncoding.DecodeString(value); err == nil {
			value = string(decoded)
		}
	}
	for from, to := range u.moving {
		if (value == from && namesNamespace(key)) || hasHost(value, from) || strings.Contains(value, accountPrefix+from+":") {
			u.found = append(u.found, Reference{at, from, to})
			return
		}
	}
}

// namesNamespace says whether what is at a key is likely to be a namespace's name.
func namesNamespace(key string) bool {
	return strings.Contains(strings.ToLower(key), "namespace") || key == "matchNames" || key == metadataName
}

// hasHost says whether a text holds the DNS name of a Service in a namespace.
func hasHost(text, namespace string) bool {
	suffix := "." + namespace + ".svc"
	for {
		i := strings.Index(text, suffix)
		if i < 0 {
			return false
		}
		rest := text[i+len(suffix):]
		if i > 0 && (rest == "" || !isNameByte(rest[0])) {
			return true
		}
		text = rest
	}
}

func isNameByte(b byte) bool {
	return b == '-' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9'
}
