package repository

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/kopia/kopia/repo/blob"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/backup/network"
)

// fault is an error of a storage, which knows its reason. It is told in our own words:
// whoever answers at the address that a user names writes the rest, and what they
// write is not for a status.
type fault struct {
	reason     Reason
	text, hint string
	cause      error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.cause }

// What to do, said for more than one storage.
const (
	hintBucket      = "create the bucket, or correct its name"
	hintCredentials = "check the credentials and what they allow"
	hintRoom        = "make room, then the next run continues"
)

// codes of errors are single words; anything else is not one.
var codes = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.]{1,63}$`)

// answerFault is a request that was answered, but not with what it was made for.
func answerFault(who string, status int, code string, cause error) *fault {
	f := &fault{reason: StorageError, cause: cause, text: who + " answers with an error"}
	if status != 0 {
		f.text = strings.TrimSpace(fmt.Sprintf("%s answers %d %s", who, status, http.StatusText(status)))
	}
	if codes.MatchString(code) {
		f.text += ": " + code
	}
	switch status {
	case http.StatusForbidden, http.StatusUnauthorized:
		f.reason, f.hint = AccessDenied, hintCredentials
	case http.StatusInsufficientStorage:
		f.reason, f.hint = DiskFull, hintRoom
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.reason, f.hint = Unreachable, "the server is not available"
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		f.reason, f.hint = InvalidConfiguration, "redirects are not followed: name the place itself"
	}
	return f
}

// requestFault is a request without an answer that could be understood.
func requestFault(err error) error {
	var (
		timeout net.Error
		request *url.Error
		address *network.AddressError
		refused *network.RefusedError
		known   *fault
		typed   *Error
	)
	switch {
	case err == nil, errors.As(err, &known), errors.As(err, &typed),
		errors.Is(err, blob.ErrBlobNotFound), errors.Is(err, blob.ErrBlobAlreadyExists):
		return err
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &address):
		return &Error{Reason: AddressNotAllowed, Message: address.Error()}
	case errors.Is(err, answers.ErrTooMuch):
		return &fault{reason: StorageError, text: "the storage answers with more than it was asked for", hint: "check the endpoint", cause: err}
	case errors.Is(err, network.ErrNoHTTP), errors.Is(err, network.ErrNoTLS):
		return &fault{reason: StorageError, text: withoutQuery(err).Error(), hint: "check the endpoint", cause: err}
	case errors.As(err, &request), errors.As(err, &timeout):
		return &fault{reason: Unreachable, text: withoutQuery(err).Error(), hint: "check the endpoint and the network", cause: err}
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return &fault{reason: StorageError, text: fmt.Sprintf("the storage's answer cannot be understood (%T)", err), cause: err}
}

// withoutQuery leaves out the query of the address that was asked: it may hold a token.
func withoutQuery(err error) error {
	var request *url.Error
	if !errors.As(err, &request) {
		return err
	}
	address, _, _ := strings.Cut(request.URL, "?")
	return &url.Error{Op: request.Op, URL: address, Err: request.Err}
}

func invalid(err error) error {
	return &Error{Reason: InvalidConfiguration, Message: "the repository's configuration is wrong", Err: err}
}
