package fleetapi

import (
	"net/http"
	"slices"
	"time"

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
	// patience is how long the client of a watch may take to read as much as that. A list
	// has an end, and the whole time until then.
	patience = time.Minute
)

// holding holds an answer back at its beginning.
type holding struct {
	w      http.ResponseWriter
	buf    []byte
	most   int
	header func(http.Header) // called before the answer begins
	// until is when a client that does not read has to have read what is written now: no
	// end of a context wakes who waits for it.
	until func() time.Time
	begun bool
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
	err := h.write()
	if h.buf = h.buf[:0]; cap(h.buf) > 2*mostHeldOfAll {
		h.buf = nil
	}
	return err
}

// write sends what there is, little by little: a slow client is one that reads.
func (h *holding) write() error {
	client := http.NewResponseController(h.w)
	defer client.SetWriteDeadline(time.Time{}) //nolint:errcheck // of HTTP/2 it would end what is quiet
	for part := range slices.Chunk(h.buf, flushed) {
		_ = client.SetWriteDeadline(h.until()) // without one it is waited for
		if _, err := h.w.Write(part); err != nil {
			return err
		}
	}
	return client.Flush()
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
