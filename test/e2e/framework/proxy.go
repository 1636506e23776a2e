package framework

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"

	"k8s.io/client-go/rest"
)

// Proxy leads to a cluster, as its administrator whoever asks, for specs that need
// answers to come late.
type Proxy struct {
	server *httptest.Server
}

// StartProxy starts a proxy in front of a cluster. answer sees each answer before it
// is passed on.
func StartProxy(c *Cluster, answer func(*http.Response) error) (*Proxy, error) {
	transport, err := rest.TransportFor(c.Config)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(c.Config.Host)
	if err != nil {
		return nil, err
	}
	return &Proxy{httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      transport,
		FlushInterval:  -1, // watches
		ModifyResponse: answer,
	})}, nil
}

// Endpoint is the proxy's URL.
func (p *Proxy) Endpoint() string { return p.server.URL }

// CABundle is the certificate that the proxy is known by, in PEM.
func (p *Proxy) CABundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
}

// Close ends the proxy and what goes through it.
func (p *Proxy) Close() {
	p.server.CloseClientConnections()
	p.server.Close()
}
