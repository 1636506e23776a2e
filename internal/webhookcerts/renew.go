package webhookcerts

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// Options are what certificates are for and how long they last.
type Options struct {
	// Hosts are the DNS names and IP addresses that the webhook is reached by.
	Hosts []string
	// AuthorityValidity is how long a certificate authority is valid, Validity how
	// long a serving certificate; both are renewed when half of it is left. Authority
	// must be at least four times Validity.
	AuthorityValidity, Validity time.Duration
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if o.Validity < time.Second {
		return fmt.Errorf("a serving certificate must be valid for at least 1s, not %s", o.Validity)
	}
	if o.AuthorityValidity < 4*o.Validity {
		return fmt.Errorf("a certificate authority must be valid for at least four times as long as a serving certificate (%s), not %s", 4*o.Validity, o.AuthorityValidity)
	}
	if len(o.Hosts) == 0 {
		return fmt.Errorf("a serving certificate needs a host")
	}
	return nil
}

// Overlap is how long a new authority is trusted before it signs: API servers
// must have seen it by then.
func (o Options) Overlap() time.Duration { return min(o.Validity/6, 10*time.Minute) }

// CheckPeriod is how often Renew must be called, and certificates be read anew.
func (o Options) CheckPeriod() time.Duration { return min(o.Overlap()/3, time.Minute) }

// Renew returns what is to be used from now on, and whether that differs from
// state. trusted holds the authorities that the API server trusts already.
func Renew(state State, trusted []*x509.Certificate, now time.Time, o Options) (State, bool, error) {
	next := State{Serving: state.Serving}
	for _, authority := range state.Authorities {
		if now.Before(authority.Certificate.NotAfter) {
			next.Authorities = append(next.Authorities, authority)
		}
	}
	if len(next.Authorities) == 0 || due(next.newest().Certificate, now, o.AuthorityValidity) {
		authority, err := newAuthority(now, o.AuthorityValidity)
		if err != nil {
			return State{}, false, err
		}
		next.Authorities = append(next.Authorities, authority)
	}
	if !next.serves(o.Hosts) || due(next.Serving.Certificate, now, o.Validity) {
		serving, err := newServing(next.signer(trusted, now, o), now, o)
		if err != nil {
			return State{}, false, err
		}
		next.Serving = serving
	}
	return next, !next.equal(state), nil
}

// due says whether a certificate must be replaced: half of its time has passed,
// or it is valid for longer than is wanted now.
func due(certificate *x509.Certificate, now time.Time, validity time.Duration) bool {
	left := certificate.NotAfter.Sub(now)
	return left < validity/2 || left > validity+skew
}

// signer is the newest authority that API servers trust for long enough; if there
// is none, the newest one: then nothing that is trusted is left to sign with.
func (s State) signer(trusted []*x509.Certificate, now time.Time, o Options) KeyPair {
	for _, authority := range slices.Backward(s.Authorities) {
		created := authority.Certificate.NotBefore.Add(skew)
		if slices.ContainsFunc(trusted, authority.Certificate.Equal) && !now.Before(created.Add(o.Overlap())) {
			return authority
		}
	}
	for _, authority := range s.Authorities {
		if slices.ContainsFunc(trusted, authority.Certificate.Equal) {
			return authority
		}
	}
	return s.newest()
}

func (s State) newest() KeyPair { return s.Authorities[len(s.Authorities)-1] }

// serves says whether the serving certificate is one for hosts, signed by one of the authorities.
func (s State) serves(hosts []string) bool {
	if s.Serving.Certificate == nil {
		return false
	}
	for _, host := range hosts {
		if s.Serving.Certificate.VerifyHostname(host) != nil {
			return false
		}
	}
	return slices.ContainsFunc(s.Authorities, func(authority KeyPair) bool {
		return s.Serving.Certificate.CheckSignatureFrom(authority.Certificate) == nil
	})
}

func (s State) equal(other State) bool {
	return s.Serving.equal(other.Serving) && slices.EqualFunc(s.Authorities, other.Authorities, KeyPair.equal)
}

func (k KeyPair) equal(other KeyPair) bool {
	if k.Certificate == nil || other.Certificate == nil {
		return k.Certificate == other.Certificate
	}
	return k.Certificate.Equal(other.Certificate)
}
