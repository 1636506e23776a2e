// Package hostile is an API server that means harm, as a member for tests: it says
// that it is well, and answers everything else as its mode does. It uses no package of
// fedctl, so that what holds against it does not hold by what they share.
package hostile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"
)

// Mode answers what is not the question how the server is.
type Mode func(w http.ResponseWriter, r *http.Request)

// Server is one such member.
type Server struct {
	https *httptest.Server
	// other is the configuration of a certificate that nobody trusts, while it is used.
	other    atomic.Pointer[tls.Config]
	resource string
	mode     atomic.Pointer[Mode]
	// UID is that of the namespace kube-system, which tells who the cluster is.
	uid atomic.Pointer[string]

	written, watched atomic.Int64
}

// Start starts a server that means no harm yet, and will to those who ask for one
// resource, such as configmaps.
func Start(resource string) *Server {
	s := &Server{resource: resource}
	s.Become(Harmless)
	s.SetUID("hostile")
	s.https = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.https.TLS = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.other.Load(), nil }, // nil: its own
	}
	s.https.EnableHTTP2 = true
	s.https.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are meant to
	s.https.StartTLS()
	return s
}

// SwapCertificate has the server show another certificate than that of CABundle from the
// next handshake on, and ends its connections, in the middle of what they carry.
func (s *Server) SwapCertificate() error {
	certificate, err := newCertificate()
	if err != nil {
		return err
	}
	s.other.Store(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}})
	s.https.CloseClientConnections()
	return nil
}

// RestoreCertificate has it show its own again.
func (s *Server) RestoreCertificate() {
	s.other.Store(nil)
	s.https.CloseClientConnections()
}

// newCertificate is one for this machine that nobody has signed.
func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, nil
}

// Become changes what the server answers.
func (s *Server) Become(mode Mode) { s.mode.Store(&mode) }

// SetUID changes which cluster the server says that it is.
func (s *Server) SetUID(uid string) { s.uid.Store(&uid) }

// Written is how many requests the server was sent that change something.
func (s *Server) Written() int64 { return s.written.Load() }

// Watched is how often somebody has asked to watch its resource.
func (s *Server) Watched() int64 { return s.watched.Load() }

// URL is the server's address.
func (s *Server) URL() string { return s.https.URL }

// CABundle is the certificate that it is known by, in PEM.
func (s *Server) CABundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.https.Certificate().Raw})
}

// Disconnect ends the connections, in the middle of what they carry.
func (s *Server) Disconnect() { s.https.CloseClientConnections() }

// Close ends the server and its connections.
func (s *Server) Close() {
	s.https.CloseClientConnections()
	s.https.Close()
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		s.written.Add(1)
	}
	switch r.URL.Path {
	case "/healthz":
		_, _ = io.WriteString(w, "ok")
	case "/version":
		_, _ = io.WriteString(w, `{"gitVersion":"v1.36.3"}`)
	case "/api/v1/namespaces/kube-system":
		_, _ = fmt.Fprintf(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system","uid":%q}}`, *s.uid.Load())
	case "/api/v1/nodes":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`)
	default:
		if strings.HasSuffix(r.URL.Path, "/"+s.resource) || strings.Contains(r.URL.Path, "/"+s.resource+"/") {
			if r.URL.Query().Get("watch") != "" {
				s.watched.Add(1)
			}
			(*s.mode.Load())(w, r)
			return
		}
		Harmless(w, r)
	}
}

// Harmless has no objects, and takes every one that it is sent.
func Harmless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Query().Get("watch") != "":
		if r.URL.Query().Get("sendInitialEvents") == "true" {
			_, _ = io.WriteString(w, initialEnd)
		}
		flush(w)
		<-r.Context().Done()
	case r.Method == http.MethodGet && ofOne(r.URL.Path):
		notFound(w, r)
	case r.Method == http.MethodDelete:
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, listBegin+"]}")
	default:
		object := map[string]any{}
		_ = json.NewDecoder(r.Body).Decode(&object) // what is no object is answered with none
		metadata, _ := object["metadata"].(map[string]any)
		if metadata == nil {
			metadata = map[string]any{}
		}
		metadata["uid"], metadata["resourceVersion"] = "u", "2"
		object["metadata"] = metadata
		_ = json.NewEncoder(w).Encode(object)
	}
}

// notFound says that an object is not there, as an API server does that knows the resource.
func notFound(w http.ResponseWriter, r *http.Request) {
	steps := strings.Split(r.URL.Path, "/")
	resource, name := steps[len(steps)-2], steps[len(steps)-1]
	w.WriteHeader(http.StatusNotFound)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": http.StatusNotFound,
		"message": fmt.Sprintf("%s %q not found", resource, name), "details": map[string]any{"name": name, "kind": resource},
	})
}

// ofOne says whether a path is that of one object, and not of a resource in a namespace
// or in all: /api/v1 and /apis/GROUP/VERSION come before the resource.
func ofOne(path string) bool {
	steps := strings.Split(strings.Trim(path, "/"), "/")
	version := 2
	if steps[0] == "apis" {
		version = 3
	}
	steps = steps[min(version, len(steps)):]
	if len(steps) > 2 && steps[0] == "namespaces" {
		steps = steps[2:]
	}
	return len(steps) == 2
}

// initialEnd is the event after the objects that were there before a watch.
const initialEnd = `{"type":"BOOKMARK","object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"1","annotations":{"k8s.io/initial-events-end":"true"}}}}` + "\n"

const listBegin = `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"1","continue":""},"items":[`

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}
