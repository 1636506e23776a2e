package member

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/federate"
)

// DryRun makes the requests of an Applier so that the member's API server answers them and
// keeps nothing.
type DryRun struct{ applier *Applier }

// NewDryRun returns a DryRun with these clients of the member, as New does; nothing limits them.
func NewDryRun(meta metadata.Interface, dyn dynamic.Interface, discovery rest.Interface, timeout time.Duration) *DryRun {
	return &DryRun{New(meta, dyn, discovery, timeout, nil)}
}

// Apply says what the member holds of an object, and what it would hold after an Apply; nil
// where that is nothing, or nothing would be written. The outcome is that of the Apply, but
// that no request sees what the one before would have written: what others have added, and an
// Apply takes back, is still there. It is not safe for concurrent use.
func (d *DryRun) Apply(ctx context.Context, desired Desired) (before, after *unstructured.Unstructured, outcome ApplyResult) {
	known := Known{First: true}
	before, err := d.applier.read(ctx, desired.Ref)
	switch {
	case notFound(err, desired.Ref):
		before = nil
	case err != nil:
		return nil, nil, discreet[ApplyResult](desired.Ref, Unread{err})
	default:
		known = knownOf(before)
	}
	desired.Exact = false // taking back needs what has been written
	d.applier.dry = &recording{first: before == nil}
	outcome = d.applier.Apply(ctx, desired, known, Journal{})
	if after = d.applier.dry.object; after == nil && heldBy(outcome) != nil {
		after = before // nothing had to be written
	}
	return before, after, outcome
}

// Remove says what the member holds of an object, and what it would hold after a Remove; nil
// where that is nothing.
func (d *DryRun) Remove(ctx context.Context, unwanted Unwanted) (before, after *unstructured.Unstructured, outcome RemoveResult) {
	before, err := d.applier.read(ctx, unwanted.Ref)
	switch {
	case notFound(err, unwanted.Ref):
		return nil, nil, Gone{}
	case err != nil:
		return nil, nil, discreet[RemoveResult](unwanted.Ref, Unread{err})
	}
	d.applier.dry = &recording{}
	live := LiveOf(before)
	switch outcome = d.applier.Remove(ctx, unwanted, &live, Journal{}); outcome.(type) {
	case Deleted, Deleting, Gone:
		return before, nil, outcome
	case Unlabelled:
		after = before.DeepCopy()
		unstructured.RemoveNestedField(after.Object, "metadata", "labels", federate.ManagedLabel)
		return before, after, outcome
	}
	return before, before, outcome
}

// knownOf is what an engine would know of an object that it has written, as far as the
// object tells.
func knownOf(object *unstructured.Unstructured) Known {
	m := metadataOf(object)
	live := LiveOf(m)
	if !isManaged(m) && !keptOut(m) {
		return Known{First: true}
	}
	return Known{Live: &live, First: live.Owned == 0, Retained: live.Owned != 0 && !ownsReplicas(m.ManagedFields)}
}

// recording keeps what a dry run would have written: of an object that is not there the
// first, which is what it would be created as, and else the last.
type recording struct {
	first  bool
	object *unstructured.Unstructured
}

// note takes in the answer to a write, and returns it.
func (r *recording) note(object *unstructured.Unstructured, err error) (*unstructured.Unstructured, error) {
	if r != nil && err == nil && (r.object == nil || !r.first) {
		r.object = object
	}
	return object, err
}

// read reads an object whole.
func (c *requests) read(ctx context.Context, r Ref) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.whole(r).Get(ctx, r.Key.Name, metav1.GetOptions{})
}
