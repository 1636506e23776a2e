package fleetapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// issuer signs certificates.
type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// issued is a certificate that is good from an hour ago on, signed by the issuer, or by itself
// where that is nil.
func (i *issuer) issued(t *testing.T, name string, until time.Time, change func(*x509.Certificate)) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	if change != nil {
		change(template)
	}
	if i == nil {
		i = &issuer{certificate: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.certificate, &key.PublicKey, i.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{certificate: certificate, key: key}
}

func isAuthority(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

// provided is the authority that the host says.
type provided struct {
	dynamiccertificates.CAContentProvider
	roots *x509.CertPool
}

func (p *provided) set(authorities ...*issuer) {
	p.roots = x509.NewCertPool()
	for _, a := range authorities {
		p.roots.AddCert(a.certificate)
	}
}

func (p *provided) VerifyOptions() (x509.VerifyOptions, bool) {
	return x509.VerifyOptions{Roots: p.roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, p.roots != nil
}

func frontProxyOf(p *provided, names ...string) *frontProxy {
	return newFrontProxy(&authenticatorfactory.RequestHeaderConfig{
		CAContentProvider: p, AllowedClientNames: headerrequest.StaticStringSlice(names),
		UsernameHeaders: headerrequest.StaticStringSlice{"X-Remote-User"}, UIDHeaders: headerrequest.StaticStringSlice{},
		GroupHeaders: headerrequest.StaticStringSlice{"X-Remote-Group"}, ExtraHeaderPrefixes: headerrequest.StaticStringSlice{"X-Remote-Extra-"},
	}, authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return nil, false, errors.New("by the generic server")
	}))
}

// parsed are the same certificates as another connection has them.
func parsed(t *testing.T, peer ...*x509.Certificate) (again []*x509.Certificate) {
	t.Helper()
	for _, c := range peer {
		certificate, err := x509.ParseCertificate(c.Raw)
		if err != nil {
			t.Fatal(err)
		}
		again = append(again, certificate)
	}
	return again
}

func TestTheHostsAPIServerIsBelievedAsLongAsItsCertificateIsGood(t *testing.T) {
	hour, day := time.Now().Add(time.Hour), time.Now().Add(24*time.Hour)
	authority, another := (*issuer)(nil).issued(t, "front-proxy-ca", day, isAuthority), (*issuer)(nil).issued(t, "front-proxy-ca", day, isAuthority)
	between := authority.issued(t, "between", hour, func(c *x509.Certificate) {
		isAuthority(c)
		c.NotBefore = time.Now().Add(-time.Minute)
	})
	good := authority.issued(t, "front-proxy-client", hour, nil)
	for _, c := range []struct {
		name     string
		peer     []*issuer
		believed bool
	}{
		{"that of the host", []*issuer{good}, true},
		{"with one between", []*issuer{between.issued(t, "front-proxy-client", day, nil), between}, true},
		{"without the one between", []*issuer{between.issued(t, "front-proxy-client", day, nil)}, false},
		{"another name", []*issuer{authority.issued(t, "kubelet", hour, nil)}, false},
		{"another authority", []*issuer{another.issued(t, "front-proxy-client", hour, nil)}, false},
		{"for servers", []*issuer{authority.issued(t, "front-proxy-client", hour, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		})}, false},
		{"past", []*issuer{authority.issued(t, "front-proxy-client", time.Now().Add(-time.Minute), nil)}, false},
		{"none", nil, false},
	} {
		p := &provided{}
		f := frontProxyOf(p, "front-proxy-client")
		var peer []*x509.Certificate
		for _, i := range c.peer {
			peer = append(peer, i.certificate)
		}
		if f.believed(peer, time.Now()) {
			t.Errorf("%s: believed before there is an authority", c.name)
		}
		p.set(authority)
		if f.believed(peer, time.Now()) {
			t.Errorf("%s: believed before it is verified", c.name)
		}
		f.learn(peer, time.Now())
		if f.believed(peer, time.Now()) != c.believed {
			t.Errorf("%s: %v", c.name, !c.believed)
		}
		if !c.believed {
			continue
		}
		if f.believed(peer, hour.Add(time.Second)) {
			t.Errorf("%s: believed when it is past", c.name)
		}
		if f.believed(peer, time.Now().Add(-2*time.Hour)) {
			t.Errorf("%s: believed before its time", c.name)
		}
		if begin := peer[len(peer)-1].NotBefore; !f.believed(peer, begin) || f.believed(peer, begin.Add(-time.Second)) {
			t.Errorf("%s: its time does not begin with that of the certificates", c.name)
		}
		if !f.believed(parsed(t, peer...), time.Now()) {
			t.Errorf("%s: it is not known on another connection", c.name)
		}
		p.set(authority, another)
		if f.learn(peer, time.Now()); !f.believed(peer, time.Now()) {
			t.Errorf("%s: not believed with one authority more", c.name)
		}
		p.set(another)
		if f.learn(peer, time.Now()); f.believed(peer, time.Now()) {
			t.Errorf("%s: believed though the host has another authority", c.name)
		}
	}
}

