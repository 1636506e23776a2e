package restore

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// faultKind is a kind of fault that holds for many objects, and is not theirs.
type faultKind struct {
	name string
	// recognise finds out of what an error complains, if it is this fault.
	recognise func(err error) (subject string, ok bool)
	// whole says that it holds for all objects of a namespace, and not only for those
	// of a resource in it; single, that it holds for one object only.
	whole, single bool
	// patience is how long its objects are tried again after the rest.
	patience time.Duration
	// advice says what to do.
	advice string
}

var (
	faultTerminating = &faultKind{
		name: "the namespace is being deleted", whole: true, patience: 5 * time.Minute,
		recognise: func(err error) (string, bool) {
			return "", apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
		},
		advice: "remove what keeps it, and restore again",
	}
	faultDeleting = &faultKind{
		name: "the object of that name is being deleted", single: true, patience: time.Minute,
		advice: "wait until it is gone, or remove its finalizers, and restore again",
	}
	faultNotServed = &faultKind{
		name: "the type is not served", advice: "install what defines it, and restore again",
	}
	faultUnavailable = &faultKind{
		name: "the API does not answer", patience: 2 * time.Minute,
		advice: "see whether the APIService of its group has a server that answers, and restore again",
	}
)

// faultKinds in the order in which they are looked for.
var faultKinds = []*faultKind{
	{
		name: "an admission webhook does not answer", patience: 2 * time.Minute,
		recognise: matching(`failed calling webhook "([^"]+)"`),
		advice:    "bring its server up, or delete its webhook configuration until that is there, and restore again",
	},
	{
		name: "a conversion webhook does not answer", patience: 2 * time.Minute,
		recognise: matching(`conversion webhook for ([^:]+) failed`),
		advice:    "bring its server up, and restore again",
	},
	{
		name: "a quota is used up", patience: 10 * time.Second,
		recognise: matching(`exceeded quota: ([^,]+)`),
		advice:    "raise the quota, and restore again",
	},
	faultTerminating,
	{
		name: "the API server fails", patience: 30 * time.Second,
		recognise: func(err error) (string, bool) {
			var status apierrors.APIStatus
			if !errors.As(err, &status) {
				return "", false
			}
			code := status.Status().Code
			return string(status.Status().Reason), code >= http.StatusInternalServerError && code != http.StatusServiceUnavailable
		},
		advice: "see the API server's log, and restore again",
	},
}

func matching(pattern string) func(err error) (string, bool) {
	expression := regexp.MustCompile(pattern)
	return func(err error) (string, bool) {
		var status apierrors.APIStatus
		if !errors.As(err, &status) {
			return "", false
		}
		found := expression.FindStringSubmatch(status.Status().Message)
		if found == nil {
			return "", false
		}
		return strings.TrimSpace(found[1]), true
	}
}

// faultError is a fault that holds for many objects, as one of them has met it.
type faultError struct {
	kind *faultKind
	// subject is what is at fault: a webhook, a namespace.
	subject string
	message string
}

func (e *faultError) Error() string { return e.message }

// recognise finds the fault in an error; nil if it is the object's own.
func recognise(err error) *faultError {
	var known *faultError
	if errors.As(err, &known) {
		return known
	}
	for _, kind := range faultKinds {
		if subject, ok := kind.recognise(err); ok {
			return &faultError{kind: kind, subject: subject, message: err.Error()}
		}
	}
	return nil
}

// lasting says whether trying an object again at once is of no use, since the fault is
// one that holds for others as well.
func lasting(err error) bool {
	fault := recognise(err)
	return fault != nil && fault.kind != faultKinds[len(faultKinds)-1]
}
