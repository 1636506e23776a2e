package member

import (
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/retries"
)

// Applier makes one member cluster hold objects. It remembers nothing of them, only what
// the member's schemas do not know, and is safe for concurrent use; two calls for one
// object at a time are the caller's to avoid.
type Applier struct {
	requests
	pace    *Pace
	schemas schemas
	// dropped are empty objects and lists that the API server never keeps, wide the numbers
	// that may be large.
	dropped, wide paths
	served        *Served
}

// New returns an Applier that makes its requests with these clients of the member,
// each within timeout. pace is what limits them; nil if nothing does.
func New(meta metadata.Interface, dyn dynamic.Interface, discovery rest.Interface, timeout time.Duration, pace *Pace) *Applier {
	return &Applier{
		pace:     pace,
		served:   NewServed(discovery, timeout),
		requests: requests{metadata: meta, dynamic: dyn, timeout: timeout},
		schemas: schemas{
			discovery: discovery, timeout: timeout, recheck: schemaRecheck,
			of: map[schema.GroupVersionResource]*undeclared{},
		},
		dropped: newPaths(), wide: newPaths(),
	}
}

// Served is what is known of the versions that the member serves.
func (a *Applier) Served() *Served { return a.served }

// Desired is what the member is to hold.
type Desired struct {
	Ref
	Rendered federate.Rendered
	// RetainReplicas says that spec.replicas are the member's. Rendered is without them.
	RetainReplicas bool
	// Adopt says that an object that is there without our label may be taken over.
	Adopt bool
	// Exact says that what other managers add to the content is taken back.
	Exact bool
	// Protected are prefixes of labels and annotations that are never taken over by force.
	Protected []string
	// MayBeScaled says that an object that is taken over may have an autoscaler: replicas that
	// others have set are not taken from them.
	MayBeScaled bool
}

// Known is what is known of the object in the member, to be told by the caller. All of
// it may be out of date.
type Known struct {
	// Live is what the watch on the objects with the managed label tells; nil: of none.
	Live *Live
	// First says that no record tells of an earlier write of ours.
	First bool
	// Repair is the version in which Live holds what we have written, with something of
	// it changed or taken away; empty where something else is wanted than we have written.
	Repair string
	// Once says that an object that was made and is gone may be done: a repair does not make
	// it anew.
	Once bool
	// Retained says that we do not own spec.replicas, as the last outcome has left them.
	Retained bool
	// Stripped is the UID of an object whose label the member takes off when we write it;
	// empty if it does not.
	Stripped types.UID
	// Invalid says that what is wanted was found to be Invalid.
	Invalid bool
	// Reported says that KubeFed has reported the member to hold what is wanted.
	Reported bool
}

// Journal is told what may not be lost before it happens. What is nil is not told.
type Journal struct {
	// Sending is called once, before the first request that may change the object:
	// from then on it may arrive, whatever becomes of its answer. known is nil if no
	// object is known. If Sending returns false, nothing is sent.
	Sending func(known *Live) bool
	// Read is called with what had to be read to know which object is to be removed.
	Read func(object metav1.Object)
}

// once is a Journal for several tries, which asks once whether anything is to be sent.
func (j Journal) once() Journal {
	if ask := j.Sending; ask != nil {
		agreed := false
		j.Sending = func(known *Live) bool {
			agreed = agreed || ask(known)
			return agreed
		}
	}
	return j
}

func (j *Journal) sending(known *Live) bool { return j.Sending == nil || j.Sending(known) }

func (j *Journal) read(object metav1.Object) *Live {
	if j.Read != nil {
		j.Read(object)
	}
	live := LiveOf(object)
	return &live
}

// application is one Apply.
type application struct {
	*requests
	dropped, wide *paths
	Desired
	Known
	left []string // what is left to the member
}

// Apply makes the member hold what is desired, with a single request as long as nothing
// of what is known stands against it and nothing is in its way.
//
// Where the member does not serve the version, it is applied in another one that it does.
func (a *Applier) Apply(ctx context.Context, desired Desired, known Known, journal Journal) ApplyResult {
	return discreet(desired.Ref, a.applyServed(ctx, desired, known, journal))
}

func (a *Applier) applyServed(ctx context.Context, desired Desired, known Known, journal Journal) ApplyResult {
	journal = journal.once()
	for try := 1; ; try++ {
		w, err := a.application(desired, known)
		if err != nil {
			return Failed{err}
		}
		result := stripped(a.apply(ctx, w, journal))
		if !Astray(Err(result)) {
			return withVersion(result, desired.Ref, w.Ref)
		}
		found := a.served.Look(ctx, desired.Resource)
		if found.Version == "" || found.Version == w.Resource.GVR.Version || try == mostVersions {
			return Unserved{Cause: found.why(Err(result)), Undefined: found.Undefined}
		}
	}
}

// application is an Apply in the version that requests are to be made in.
func (a *Applier) application(desired Desired, known Known) (w *application, err error) {
	w = &application{requests: &a.requests, dropped: &a.dropped, wide: &a.wide, Desired: desired, Known: known}
	if w.Resource = a.served.In(desired.Resource); w.Resource != desired.Resource {
		w.Rendered, err = inVersion(desired.Rendered, w.Resource.GVK.GroupVersion().String())
	}
	return w, err
}

