package settings

import (
	"net/url"

	"github.com/spf13/pflag"
)

// Process is where the program can be looked at, and how it logs.
type Process struct {
	HealthProbeAddress string
	MetricsAddress     string
	// MetricsSecure serves metrics by TLS, and to those only whom the host's API server
	// lets get the path; with the certificate in MetricsCertDir, or one made at the start.
	MetricsSecure    bool
	MetricsCertDir   string
	ProfilingAddress string
	// TracesEndpoint is the collector of traces; OpenTelemetry's own variables may name it as well.
	TracesEndpoint string
	LogLevel       int
	LogFormat      string
}

// MostLogLevel is what counts of a LogLevel: from 8 on client-go logs what it sends and
// receives, Secrets as well.
const MostLogLevel = 7

// AddFlags implements Group.
func (s *Process) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.HealthProbeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 for none.")
	flags.StringVar(&s.MetricsAddress, "metrics-bind-address", ":8080", "Address of /metrics; 0 for none.")
	flags.BoolVar(&s.MetricsSecure, "metrics-secure", false, "Serve metrics by TLS, and only to who may get the path /metrics in the host cluster.")
	flags.StringVar(&s.MetricsCertDir, "metrics-cert-dir", "", "Directory with tls.crt and tls.key for --metrics-secure; by default a certificate is made at the start that nobody has signed.")
	flags.StringVar(&s.ProfilingAddress, "pprof-bind-address", "", "Address of Go's profiles under /debug/pprof; empty for none.")
	flags.StringVar(&s.TracesEndpoint, "traces-endpoint", "", "Collector of OpenTelemetry that traces are sent to by OTLP over gRPC, such as http://collector:4317; by default what $OTEL_EXPORTER_OTLP_ENDPOINT says, and without that there are no traces.")
	flags.IntVar(&s.LogLevel, "log-level", 0, "0 for what an operator needs, 1 to follow each failure, 2 and more, 7 at most, for developers.")
	flags.StringVar(&s.LogFormat, "log-format", "json", "json or text.")
}

// Validate implements Group.
func (s *Process) Validate() error {
	var p problems
	p.oneOf("log-format", s.LogFormat, "json", "text")
	if s.TracesEndpoint != "" {
		endpoint, err := url.Parse(s.TracesEndpoint)
		p.unless(err == nil && endpoint.Host != "" && (endpoint.Scheme == "http" || endpoint.Scheme == "https"),
			"traces-endpoint is %q: it must be a URL such as http://collector:4317", s.TracesEndpoint)
	}
	return p.join()
}
