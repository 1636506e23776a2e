package member

import (
	"context"
	"errors"
	"fmt"
	"net"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/federate"
)

// ApplyResult is what has become of an Apply: Applied, Updated or TakenOver where the
// member holds what is wanted, and Stripped where it does without our label; Exists, Unread, KeptOut, Deleting or Withheld where
// nothing was sent, or nothing more; Vanished, Invalid or Failed.
type ApplyResult interface {
	Result
	applyResult()
}

// RemoveResult is what has become of a Remove or a Release: Gone, NotOurs or Unlabelled
// where the member holds nothing of ours any more; Deleted or Deleting where that is to
// be waited for; Unread or Withheld where nothing was sent; Changed or Failed.
type RemoveResult interface {
	Result
	removeResult()
}

// Result is an ApplyResult or a RemoveResult.
type Result interface{ err() error }

// Err says what stands against what was wanted. It is nil also where nothing does, but
// it is not so yet: after Deleted, Deleting and Withheld.
func Err(r Result) error { return r.err() }

// Outcomes of Apply.
type (
	// Applied says that the member holds what is wanted, as its answer shows, but for the
	// fields that its schema does not know.
	Applied struct {
		Object  metav1.Object
		Unknown []string
		// Version is the one that the member was given; empty if it is what was wanted.
		Version string
	}
	// Updated says that it does, but that what is wanted can never be applied, for the
	// reason of Refusal. It was created or updated, so fields that leave it stay in the member.
	Updated struct {
		Object  metav1.Object
		Unknown []string
		Version string
		Refusal string
	}
	// TakenOver says that it does, as KubeFed has left it. Only whose the fields are was
	// changed, and nothing done about replicas that are to be retained.
	TakenOver struct {
		Object  metav1.Object
		Unknown []string
		// Version is the one that the member was given; empty if it is what was wanted.
		Version string
	}
	// Stripped says that the member holds what is wanted, but that its admission has taken
	// the managed label off: no watch tells of the object.
	Stripped struct{ Object metav1.Object }
	// Exists says that there is an object that is not managed, and none is to be
	// adopted. Nothing was sent.
	Exists struct{}
	// KeptOut says that the owner of the member keeps the object out of the federation.
	KeptOut struct{}
	// Vanished says that what was to be repaired has gone, and may be done: it was not made
	// anew. The watch tells how it was last.
	Vanished struct{}
	// Invalid says that the member refuses what is wanted, as an update in place of what
	// is there as well. That will not change unless one of the two does.
	Invalid struct{ Cause error }
)

// Outcomes of Remove and Release.
type (
	// Gone says that there is no such object.
	Gone struct{}
	// NotOurs says that there is one, and its owner has taken it out of the federation.
	NotOurs struct{}
	// Unlabelled says that the object stays, without the managed label.
	Unlabelled struct{}
	// Deleted says that the member has accepted the deletion. The watch tells when the
	// object is gone.
	Deleted struct{}
	// Changed says that the object is not the one that is known, or has changed since.
	Changed struct{}
)

// Outcomes of both.
type (
	// Deleting says that the object is being deleted already. Nothing was sent.
	Deleting struct{}
	// Withheld says that the Journal wants nothing sent.
	Withheld struct{}
	// Unserved says that the member does not serve the type so that anything could be said
	// of the object, or done to it: nothing has arrived. Undefined: there can be none.
	Unserved struct {
		Cause     error
		Undefined bool
	}
	// Unread says that it could not be read whether there is such an object. Nothing was sent.
	Unread struct{ Cause error }
	// Failed says that a request has failed. What was sent may have arrived all the same.
	Failed struct{ Cause error }
)

// ErrKeptOut and ErrStripped say in words what KeptOut and Stripped say.
var (
	ErrKeptOut  = errors.New(federate.KeptOutMessage)
	ErrStripped = errors.New(federate.StrippedMessage + "; it is written again now and then")
)

var (
	errExists  = errors.New("the object exists in the cluster and is not managed by the federation")
	errChanged = errors.New("the object is another one, or has changed since")
	// errVanished becomes the outcome of that name.
	errVanished = errors.New("the object has gone")
)

// Which outcome is of what, and its error. Nothing outside can add one.

