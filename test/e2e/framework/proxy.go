package framework

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"

	"k8s.io/client-go/rest"
)

// Proxy leads to a cluster: who brings a token as whom that is, everybody else as its
// administrator.
type Proxy struct {
	server *httptest.Server
	path   string
}

// StartProxy starts a proxy in front of a cluster, for specs that need answers to come late.
// answer sees each answer before it is passed on.
func StartProxy(c *Cluster, answer func(*http.Response) error) (*Proxy, error) {
	return StartProxyUnder(c, "", answer)
}

// StartProxyUnder starts one that has the cluster under a path, such as /clusters/one, and
// nothing anywhere else. answer may be nil.
func StartProxyUnder(c *Cluster, path string, answer func(*http.Response) error) (*Proxy, error) {
	transport, err := newEither(c.Config)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(c.Config.Host)
	if err != nil {
		return nil, err
	}
	return &Proxy{httptest.NewTLSServer(http.StripPrefix(path, &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      transport,
		FlushInterval:  -1, // watches
		ModifyResponse: answer,
	})), path}, nil
}

// either asks a cluster as whom a request brings the token of, or as its administrator.
type either struct{ anybody, administrator http.RoundTripper }

func newEither(config *rest.Config) (e either, err error) {
	if e.administrator, err = rest.TransportFor(config); err == nil {
		e.anybody, err = rest.TransportFor(rest.AnonymousClientConfig(config))
	}
	return e, err
}

func (e either) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "" {
		return e.anybody.RoundTrip(r)
	}
	return e.administrator.RoundTrip(r)
}

// Endpoint is the proxy's URL.
func (p *Proxy) Endpoint() string { return p.server.URL + p.path }

// CABundle is the certificate that the proxy is known by, in PEM.
func (p *Proxy) CABundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
}

// Close ends the proxy and what goes through it.
func (p *Proxy) Close() {
	p.server.CloseClientConnections()
	p.server.Close()
}
