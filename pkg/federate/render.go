package federate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"reflect"
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
	// Vanishes says that the cluster removes the object when it has ended.
	Vanishes bool
	// Replicas is spec.replicas as the template and the overrides have it; nil without one.
	Replicas *int64
	// LeavesReplicas says that they are the cluster's, and JSON has none. Initial is the JSON
	// with them, if there are any: what an object is created with, as in KubeFed.
	LeavesReplicas bool
	Initial        []byte
	// Notes say what overrides mean in this cluster that do not say it themselves.
	Notes []string
}

// Renderer makes the objects for the clusters from one intent. It is safe for
// concurrent use and shares the intent's maps, which it never modifies.
type Renderer struct {
	gvk       schema.GroupVersionKind
	name      string
	namespace string // in the members; "" for cluster-scoped types
	retain    bool
	// left are the clusters to which alone the replicas are left, sorted.
	left []string

	// base is the template as overrides see it: without what is never propagated.
	base   map[string]any
	layers []indexedLayer

	warnings []string

	// plain is what clusters get that have no overrides, and left what those of them get
	// whose replicas are theirs.
	plain, plainLeft unchanged

	// alike is what was made for clusters that layers treat alike.
	alike alike
	// pieces are what those have in common that differ; nil where none do.
	pieces *pieces
}

// unchanged is the template as an object, made once.
type unchanged struct {
	once     sync.Once
	rendered Rendered
	err      *RenderError
}

// indexedLayer is a layer whose changes for a cluster are found by its name.
type indexedLayer struct {
	Layer

	// secret: what it changes is a Secret.
	secret bool
	// item finds a cluster's overrides; repeated the second item of the same cluster.
	item     map[string]int
	repeated map[string]int
}

// NewRenderer prepares an object for rendering. The error is a *RenderError and
// concerns every cluster: the template cannot be an object of the target type.
func NewRenderer(o *Object, t Target) (*Renderer, error) { return newRenderer(intentOf(o), t) }

func newRenderer(intent Intent, t Target) (*Renderer, error) {
	r := &Renderer{name: intent.Name, retain: intent.RetainReplicas, left: intent.left}
	if t.Namespaced && !t.IsNamespace {
		r.namespace = intent.Namespace
	}
	if t.IsNamespace && intent.Namespace != intent.Name {
		return nil, templateFault("metadata.name", "must be "+strconv.Quote(intent.Namespace)+": a federated namespace has the name of the namespace it is in")
	}
	if err := r.prepare(intent.Template, t.GVK); err != nil {
		return nil, err
	}
	for _, layer := range intent.Layers {
		r.layers = append(r.layers, indexLayer(layer, isSecret(t.GVK)))
		r.warnOverrides(layer)
	}
	if len(r.layers) > 0 {
		r.pieces = &pieces{}
	}
	return r, nil
}

func indexLayer(layer Layer, secret bool) indexedLayer {
	l := indexedLayer{Layer: layer, secret: secret, item: make(map[string]int, len(layer.Overrides))}
	if r, ok := l.Modifier.(Rememberer); ok {
		l.Modifier = r.Remembering()
	}
	for i := range layer.Overrides {
		cluster := layer.Overrides[i].ClusterName
		if _, seen := l.item[cluster]; !seen {
			l.item[cluster] = i
		} else if _, again := l.repeated[cluster]; !again {
			if l.repeated == nil {
				l.repeated = map[string]int{}
			}
			l.repeated[cluster] = i
		}
	}
	return l
}

// GVK is the type of the rendered objects. Its version is the template's when it
// names one, as in KubeFed, else the target's.
func (r *Renderer) GVK() schema.GroupVersionKind { return r.gvk }

// Warnings say what in the manifest is not propagated or has no effect, each
// beginning with the field.
func (r *Renderer) Warnings() []string { return slices.Clone(r.warnings) }

// For renders the object for a cluster. Clusters that all layers treat alike share one
// Rendered, made once; its JSON must not be modified. For a cluster with overrides of its
// own it is made on every call. The error is a *RenderError and concerns this cluster only.
func (r *Renderer) For(cluster string) (Rendered, error) {
	var space [64]byte
	likeness, shared := r.appendLikeness(space[:0], cluster)
	if !shared {
		return r.render(cluster)
	}
	if r.leaves(cluster) {
		likeness = append(likeness, 1)
	}
	if rendered, found := r.alike.find(likeness); found {
		return rendered, nil
	}
	rendered, err := r.render(cluster)
	if err == nil {
		r.alike.keep(likeness, rendered)
	}
	return rendered, err
}

// leaves says whether the replicas are the cluster's.
func (r *Renderer) leaves(cluster string) bool {
	if r.retain || len(r.left) == 0 {
		return r.retain
	}
	_, found := slices.BinarySearch(r.left, cluster)
	return found
}

// render renders the object for a cluster.
func (r *Renderer) render(cluster string) (Rendered, error) {
	rendered, err := r.with(r.layers, cluster)
	if err != nil || !Ends(r.gvk.GroupKind()) || !slices.ContainsFunc(r.layers, modifies) {
		return rendered, err
	}
	// What runs to its end is as policies make it when it is created. It cannot be changed
	// then, and has not to run again because a policy, or a taint, is another one.
	own, err := r.with(slices.DeleteFunc(slices.Clone(r.layers), modifies), cluster)
	rendered.Hash = own.Hash
	return rendered, err
}

func modifies(l indexedLayer) bool { return l.Modifier != nil }

