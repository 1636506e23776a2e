package reach

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// Describe says what went wrong on the way to a member and, where it can be
// known, what to look at. Two failures of one kind give the same words: no local
// ports, no times, which would make a status change with every probe.
func Describe(err error, endpoint string, timeout time.Duration) string {
	return errtext.Bounded(describe(err, endpoint, timeout), errtext.Cluster)
}

func describe(err error, endpoint string, timeout time.Duration) string {
	var (
		refused      *answers.RefusedError
		dns          *net.DNSError
		unknownCA    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
		recordHeader tls.RecordHeaderError
		alert        tls.AlertError
	)
	host := hostOf(endpoint)
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.As(err, &dns) && dns.IsTimeout:
		return fmt.Sprintf("the host name %q of spec.apiEndpoint was not resolved within %s: no DNS server has answered", dns.Name, timeout)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return fmt.Sprintf("no answer from %s within %s", host, timeout)
	case errors.As(err, &dns):
		return fmt.Sprintf("the host name %q of spec.apiEndpoint cannot be resolved", dns.Name)
	case errors.As(err, &unknownCA):
		return fmt.Sprintf("the certificate of %s is signed by an authority that spec.caBundle does not hold", host)
	case errors.As(err, &hostname):
		return fmt.Sprintf("the certificate of %s is for other names: check spec.apiEndpoint, or disable the SubjectName validation", host)
	case errors.As(err, &invalid):
		return fmt.Sprintf("the certificate of %s is not valid: %s", host, invalidReason(invalid))
	case errors.As(err, &recordHeader), speaksNoTLS(err):
		return fmt.Sprintf("%s does not speak TLS: check the scheme and port of spec.apiEndpoint", host)
	case errors.As(err, &alert):
		return fmt.Sprintf("TLS with %s failed: %s", host, alert.Error())
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("connection to %s refused", host)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return fmt.Sprintf("connection closed by %s", host)
	case utilnet.IsHTTP2ConnectionLost(err): // in words by which clients ask again and again
		return fmt.Sprintf("connection to %s lost: nothing is answered there any more", host)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Sprintf("no route to %s", host)
	default:
		return Innermost(err)
	}
}

// speaksNoTLS: net/http tells by its words alone.
func speaksNoTLS(err error) bool {
	return strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// unproved says whether something answered whose certificate, if any, is not the member's.
func unproved(err error) bool {
	var (
		unknownCA    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
		verification *tls.CertificateVerificationError
		recordHeader tls.RecordHeaderError
	)
	return errors.As(err, &unknownCA) || errors.As(err, &hostname) || errors.As(err, &invalid) ||
		errors.As(err, &verification) || errors.As(err, &recordHeader) || speaksNoTLS(err)
}

// describeStatus says what an HTTP answer other than success means for a path.
// who is the user the token belongs to, in words.
func describeStatus(code int, path, body, secret string) string {
	switch code {
	case http.StatusUnauthorized:
		return fmt.Sprintf("401 Unauthorized: the token in Secret %s is not accepted; join the cluster again to renew it", secret)
	case http.StatusForbidden:
		return fmt.Sprintf("403 Forbidden: the token in Secret %s may not get %s; join the cluster again to renew its rights", secret, path)
	}
	text := fmt.Sprintf("%d %s", code, http.StatusText(code))
	if failed := failedChecks(body); failed != "" {
		return errtext.Bounded(text+": "+failed, errtext.Cluster)
	}
	return text
}

// failedChecks picks the failing checks from an API server's health report.
func failedChecks(body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if check, found := strings.CutPrefix(strings.TrimSpace(line), "[-]"); found {
			name, _, _ := strings.Cut(check, " ")
			failed = append(failed, name)
		}
	}
	if len(failed) == 0 {
		return ""
	}
	return "failing checks: " + strings.Join(failed, ", ")
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func invalidReason(err x509.CertificateInvalidError) string {
	if err.Reason == x509.Expired {
		return "it has expired or is not yet valid"
	}
	return Innermost(err)
}

// Innermost drops the wrappers that carry addresses and URLs.
func Innermost(err error) string {
	for {
		var (
			urlErr *url.Error
			opErr  *net.OpError
		)
		switch {
		case errors.As(err, &urlErr) && urlErr.Err != nil:
			err = urlErr.Err
		case errors.As(err, &opErr) && opErr.Err != nil:
			err = opErr.Err
		default:
			return strings.TrimPrefix(err.Error(), "tls: ")
		}
	}
}

func hostOf(endpoint string) string {
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		return u.Host
	}
	return errtext.Address(endpoint)
}
