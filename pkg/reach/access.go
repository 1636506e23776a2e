package reach

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// Keys of the Secret in the host cluster that holds a member's credentials; they
// are KubeFed's.
const (
	TokenKey = "token"
	CAKey    = "ca.crt"
)

// AllowHTTPAnnotation set to "true" on a KubeFedCluster allows an address that begins
// with http://, to which the token is sent in clear.
const AllowHTTPAnnotation = "fedctl.io/allow-http"

// Access is all that a connection to a member depends on: two equal ones lead to
// the same place as the same user.
type Access struct {
	Endpoint string
	CA       []byte
	// ExtraCA means that CA adds to the system's roots instead of replacing them.
	ExtraCA     bool
	Token       string
	Validations []fedcorev1beta1.TLSValidation
	Proxy       string
	// Bearer is what sends the token; nil is one that only ever sends Token.
	Bearer *Bearer `json:"-"`
	// Plugin names what gives the token in place of a Secret.
	Plugin string
	plugin *Plugin
}

// Place is the access without its token.
func (a Access) Place() Access {
	a.Token, a.Bearer = "", nil
	return a
}

// Fingerprint identifies an access without giving its token away.
func (a Access) Fingerprint() string {
	raw, _ := json.Marshal(a) // strings and bytes only: cannot fail
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// AccessOf reads how to reach a member. secret is nil when it does not exist.
// The error says which field of which object is wrong.
func AccessOf(kfc *fedcorev1beta1.KubeFedCluster, secret *corev1.Secret) (Access, error) {
	return Plugins(nil).AccessOf(kfc, secret)
}

// accessOf reads it with the token of the Secret, or of a plugin.
func accessOf(kfc *fedcorev1beta1.KubeFedCluster, secret *corev1.Secret, plugin *Plugin) (Access, error) {
	spec := kfc.Spec
	a := Access{CA: spec.CABundle, Validations: spec.DisabledTLSValidations, Proxy: spec.ProxyURL}
	endpoint, err := ParseEndpoint(spec.APIEndpoint)
	if err != nil {
		return a, err
	}
	a.Endpoint = endpoint
	if strings.HasPrefix(endpoint, "http://") && kfc.Annotations[AllowHTTPAnnotation] != "true" {
		return a, fmt.Errorf("spec.apiEndpoint %q is not https: its token would be sent in clear; if that is meant, annotate the KubeFedCluster with %s=true", errtext.Address(endpoint), AllowHTTPAnnotation)
	}
	if len(spec.CABundle) > 0 && !x509.NewCertPool().AppendCertsFromPEM(spec.CABundle) {
		return a, errors.New("spec.caBundle holds no certificate in PEM form")
	}
	if spec.ProxyURL != "" {
		if u, err := url.Parse(spec.ProxyURL); err != nil || u.Host == "" {
			return a, fmt.Errorf("spec.proxyURL %q is not a URL such as http://proxy:3128", errtext.Address(spec.ProxyURL))
		}
	}
	if plugin != nil {
		a.Plugin, a.plugin = plugin.Name, plugin
		return a, nil
	}
	if spec.SecretRef.Name == "" {
		return a, errors.New("spec.secretRef.name is empty")
	}
	if secret == nil {
		return a, fmt.Errorf("Secret %s/%s does not exist; join the cluster again to recreate it", kfc.Namespace, spec.SecretRef.Name) //nolint:staticcheck // a kind begins it
	}
	a.Token = string(bytes.TrimSpace(secret.Data[TokenKey]))
	if a.Token == "" {
		return a, fmt.Errorf("Secret %s/%s has no value for the key %q; join the cluster again to renew it", secret.Namespace, secret.Name, TokenKey) //nolint:staticcheck // a kind begins it
	}
	if len(a.CA) == 0 && x509.NewCertPool().AppendCertsFromPEM(secret.Data[CAKey]) {
		a.CA, a.ExtraCA = secret.Data[CAKey], true
	}
	return a, nil
}

// ParseEndpoint completes spec.apiEndpoint, which may be a URL, host or
// host:port, to a URL. Without a scheme it is https: a token never travels in the
// clear unless http:// was asked for.
func ParseEndpoint(endpoint string) (string, error) {
	if endpoint == "" {
		return "", errors.New("spec.apiEndpoint is empty")
	}
	full := endpoint
	if !strings.Contains(full, "://") {
		full = "https://" + full
	}
	u, err := url.Parse(full)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", fmt.Errorf("spec.apiEndpoint %q is not a URL such as https://10.0.0.1:6443", errtext.Address(endpoint))
	}
	return strings.TrimSuffix(full, "/"), nil
}

