package content

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

// Overwrite is what a live object is updated to, so that it is afterwards what was
// saved: the prepared object as a whole, with what is not its writer's as it is in the
// live one. Neither is changed.
func Overwrite(resource Resource, prepared, live map[string]any) map[string]any {
	wanted := runtime.DeepCopyJSON(prepared)
	for _, row := range ownedBy(resource, live) {
		row.keep(resource, wanted, live)
	}
	if metadata := mapping(wanted, "metadata"); metadata != nil {
		keepFinalizers(metadata, live)
		keepOwners(metadata, live)
	}
	return wanted
}

// keep sets the field as it is in the live object.
func (row owned) keep(resource Resource, wanted, live map[string]any) {
	tokens := tokensOf(row.path)
	row.keepAt(resource, live, wanted, live, tokens)
}

func (row owned) keepAt(resource Resource, object map[string]any, wanted, live any, tokens []string) {
	if tokens[0] == "*" {
		to, _ := wanted.([]any)
		from, _ := live.([]any)
		for i := range to {
			if element, ok := to[i].(map[string]any); ok {
				if like := elementLike(from, element, i); like != nil {
					row.keepAt(resource, object, element, like, tokens[1:])
				}
			}
		}
		return
	}
	to, isMap := wanted.(map[string]any)
	from, wasMap := live.(map[string]any)
	if !isMap || !wasMap {
		return
	}
	if len(tokens) == 1 {
		row.keepField(resource, object, to, from, tokens[0])
		return
	}
	if _, there := from[tokens[0]]; !there {
		return
	}
	if _, there := to[tokens[0]]; there {
		row.keepAt(resource, object, to[tokens[0]], from[tokens[0]], tokens[1:])
		return
	}
	inner := map[string]any{} // lists have nothing to keep for what is not in them
	if row.keepAt(resource, object, inner, from[tokens[0]], tokens[1:]); len(inner) > 0 {
		to[tokens[0]] = inner
	}
}

func (row owned) keepField(resource Resource, object, to, from map[string]any, key string) {
	value, there := from[key]
	switch value := value.(type) {
	case map[string]any:
		if row.only != nil {
			row.keepEntries(resource, object, to, value, key)
			return
		}
	case []any:
		if row.only != nil {
			row.keepElements(resource, object, to, value, key)
			return
		}
	}
	switch before, wanted := to[key]; {
	case row.only != nil && (!there || !row.only(object, key, value) || wanted && !row.only(object, key, before)):
	case there:
		to[key] = runtime.DeepCopyJSONValue(value)
	default:
		delete(to, key)
	}
}

func (row owned) keepEntries(resource Resource, object, to, live map[string]any, key string) {
	entries, ok := to[key].(map[string]any)
	if !ok {
		entries = map[string]any{}
	}
	for inner, value := range live {
		if row.owns(resource, object, inner, value) {
			entries[inner] = runtime.DeepCopyJSONValue(value)
		}
	}
	if len(entries) > 0 {
		to[key] = entries
	}
}

func (row owned) keepElements(resource Resource, object, to map[string]any, live []any, key string) {
	kept, _ := to[key].([]any)
	kept = slices.DeleteFunc(slices.Clone(kept), func(element any) bool { return row.owns(resource, object, "", element) })
	for _, element := range live {
		if row.owns(resource, object, "", element) {
			kept = append(kept, runtime.DeepCopyJSONValue(element))
		}
	}
	if len(kept) > 0 {
		to[key] = kept
	} else {
		delete(to, key)
	}
}

// keepFinalizers never takes one away: what it guards may be outside of the cluster.
func keepFinalizers(metadata, live map[string]any) {
	finalizers, _ := at(live, "metadata", "finalizers").([]any)
	finalizers = slices.Clone(finalizers)
	saved, _ := metadata["finalizers"].([]any)
	for _, finalizer := range saved {
		if _, isText := finalizer.(string); isText && !slices.Contains(finalizers, finalizer) {
			finalizers = append(finalizers, finalizer)
		}
	}
	if len(finalizers) > 0 {
		metadata["finalizers"] = finalizers
	}
}

// keepOwners keeps the controller that has taken the object since.
func keepOwners(metadata, live map[string]any) {
	owners, _ := metadata["ownerReferences"].([]any)
	owners = slices.Clone(owners)
	for _, owner := range elements(live, "metadata", "ownerReferences") {
		if owner["controller"] == true && !hasOwner(owners, owner) {
			owners = append(owners, runtime.DeepCopyJSON(owner))
		}
	}
	if len(owners) > 0 {
		metadata["ownerReferences"] = owners
	}
}

// hasOwner says whether one of the owners is the same object, whatever its UID: one
// that was made again is the owner of today.
func hasOwner(owners []any, like map[string]any) bool {
	return slices.ContainsFunc(owners, func(element any) bool {
		owner, _ := element.(map[string]any)
		return owner["kind"] == like["kind"] && owner["name"] == like["name"]
	})
}

// WithPortsOf is a Service with the ports on the nodes that the live one has, for the
// case that its own have been given to others; nil for other kinds.
func WithPortsOf(resource Resource, object, live map[string]any) map[string]any {
	if resource.Name() != services {
		return nil
	}
	out := runtime.DeepCopyJSON(object)
	relaxPorts(mapping(out, "spec"))
	owned{path: "/spec/healthCheckNodePort"}.keep(resource, out, live)
	owned{path: "/spec/ports/*/nodePort"}.keep(resource, out, live)
	return out
}
