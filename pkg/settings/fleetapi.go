package settings

import (
	"net"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// FleetAPI is how the fleet's API server serves, and who its users are in the members.
type FleetAPI struct {
	BindAddress string
	// CertDir has tls.crt and tls.key; empty is for a certificate made at the start.
	CertDir string
	// IdentityPrefix stands in a member before the names that begin with "system:" in the host.
	IdentityPrefix string
	// ResponseTimeout is how long a member may take until its answer begins.
	ResponseTimeout time.Duration
	// DrainPeriod is how long it goes on to serve when it ends: until nobody sends it new
	// requests. Streams end then, and their clients go on elsewhere.
	DrainPeriod time.Duration
	// MaxRequests to members may be under way at a time, streams included, and
	// MaxRequestsPerUser of one user.
	MaxRequests, MaxRequestsPerUser int
}

// AddFlags implements Group.
func (s *FleetAPI) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.BindAddress, "fleet-api-bind-address", ":6443", "With --mode=fleet-api, the address at which the API is served by TLS.")
	flags.StringVar(&s.CertDir, "fleet-api-cert-dir", "", "With --mode=fleet-api, the directory with tls.crt and tls.key; by default a certificate is made at the start that nobody has signed.")
	flags.StringVar(&s.IdentityPrefix, "fleet-api-identity-prefix", "host:", `With --mode=fleet-api, what stands in members before the names of the host's users and groups that begin with "system:".`)
	flags.DurationVar(&s.ResponseTimeout, "fleet-api-response-timeout", 70*time.Second, "With --mode=fleet-api, how long a member may take until its answer begins; API servers end a request after a minute themselves.")
	flags.DurationVar(&s.DrainPeriod, "fleet-api-drain-period", 5*time.Second, "With --mode=fleet-api, how long the server that ends goes on to serve before it ends streams.")
	flags.IntVar(&s.MaxRequests, "fleet-api-max-requests", 2000, "With --mode=fleet-api, how many requests to members may be open at a time, streams included; further ones are told to ask again.")
	flags.IntVar(&s.MaxRequestsPerUser, "fleet-api-max-requests-per-user", 500, "With --mode=fleet-api, how many of them one user may have.")
}

// Validate implements Group.
func (s *FleetAPI) Validate() error {
	var p problems
	_, _, err := net.SplitHostPort(s.BindAddress)
	p.unless(err == nil, "fleet-api-bind-address is %q: it must be HOST:PORT or :PORT", s.BindAddress)
	p.unless(s.IdentityPrefix != "" && !strings.HasPrefix(s.IdentityPrefix, "system:") && strings.ToLower(s.IdentityPrefix) == s.IdentityPrefix && !strings.ContainsAny(s.IdentityPrefix, " \t\r\n"),
		`fleet-api-identity-prefix is %q: it must not be empty or begin with "system:", nor have capitals or spaces`, s.IdentityPrefix)
	moreThanZero(&p, "fleet-api-response-timeout", s.ResponseTimeout)
	notNegative(&p, "fleet-api-drain-period", s.DrainPeriod)
	moreThanZero(&p, "fleet-api-max-requests", s.MaxRequests)
	moreThanZero(&p, "fleet-api-max-requests-per-user", s.MaxRequestsPerUser)
	return p.join()
}
