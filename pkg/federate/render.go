package federate

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Rendered is the object for a cluster, as an apply configuration.
type Rendered struct {
	// JSON is deterministic: map keys are sorted.
	JSON []byte
	// Hash is 16 hex digits: the first 64 bits of the SHA-256 of JSON. It is the
	// same in every process and release, so that it can be stored.
	Hash string
	// Version is the API version of the object; an override may have changed it.
	Version string
	// With retainReplicas, JSON has no spec.replicas. Where the template has one, it
	// is Replicas, and Initial is the JSON with it: what an object is created
	// with, as in KubeFed, before its replicas are the member's.
	Replicas *int64
	Initial  []byte
}

// Renderer makes the objects for the clusters from one federated object. It is
// safe for concurrent use and shares the object's maps, which it never modifies.
type Renderer struct {
	gvk       schema.GroupVersionKind
	name      string
	namespace string // in the members; "" for cluster-scoped types
	retain    bool

	// base is the template as overrides see it: without what is never propagated.
	base      map[string]any
	overrides []ClusterOverrides
	// item finds a cluster's overrides; repeated the second item of the same cluster.
	item     map[string]int
	repeated map[string]int

	warnings []string

	once   sync.Once
	shared Rendered
	err    *RenderError
}

// NewRenderer prepares an object for rendering. The error is a *RenderError and
// concerns every cluster: the template cannot be an object of the target type.
func NewRenderer(o *Object, t Target) (*Renderer, error) {
	r := &Renderer{name: o.Name, retain: o.RetainReplicas, overrides: o.Overrides}
	if t.Namespaced && !t.IsNamespace {
		r.namespace = o.Namespace
	}
	if t.IsNamespace && o.Namespace != o.Name {
		return nil, templateFault("metadata.name", "must be "+strconv.Quote(o.Namespace)+": a federated namespace has the name of the namespace it is in")
	}
	if err := r.prepare(o, t.GVK); err != nil {
		return nil, err
	}
	if len(o.Overrides) > 0 {
		r.indexOverrides()
	}
	return r, nil
}

func (r *Renderer) indexOverrides() {
	r.item = make(map[string]int, len(r.overrides))
	for i := range r.overrides {
		cluster := r.overrides[i].ClusterName
		if _, seen := r.item[cluster]; !seen {
			r.item[cluster] = i
		} else if _, again := r.repeated[cluster]; !again {
			if r.repeated == nil {
				r.repeated = map[string]int{}
			}
			r.repeated[cluster] = i
		}
		r.warnOverrides(i)
	}
}

// GVK is the type of the rendered objects. Its version is the template's when it
// names one, as in KubeFed, else the target's.
func (r *Renderer) GVK() schema.GroupVersionKind { return r.gvk }

// Warnings say what in the manifest is not propagated or has no effect, each
// beginning with the field.
func (r *Renderer) Warnings() []string { return slices.Clone(r.warnings) }

// For renders the object for a cluster. Clusters without overrides share one
// Rendered, made once; its JSON must not be modified. With overrides it is made
// on every call. The error is a *RenderError and concerns this cluster only.
func (r *Renderer) For(cluster string) (Rendered, error) {
	i, ok := r.item[cluster]
	if !ok {
		return r.withoutOverrides()
	}
	if again, bad := r.repeated[cluster]; bad {
		return Rendered{}, &RenderError{
			Status: ApplyOverridesFailed, Cluster: cluster, Field: overridesField(again) + ".clusterName",
			Message: "the cluster appears more than once: merge with " + overridesField(i),
		}
	}
	if len(r.overrides[i].Overrides) == 0 {
		return r.withoutOverrides()
	}
	patched, fault := applyOverrides(r.base, r.overrides[i].Overrides)
	if fault != nil {
		field := overridesField(i) + ".clusterOverrides[" + strconv.Itoa(fault.index) + "]." + fault.field
		return Rendered{}, &RenderError{Status: ApplyOverridesFailed, Cluster: cluster, Field: field, Message: fault.message}
	}
	rendered, bad := r.finish(patched)
	if bad != nil {
		// The template alone was sound, so it is the overrides that broke it.
		return Rendered{}, &RenderError{
			Status: ApplyOverridesFailed, Cluster: cluster, Field: overridesField(i) + ".clusterOverrides",
			Message: "the result is not valid: " + strings.TrimPrefix(bad.Field, templateField+".") + ": " + bad.Message,
		}
	}
	return rendered, nil
}

func (r *Renderer) withoutOverrides() (Rendered, error) {
	r.once.Do(func() { r.shared, r.err = r.finish(r.base) })
	if r.err != nil {
		return Rendered{}, r.err
	}
	return r.shared, nil
}

func overridesField(i int) string { return "spec.overrides[" + strconv.Itoa(i) + "]" }

func templateFault(field, message string) *RenderError {
	return &RenderError{Status: ComputeResourceFailed, Field: field, Message: message}
}

// newRendered encodes the tree.
func newRendered(tree map[string]any) (Rendered, error) {
	data, err := appendJSON(make([]byte, 0, 1024), tree)
	if err != nil {
		return Rendered{}, err
	}
	sum := sha256.Sum256(data)
	return Rendered{JSON: data, Hash: hex.EncodeToString(sum[:8])}, nil
}