func TestFewCertificatesAreRemembered(t *testing.T) {
	authority := (*issuer)(nil).issued(t, "front-proxy-ca", time.Now().Add(time.Hour), isAuthority)
	p := &provided{}
	p.set(authority)
	f := frontProxyOf(p)
	for range 3 * mostVerified {
		peer := []*x509.Certificate{authority.issued(t, "any", time.Now().Add(time.Hour), nil).certificate}
		if f.learn(peer, time.Now()); !f.believed(peer, time.Now()) {
			t.Fatal("not believed")
		}
		if len(f.verified) > mostVerified {
			t.Fatalf("%d are remembered", len(f.verified))
		}
	}
	own := []*x509.Certificate{(*issuer)(nil).issued(t, "any", time.Now().Add(time.Hour), nil).certificate}
	if f.learn(own, time.Now()); f.believed(own, time.Now()) {
		t.Error("believed by nobody's word")
	}
	if len(f.verified) > mostVerified {
		t.Errorf("%d are remembered", len(f.verified))
	}
}

func TestWhomTheHostNames(t *testing.T) {
	authority := (*issuer)(nil).issued(t, "front-proxy-ca", time.Now().Add(time.Hour), isAuthority)
	good := authority.issued(t, "front-proxy-client", time.Now().Add(time.Hour), nil)
	p := &provided{}
	p.set(authority)
	f := frontProxyOf(p, "front-proxy-client")
	f.learn([]*x509.Certificate{good.certificate}, time.Now())
	ask := func(peer []*x509.Certificate, header http.Header) (*http.Request, *authenticator.Response, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/apis", http.NoBody)
		r.Header, r.TLS = header, &tls.ConnectionState{PeerCertificates: peer}
		response, ok, err := f.AuthenticateRequest(r)
		if ok != (err == nil) {
			t.Errorf("%v, and %v", ok, err)
		}
		return r, response, err
	}
	named := http.Header{"X-Remote-User": {"jane"}, "X-Remote-Group": {"dev", "ops"}, "X-Remote-Extra-Team": {"blue"}, "Accept": {"*/*"}}
	for range 2 {
		r, response, err := ask([]*x509.Certificate{good.certificate}, named.Clone())
		if err != nil {
			t.Fatal(err)
		}
		u := response.User
		if u.GetName() != "jane" || !slices.Equal(u.GetGroups(), []string{"dev", "ops", user.AllAuthenticated}) || u.GetExtra()["team"][0] != "blue" {
			t.Errorf("it is %+v", u)
		}
		if len(r.Header) != 1 {
			t.Errorf("headers that are left: %v", r.Header)
		}
	}
	if r, _, err := ask([]*x509.Certificate{good.certificate}, http.Header{"X-Remote-Group": {"system:masters"}}); err == nil || r.Header.Get("X-Remote-Group") == "" {
		t.Error("somebody without a name is for the generic server")
	}
	if _, _, err := ask(nil, named.Clone()); err == nil {
		t.Error("who has no certificate is for the generic server")
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/apis", http.NoBody)
	if r.Header = named.Clone(); r.TLS != nil {
		t.Fatal("it is without TLS")
	}
	if _, _, err := f.AuthenticateRequest(r); err == nil {
		t.Error("who comes without TLS is for the generic server")
	}
}

// What the generic server refuses is not verified once more, whoever says to be the host.
func TestOnlyWhoHasBeenLetInIsRemembered(t *testing.T) {
	authority := (*issuer)(nil).issued(t, "front-proxy-ca", time.Now().Add(time.Hour), isAuthority)
	peer := []*x509.Certificate{authority.issued(t, "front-proxy-client", time.Now().Add(time.Hour), nil).certificate}
	p := &provided{}
	p.set(authority)
	f := frontProxyOf(p, "front-proxy-client")
	ask := func() bool {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/apis", http.NoBody)
		r.Header, r.TLS = http.Header{"X-Remote-User": {"jane"}}, &tls.ConnectionState{PeerCertificates: peer}
		_, ok, err := f.AuthenticateRequest(r)
		return ok && err == nil
	}
	if ask() || f.believed(peer, time.Now()) {
		t.Error("who is refused is remembered")
	}
	refuses := f.otherwise
	f.otherwise = authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return &authenticator.Response{User: &user.DefaultInfo{Name: "jane"}}, true, nil
	})
	if !ask() || !f.believed(peer, time.Now()) {
		t.Error("who is let in is not remembered")
	}
	if f.otherwise = refuses; !ask() {
		t.Error("it is verified once more")
	}
}
