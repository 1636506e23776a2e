package reach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// A Prober asks a member how it is, over connections of its own: a probe is
// never queued behind other requests, and never succeeds or fails because of the
// state of their connections.
type Prober struct {
	http     *http.Client
	idle     func()
	endpoint string
	secret   string
	timeout  time.Duration
}

// Close ends the connections that are idle. The prober can be used again.
func (p *Prober) Close() { p.idle() }

// NewProber returns a prober that gives each request timeout. userAgent is empty for
// that of fedctl; secret names the Secret of the token, for messages.
func NewProber(a Access, secret, userAgent string, timeout time.Duration) (*Prober, error) {
	transport := a.Transport(timeout)
	// A request that times out takes its connection with it, so the next probe dials afresh.
	OnlyHTTP1(transport)
	client, err := rest.HTTPClientFor(a.RESTConfig(transport, Client{UserAgent: userAgent}))
	if err != nil {
		return nil, err
	}
	return &Prober{http: client, idle: transport.CloseIdleConnections, endpoint: a.Endpoint, secret: secret, timeout: timeout}, nil
}

// Healthz probes once.
func (p *Prober) Healthz(ctx context.Context) Observation {
	code, body, err := p.get(ctx, "/healthz")
	var refused *answers.RefusedError
	switch {
	case errors.As(err, &refused):
		return Observation{Verdict: NotReady, Detail: Describe(err, p.endpoint, p.timeout)}
	case err != nil:
		p.idle()
		return Observation{Verdict: Offline, Unproved: unproved(err), Detail: Describe(err, p.endpoint, p.timeout)}
	case code == http.StatusOK && strings.EqualFold(strings.TrimSpace(string(body)), "ok"):
		return Observation{Verdict: Ready}
	case code == http.StatusOK:
		return Observation{Verdict: NotReady, Detail: hostOf(p.endpoint) + " does not answer like a Kubernetes API server"}
	default:
		return Observation{Verdict: NotReady, Refused: code == http.StatusUnauthorized, Detail: describeStatus(code, "/healthz", string(body), p.secret)}
	}
}

// maxWord is for versions, UIDs and the like: more than any has.
const maxWord = 128

// Version returns the member's git version, such as v1.36.3.
func (p *Prober) Version(ctx context.Context) (string, error) {
	var info version.Info
	if err := p.getJSON(ctx, "/version", &info); err != nil {
		return "", err
	}
	return errtext.Bounded(info.GitVersion, maxWord), nil
}

// ClusterUID returns the UID of the namespace kube-system, which stands for the
// cluster.
func (p *Prober) ClusterUID(ctx context.Context) (string, error) {
	var namespace metav1.PartialObjectMetadata
	if err := p.getJSON(ctx, "/api/v1/namespaces/"+metav1.NamespaceSystem, &namespace); err != nil {
		return "", err
	}
	return errtext.Bounded(string(namespace.UID), maxWord), nil
}

// StatusError is an HTTP answer that is not 200.
type StatusError struct {
	Code    int
	message string
}

// Error implements error.
func (e *StatusError) Error() string { return e.message }

func (p *Prober) getJSON(ctx context.Context, path string, into any) error {
	code, body, err := p.get(ctx, path)
	if err != nil {
		return fmt.Errorf("get %s: %s", path, Describe(err, p.endpoint, p.timeout))
	}
	if code != http.StatusOK {
		return &StatusError{Code: code, message: fmt.Sprintf("get %s: %s", path, describeStatus(code, path, string(body), p.secret))}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("get %s: %s", path, errtext.Bounded(err.Error(), errtext.Cluster))
	}
	return nil
}

// get answers within the probe's time-out, at most 1 MiB of body.
func (p *Prober) get(ctx context.Context, path string) (code int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.endpoint+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Accept", "application/json, */*")
	name := &resolution{}
	response, err := p.http.Do(request.WithContext(httptrace.WithClientTrace(ctx, name.trace())))
	if err != nil {
		return 0, nil, name.explain(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end or given up
	body, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, body, err
}
