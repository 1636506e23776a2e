package fleetapi

import (
	"io"
	"net/http"
	"net/http/httputil"
)

// sent is the body of a request on its way to a member. It is read from the client apart, so
// that it can be closed while the client sends nothing: a member may answer, or go away, before
// it has everything. Go's transport ends neither a request nor an answer before nobody reads
// the body any more, and that of ReverseProxy goes on being read when it is closed.
//
// An HTTP/1 server would not even begin an answer before that, if it were not told to.
func sent(w http.ResponseWriter, of io.Reader, buffers httputil.BufferPool) io.ReadCloser {
	_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 always is
	body, client := io.Pipe()
	go func() {
		buffer := buffers.Get()
		defer buffers.Put(buffer)
		_, err := io.CopyBuffer(client, of, buffer)
		_ = client.CloseWithError(err) // io.EOF, if there is none
	}()
	return body
}
