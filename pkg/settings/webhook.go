package settings

import (
	"time"

	"github.com/spf13/pflag"
)

// Webhook is the admission webhook that defaults KubeFedConfigs.
type Webhook struct {
	// BindAddress is host:port to listen on, no host for all addresses; empty for no webhook.
	BindAddress string
	// URL is the webhook's address as the host's API server reaches it, without a
	// path; empty: it is reached through the Service.
	URL string
	// AuthorityValidity and Validity are how long a certificate authority and a
	// serving certificate are valid.
	AuthorityValidity, Validity time.Duration
}

// AddFlags implements Group.
func (s *Webhook) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.BindAddress, "webhook-bind-address", "", "Address of the admission webhook that defaults KubeFedConfigs, such as :9443; empty for none.")
	flags.StringVar(&s.URL, "webhook-url", "", "Address of the webhook as the host's API server reaches it, https://host:port, for a controller outside of the host cluster; by default the Service fedctl-controller-webhook.")
	flags.DurationVar(&s.AuthorityValidity, "webhook-ca-validity", 365*24*time.Hour, "How long a certificate authority of the webhook is valid; it is replaced when half of that has passed.")
	flags.DurationVar(&s.Validity, "webhook-certificate-validity", 30*24*time.Hour, "How long a serving certificate of the webhook is valid; it is replaced when half of that has passed.")
}

// Validate implements Group. Addresses and validities are checked by who uses them,
// and only when there is a webhook.
func (s *Webhook) Validate() error { return nil }
