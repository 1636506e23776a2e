// Package errtext says errors of requests in words that stay the same from try to
// try, for statuses, which are written again whenever they say something else, and
// for logs that tell changes only. It imports nothing of the project.
package errtext

import (
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// Stable is an error's text without what differs from try to try: the request's
// address with its query, the ports of a broken connection or of a question to a name
// server, and the time at which a certificate was found to be out of date. It is bounded
// for a cluster.
func Stable(err error) string { return Bounded(stable(err), Cluster) }

func stable(err error) string {
	var (
		lookup      *net.DNSError
		op          *net.OpError
		certificate x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &lookup) && lookup.IsTimeout:
		return "lookup " + lookup.Name + ": timed out"
	case errors.As(err, &lookup) && !lookup.IsNotFound:
		return "lookup " + lookup.Name + ": failed"
	case errors.As(err, &op):
		return op.Op + ": " + op.Err.Error()
	case errors.As(err, &certificate) && certificate.Reason == x509.Expired:
		return "the certificate has expired or is not yet valid"
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err.Error()
	}
	return withoutGoValues(err.Error())
}

// goValue is how the library that merges what is applied quotes a value of the wrong type:
// as Go would write it down.
//
// Source: sigs.k8s.io/structured-merge-diff/v6/typed, validate.go and helpers.go.
var goValue = regexp.MustCompile(`(?m)(expected (?:string|list|map)), got &(?:value\.valueUnstructured\{Value:(.)|\{).*$`)

// withoutGoValues names the kind of such a value instead: the value itself may be long, and a secret.
func withoutGoValues(text string) string {
	return goValue.ReplaceAllStringFunc(text, func(match string) string {
		groups := goValue.FindStringSubmatch(match)
		switch first := groups[2]; {
		case first == "":
			return groups[1]
		case strings.ContainsAny(first, "-0123456789"):
			return groups[1] + ", got a number"
		case strings.ContainsAny(first, "tf"):
			return groups[1] + ", got a boolean"
		case first == "m":
			return groups[1] + ", got a map"
		case first == "[":
			return groups[1] + ", got a list"
		}
		return groups[1] + ", got another value"
	})
}