// with renders the object for a cluster with some of the layers.
func (r *Renderer) with(layers []indexedLayer, cluster string) (Rendered, error) {
	made, bad := r.through(layers, cluster)
	if bad != nil {
		return Rendered{}, bad
	}
	if made.last == "" {
		rendered, err := r.withoutOverrides(r.leaves(cluster))
		rendered.Notes = NotesThatHold(made.notes, made.tree)
		return rendered, err
	}
	rendered, bad := r.finish(made.tree, r.leaves(cluster))
	if bad != nil {
		// The template alone was sound, so it is the overrides that broke it.
		return Rendered{}, &RenderError{
			Status: ApplyOverridesFailed, Cluster: cluster, Field: made.last,
			Message: "the result is not valid: " + strings.TrimPrefix(bad.Field, templateField+".") + ": " + bad.Message,
		}
	}
	rendered.Notes = NotesThatHold(made.notes, made.tree)
	return rendered, nil
}

// through makes the changes of layers for a cluster, one layer on top of the other. What the
// first ones make is shared by clusters that they treat alike.
func (r *Renderer) through(layers []indexedLayer, cluster string) (unfinished, *RenderError) {
	made := unfinished{tree: r.base}
	var space [64]byte
	likeness, shared := space[:0], true
	for i := range layers {
		l := &layers[i]
		if l.Modifier == nil {
			shared = false
		} else if like := l.Modifier.Likeness(cluster); like < 0 {
			shared = false
		} else if likeness = binary.AppendUvarint(likeness, uint64(like)); like == 0 {
			continue
		}
		if shared {
			if before, found := r.alike.begun(likeness); found {
				made = before
				continue
			}
		}
		patched, said, field, bad := l.applyTo(made.tree, cluster)
		if bad != nil {
			return made, bad
		}
		if field != "" {
			made.tree, made.last = patched, field
		}
		if len(said) > 0 {
			made.notes = slices.Concat(made.notes, said)
		}
		if shared {
			r.alike.begin(likeness, made)
		}
	}
	return made, nil
}

// applyTo makes the layer's changes for a cluster, on a copy. field is where they are
// written; empty if there are none.
func (l *indexedLayer) applyTo(tree map[string]any, cluster string) (patched map[string]any, notes []Note, field string, bad *RenderError) {
	if l.Modifier != nil {
		return l.modify(tree, cluster)
	}
	i, ok := l.item[cluster]
	if !ok {
		return tree, nil, "", nil
	}
	field = l.Origin.field(i)
	if again, bad := l.repeated[cluster]; bad {
		return nil, nil, "", &RenderError{
			Status: ApplyOverridesFailed, Cluster: cluster, Field: l.Origin.field(again) + ".clusterName",
			Message: "the cluster appears more than once: merge with " + field,
		}
	}
	if len(l.Overrides[i].Overrides) == 0 {
		return tree, nil, "", nil
	}
	patched, hits, fault := applyOverrides(tree, l.Overrides[i].Overrides, l.secret)
	if fault != nil {
		field += ".clusterOverrides[" + strconv.Itoa(fault.index) + "]." + fault.field
		return nil, nil, "", &RenderError{Status: ApplyOverridesFailed, Cluster: cluster, Field: field, Message: fault.message}
	}
	for _, hit := range hits {
		notes = append(notes, Note{Text: field + ": " + hit})
	}
	return patched, notes, field + ".clusterOverrides", nil
}

// modify has the layer's Modifier make its changes.
func (l *indexedLayer) modify(tree map[string]any, cluster string) (changed map[string]any, notes []Note, field string, bad *RenderError) {
	changed, said, err := l.Modifier.Modify(cluster, tree)
	if err != nil {
		bad := &RenderError{Status: ApplyOverridesFailed, Cluster: cluster, Field: l.Origin.String(), Message: err.Error()}
		var fault *ModifyError
		if errors.As(err, &fault) {
			bad.Field, bad.Message = l.Origin.String()+": "+fault.Field, fault.Message
		}
		return nil, nil, "", bad
	}
	for _, note := range said {
		if l.Origin != (Origin{}) {
			note.Text = l.Origin.String() + ": " + note.Text
		}
		notes = append(notes, note)
	}
	if reflect.ValueOf(changed).Pointer() != reflect.ValueOf(tree).Pointer() {
		field = l.Origin.String()
	}
	return changed, notes, field, nil
}

func (r *Renderer) withoutOverrides(left bool) (Rendered, error) {
	made := &r.plain
	if left {
		made = &r.plainLeft
	}
	made.once.Do(func() { made.rendered, made.err = r.finish(r.base, left) })
	if made.err != nil {
		return Rendered{}, made.err
	}
	return made.rendered, nil
}

func overridesField(i int) string { return "spec.overrides[" + strconv.Itoa(i) + "]" }

func templateFault(field, message string) *RenderError {
	return &RenderError{Status: ComputeResourceFailed, Field: field, Message: message}
}

// scratch is where objects are encoded: how large one becomes shows at its end.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// mostScratch is how large a scratch is kept, in bytes.
const mostScratch = 64 << 10

// newRendered encodes the tree.
func newRendered(tree map[string]any) (Rendered, error) {
	space := scratch.Get().(*[]byte)
	data, err := appendJSON((*space)[:0], tree)
	if err != nil {
		return Rendered{}, err
	}
	sum := sha256.Sum256(data)
	rendered := Rendered{JSON: bytes.Clone(data), Hash: hex.EncodeToString(sum[:8])}
	if cap(data) <= mostScratch {
		*space = data
		scratch.Put(space)
	}
	return rendered, nil
}
