package settings

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// Members is how member clusters are probed and asked.
type Members struct {
	// HealthCheckPeriod is the time between two probes of a member, HealthCheckTimeout
	// how long one may take.
	HealthCheckPeriod, HealthCheckTimeout time.Duration
	// FailureThreshold is how many probes must fail in a row before a ready member is
	// unready, SuccessThreshold how many must succeed in a row before an unready one is
	// ready. The first probe after a start decides by itself.
	FailureThreshold, SuccessThreshold int
	// QPS and Burst limit the requests of each member's client; 0 means no limit.
	QPS   float32
	Burst int
	// RequestTimeout is how long an API server, a member's or the host's, may take for
	// a request; an established watch has no limit.
	RequestTimeout time.Duration
	// CredentialPlugins is a file with the credential plugins that KubeFedClusters may name.
	CredentialPlugins string
}

// AddFlags implements Group.
func (s *Members) AddFlags(flags *pflag.FlagSet) {
	flags.DurationVar(&s.HealthCheckPeriod, "cluster-health-check-period", kubefedconfig.HealthCheckPeriod, "Time between two probes of a member cluster.")
	flags.DurationVar(&s.HealthCheckTimeout, "cluster-health-check-timeout", kubefedconfig.HealthCheckTimeout, "How long a probe may take.")
	flags.IntVar(&s.FailureThreshold, "cluster-health-check-failure-threshold", kubefedconfig.FailureThreshold, "Probes that must fail in a row before a ready cluster is unready.")
	flags.IntVar(&s.SuccessThreshold, "cluster-health-check-success-threshold", kubefedconfig.SuccessThreshold, "Probes that must succeed in a row before an unready cluster is ready.")
	flags.Float32Var(&s.QPS, "member-qps", 0, "Requests a second to one member cluster; 0 leaves the limit to its API server.")
	flags.IntVar(&s.Burst, "member-burst", 0, "Requests above --member-qps for a short time.")
	flags.StringVar(&s.CredentialPlugins, "credential-plugins", "", "File with the credential plugins that KubeFedClusters may name, what they run, and the servers that their tokens may be sent to; none by default.")
	flags.DurationVar(&s.RequestTimeout, "request-timeout", 15*time.Second, "How long a request to an API server may take; watches are not limited.")
}

// Validate implements Group.
func (s *Members) Validate() error {
	var p problems
	moreThanZero(&p, "cluster-health-check-period", s.HealthCheckPeriod)
	moreThanZero(&p, "cluster-health-check-timeout", s.HealthCheckTimeout)
	moreThanZero(&p, "cluster-health-check-failure-threshold", s.FailureThreshold)
	moreThanZero(&p, "cluster-health-check-success-threshold", s.SuccessThreshold)
	notNegative(&p, "member-qps", s.QPS)
	notNegative(&p, "member-burst", s.Burst)
	moreThanZero(&p, "request-timeout", s.RequestTimeout)
	return p.join()
}
