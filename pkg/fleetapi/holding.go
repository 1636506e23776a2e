package fleetapi

import (
	"net/http"

	"k8s.io/klog/v2"
)

const (
	// mostHeldOfPage is how much of a page of a list is held back until all of it is there,
	// so that a cluster that fails can still be named; mostHeldOfAll how much of a list
	// without pages.
	mostHeldOfPage = 8 << 20
	mostHeldOfAll  = 256 << 10
	// flushed is how much is written at a time after that.
	flushed = 64 << 10
)

// holding holds an answer back at its beginning.
type holding struct {
	w      http.ResponseWriter
	buf    []byte
	most   int
	header func(http.Header) // called before the answer begins
	begun  bool
}

// settle writes what is not to be held any more.
func (h *holding) settle() error {
	if len(h.buf) <= h.most {
		return nil
	}
	return h.flush()
}

// flush writes what there is.
func (h *holding) flush() error {
	if !h.begun {
		header := h.w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", "no-cache, private")
		h.header(header)
		h.w.WriteHeader(http.StatusOK)
		h.begun, h.most = true, flushed
	}
	_, err := h.w.Write(h.buf)
	if h.buf = h.buf[:0]; cap(h.buf) > 2*mostHeldOfAll {
		h.buf = nil
	}
	if err != nil {
		return err
	}
	return http.NewResponseController(h.w).Flush()
}

// fail returns the error, if it can still be answered. Otherwise the answer is broken off:
// a client takes it for none.
func (h *holding) fail(err error) error {
	if err != nil && h.begun {
		klog.V(2).InfoS("An answer of several clusters is broken off", "err", err)
		panic(http.ErrAbortHandler)
	}
	return err
}
