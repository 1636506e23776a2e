package reach

import (
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// resolution is how far the resolution of a request's host name is. net/http says of a
// request whose time is over nothing but that, whatever it has waited for.
type resolution struct{ waiting atomic.Pointer[string] }

func (r *resolution) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart: func(info httptrace.DNSStartInfo) { r.waiting.Store(&info.Host) },
		DNSDone: func(info httptrace.DNSDoneInfo) {
			if info.Err == nil {
				r.waiting.Store(nil)
			}
		},
	}
}

// explain adds to the error of a request whose time is over that it went by with the name.
func (r *resolution) explain(err error) error {
	name := r.waiting.Load()
	if name == nil || !isTimeout(err) {
		return err
	}
	return errors.Join(&net.DNSError{Err: "no answer", Name: *name, IsTimeout: true}, err)
}
