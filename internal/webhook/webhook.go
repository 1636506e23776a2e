package webhook

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	crwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/fedctl/fedctl/internal/webhookcerts"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/settings"
)

const (
	// path of the webhook, as KubeFed has it.
	path = "/default-kubefedconfig"
	// serviceName and secretName are what config/ calls the Service in front of the
	// controllers and the Secret that holds the certificates.
	serviceName = kubefedconfig.Controller + "-webhook"
	secretName  = serviceName
)

// Options say where the webhook is served and how it is reached.
type Options struct {
	settings.Webhook
	// Namespace of the control plane.
	Namespace string
	// Configuration is the name of the MutatingWebhookConfiguration.
	Configuration string
}

// Webhook is the server with what keeps its certificates.
type Webhook struct {
	options Options
	certs   webhookcerts.Options
	source  *source
	server  crwebhook.Server
}

// New checks the options and returns a webhook whose Server goes into the options
// of the manager that Setup is called with.
func New(o Options) (*Webhook, error) {
	host, portText, err := net.SplitHostPort(o.BindAddress)
	if err != nil {
		return nil, fmt.Errorf("webhook-bind-address %q must be host:port or :port", o.BindAddress)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("webhook-bind-address %q: the port must be a number from 1 to 65535", o.BindAddress)
	}
	w := &Webhook{options: o, source: &source{}}
	w.certs = webhookcerts.Options{AuthorityValidity: o.AuthorityValidity, Validity: o.Validity}
	if w.certs.Hosts, err = hosts(o); err != nil {
		return nil, err
	}
	if err := w.certs.Validate(); err != nil {
		return nil, fmt.Errorf("webhook-ca-validity, webhook-certificate-validity: %w", err)
	}
	w.server = crwebhook.NewServer(crwebhook.Options{Host: host, Port: int(port), TLSOpts: []func(*tls.Config){func(config *tls.Config) {
		config.MinVersion = tls.VersionTLS12
		config.GetCertificate = w.source.getCertificate
	}}})
	return w, nil
}

// hosts are the names that the certificate is for.
func hosts(o Options) ([]string, error) {
	if o.URL == "" {
		return []string{serviceName + "." + o.Namespace + ".svc", serviceName + "." + o.Namespace}, nil
	}
	parsed, err := url.Parse(o.URL)
	if err != nil || parsed.Scheme != "https" || parsed.Hostname() == "" || (parsed.Path != "" && parsed.Path != "/") || parsed.RawQuery != "" || parsed.User != nil {
		return nil, fmt.Errorf("webhook-url %q must be https://host:port", o.URL)
	}
	return []string{parsed.Hostname()}, nil
}

// Server is for the options of the manager.
func (w *Webhook) Server() crwebhook.Server { return w.server }

// Setup adds the handler, the reader of certificates and their keeper to a manager
// that was made with Server.
func (w *Webhook) Setup(mgr manager.Manager) error {
	if mgr.GetWebhookServer() != w.server { // asking for it makes the manager run it
		return errors.New("the manager was made without the webhook's server")
	}
	w.server.Register(path, &admission.Webhook{Handler: defaulter{}})
	secret := types.NamespacedName{Namespace: w.options.Namespace, Name: secretName}
	log := mgr.GetLogger().WithName("webhook")
	w.source.secret, w.source.period = secret, w.certs.CheckPeriod()
	w.source.reader, w.source.log = mgr.GetAPIReader(), log
	keeper := &keeper{
		options: w.options, certs: w.certs, source: w.source,
		secret: secret, reader: mgr.GetAPIReader(), writer: mgr.GetClient(), log: log, now: time.Now,
	}
	return errors.Join(mgr.Add(w.source), mgr.Add(keeper), mgr.AddReadyzCheck("webhook", w.server.StartedChecker()))
}
