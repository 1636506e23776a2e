package federate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"
)

// parseMetadata is lenient: the API server guarantees the shape of metadata.
func (o *Object) parseMetadata(raw any) {
	metadata, _ := raw.(map[string]any)
	o.Name, _ = metadata["name"].(string)
	o.Namespace, _ = metadata["namespace"].(string)
	uid, _ := metadata["uid"].(string)
	o.UID = types.UID(uid)
	o.Generation = toInt64(metadata["generation"])
	o.Labels = labelsOf(metadata["labels"])
	deletion, _ := metadata["deletionTimestamp"].(string)
	o.Deleting = deletion != ""
	finalizers, _ := metadata["finalizers"].([]any)
	o.HasFinalizer = slices.Contains(finalizers, any(Finalizer))
	// The API server's finalizer tells of a deletion with the policy Orphan (--cascade=orphan).
	o.OrphanPolicy = o.Deleting && slices.Contains(finalizers, any(metav1.FinalizerOrphanDependents))
	annotations, _ := metadata["annotations"].(map[string]any)
	o.Ownership, _ = annotations[OwnershipAnnotation].(string)
	o.ProgressDeadline, _ = annotations[ProgressDeadlineAnnotation].(string)
	o.Consumed, _ = annotations[ConsumedAnnotation].(string)
	o.AfterAutoscaler, _ = annotations[AfterAutoscalerAnnotation].(string)
	if text, ok := annotations[DeleteOptionAnnotation].(string); ok {
		o.DeleteOptions, o.DeleteOptionsError = parseDeleteOptions(text)
	}
	text, _ := annotations[OrphanAnnotation].(string)
	orphan, fault := parseOrphan(text)
	o.Orphan = orphan || o.OrphanPolicy
	if !o.Orphan && o.DeleteOptionsError == nil {
		o.DeleteOptionsError = fault
	}
}

// OrphaningOf reads the annotation that has the members' objects stay when an object with
// these annotations is deleted. With a value that is neither true nor false the deletion
// waits, and the error says so.
func OrphaningOf(annotations map[string]string) (bool, error) {
	orphan, fault := parseOrphan(annotations[OrphanAnnotation])
	if fault != nil {
		return false, fault
	}
	return orphan, nil
}

// parseOrphan takes True and TRUE for what they mean, where KubeFed deletes. Another value was
// meant as something: a deletion waits until it is mended.
func parseOrphan(text string) (orphan bool, fault *ParseError) {
	if text == "" {
		return false, nil
	}
	orphan, err := strconv.ParseBool(text)
	if err != nil {
		return false, &ParseError{
			Field:   "metadata.annotations[" + OrphanAnnotation + "]",
			Message: fmt.Sprintf("must be \"true\" or \"false\", is %q: the object is not deleted before that is mended", clip(text, longestField)),
			Reason:  CheckClusters,
			Status:  DeletionFailed,
		}
	}
	return orphan, nil
}

func labelsOf(raw any) map[string]string {
	labels, _ := raw.(map[string]any)
	if len(labels) == 0 {
		return nil
	}
	read := make(map[string]string, len(labels))
	for key, value := range labels {
		read[key], _ = value.(string)
	}
	return read
}

// parseDeleteOptions takes the fields KubeFed takes. The rest has no business here, and is
// a fault: dryRun, for one, would turn every deletion into none, and a misspelt field, null
// or another kind of object leaves out what was meant to protect something.
func parseDeleteOptions(text string) (*metav1.DeleteOptions, *ParseError) {
	var taken *struct {
		GracePeriodSeconds *int64                      `json:"gracePeriodSeconds"`
		PropagationPolicy  *metav1.DeletionPropagation `json:"propagationPolicy"`
		Preconditions      *metav1.Preconditions       `json:"preconditions"`
		Kind               string                      `json:"kind"`
		APIVersion         string                      `json:"apiVersion"` // all groups have DeleteOptions
	}
	strict, err := kjson.UnmarshalStrict([]byte(text), &taken)
	switch {
	case err == nil && len(strict) > 0:
		err = strict[0]
	case err == nil && taken == nil:
		err = errors.New("is null")
	case err == nil && taken.Kind != "" && taken.Kind != "DeleteOptions":
		err = fmt.Errorf("the kind is %q", clip(taken.Kind, longestField))
	case err == nil && taken.PropagationPolicy != nil && !slices.Contains(propagationPolicies, *taken.PropagationPolicy):
		err = fmt.Errorf("propagationPolicy must be one of %v, is %q", propagationPolicies, clip(string(*taken.PropagationPolicy), longestField))
	}
	if err != nil {
		return nil, &ParseError{
			Field:   "metadata.annotations[" + DeleteOptionAnnotation + "]",
			Message: "must be DeleteOptions as JSON, with gracePeriodSeconds, propagationPolicy and preconditions alone, e.g. {\"propagationPolicy\":\"Orphan\"}: " + err.Error(),
			Reason:  CheckClusters,
			Status:  DeletionFailed,
		}
	}
	return &metav1.DeleteOptions{
		GracePeriodSeconds: taken.GracePeriodSeconds,
		PropagationPolicy:  taken.PropagationPolicy,
		Preconditions:      taken.Preconditions,
	}, nil
}

