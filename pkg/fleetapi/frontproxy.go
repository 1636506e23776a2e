package fleetapi

import (
	"crypto/x509"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
)

// mostVerified is how many certificates are remembered. A host has one for each of its API
// servers, and for a while the ones before.
const mostVerified = 16

// frontProxy believes the host's API server whom it names, as the generic server does, by the
// same authority, names and headers. But where that verifies the same certificate for each
// request, which takes a quarter of the time of a request, this one remembers that it has.
// All that it does not know is for the generic server's own authenticator to judge.
type frontProxy struct {
	config    *authenticatorfactory.RequestHeaderConfig
	named     authenticator.Request // who is named in the headers
	otherwise authenticator.Request

	mu       sync.Mutex
	verified map[string]verified // by the certificate: each connection has its own copy of it
}

// verified is for how long a certificate is good, as far as time says, and by which authority.
// The times are those of certificates: one of this process would be compared by a clock that
// nobody can set back.
type verified struct {
	roots       *x509.CertPool
	from, until time.Time
}

func newFrontProxy(config *authenticatorfactory.RequestHeaderConfig, otherwise authenticator.Request) *frontProxy {
	return &frontProxy{
		config: config, otherwise: otherwise, verified: map[string]verified{},
		named: group.NewAuthenticatedGroupAdder(headerrequest.NewDynamic(config.UsernameHeaders, config.UIDHeaders, config.GroupHeaders, config.ExtraHeaderPrefixes)),
	}
}

// AuthenticateRequest implements authenticator.Request. Only a certificate with which the generic
// server has let somebody in is looked at: who has none that is good costs what he did.
func (f *frontProxy) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return f.otherwise.AuthenticateRequest(r)
	}
	known := f.believed(r.TLS.PeerCertificates, time.Now())
	if known {
		if response, ok, err := f.named.AuthenticateRequest(r); ok && err == nil {
			return response, ok, nil
		}
	}
	response, ok, err := f.otherwise.AuthenticateRequest(r)
	if ok && err == nil && !known {
		f.learn(r.TLS.PeerCertificates, time.Now())
	}
	return response, ok, err
}

// believed says whether a connection with these certificates is known to be one of the host's
// API server. That it has the key of the first one, TLS has found out.
func (f *frontProxy) believed(peer []*x509.Certificate, now time.Time) bool {
	options, ok := f.options(peer)
	return ok && f.remembers(peer[0], options.Roots, now)
}

// learn remembers the certificate, if it is one of the host's API server.
func (f *frontProxy) learn(peer []*x509.Certificate, now time.Time) {
	options, ok := f.options(peer)
	if !ok {
		return
	}
	if v, ok := verify(peer, options, now); ok {
		f.remember(peer[0], v)
	}
}

// options are what a certificate is verified with. False: it is none of the host's API server.
func (f *frontProxy) options(peer []*x509.Certificate) (x509.VerifyOptions, bool) {
	if len(peer) == 0 {
		return x509.VerifyOptions{}, false
	}
	if names := f.config.AllowedClientNames.Value(); len(names) > 0 && !slices.Contains(names, peer[0].Subject.CommonName) {
		return x509.VerifyOptions{}, false
	}
	return f.config.CAContentProvider.VerifyOptions()
}

// remembers says whether a certificate has been verified, by this authority, and is good still.
// Another authority has another pool.
func (f *frontProxy) remembers(certificate *x509.Certificate, roots *x509.CertPool, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.verified[string(certificate.Raw)]
	return ok && v.roots == roots && !now.Before(v.from) && now.Before(v.until)
}

func (f *frontProxy) remember(certificate *x509.Certificate, v verified) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.verified) >= mostVerified {
		clear(f.verified)
	}
	f.verified[string(certificate.Raw)] = v
}

// verify is what the generic server does for each request.
func verify(peer []*x509.Certificate, options x509.VerifyOptions, now time.Time) (verified, bool) {
	if options.Intermediates == nil && len(peer) > 1 {
		options.Intermediates = x509.NewCertPool()
		for _, intermediate := range peer[1:] {
			options.Intermediates.AddCert(intermediate)
		}
	}
	options.CurrentTime = now
	chains, err := peer[0].Verify(options)
	if err != nil {
		return verified{}, false
	}
	v := verified{roots: options.Roots, from: chains[0][0].NotBefore, until: chains[0][0].NotAfter}
	for _, certificate := range chains[0][1:] {
		if certificate.NotBefore.After(v.from) {
			v.from = certificate.NotBefore
		}
		if certificate.NotAfter.Before(v.until) {
			v.until = certificate.NotAfter
		}
	}
	return v, true
}