func (a *Applier) apply(ctx context.Context, w *application, journal Journal) ApplyResult {
	switch live := w.Live; {
	case live != nil && !live.Managed:
		return KeptOut{}
	case live != nil && live.Deleting:
		return Deleting{}
	case live == nil && !w.Adopt:
		if obstacle := w.obstacle(ctx); obstacle != nil {
			return obstacle
		}
	}
	ctx, err := a.pace.turn(ctx)
	switch {
	case err != nil:
		return Failed{err}
	case !journal.sending(w.Live):
		return Withheld{}
	}
	return w.applyDeclared(ctx, &a.schemas)
}

// applyDeclared applies the object without the fields that the member's schema does not
// know, as an API server does with an object that is created. Which they are it finds out
// by trying.
func (w *application) applyDeclared(ctx context.Context, known *schemas) ApplyResult {
	whole := w.Rendered
	for try := 0; ; try++ {
		declared, unknown, err := known.left(ctx, w.Resource.GVR, whole)
		if err != nil {
			return failed(err)
		}
		w.Rendered, w.left = declared, nil
		result := w.takeBack(ctx, w.prepareAndApply(ctx))
		if try == mostUndeclared || !known.learn(ctx, w.Resource.GVR, declared, Err(result)) {
			return withUnknown(result, slices.Concat(unknown, slices.Compact(slices.Sorted(slices.Values(w.left)))))
		}
	}
}

func (w *application) prepareAndApply(ctx context.Context) ApplyResult {
	for _, prepare := range []func(context.Context) ApplyResult{w.noteCreation, w.takeOver, w.retainReplicas} {
		if result := prepare(ctx); result != nil {
			return result
		}
	}
	return w.applyOrReplace(ctx)
}

// obstacle looks whether an object is in the way, where existing ones are not
// adopted; nil if none is.
func (w *application) obstacle(ctx context.Context) ApplyResult {
	existing, err := w.get(ctx, w.Ref)
	switch {
	case notFound(err, w.Ref):
		return nil
	case err != nil:
		return Unread{err}
	case isManaged(existing), isStripped(existing, w.Stripped):
		return nil // ours; the watch has not told yet
	}
	return Exists{}
}

// write applies the object, taking over the fields that are in its way. But
// the owner of the member may have labelled the object a moment ago to keep it out, and
// the watch not have told yet. So nothing is forced on an object but as it was when its
// label was looked at: a repair on the one that the watch has told of. Otherwise the
// first try is not forced, and costs no further request unless something is in its way,
// as their label is in ours.
func (w *application) write(ctx context.Context) (applied *metav1.PartialObjectMetadata, err error) {
	if w.Repair != "" && len(w.protected()) == 0 {
		applied, err = w.force(ctx, w.Repair, w.only())
		if !apierrors.IsConflict(err) {
			return applied, err
		}
	}
	body, err := w.bodyOf("", w.only())
	if err != nil {
		return nil, err
	}
	applied, err = w.send(ctx, body, false)
	switch {
	case conflictsInLabel(err):
		return nil, ErrKeptOut
	case apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict):
	case w.only() != "" && apierrors.IsConflict(err): // it may have gone
	default:
		return applied, err
	}
	if theirs := w.setByOthers(err); len(theirs) > 0 {
		if err := w.leaveTo(theirs); err != nil {
			return nil, err
		}
		return w.write(ctx) // with fewer keys: it ends
	}
	return w.forceOnRead(ctx)
}

// forceOnRead reads the object and forces ours on what was read.
func (w *application) forceOnRead(ctx context.Context) (applied *metav1.PartialObjectMetadata, err error) {
	err = retries.OnConflict(func() error {
		existing, err := w.get(ctx, w.Ref)
		if err != nil {
			return w.vanished(err)
		}
		if keptOut(existing) {
			return ErrKeptOut
		}
		if w.MayBeScaled && scaled(existing.ManagedFields) {
			if err := w.leaveReplicas(); err != nil {
				return err
			}
		}
		applied, err = w.force(ctx, existing.ResourceVersion, w.onlyThis(existing.UID))
		return err
	})
	return applied, err
}

// force applies the object to the one of this version, whoever owns its fields; with a UID
// to that one only, and otherwise also where there is none.
func (w *application) force(ctx context.Context, version string, only types.UID) (*metav1.PartialObjectMetadata, error) {
	body, err := w.bodyOf(version, only)
	if err != nil {
		return nil, err
	}
	return w.send(ctx, body, true)
}

// only is the UID of the object that is to be repaired, where none is to be made in its
// place; empty where one is. What a request carries that says so is a conflict for an API
// server that has no such object.
func (w *application) only() types.UID {
	if w.Once && w.Repair != "" && w.Live != nil {
		return w.Live.UID
	}
	return ""
}

// onlyThis is only once the object of this UID has been seen in its place.
func (w *application) onlyThis(uid types.UID) types.UID {
	if w.only() == "" {
		return ""
	}
	return uid
}

// vanished is the error of a read, where it means that what was to be repaired has gone.
func (w *application) vanished(err error) error {
	if w.only() != "" && notFound(err, w.Ref) {
		return errVanished
	}
	return err
}

// conflictsInLabel says whether somebody else's value of the managed label is in the way of an apply.
func conflictsInLabel(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool {
		return c.Type == metav1.CauseTypeFieldManagerConflict && c.Field == ".metadata.labels."+federate.ManagedLabel
	})
}
