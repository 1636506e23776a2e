package federate

import (
	"cmp"
	_ "crypto/sha256" // digests of images are of these
	_ "crypto/sha512"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// An API server fills in fields from others when an object is created, and does not
// follow when the others change: an update would end elsewhere than a creation. What is
// applied has these fields as well, with the value that they would be given. So they are
// ours, and change and go with what they follow. Since they are the values that are there
// already, an object that exists is not changed by it, and no pod started anew.

// completions are what is filled in outside of pods. Each is given the object as its own
// copy, of which only the outermost map is one.
var completions = map[schema.GroupKind]func(object map[string]any){
	{Kind: "Secret"}: mergeStringData,
	{Group: "networking.k8s.io", Kind: "NetworkPolicy"}: derivePolicyTypes,
	{Kind: "ReplicationController"}:                     deriveSelector,
	{Group: "apps", Kind: "DaemonSet"}:                  completeDaemonSet,
	{Kind: "Service"}:                                   completeTrafficPolicy,
}

// completedPods are where the spec of pods is that is completed as well.
var completedPods = map[schema.GroupKind][]string{
	{Kind: "PodTemplate"}:                {"template", "spec"},
	{Kind: "ReplicationController"}:      {"spec", "template", "spec"},
	{Group: "apps", Kind: "Deployment"}:  {"spec", "template", "spec"},
	{Group: "apps", Kind: "ReplicaSet"}:  {"spec", "template", "spec"},
	{Group: "apps", Kind: "StatefulSet"}: {"spec", "template", "spec"},
	{Group: "apps", Kind: "DaemonSet"}:   {"spec", "template", "spec"},
	{Group: "batch", Kind: "CronJob"}:    {"spec", "jobTemplate", "spec", "template", "spec"},
}

// complete fills in what an API server would. object is finish's own copy. What is known of
// containers may be nil.
func complete(gk schema.GroupKind, object map[string]any, known *pieces) {
	if fill := completions[gk]; fill != nil {
		fill(object)
	}
	if path := completedPods[gk]; path != nil && present(object, path) {
		completePodSpec(ownPath(object, path), known)
	}
}

// mergeStringData does what a Secret's stringData asks for, which is never read back:
// in data a key that leaves the template goes, and drift shows. What is no string is left
// for the API server to refuse.
//
// Source: Convert_v1_Secret_To_core_Secret in k8s.io/kubernetes/pkg/apis/core/v1.
func mergeStringData(object map[string]any) {
	text, isMap := asMap(object["stringData"])
	data, dataIsMap := asMap(object["data"])
	if _, there := object["stringData"]; !there || !isMap || !dataIsMap {
		return
	}
	merged := make(map[string]any, len(data)+len(text))
	maps.Copy(merged, data)
	for key, value := range text {
		value, ok := asString(value)
		if !ok {
			return
		}
		merged[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	delete(object, "stringData")
	if len(merged) > 0 {
		object["data"] = merged
	}
}

// derivePolicyTypes says in which directions a NetworkPolicy isolates.
//
// Source: SetDefaults_NetworkPolicy in k8s.io/kubernetes/pkg/apis/networking/v1.
func derivePolicyTypes(object map[string]any) {
	spec, ok := object["spec"].(map[string]any)
	if types, isList := spec["policyTypes"].([]any); !ok || len(types) > 0 || spec["policyTypes"] != nil && !isList {
		return
	}
	spec = maps.Clone(spec)
	spec["policyTypes"] = []any{"Ingress"}
	if egress, _ := spec["egress"].([]any); len(egress) > 0 {
		spec["policyTypes"] = []any{"Ingress", "Egress"}
	}
	object["spec"] = spec
}

// deriveSelector says which pods a ReplicationController has: those that its template labels.
//
// Source: SetDefaults_ReplicationController in k8s.io/kubernetes/pkg/apis/core/v1.
func deriveSelector(object map[string]any) {
	spec, ok := object["spec"].(map[string]any)
	selector, isMap := asMap(spec["selector"])
	node, _, _ := unstructured.NestedFieldNoCopy(spec, "template", "metadata", "labels")
	labels, _ := asMap(node)
	if !ok || !isMap || len(selector) > 0 || len(labels) == 0 {
		return
	}
	spec = maps.Clone(spec)
	spec["selector"] = labels
	object["spec"] = spec
}

// completeTrafficPolicy says how a Service that has one routes inside of the cluster. A
// Service that becomes an ExternalName has none.
//
// Source: SetDefaults_Service in k8s.io/kubernetes/pkg/apis/core/v1.
func completeTrafficPolicy(object map[string]any) {
	spec, ok := object["spec"].(map[string]any)
	kind, isString := asString(spec["type"])
	if !ok || !isString || spec["internalTrafficPolicy"] != nil {
		return
	}
	switch kind {
	case "", "ClusterIP", "NodePort", "LoadBalancer":
		spec = maps.Clone(spec)
		spec["internalTrafficPolicy"] = "Cluster"
		object["spec"] = spec
	}
}

// completeDaemonSet says how a DaemonSet rolls out, where it does: one that becomes
// OnDelete keeps nothing of it.
//
// Source: SetDefaults_DaemonSet in k8s.io/kubernetes/pkg/apis/apps/v1.
func completeDaemonSet(object map[string]any) {
	spec, ok := object["spec"].(map[string]any)
	strategy, isMap := asMap(spec["updateStrategy"])
	kind, isString := asString(strategy["type"])
	rolling, isRolling := asMap(strategy["rollingUpdate"])
	if !ok || !isMap || !isString || !isRolling || kind != "" && kind != "RollingUpdate" {
		return
	}
	filled := map[string]any{"maxUnavailable": int64(1), "maxSurge": int64(0)}
	for field, value := range rolling {
		if value != nil {
			filled[field] = value
		}
	}
	strategy = maps.Clone(strategy)
	if strategy == nil {
		strategy = map[string]any{}
	}
	strategy["type"], strategy["rollingUpdate"] = "RollingUpdate", filled
	spec = maps.Clone(spec)
	spec["updateStrategy"] = strategy
	object["spec"] = spec
}

// ownPath makes the maps on the way to a place copies, one level deep, that of the place
// included, which it returns; nil if there is no map.
func ownPath(object map[string]any, path []string) map[string]any {
	copyPath(object, slices.Concat(path, []string{""}))
	for _, field := range path {
		object, _ = object[field].(map[string]any)
	}
	return object
}

// completePodSpec completes a pod's spec, of which only the outermost map is a copy;
// nil if it is not an object.
func completePodSpec(spec map[string]any, known *pieces) {
	if spec == nil {
		return
	}
	mirrorServiceAccount(spec)
	size := 0
	encoded := func(container map[string]any) any {
		if size > MostRendered {
			return completeContainer(container) // whoever encodes the object says that it is too large
		}
		made := known.of(container, completeContainer)
		if text, is := made.(piece); is {
			size += len(text)
		} else {
			size = MostRendered + 1 // it cannot be encoded, or nothing is to be
		}
		return made
	}
	for _, field := range []string{"initContainers", "containers"} {
		completeItems(spec, field, encoded)
	}
	completeItems(spec, "volumes", completeVolume)
}

func completeContainer(container map[string]any) map[string]any {
	return withPullPolicy(container, "image", "imagePullPolicy")
}

func completeVolume(volume map[string]any) any {
	source, ok := volume["image"].(map[string]any)
	if !ok {
		return volume
	}
	completed := withPullPolicy(source, "reference", "pullPolicy")
	if len(completed) == len(source) {
		return volume
	}
	volume = maps.Clone(volume)
	volume["image"] = completed
	return volume
}

// completeItems completes the objects in a list; those that do not change are shared.
func completeItems(spec map[string]any, field string, completed func(item map[string]any) any) {
	items, ok := spec[field].([]any)
	if !ok {
		return
	}
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = item
		if item, ok := item.(map[string]any); ok {
			out[i] = completed(item)
		}
	}
	spec[field] = out
}

// mirrorServiceAccount says the name of the account in both of its fields. Of two names
// that of the newer field counts.
//
// Source: Convert_v1_PodSpec_To_core_PodSpec in k8s.io/kubernetes/pkg/apis/core/v1.
func mirrorServiceAccount(spec map[string]any) {
	name, isString := asString(spec["serviceAccountName"])
	alias, aliasIsString := asString(spec["serviceAccount"])
	if name = cmp.Or(name, alias); name == "" || !isString || !aliasIsString {
		return
	}
	spec["serviceAccountName"], spec["serviceAccount"] = name, name
}

// withPullPolicy says when the image is pulled: a member in which somebody has changed the
// image has filled that in for theirs, and it would stay when ours is back.
//
// Source: SetDefaults_Container in k8s.io/kubernetes/pkg/apis/core/v1.
func withPullPolicy(in map[string]any, image, policy string) map[string]any {
	name, _ := in[image].(string)
	if in[policy] != nil || name == "" {
		return in
	}
	in = maps.Clone(in)
	in[policy] = "IfNotPresent"
	if isLatest(name) {
		in[policy] = "Always"
	}
	return in
}

// isLatest says whether an image is named by the tag latest, or by none.
//
// Source: ParseImageName in k8s.io/kubernetes/pkg/util/parsers, which uses the same library.
func isLatest(image string) bool {
	name, _, hasDigest := strings.Cut(image, "@")
	_, tag, hasTag := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ":")
	if hasTag && tag != "latest" || hasDigest && !hasTag {
		return false // whether or not it is the name of an image, which takes long to find out
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return false
	}
	tagged, hasTag := named.(reference.Tagged)
	_, hasDigest = named.(reference.Digested)
	return hasTag && tagged.Tag() == "latest" || !hasTag && !hasDigest
}
