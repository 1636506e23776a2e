package federate

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

const templateField = "spec.template"

// Fields of metadata that an API server sets and that mean nothing elsewhere.
var serverMetadata = []string{
	"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
	"managedFields", "selfLink", "generateName", "clusterName",
}

// prepare checks the template and makes the base from it. Only the maps that
// change are copied.
func (r *Renderer) prepare(template map[string]any, target schema.GroupVersionKind) error {
	base := maps.Clone(template)
	if base == nil {
		// A namespace, for one, needs no template.
		base = map[string]any{}
	}
	if err := r.resolveType(base, target); err != nil {
		return err
	}
	metadata, ok := asMap(base["metadata"])
	if !ok {
		return templateFault(templateField+".metadata", "must be an object, is "+DescribeValue(base["metadata"]))
	}
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	for _, field := range []string{"labels", "annotations"} {
		if _, err := stringMap(metadata, field); err != nil {
			return err
		}
	}
	r.warnMetadata(metadata)
	delete(metadata, "finalizers")
	delete(metadata, "ownerReferences")
	base["metadata"] = metadata
	r.leaveOutForeign(base)
	r.base = base
	return nil
}

// resolveType applies KubeFed's rules: the kind is the target's, the version the
// template's if it has one.
func (r *Renderer) resolveType(base map[string]any, target schema.GroupVersionKind) error {
	r.gvk = target
	kind, ok := asString(base["kind"])
	if !ok {
		return templateFault(templateField+".kind", "must be a string, is "+DescribeValue(base["kind"]))
	}
	if kind != "" && kind != target.Kind {
		said := strconv.Quote(clip(kind, 60))
		if isSecret(target) {
			said = "this"
		}
		r.warnings = append(r.warnings, templateField+".kind: "+said+" has no effect, the kind is "+target.Kind)
	}
	apiVersion, ok := asString(base["apiVersion"])
	if !ok {
		return templateFault(templateField+".apiVersion", "must be a string, is "+DescribeValue(base["apiVersion"]))
	}
	if apiVersion == "" {
		return nil
	}
	gv, err := schema.ParseGroupVersion(apiVersion)
	if isSecret(target) && !isVersion.MatchString(apiVersion) {
		return templateFault(templateField+".apiVersion", "is no version of Secrets, must be "+target.GroupVersion().String()+" or left out")
	}
	if err != nil || gv.Group != target.Group || gv.Version == "" {
		return templateFault(templateField+".apiVersion", "is "+apiVersion+", must be "+target.GroupVersion().String()+" or left out")
	}
	r.gvk.Version = gv.Version
	return nil
}

// finish makes the object from the base or a patched base: it sets what no
// template or override may decide and drops what is never sent. left: the replicas are the
// cluster's. tree is not modified.
func (r *Renderer) finish(tree map[string]any, left bool) (Rendered, *RenderError) {
	object := maps.Clone(tree)
	version, err := r.versionOf(object["apiVersion"])
	if err != nil {
		return Rendered{}, err
	}
	object["apiVersion"] = r.gvk.Group + "/" + version
	if r.gvk.Group == "" {
		object["apiVersion"] = version
	}
	object["kind"] = r.gvk.Kind
	delete(object, "status")

	metadata, _ := object["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	for _, field := range serverMetadata {
		delete(metadata, field)
	}
	metadata["name"] = r.name
	delete(metadata, "namespace")
	if r.namespace != "" {
		metadata["namespace"] = r.namespace
	}
	if err := finishLabels(metadata); err != nil {
		return Rendered{}, err
	}
	if err := r.finishAnnotations(metadata, object); err != nil {
		return Rendered{}, err
	}
	object["metadata"] = metadata
	complete(r.gvk.GroupKind(), object, r.pieces)

	rendered, encodeErr := newRendered(object)
	replicas := replicasIn(object)
	if left && encodeErr == nil {
		rendered, encodeErr = withholdReplicas(object, rendered, replicas != nil)
	}
	if encodeErr != nil {
		return Rendered{}, templateFault(templateField, "cannot be written as JSON: "+encodeErr.Error())
	}
	rendered.Version, rendered.Replicas, rendered.LeavesReplicas = version, replicas, left
	rendered.Vanishes = removesItself(r.gvk.GroupKind(), object)
	return rendered, nil
}

