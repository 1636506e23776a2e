package errtext

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"testing"
)

func TestStable(t *testing.T) {
	broken := &net.OpError{Op: "read", Source: &net.TCPAddr{Port: 40123}, Err: syscall.ECONNRESET}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"any error": {fmt.Errorf("listing: %w", errors.New("forbidden")), "listing: forbidden"},
		"a name server that does not answer": {
			&net.OpError{Op: "dial", Err: &net.DNSError{Name: "m", Err: "read udp 10.0.0.1:40123->10.0.0.2:53: i/o timeout", IsTimeout: true}}, "lookup m: timed out"},
		"a name server that fails": {&net.DNSError{Name: "m", Err: "read udp 10.0.0.1:40123->10.0.0.2:53: refused"}, "lookup m: failed"},
		"an unknown name":          {&net.OpError{Op: "dial", Err: &net.DNSError{Name: "m", Err: "no such host", IsNotFound: true}}, "dial: lookup m: no such host"},
		"an outdated certificate":  {&url.Error{Op: "Get", URL: "https://m", Err: &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired, Detail: "current time 2026"}}}, "the certificate has expired or is not yet valid"},
		"a broken connection":      {broken, "read: connection reset by peer"},
		"of a request":             {&url.Error{Op: "Get", URL: "https://m:6443/api?resourceVersion=7", Err: broken}, "read: connection reset by peer"},
		"a request otherwise":      {&url.Error{Op: "Get", URL: "https://m:6443/api?resourceVersion=7", Err: errors.New("http2: closed")}, "http2: closed"},
		"a value as Go has it":     {errors.New(`failed to create typed patch object (a/b; /v1, Kind=ConfigMap): .data.a: expected string, got &value.valueUnstructured{Value:1}`), "failed to create typed patch object (a/b; /v1, Kind=ConfigMap): .data.a: expected string, got a number"},
		"several of them":          {errors.New("errors:\n  .data.a: expected string, got &value.valueUnstructured{Value:map[string]interface {}{\"a\":\"}\"}}\n  .data.b: expected string, got &value.valueUnstructured{Value:true}"), "errors: .data.a: expected string, got a map .data.b: expected string, got a boolean"},
		"one in short":             {errors.New(`.data: expected map, got &{hidden}`), ".data: expected map"},
		"a request, in a chain":    {fmt.Errorf("watching: %w", &url.Error{Op: "Get", URL: "https://m", Err: errors.New("EOF")}), "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Stable(test.err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
