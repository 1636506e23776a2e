package membership

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"
)

// A prober asks a member how it is, over connections of its own: a probe is
// never queued behind other requests, and never succeeds or fails because of the
// state of their connections.
type prober struct {
	http     *http.Client
	idle     func()
	endpoint string
	// secret names the Secret of the token, for messages.
	secret  string
	timeout time.Duration
}

func newProber(a access, secret string, opts Options) (*prober, error) {
	transport := a.transport(opts.Timeout)
	// HTTP/1: a request that times out takes its connection with it, so the next
	// probe dials afresh.
	transport.ForceAttemptHTTP2, transport.HTTP2 = false, nil
	transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	client, err := rest.HTTPClientFor(a.restConfig(transport, opts))
	if err != nil {
		return nil, err
	}
	return &prober{http: client, idle: transport.CloseIdleConnections, endpoint: a.Endpoint, secret: secret, timeout: opts.Timeout}, nil
}

// healthz probes once.
func (p *prober) healthz(ctx context.Context) observation {
	code, body, err := p.get(ctx, "/healthz")
	switch {
	case err != nil:
		p.idle()
		return observation{Verdict: verdictOffline, Detail: describe(err, p.endpoint, p.timeout)}
	case code == http.StatusOK && strings.EqualFold(strings.TrimSpace(string(body)), "ok"):
		return observation{Verdict: verdictReady}
	case code == http.StatusOK:
		return observation{Verdict: verdictNotReady, Detail: hostOf(p.endpoint) + " does not answer like a Kubernetes API server"}
	default:
		return observation{Verdict: verdictNotReady, Refused: code == http.StatusUnauthorized, Detail: describeStatus(code, "/healthz", string(body), p.secret)}
	}
}

// version returns the member's git version, such as v1.36.3.
func (p *prober) version(ctx context.Context) (string, error) {
	var info version.Info
	if err := p.getJSON(ctx, "/version", &info); err != nil {
		return "", err
	}
	return info.GitVersion, nil
}

// clusterUID returns the UID of the namespace kube-system, which stands for the
// cluster.
func (p *prober) clusterUID(ctx context.Context) (string, error) {
	var namespace metav1.PartialObjectMetadata
	if err := p.getJSON(ctx, "/api/v1/namespaces/"+metav1.NamespaceSystem, &namespace); err != nil {
		return "", err
	}
	return string(namespace.UID), nil
}

// statusError is an HTTP answer that is not 200.
type statusError struct {
	Code    int
	message string
}

func (e *statusError) Error() string { return e.message }

func (p *prober) getJSON(ctx context.Context, path string, into any) error {
	code, body, err := p.get(ctx, path)
	if err != nil {
		return fmt.Errorf("get %s: %s", path, describe(err, p.endpoint, p.timeout))
	}
	if code != http.StatusOK {
		return &statusError{Code: code, message: fmt.Sprintf("get %s: %s", path, describeStatus(code, path, string(body), p.secret))}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("get %s: %w", path, err)
	}
	return nil
}

// get answers within the probe's time-out, at most 1 MiB of body.
func (p *prober) get(ctx context.Context, path string) (code int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.endpoint+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Accept", "application/json, */*")
	response, err := p.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end or given up
	body, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, body, err
}