// versionOf is the API version of an object whose apiVersion, of the template or
// of an override, is raw. As in KubeFed an override may name another version of the type.
func (r *Renderer) versionOf(raw any) (string, *RenderError) {
	apiVersion, ok := raw.(string)
	if raw == nil || apiVersion == "" && ok {
		return r.gvk.Version, nil
	}
	gv, err := schema.ParseGroupVersion(apiVersion)
	if !ok || err != nil || gv.Group != r.gvk.Group || gv.Version == "" || isSecret(r.gvk) && !isVersion.MatchString(gv.Version) {
		return "", templateFault(templateField+".apiVersion", "must be a version of the same group, such as "+r.gvk.GroupVersion().String())
	}
	return gv.Version, nil
}

// replicasIn are spec.replicas of an object; nil if there are none, or nothing that is a number.
func replicasIn(object map[string]any) *int64 {
	spec, _ := object["spec"].(map[string]any)
	switch n := spec["replicas"].(type) {
	case int64:
		return &n
	case float64:
		whole := int64(n)
		return &whole
	}
	return nil
}

// withholdReplicas leaves spec.replicas to the cluster. some: there are some that an object
// is to begin with.
func withholdReplicas(object map[string]any, whole Rendered, some bool) (Rendered, error) {
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return whole, nil
	}
	spec = maps.Clone(spec)
	delete(spec, "replicas")
	object["spec"] = spec // object is finish's own copy
	rendered, err := newRendered(object)
	if some {
		rendered.Initial = whole.JSON
	}
	return rendered, err
}

func finishLabels(metadata map[string]any) *RenderError {
	labels, err := stringMap(metadata, "labels")
	if err != nil {
		return err
	}
	if labels == nil {
		labels = make(map[string]any, 1)
	}
	labels[ManagedLabel] = ManagedLabelValue
	metadata["labels"] = labels
	return nil
}

func (r *Renderer) finishAnnotations(metadata, object map[string]any) *RenderError {
	annotations, err := stringMap(metadata, "annotations")
	if err != nil {
		return err
	}
	for name := range annotations {
		if staysBehind(r.gvk.GroupKind(), object, name) {
			delete(annotations, name)
		}
	}
	delete(annotations, CreatedAnnotation)
	delete(metadata, "annotations")
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	return nil
}

// stringMap returns a copy of metadata's labels or annotations without nulls, nil
// when there are none. KubeFed dropped all labels when one was not a string.
func stringMap(metadata map[string]any, field string) (map[string]any, *RenderError) {
	at := templateField + ".metadata." + field
	values, ok := asMap(metadata[field])
	if !ok {
		return nil, templateFault(at, "must be an object, is "+DescribeValue(metadata[field]))
	}
	if values == nil {
		return nil, nil
	}
	out := make(map[string]any, len(values)+1)
	var bad []string
	for key, value := range values {
		if _, ok := value.(string); ok {
			out[key] = value
		} else if value != nil {
			bad = append(bad, key)
		}
	}
	if bad != nil {
		key := slices.Min(bad) // the same one every time
		return nil, templateFault(at+"["+key+"]", "must be a string, is "+DescribeValue(values[key])+": put it in quotes")
	}
	return out, nil
}

// warnMetadata records what of the template's metadata is left out on purpose.
func (r *Renderer) warnMetadata(metadata map[string]any) {
	at := templateField + ".metadata."
	if list, _ := metadata["finalizers"].([]any); len(list) > 0 {
		r.warnings = append(r.warnings, at+"finalizers: not propagated, since nothing in the member clusters may know to remove them; use an override where something does")
	}
	if list, _ := metadata["ownerReferences"].([]any); len(list) > 0 {
		r.warnings = append(r.warnings, at+"ownerReferences: not propagated, since the owner's UID is another in every cluster")
	}
	if name, _ := metadata["name"].(string); name != "" && name != r.name {
		r.warnings = append(r.warnings, at+"name: has no effect, the federated object's name "+r.name+" is used")
	}
}

// warnOverrides records overrides that are valid but do nothing, or not what
// they seem to.
func (r *Renderer) warnOverrides(layer Layer) {
	for i := range layer.Overrides {
		r.warnClusterOverrides(layer.Origin.field(i), layer.Overrides[i].Overrides)
	}
}

func (r *Renderer) warnClusterOverrides(field string, overrides []Override) {
	for j := range overrides {
		override := &overrides[j]
		at := field + ".clusterOverrides[" + strconv.Itoa(j) + "]"
		switch {
		case override.Path == "/status" || strings.HasPrefix(override.Path, "/status/"):
			r.warnings = append(r.warnings, at+".path: has no effect, status is not propagated")
		case override.Path == "/spec/replicas" && r.retain:
			r.warnings = append(r.warnings, at+".path: has no effect while spec.retainReplicas is true")
		case !override.HasValue && override.operation() != opRemove:
			r.warnings = append(r.warnings, at+".value: is missing, so the field is set to null; use op: remove to remove it")
		}
	}
}
