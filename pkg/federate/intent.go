package federate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/placement"
)

// Revision tells whether two intents are the same: equal revisions are of equal
// intents. It is the same in every process, but not in every release.
type Revision string

// Intent is what one object is to be in each cluster, and all that this depends on:
// whoever has to know whether something must be rendered or decided anew compares
// revisions. It is a value and shares the maps of what it was made from, which
// nobody may modify.
type Intent struct {
	Namespace, Name string
	// Fault says why the object could not be read whole; nil if it could. The rest is
	// what could be read.
	Fault *ParseError
	// Template is what all clusters have in common.
	Template map[string]any
	// RetainReplicas leaves spec.replicas to the member clusters.
	RetainReplicas bool
	// left are the clusters to which alone it is left, sorted.
	left   []string
	Bounds Bounds
	// Layers change the template for single clusters, each on top of those before it.
	Layers []Layer

	revision Revision
	// bounds is the part of the revision that Bounds.Placement has in it.
	bounds Revision
	// What the revision was computed from, if it has a generation.
	uid        types.UID
	generation int64
}

// Bounds say where the object may be: where all of them select.
type Bounds struct {
	// Placement is the object's own.
	Placement placement.Spec
	// Namespace is that of the FederatedNamespace; nil where there is none or it does not count.
	Namespace *placement.Spec
}

// Layer is a set of changes that come from one place: overrides of single clusters, or a
// Modifier, which knows itself what it does where.
type Layer struct {
	Origin    Origin
	Overrides []ClusterOverrides
	Modifier  Modifier
}

// Modifier changes objects on their way to clusters, as a policy does.
type Modifier interface {
	// Modify returns what the object is to be in a cluster, or tree itself where nothing
	// changes. It does not modify tree, and what it returns may share parts of it. notes say
	// what the user should know of an object that is well. The error says why the object
	// cannot be made, without values of its fields; a *ModifyError says which field.
	Modify(cluster string, tree map[string]any) (changed map[string]any, notes []Note, err error)
	// Revision stands for all that Modify depends on beside the tree.
	Revision() string
	// Likeness is the same for clusters of which Modify makes the same of the same tree, with
	// the same notes. It is 0 where it changes nothing and says nothing, and negative for a
	// cluster that is like no other.
	Likeness(cluster string) int
}

// Note is something that the user should know of an object that is well.
type Note struct {
	Text string
	// Holds says whether it is still so of what has become of the object after all changes; nil,
	// if nothing changes that.
	Holds func(tree map[string]any) bool
}

// NotesThatHold are the texts of the notes that are so of an object, each once.
func NotesThatHold(notes []Note, tree map[string]any) []string {
	var texts []string
	for _, note := range notes {
		if (note.Holds == nil || note.Holds(tree)) && !slices.Contains(texts, note.Text) {
			texts = append(texts, note.Text)
		}
	}
	return texts
}

// Rememberer is a Modifier that does better for many clusters than for one.
type Rememberer interface {
	// Remembering returns a Modifier that does the same, and remembers what it has made for as
	// long as it is used: a Renderer lives shorter than an intent.
	Remembering() Modifier
}

// ModifyError is an error that one field of a Modifier's origin is to blame for.
type ModifyError struct{ Field, Message string }

// Error implements error.
func (e *ModifyError) Error() string { return e.Field + ": " + e.Message }

// Origin is where changes come from. The zero value is the federated object itself.
type Origin struct {
	Kind, Namespace, Name string
}

// field is the path of a cluster's changes, for whoever has to mend them.
func (o Origin) field(i int) string {
	field := overridesField(i)
	if o == (Origin{}) {
		return field
	}
	return o.String() + ": " + field
}

// String is how an origin is called, such as "OverridePolicy shop/gpus"; empty for the
// federated object itself.
func (o Origin) String() string {
	if o == (Origin{}) {
		return ""
	}
	name := o.Name
	if o.Namespace != "" {
		name = o.Namespace + "/" + name
	}
	return o.Kind + " " + name
}

// IntentOf returns what a federated object asks for. fault is why it could not be read
// whole. before may be the intent of an earlier version of the object: as long as its
// generation is the same, so is what it asks for, and large templates need not be
// looked at again.
func IntentOf(o *Object, fault *ParseError, before *Intent) Intent {
	i := intentOf(o)
	i.Fault = fault
	if before != nil && o.Generation != 0 && before.generation == o.Generation && before.uid == o.UID {
		i.revision, i.bounds = before.revision, before.bounds
		return i
	}
	i.bounds = revisionOf(appendPlacement(nil, &i.Bounds.Placement))
	data := append(make([]byte, 0, 1024), i.bounds...)
	if fault != nil {
		data = appendText(data, fault.Error())
	}
	data = appendValue(data, o.Template)
	data = strconv.AppendBool(data, o.RetainReplicas)
	i.revision = revisionOf(appendLayers(data, i.Layers))
	return i
}

