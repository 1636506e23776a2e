// Package errtext says errors of requests in words that stay the same from try to
// try, for statuses, which are written again whenever they say something else, and
// for logs that tell changes only. It imports nothing of the project.
package errtext

import (
	"errors"
	"net"
	"net/url"
)

// Stable is an error's text without what differs from try to try: the request's
// address with its query, and the local port of a broken connection.
func Stable(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op + ": " + op.Err.Error()
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err.Error()
	}
	return err.Error()
}
