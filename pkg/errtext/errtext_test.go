package errtext

import (
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
		"any error":             {fmt.Errorf("listing: %w", errors.New("forbidden")), "listing: forbidden"},
		"a broken connection":   {broken, "read: connection reset by peer"},
		"of a request":          {&url.Error{Op: "Get", URL: "https://m:6443/api?resourceVersion=7", Err: broken}, "read: connection reset by peer"},
		"a request otherwise":   {&url.Error{Op: "Get", URL: "https://m:6443/api?resourceVersion=7", Err: errors.New("http2: closed")}, "http2: closed"},
		"a request, in a chain": {fmt.Errorf("watching: %w", &url.Error{Op: "Get", URL: "https://m", Err: errors.New("EOF")}), "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Stable(test.err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
