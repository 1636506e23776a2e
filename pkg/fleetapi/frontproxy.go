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
	verified map[*x509.Certificate]verified
}

// verified is for how long a certificate is good, as far as time says, and by which authority.
type verified struct {
	roots       *x509.CertPool
	from, until time.Time
}

func newFrontProxy(config *authenticatorfactory.RequestHeaderConfig, otherwise authenticator.Request) *frontProxy {
	return &frontProxy{
		config: config, otherwise: otherwise, verified: map[*x509.Certificate]verified{},
		named: group.NewAuthenticatedGroupAdder(headerrequest.NewDynamic(config.UsernameHeaders, config.UIDHeaders, config.GroupHeaders, config.ExtraHeaderPrefixes)),
	}
}

// AuthenticateRequest implements authenticator.Request.
func (f *frontProxy) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	if r.TLS != nil && f.believed(r.TLS.PeerCertificates, time.Now()) {
		if response, ok, err := f.named.AuthenticateRequest(r); ok && err == nil {
			return response, ok, nil
		}
	}
	return f.otherwise.AuthenticateRequest(r)
}

// believed says whether a connection with these certificates is one of the host's API server.
// That it has the key of the first one, TLS has found out.
func (f *frontProxy) believed(peer []*x509.Certificate, now time.Time) bool {
	if len(peer) == 0 {
		return false
	}
	options, ok := f.config.CAContentProvider.VerifyOptions()
	if !ok {
		return false
	}
	if names := f.config.AllowedClientNames.Value(); len(names) > 0 && !slices.Contains(names, peer[0].Subject.CommonName) {
		return false
	}
	if f.remembers(peer[0], options.Roots, now) {
		return true
	}
	v, ok := verify(peer, options, now)
	if ok {
		f.remember(peer[0], v)
	}
	return ok
}

// remembers says whether a certificate has been verified, by this authority, and is good still.
// Certificates are not changed once they are parsed, and another authority has another pool.
func (f *frontProxy) remembers(certificate *x509.Certificate, roots *x509.CertPool, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.verified[certificate]
	return ok && v.roots == roots && !now.Before(v.from) && now.Before(v.until)
}

func (f *frontProxy) remember(certificate *x509.Certificate, v verified) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.verified) >= mostVerified {
		clear(f.verified)
	}
	f.verified[certificate] = v
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
	v := verified{roots: options.Roots, from: now, until: chains[0][0].NotAfter}
	for _, certificate := range chains[0] {
		if certificate.NotAfter.Before(v.until) {
			v.until = certificate.NotAfter
		}
	}
	return v, true
}
