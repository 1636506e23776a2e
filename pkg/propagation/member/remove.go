package member

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/retries"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Unwanted is what the member is not to hold any more.
type Unwanted struct {
	Ref
	// Keep says that the object stays, and only loses the managed label.
	Keep bool
	// KeepFound says that the object stays if it was there before the federation.
	KeepFound bool
	// Stripped is the UID of an object whose label the member has taken off; empty of none.
	Stripped types.UID
	// DeleteOptions are the user's, nil if there are none.
	DeleteOptions *metav1.DeleteOptions
}

// Remove makes the member not hold the object, or not as ours. One that we do not
// manage is left alone. known is what the watch tells, nil: nothing, so that it is asked
// whether the object is there.
func (a *Applier) Remove(ctx context.Context, unwanted Unwanted, known *Live, journal Journal) RemoveResult {
	journal = journal.once()
	return discreet(unwanted.Ref, a.inServed(ctx, unwanted.Resource, func(served typeconfig.Resource) RemoveResult {
		unwanted.Resource = served
		return a.remove(ctx, unwanted, known, journal)
	}))
}

// inServed does something in the version that the member serves. Where the resource is
// not defined there, nothing has to be done any more.
func (a *Applier) inServed(ctx context.Context, asked typeconfig.Resource, do func(served typeconfig.Resource) RemoveResult) RemoveResult {
	for try := 1; ; try++ {
		served := a.served.In(asked)
		result := do(served)
		if !Astray(Err(result)) {
			return result
		}
		switch found := a.served.Look(ctx, asked); {
		case found.Undefined:
			return Gone{}
		case found.Version == "" || found.Version == served.GVR.Version || try == mostVersions:
			return Unserved{Cause: found.why(Err(result))}
		}
	}
}

func (a *Applier) remove(ctx context.Context, unwanted Unwanted, known *Live, journal Journal) RemoveResult {
	if known == nil {
		existing, err := a.get(ctx, unwanted.Ref)
		switch {
		case notFound(err, unwanted.Ref):
			return Gone{}
		case err != nil:
			return Unread{err}
		case isStripped(existing, unwanted.Stripped):
			return a.removeStripped(ctx, unwanted, existing, journal)
		case !isManaged(existing):
			return NotOurs{}
		}
		known = journal.read(existing)
	}
	switch {
	case !known.Managed: // the owner of the member keeps it out, and the caller has not noticed
		return NotOurs{}
	case known.Deleting:
		return Deleting{}
	}
	ctx, err := a.pace.turn(ctx)
	switch {
	case err != nil:
		return Failed{err}
	case !journal.sending(known):
		return Withheld{}
	}
	keep := unwanted.Keep
	send := func(known *Live) error {
		if keep = unwanted.Keep || unwanted.KeepFound && !known.Created; keep {
			return a.unlabel(ctx, unwanted.Ref, known)
		}
		return a.delete(ctx, unwanted.Ref, known, unwanted.DeleteOptions)
	}
	err = a.asManaged(ctx, unwanted.Ref, known, journal, send)
	switch {
	case notFound(err, unwanted.Ref):
		return Gone{}
	case errors.Is(err, ErrKeptOut):
		return NotOurs{}
	case err != nil:
		return Failed{err}
	case keep:
		return Unlabelled{}
	}
	return Deleted{}
}

// Release takes the managed label off an object that nobody wants managed any more, if
// it is still the one that is known.
func (a *Applier) Release(ctx context.Context, ref Ref, known *Live) RemoveResult {
	return discreet(ref, a.inServed(ctx, ref.Resource, func(served typeconfig.Resource) RemoveResult {
		ref.Resource = served
		err := a.unlabel(ctx, ref, known)
		switch {
		case notFound(err, ref):
			return Gone{}
		case apierrors.IsConflict(err):
			return Changed{}
		case err != nil:
			return Failed{err}
		}
		return Unlabelled{}
	}))
}

// asManaged sends something for the object that the watch has told of, as it was then.
// Where that has changed, or is another object by now, it is read and the same sent for
// what bears our label: its owner may have taken it out of the federation.
func (a *Applier) asManaged(ctx context.Context, ref Ref, known *Live, journal Journal, send func(known *Live) error) error {
	return retries.OnConflict(func() error {
		err := send(known)
		if !apierrors.IsConflict(err) {
			return err
		}
		existing, readErr := a.get(ctx, ref)
		switch {
		case readErr != nil:
			return readErr
		case !isManaged(existing):
			return ErrKeptOut
		}
		known = journal.read(existing)
		return err
	})
}