// Transport returns a transport of this access's own: when the member goes, its
// connections go with it, and no process-wide cache of transports keeps them.
// requestTimeout limits the time until an answer begins.
func (a Access) Transport(requestTimeout time.Duration) *http.Transport {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       a.tlsConfig(),
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: requestTimeout,
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   32,
		IdleConnTimeout:       90 * time.Second,
		// Headers are kept, and a member may send what it likes.
		MaxResponseHeaderBytes: 256 << 10,
		ForceAttemptHTTP2:      true,
		// A member that stops answering without closing its connections leaves
		// watches waiting for ever; pings find it out.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
	if a.Proxy != "" {
		if u, err := url.Parse(a.Proxy); err == nil {
			t.Proxy = http.ProxyURL(u)
		}
	}
	return t
}

// OnlyHTTP1 has a transport that was not used yet speak HTTP/1: a connection then serves
// one request at a time, and can be upgraded to something else.
func OnlyHTTP1(t *http.Transport) {
	t.ForceAttemptHTTP2, t.HTTP2 = false, nil
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
}

// Client says who asks, and how often it may.
type Client struct {
	// UserAgent is empty for that of fedctl.
	UserAgent string
	// QPS and Burst limit the requests; 0 or less means no limit.
	QPS   float32
	Burst int
	// Faults remembers which answers were refused; it may be nil.
	Faults *answers.Faults
}

// RESTConfig is the configuration of a client that uses transport. What the member
// answers is bounded, and redirects are not followed.
func (a Access) RESTConfig(transport http.RoundTripper, c Client) *rest.Config {
	if c.QPS <= 0 {
		c.QPS, c.Burst = -1, -1 // zero would be client-go's default
	}
	config := &rest.Config{
		Host:      a.Endpoint,
		Transport: transport, // as it is: commands in pods are run through one like it
		UserAgent: cmp.Or(c.UserAgent, "fedctl"),
		QPS:       c.QPS,
		Burst:     c.Burst,
	}
	// Below the token, which no error is to quote.
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return answers.Guard(next, c.Faults) })
	config.Wrap(a.bearer().wrap)
	return config
}

// tlsConfig honours spec.disabledTLSValidations as KubeFed does: "*" turns every
// check off, SubjectName and ValidityPeriod one each.
func (a Access) tlsConfig() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.roots()}
	if len(a.Validations) == 0 {
		return config
	}
	// The standard checks cannot be turned off one by one: they are all turned
	// off, and those that stay are done in VerifyConnection.
	config.InsecureSkipVerify = true
	if slices.Contains(a.Validations, fedcorev1beta1.TLSAll) {
		return config
	}
	host := ""
	if u, err := url.Parse(a.Endpoint); err == nil {
		host = u.Hostname()
	}
	config.VerifyConnection = verifyExcept(config.RootCAs, host, a.Validations)
	return config
}

func (a Access) roots() *x509.CertPool {
	if len(a.CA) == 0 {
		return nil // the system's
	}
	pool := x509.NewCertPool()
	if a.ExtraCA {
		if system, err := x509.SystemCertPool(); err == nil {
			pool = system
		}
	}
	pool.AppendCertsFromPEM(a.CA)
	return pool
}

func verifyExcept(roots *x509.CertPool, host string, disabled []fedcorev1beta1.TLSValidation) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("tls: the server sent no certificate")
		}
		leaf := state.PeerCertificates[0]
		opts := x509.VerifyOptions{Roots: roots, DNSName: host, Intermediates: x509.NewCertPool()}
		for _, intermediate := range state.PeerCertificates[1:] {
			opts.Intermediates.AddCert(intermediate)
		}
		if slices.Contains(disabled, fedcorev1beta1.TLSSubjectName) {
			opts.DNSName = ""
		}
		if slices.Contains(disabled, fedcorev1beta1.TLSValidityPeriod) {
			opts.CurrentTime = leaf.NotBefore.Add(time.Second)
		}
		_, err := leaf.Verify(opts)
		return err
	}
}