func (Applied) applyResult()   {}
func (Updated) applyResult()   {}
func (TakenOver) applyResult() {}
func (Stripped) applyResult()  {}
func (Exists) applyResult()    {}
func (Invalid) applyResult()   {}
func (KeptOut) applyResult()   {}
func (Vanished) applyResult()  {}
func (Deleting) applyResult()  {}
func (Withheld) applyResult()  {}
func (Unserved) applyResult()  {}
func (Unread) applyResult()    {}
func (Failed) applyResult()    {}

func (Gone) removeResult()       {}
func (NotOurs) removeResult()    {}
func (Unlabelled) removeResult() {}
func (Deleted) removeResult()    {}
func (Changed) removeResult()    {}
func (Deleting) removeResult()   {}
func (Withheld) removeResult()   {}
func (Unserved) removeResult()   {}
func (Unread) removeResult()     {}
func (Failed) removeResult()     {}

func (Applied) err() error    { return nil }
func (Updated) err() error    { return nil }
func (TakenOver) err() error  { return nil }
func (Stripped) err() error   { return ErrStripped }
func (Exists) err() error     { return errExists }
func (r Invalid) err() error  { return r.Cause }
func (KeptOut) err() error    { return ErrKeptOut }
func (Vanished) err() error   { return nil }
func (Gone) err() error       { return nil }
func (NotOurs) err() error    { return nil }
func (Unlabelled) err() error { return nil }
func (Deleted) err() error    { return nil }
func (Changed) err() error    { return errChanged }
func (Deleting) err() error   { return nil }
func (Withheld) err() error   { return nil }
func (r Unserved) err() error { return r.Cause }
func (r Unread) err() error   { return r.Cause }
func (r Failed) err() error   { return r.Cause }

// failed is the outcome of an Apply that has met an error.
func failed(err error) ApplyResult {
	switch {
	case errors.Is(err, ErrKeptOut):
		return KeptOut{}
	case errors.Is(err, errVanished):
		return Vanished{}
	}
	return Failed{err}
}

// heldBy is the object of an outcome that says that the member holds what is wanted; nil of others.
func heldBy(result ApplyResult) metav1.Object {
	switch r := result.(type) {
	case Applied:
		return r.Object
	case Updated:
		return r.Object
	case TakenOver:
		return r.Object
	}
	return nil
}

// withObject is such an outcome with the object as it is by now.
func withObject(result ApplyResult, object metav1.Object) ApplyResult {
	switch r := result.(type) {
	case Applied:
		r.Object = object
		return r
	case Updated:
		r.Object = object
		return r
	case TakenOver:
		r.Object = object
		return r
	}
	return result
}

// withUnknown adds to what has become of an Apply which fields the member does not know.
func withUnknown(result ApplyResult, unknown []string) ApplyResult {
	switch r := result.(type) {
	case Applied:
		r.Unknown = unknown
		return r
	case Updated:
		r.Unknown = unknown
		return r
	case TakenOver:
		r.Unknown = unknown
		return r
	}
	return result
}

// withVersion adds to what has become of an Apply in which version that was, if it is not
// the one that was asked for.
func withVersion(result ApplyResult, asked, used Ref) ApplyResult {
	version := used.Resource.GVR.Version
	if version == asked.Resource.GVR.Version {
		return result
	}
	switch r := result.(type) {
	case Applied:
		r.Version = version
		return r
	case Updated:
		r.Version = version
		return r
	case TakenOver:
		r.Version = version
		return r
	case Invalid:
		return Invalid{inOther(asked, used, r.Cause)}
	case Failed:
		return Failed{inOther(asked, used, r.Cause)}
	}
	return result
}

// inOther says of an error that the object was given in another version.
func inOther(asked, used Ref, cause error) error {
	return fmt.Errorf("version %s is not served, and in version %s: %w", asked.Resource.GVR.Version, used.Resource.GVR.Version, cause)
}

// Late says that no answer came in time.
func (r Failed) Late() bool {
	var netErr net.Error
	return errors.Is(r.Cause, context.DeadlineExceeded) || apierrors.IsTimeout(r.Cause) || apierrors.IsServerTimeout(r.Cause) ||
		errors.As(r.Cause, &netErr) && netErr.Timeout()
}
