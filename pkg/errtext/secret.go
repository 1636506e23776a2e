package errtext

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// OfSecret is an error of a request about a Secret that says no more than what is wrong
// and with which field: an API server quotes the value, and what it asks, such as a
// webhook, may quote the whole object. What Unwrap returns is the error as it was, for
// those who have to know what it is, and nobody to print.
func OfSecret(err error) error {
	var status apierrors.APIStatus
	var known *secretError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &status):
		return &secretError{withoutValues(status.Status()), err}
	case runtime.IsMissingKind(err), runtime.IsMissingVersion(err), strings.Contains(err.Error(), "is missing in"):
		return &secretError{"the answer of the cluster is no object", err} // client-go quotes it
	}
	return err
}

type secretError struct {
	text string
	err  error
}

func (e *secretError) Error() string { return e.text }
func (e *secretError) Unwrap() error { return e.err }

const left = "what else the cluster says is left out, since it may quote the Secret"

func withoutValues(s metav1.Status) string {
	what := "the cluster refuses the Secret"
	if slices.Contains(reasons, s.Reason) {
		what += " (" + string(s.Reason) + ")"
	} else if s.Code != 0 {
		what += fmt.Sprintf(" (code %d)", s.Code)
	}
	said := knownWords(s.Message)
	if s.Details != nil {
		for _, cause := range s.Details.Causes {
			if text := ofCause(cause); text != "" && !slices.Contains(said, text) {
				said = append(said, text)
			}
		}
	}
	const most = 5
	said = said[:min(len(said), most)]
	return strings.Join(append([]string{what}, said...), ": ") + "; " + left
}

// ofCause is a field and what is wrong with it, if both are what an API server says.
func ofCause(c metav1.StatusCause) string {
	kind, known := kinds[c.Type]
	if !known || !fieldName.MatchString(c.Field) {
		return ""
	}
	return c.Field + ": " + kind
}

var kinds = map[metav1.CauseType]string{}

func init() { //nolint:gochecknoinits // the names are apimachinery's
	for _, t := range []field.ErrorType{
		field.ErrorTypeNotFound, field.ErrorTypeRequired, field.ErrorTypeDuplicate, field.ErrorTypeInvalid, field.ErrorTypeNotSupported,
		field.ErrorTypeForbidden, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTooFew, field.ErrorTypeTypeInvalid, field.ErrorTypeTooShort,
	} {
		kinds[metav1.CauseType(t)] = t.String()
	}
}

// fieldName is a field of a Secret; [key] is that of an entry of its data.
var fieldName = regexp.MustCompile(`^\.?(metadata|data|stringData|type|immutable|apiVersion|kind)([.\[][-._a-zA-Z0-9/\[\]]{1,100})?$`)

// words are what API servers say that quotes no value, but names.
var words = []*regexp.Regexp{
	regexp.MustCompile("field is immutable(?: when `immutable` is set)?"),
	regexp.MustCompile(`illegal base64 data at input byte \d+`),
	regexp.MustCompile(`\.[-._a-zA-Z0-9/]{1,100}: expected (?:string|map|list|boolean|numeric|scalar)\b`),
	regexp.MustCompile(`\.[-._a-zA-Z0-9/]{1,100}: field not declared in schema`),
	regexp.MustCompile(`(?:may not be more|must have at most) (?:than )?\d+ bytes`),
	regexp.MustCompile(`because it is being terminated`),
	regexp.MustCompile(`namespaces? "?[-a-z0-9]{1,63}"? not found`),
	regexp.MustCompile(`exceeded quota: [-.a-z0-9]{1,253}`),
	regexp.MustCompile(`cannot (?:get|list|watch|create|patch|update|delete) resource "secrets"`),
	regexp.MustCompile(`admission webhook "[-.a-z0-9]{1,253}" denied the request`),
	regexp.MustCompile(`failed calling webhook "[-.a-z0-9]{1,253}"`),
	regexp.MustCompile(`ValidatingAdmissionPolicy '[-.a-z0-9]{1,253}' with binding '[-.a-z0-9]{1,253}' denied request`),
}

func knownWords(message string) (said []string) {
	message = message[:min(len(message), 64<<10)] // they are at its beginning, or in its causes
	for _, known := range words {
		if found := known.FindString(message); found != "" {
			said = append(said, found)
		}
	}
	return said
}

// reasons are what API servers give; others are somebody's words.
var reasons = []metav1.StatusReason{
	metav1.StatusReasonUnauthorized, metav1.StatusReasonForbidden, metav1.StatusReasonNotFound, metav1.StatusReasonAlreadyExists,
	metav1.StatusReasonConflict, metav1.StatusReasonGone, metav1.StatusReasonInvalid, metav1.StatusReasonServerTimeout,
	metav1.StatusReasonTimeout, metav1.StatusReasonTooManyRequests, metav1.StatusReasonBadRequest, metav1.StatusReasonMethodNotAllowed,
	metav1.StatusReasonNotAcceptable, metav1.StatusReasonRequestEntityTooLarge, metav1.StatusReasonUnsupportedMediaType,
	metav1.StatusReasonInternalError, metav1.StatusReasonExpired, metav1.StatusReasonServiceUnavailable,
}
