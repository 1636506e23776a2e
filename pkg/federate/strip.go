package federate

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const podTemplateHash = "pod-template-hash"

// Strip returns what of an object in a cluster may be the template of a federated
// object: without type, name and namespace, which the federated object has, without
// status, without all metadata but labels and annotations, and without what the
// cluster or its controllers put into the labels, annotations and spec. u is not
// modified; the maps and lists of the result are new. Fields of unexpected types
// are copied as they are, for the API server to judge.
func Strip(u *unstructured.Unstructured) map[string]any {
	gvk := u.GroupVersionKind()
	template, _ := copyMeaningful(u.Object).(map[string]any)
	if template == nil {
		template = map[string]any{}
	}
	for _, field := range []string{"apiVersion", "kind", "status"} {
		delete(template, field)
	}
	removeForeign(gvk.GroupKind(), template)
	stripMetadata(gvk.GroupKind(), template)
	if strip := stripKind[gvk.GroupKind()]; strip != nil {
		strip(template)
	}
	return template
}

// copyMeaningful copies v without "creationTimestamp": null, which Go's API types
// print wherever they hold metadata.
func copyMeaningful(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			if key != "creationTimestamp" || value != nil {
				out[key] = copyMeaningful(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = copyMeaningful(v[i])
		}
		return out
	}
	return v
}

func stripMetadata(gk schema.GroupKind, template map[string]any) {
	metadata, _ := template["metadata"].(map[string]any)
	kept := map[string]any{}
	for _, field := range []string{"labels", "annotations"} {
		if value, ok := metadata[field]; ok {
			kept[field] = value
		}
	}
	if labels, ok := kept["labels"].(map[string]any); ok {
		delete(labels, ManagedLabel)
	}
	if annotations, ok := kept["annotations"].(map[string]any); ok {
		for name := range annotations {
			if staysBehind(gk, template, name) || isClusterAnnotation(name) {
				delete(annotations, name)
			}
		}
	}
	for field, value := range kept {
		if values, ok := value.(map[string]any); value == nil || ok && len(values) == 0 {
			delete(kept, field)
		}
	}
	delete(template, "metadata")
	if len(kept) > 0 {
		template["metadata"] = kept
	}
}

// stripKind removes what is assigned to objects of certain kinds. Each works on a
// template that is its own.
var stripKind = map[schema.GroupKind]func(template map[string]any){
	{Kind: "Namespace"}:                 stripNamespace,
	{Kind: "Service"}:                   stripService,
	{Kind: "ServiceAccount"}:            func(template map[string]any) { delete(template, "secrets") },
	{Kind: "PersistentVolumeClaim"}:     func(template map[string]any) { remove(template, "spec", "volumeName") },
	{Group: "apps", Kind: "ReplicaSet"}: stripReplicaSet,
}

func stripNamespace(template map[string]any) {
	remove(template, "metadata", "labels", "kubernetes.io/metadata.name")
	remove(template, "spec", "finalizers")
}

// stripService leaves a headless Service headless: "None" is a choice, any other
// address is from the cluster's own range.
func stripService(template map[string]any) {
	spec, ok := template["spec"].(map[string]any)
	if !ok {
		return
	}
	if spec["clusterIP"] != "None" {
		delete(spec, "clusterIP")
	}
	delete(spec, "clusterIPs")
	delete(spec, "healthCheckNodePort")
	ports, _ := spec["ports"].([]any)
	for _, port := range ports {
		if port, ok := port.(map[string]any); ok {
			delete(port, "nodePort")
		}
	}
}

func stripReplicaSet(template map[string]any) {
	remove(template, "metadata", "labels", podTemplateHash)
	remove(template, "spec", "selector", "matchLabels", podTemplateHash)
	remove(template, "spec", "template", "metadata", "labels", podTemplateHash)
}

// remove deletes the field at a path, and the maps around it that this leaves empty.
func remove(in map[string]any, field string, inner ...string) {
	if len(inner) == 0 {
		delete(in, field)
		return
	}
	value, ok := in[field].(map[string]any)
	if !ok || len(value) == 0 {
		return
	}
	if remove(value, inner[0], inner[1:]...); len(value) == 0 {
		delete(in, field)
	}
}