// intentOf is an intent without a revision.
func intentOf(o *Object) Intent {
	i := Intent{
		Namespace: o.Namespace, Name: o.Name, Template: o.Template, RetainReplicas: o.RetainReplicas,
		Bounds: Bounds{Placement: o.Placement}, uid: o.UID, generation: o.Generation,
	}
	if len(o.Overrides) > 0 {
		i.Layers = []Layer{{Overrides: o.Overrides}}
	}
	return i
}

// Revision stands for all of the intent.
func (i Intent) Revision() Revision { return i.revision }

// BoundsRevision stands for the object's own placement alone.
func (i Intent) BoundsRevision() Revision { return i.bounds }

// Within bounds the intent by the placement of its FederatedNamespace. nil, where there
// is none, changes nothing.
func (i Intent) Within(namespace *Intent) Intent {
	if namespace == nil {
		return i
	}
	i.Bounds.Namespace = &namespace.Bounds.Placement
	i.revision = revisionOf([]byte(i.revision + namespace.bounds))
	return i
}

// With adds layers on top of those that there are.
func (i Intent) With(layers ...Layer) Intent {
	i.Layers = append(append(make([]Layer, 0, len(i.Layers)+len(layers)), i.Layers...), layers...)
	i.revision = revisionOf(appendLayers([]byte(i.revision), layers))
	return i
}

// LeavingReplicas leaves spec.replicas to these clusters, sorted by name, and to no others.
func (i Intent) LeavingReplicas(clusters []string) Intent {
	if len(clusters) == 0 || i.RetainReplicas {
		return i
	}
	i.left = clusters
	data := []byte("left " + i.revision)
	for _, cluster := range clusters {
		data = appendText(data, cluster)
	}
	i.revision = revisionOf(data)
	return i
}

// Beneath puts layers under those that there are: what the object says itself wins.
func (i Intent) Beneath(layers ...Layer) Intent {
	if len(layers) == 0 {
		return i
	}
	i.Layers = append(append(make([]Layer, 0, len(i.Layers)+len(layers)), layers...), i.Layers...)
	i.revision = revisionOf(appendLayers([]byte("beneath "+i.revision), layers))
	return i
}

// Renderer prepares the intent for rendering. The error concerns every cluster: a
// *ParseError where the object could not be read, otherwise a *RenderError, because the
// template cannot be an object of the target type.
func (i Intent) Renderer(t Target) (*Renderer, error) {
	if i.Fault != nil {
		return nil, i.Fault
	}
	return newRenderer(i, t)
}

func revisionOf(data []byte) Revision {
	sum := sha256.Sum256(data)
	return Revision(hex.EncodeToString(sum[:8]))
}

func appendPlacement(b []byte, p *placement.Spec) []byte {
	b = strconv.AppendBool(b, p.HasClusters)
	b = strconv.AppendInt(b, int64(len(p.Clusters)), 10)
	for _, name := range p.Clusters {
		b = appendText(b, name)
	}
	if p.ClusterSelector != nil {
		selector, err := json.Marshal(p.ClusterSelector)
		if err != nil { // it is made of strings
			selector = []byte(err.Error())
		}
		b = append(b, selector...)
	}
	return b
}

func appendLayers(b []byte, layers []Layer) []byte {
	for i := range layers {
		origin := layers[i].Origin
		b = appendText(appendText(appendText(b, origin.Kind), origin.Namespace), origin.Name)
		if layers[i].Modifier != nil {
			b = appendText(b, layers[i].Modifier.Revision())
		}
		b = strconv.AppendInt(b, int64(len(layers[i].Overrides)), 10)
		for _, cluster := range layers[i].Overrides {
			b = appendText(b, cluster.ClusterName)
			b = strconv.AppendInt(b, int64(len(cluster.Overrides)), 10)
			for _, o := range cluster.Overrides {
				b = appendValue(appendText(appendText(b, o.Op), o.Path), o.Value)
			}
		}
	}
	return b
}

// appendText appends a string so that it cannot be taken for a part of its neighbours.
func appendText(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	return append(b, s...)
}

// appendValue appends a JSON value. One that cannot be written as JSON, which an API
// server never returns, stands for its error: what is rendered of it fails as well.
func appendValue(b []byte, v any) []byte {
	written, err := appendJSON(b, v)
	if err != nil {
		return appendText(b, err.Error())
	}
	return written
}
