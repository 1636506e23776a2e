package webhookcerts

import (
	"crypto/x509"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var (
	start   = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	options = Options{Hosts: []string{"fedctl.example.svc", "10.1.2.3"}, AuthorityValidity: 8760 * time.Hour, Validity: 720 * time.Hour}
)

func renew(t *testing.T, state State, trusted []*x509.Certificate, now time.Time, o Options) (State, bool) {
	t.Helper()
	next, changed, err := Renew(state, trusted, now, o)
	if err != nil {
		t.Fatal(err)
	}
	return next, changed
}

// verify is what an API server does that trusts bundle.
func verify(state State, bundle []byte, now time.Time, host string) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err := state.Serving.Certificate.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, DNSName: host})
	return err
}

func TestFirst(t *testing.T) {
	state, changed := renew(t, State{}, nil, start, options)
	if !changed || len(state.Authorities) != 1 {
		t.Fatalf("changed %t, %d authorities", changed, len(state.Authorities))
	}
	for _, host := range options.Hosts {
		if err := verify(state, state.Bundle(), start.Add(-time.Minute), host); err != nil {
			t.Errorf("an API server whose clock is behind: %v", err)
		}
	}
	if verify(state, state.Bundle(), start, "elsewhere.example.com") == nil {
		t.Error("the certificate is good for any host")
	}
	if _, changed := renew(t, state, Bundle(state.Bundle()), start.Add(options.Validity/2-time.Minute), options); changed {
		t.Error("renewed too early")
	}
}

func TestWhatIsReplaced(t *testing.T) {
	state, _ := renew(t, State{}, nil, start, options)
	other := options
	other.Hosts = []string{"192.0.2.7"}
	short := options
	short.Validity, short.AuthorityValidity = time.Hour, 5*time.Hour
	for _, test := range []struct {
		name        string
		after       time.Duration
		options     Options
		authorities int
		serving     bool
	}{
		{"nothing", time.Hour, options, 1, false},
		{"another host", time.Hour, other, 1, true},
		{"shorter validity", time.Hour, short, 2, true},
		{"half of the certificate's time", options.Validity/2 + time.Second, options, 1, true},
		{"half of the authority's time", options.AuthorityValidity/2 + time.Second, options, 2, true},
		{"all ended", 2 * options.AuthorityValidity, options, 1, true},
	} {
		now := start.Add(test.after)
		next, changed := renew(t, state, Bundle(state.Bundle()), now, test.options)
		if len(next.Authorities) != test.authorities || next.Serving.equal(state.Serving) == test.serving || changed != (test.serving || test.authorities > 1) {
			t.Errorf("%s: changed %t, %d authorities, new certificate %t", test.name, changed, len(next.Authorities), !next.Serving.equal(state.Serving))
		}
		if err := verify(next, next.Bundle(), now, test.options.Hosts[0]); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// An authority that is not trusted, or not for long, does not sign while there is an older one.
func TestNewAuthoritySignsLate(t *testing.T) {
	first, _ := renew(t, State{}, nil, start, options)
	now := start.Add(options.AuthorityValidity/2 + time.Second)
	second, _ := renew(t, first, Bundle(first.Bundle()), now, options)
	signedBy := func(state State) int {
		for i, authority := range state.Authorities {
			if state.Serving.Certificate.CheckSignatureFrom(authority.Certificate) == nil {
				return i
			}
		}
		return -1
	}
	if got := signedBy(second); got != 0 {
		t.Errorf("signed by %d at once", got)
	}
	other := options
	other.Hosts = []string{"again.example.com"} // forces a new certificate
	for _, test := range []struct {
		name    string
		trusted []byte
		after   time.Duration
		want    int
	}{
		{"trusted for a moment", second.Bundle(), time.Minute, 0},
		{"trusted for long", second.Bundle(), options.Overlap(), 1},
		{"never trusted", first.Bundle(), 24 * time.Hour, 0},
		{"nothing trusted", nil, 24 * time.Hour, 1},
	} {
		next, _ := renew(t, second, Bundle(test.trusted), now.Add(test.after), other)
		if got := signedBy(next); got != test.want {
			t.Errorf("%s: signed by authority %d, want %d", test.name, got, test.want)
		}
	}
}

// Whatever the timing of checks, of API servers that learn of a bundle late and
// of replicas that read the Secret late: every handshake succeeds, for years.
func TestNoHandshakeFails(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 1))
		now := start
		state, _ := renew(t, State{}, nil, now, options)
		late := state // what another replica serves
		trusted := state.Bundle()
		renewals, authorities := 0, 0
		for now.Before(start.Add(3 * options.AuthorityValidity)) {
			now = now.Add(time.Duration(random.Int64N(int64(options.Validity / 4))))
			next, changed := renew(t, state, Bundle(trusted), now, options)
			if changed {
				renewals++
			}
			if !next.newest().equal(state.newest()) {
				authorities++
			}
			for _, replica := range []State{next, state, late} {
				for _, bundle := range [][]byte{trusted, next.Bundle()} { // before and after the API server learns of it
					if err := verify(replica, bundle, now, options.Hosts[0]); err != nil {
						t.Fatalf("seed %d after %s: %v", seed, now.Sub(start), err)
					}
				}
			}
			late, state = state, next
			if random.IntN(3) > 0 { // else the bundle could not be written
				trusted = state.Bundle()
			}
			if len(state.Authorities) > 3 {
				t.Fatalf("%d authorities: old ones do not go", len(state.Authorities))
			}
		}
		if renewals < 30 || authorities < 4 {
			t.Errorf("%d renewals, %d new authorities in three times an authority's validity", renewals, authorities)
		}
	}
}

func TestSecret(t *testing.T) {
	state, _ := renew(t, State{}, nil, start, options)
	state, _ = renew(t, state, nil, start.Add(options.AuthorityValidity/2+time.Hour), options)
	data, err := state.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(data)
	if err != nil || !again.equal(state) || again.TLS() == nil {
		t.Fatalf("%v, %v", again, err)
	}
	if empty, err := Decode(nil); err != nil || empty.TLS() != nil {
		t.Errorf("an empty Secret: %v, %v", empty, err)
	}
	for _, test := range []struct{ key, value, want string }{
		{AuthoritiesKey, "x", "ca.crt"},
		{authorityKeysKey, "", "ca.key holds fewer keys"},
		{certificateKey, "", "tls.crt"},
		{certificateKeyKey, string(data[authorityKeysKey]), "tls.key: the key does not belong"},
		{certificateKeyKey, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "tls.key: not a private key"},
	} {
		broken := maps.Clone(data)
		broken[test.key] = []byte(test.value)
		if _, err := Decode(broken); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: %v, want %q", test.key, test.value, err, test.want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{Hosts: []string{"a"}, AuthorityValidity: 4 * time.Minute, Validity: time.Minute}, ""},
		{Options{Hosts: []string{"a"}, AuthorityValidity: 3 * time.Minute, Validity: time.Minute}, "at least four times"},
		{Options{Hosts: []string{"a"}, AuthorityValidity: time.Minute}, "at least 1s"},
		{Options{AuthorityValidity: 4 * time.Minute, Validity: time.Minute}, "needs a host"},
	} {
		switch err := test.o.Validate(); {
		case test.want == "" && err != nil, test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%+v: %v, want %q", test.o, err, test.want)
		}
	}
}