var propagationPolicies = []metav1.DeletionPropagation{metav1.DeletePropagationOrphan, metav1.DeletePropagationBackground, metav1.DeletePropagationForeground}

// parseSpec reads all it can and returns the first fault. The placement comes
// first: without it nothing can be done anywhere.
func (o *Object) parseSpec(raw any) error {
	spec, ok := asMap(raw)
	if !ok {
		return placementError("spec", "must be an object", raw)
	}
	var first error
	for _, parse := range []func(map[string]any) error{o.parsePlacement, o.parseTemplate, o.parseRetainReplicas, o.parseOverrides} {
		if err := parse(spec); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (o *Object) parseTemplate(spec map[string]any) error {
	template, ok := asMap(spec["template"])
	if !ok {
		return resourceError("spec.template", "must be an object", spec["template"], ComputeResourceFailed)
	}
	o.Template = template
	return nil
}

func (o *Object) parseRetainReplicas(spec map[string]any) error {
	raw := spec["retainReplicas"]
	if raw == nil {
		return nil
	}
	retain, ok := raw.(bool)
	if !ok {
		return resourceError("spec.retainReplicas", "must be true or false", raw, FieldRetentionFailed)
	}
	o.RetainReplicas = retain
	return nil
}

// parseOverrides checks shapes only. What an override says is checked when it
// is applied, so that a mistake for one cluster stays with that cluster.
func (o *Object) parseOverrides(spec map[string]any) error {
	raw := spec["overrides"]
	items, ok := asList(raw)
	if !ok {
		return overrideError("spec.overrides", "must be a list", raw)
	}
	if items == nil {
		return nil
	}
	overrides := make([]ClusterOverrides, len(items))
	for i, item := range items {
		if err := overrides[i].parse(item, "spec.overrides["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	o.Overrides = overrides
	return nil
}

func (c *ClusterOverrides) parse(raw any, field string) error {
	item, ok := asMap(raw)
	if !ok {
		return overrideError(field, "must be an object", raw)
	}
	if c.ClusterName, ok = asString(item["clusterName"]); !ok {
		return overrideError(field+".clusterName", "must be a string", item["clusterName"])
	}
	list, ok := asList(item["clusterOverrides"])
	if !ok {
		return overrideError(field+".clusterOverrides", "must be a list", item["clusterOverrides"])
	}
	if len(list) == 0 {
		return nil
	}
	c.Overrides = make([]Override, len(list))
	for i, raw := range list {
		if err := c.Overrides[i].parse(raw, field+".clusterOverrides["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	return nil
}

func (v *Override) parse(raw any, field string) error {
	item, ok := asMap(raw)
	if !ok {
		return overrideError(field, "must be an object", raw)
	}
	if v.Op, ok = asString(item["op"]); !ok {
		return overrideError(field+".op", "must be a string", item["op"])
	}
	if v.Path, ok = asString(item["path"]); !ok {
		return overrideError(field+".path", "must be a string", item["path"])
	}
	v.Value = item["value"]
	v.HasValue = v.Value != nil
	return nil
}

func placementError(field, want string, have any) error {
	return &ParseError{Field: field, Message: want + ", is " + DescribeValue(have), Reason: ComputePlacementFailed}
}

func overrideError(field, want string, have any) error {
	return resourceError(field, want, have, ApplyOverridesFailed)
}

func resourceError(field, want string, have any, status PropagationStatus) error {
	return &ParseError{Field: field, Message: want + ", is " + DescribeValue(have), Reason: CheckClusters, Status: status}
}

// asMap, asList and asString take null for absent and return the zero value for it.
func asMap(raw any) (map[string]any, bool) {
	if raw == nil {
		return nil, true
	}
	m, ok := raw.(map[string]any)
	return m, ok
}

func asList(raw any) ([]any, bool) {
	if raw == nil {
		return nil, true
	}
	l, ok := raw.([]any)
	return l, ok
}

func asString(raw any) (string, bool) {
	if raw == nil {
		return "", true
	}
	s, ok := raw.(string)
	return s, ok
}

func toInt64(raw any) int64 {
	switch n := raw.(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	case int:
		return int64(n)
	}
	return 0
}

// DescribeValue says what kind of JSON value v is, with its article. It does not say the
// value: it may be a part of a Secret, and many may read a message.
func DescribeValue(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case int64, float64, int:
		return "a number"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	}
	return fmt.Sprintf("a %T", v)
}

// clip shortens s to at most limit bytes, at a rune boundary, and shows that it did.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
