package answers

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// hidden stands for a token that an answer has quoted.
const hidden = "(the token)"

// leastToken is how long a token is: what is shorter can be a part of any word.
const leastToken = 8

// WithoutToken is the body of an answer to a request that has failed, without the token
// of the request: a proxy in front of a member may quote all that it was sent, and what
// is wrong is said in the host, to whoever may read a status.
func WithoutToken(body io.ReadCloser, r *http.Request) io.ReadCloser {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if len(token) < leastToken {
		return body
	}
	return &discreet{ReadCloser: body, token: []byte(token)}
}

// discreet reads all of a body, which is bounded, before it tells any of it.
type discreet struct {
	io.ReadCloser
	token []byte
	read  bool
	rest  []byte
	err   error
}

// Read implements io.Reader.
func (d *discreet) Read(p []byte) (int, error) {
	if !d.read {
		d.read = true
		d.rest, d.err = io.ReadAll(d.ReadCloser)
		d.rest = bytes.ReplaceAll(d.rest, d.token, []byte(hidden))
	}
	if n := copy(p, d.rest); n > 0 || len(p) == 0 {
		d.rest = d.rest[n:]
		return n, nil
	}
	if d.err != nil {
		return 0, d.err
	}
	return 0, io.EOF
}
