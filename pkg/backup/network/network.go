// Package network makes requests to addresses that somebody else has named: it
// connects to none that is out of bounds, follows no redirects, reads no more than is
// asked for, and quotes nothing of an answer that is not what it should be.
//
// It imports pkg/answers only.
package network

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fedctl/fedctl/pkg/answers"
)

// Rules say which addresses a storage may have. Whoever writes a BackupRepository
// names a host, and the executor connects to it from a place where more can be
// reached: the machine itself, its neighbours, and the service that hands out the
// machine's credentials are out of bounds unless they are allowed.
type Rules struct {
	// Allowed are addresses that are allowed although they are out of bounds.
	Allowed []netip.Prefix
	// APIServer is where the API server of the executor's own cluster is, as host:port, by
	// which more than storage is reached; empty: it is not known.
	APIServer string
	// TokenURIs are where keys of Google's service accounts may say that tokens come
	// from, beside Google.
	TokenURIs []string
	// MayWrite is asked before each request that may change something, and again when
	// its body is sent, for a connection may have to be made first; nil: it may.
	MayWrite func() error
}

// Parse reads addresses (127.0.0.1) and ranges of them (127.0.0.0/8).
func Parse(allowed []string) (Rules, error) {
	var rules Rules
	for _, text := range allowed {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			var address netip.Addr
			if address, err = netip.ParseAddr(text); err == nil {
				prefix = netip.PrefixFrom(address, address.BitLen())
			}
		}
		if err != nil {
			return Rules{}, fmt.Errorf("%q is neither an address nor a range of addresses such as 127.0.0.0/8", text)
		}
		rules.Allowed = append(rules.Allowed, prefix.Masked())
	}
	return rules, nil
}

// outOfBounds are addresses of metadata services that are not link-local.
var outOfBounds = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::254/128"),  // AWS
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud
	netip.MustParsePrefix("0.0.0.0/8"),
}

// allows says whether an address may be connected to.
func (r Rules) allows(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	for _, allowed := range r.Allowed {
		if allowed.Contains(address) {
			return true
		}
	}
	if address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsMulticast() || address.IsUnspecified() {
		return false
	}
	for _, prefix := range outOfBounds {
		if prefix.Contains(address) {
			return false
		}
	}
	return true
}

// Excluding are the rules without the API server at address, a URL or host:port: that of the
// executor's own cluster.
func (r Rules) Excluding(address string) Rules {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
		r.APIServer = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443"))
	}
	return r
}

// Refuses says whether an address may not be connected to.
func (r Rules) Refuses(at netip.AddrPort) bool { return !r.allows(at.Addr()) || r.isAPIServer(at) }

// isAPIServer says whether an address is that of the executor's API server, unless it is allowed.
func (r Rules) isAPIServer(at netip.AddrPort) bool {
	host, port, err := net.SplitHostPort(r.APIServer)
	if err != nil || port != strconv.Itoa(int(at.Port())) || slices.ContainsFunc(r.Allowed, func(p netip.Prefix) bool { return p.Contains(at.Addr().Unmap()) }) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolving)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return err == nil && slices.ContainsFunc(addresses, func(a netip.Addr) bool { return a.Unmap() == at.Addr().Unmap() })
}

// resolving is how long the name of the API server may take.
const resolving = 5 * time.Second

// AddressError is an address that is out of bounds.
type AddressError struct{ Address string }

func (e *AddressError) Error() string {
	return fmt.Sprintf("the address %s is out of bounds for repositories: allow it with the controller's setting backup-storage-addresses, or name another host", e.Address)
}

// dialer refuses addresses after names were resolved: what a name stood for before
// says nothing about the connection.
func (r Rules) dialer() *net.Dialer {
	return &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || r.Refuses(at) {
			host, _, _ := net.SplitHostPort(address)
			return &AddressError{host}
		}
		return nil
	}}
}

// Client makes requests within these bounds. It follows no redirects, which would lead
// where nobody has looked.
func (r Rules) Client(roots *x509.CertPool) *http.Client {
	proxies := &proxies{}
	bounded, free := r.dialer(), &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		Proxy: proxies.of,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if proxies.has(address) { // the operator's, by the environment
				return free.DialContext(ctx, network, address)
			}
			return bounded.DialContext(ctx, network, address)
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    16,
		ResponseHeaderTimeout:  time.Minute,
		IdleConnTimeout:        time.Minute,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  10 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true, // what is stored does not get smaller, and a little could become much
		ForceAttemptHTTP2:      true,
	}
	return &http.Client{
		Transport:     &bounds{rules: r, to: transport, proxies: proxies},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// proxies are those that the environment has named so far.
type proxies struct{ known sync.Map }

func (p *proxies) of(r *http.Request) (*url.URL, error) {
	proxy, err := http.ProxyFromEnvironment(r)
	if proxy != nil {
		port := proxy.Port()
		if port == "" {
			port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[proxy.Scheme]
		}
		if port == "" {
			port = "80"
		}
		p.known.Store(net.JoinHostPort(proxy.Hostname(), port), nil)
	}
	return proxy, err
}

func (p *proxies) has(address string) bool {
	_, ok := p.known.Load(address)
	return ok
}

// bounds limits answers, and says in our own words what is wrong with them: a page
// that only the executor can see is not for whoever has named its address.
type bounds struct {
	rules   Rules
	to      *http.Transport
	proxies *proxies
}

// Limits of answers that are no blobs.
const (
	maxAnswerBytes = 16 << 20
	maxErrorBytes  = 64 << 10
)

// RoundTrip implements http.RoundTripper.
func (b *bounds) RoundTrip(r *http.Request) (*http.Response, error) {
	// A proxy resolves names itself, and its operator says what may be reached by it; a
	// number needs nobody to resolve it.
	if address, err := netip.ParseAddr(strings.Trim(r.URL.Hostname(), "[]")); err == nil && !b.rules.allows(address) {
		return nil, &AddressError{address.String()}
	}
	fenced, err := b.rules.fence(r)
	if err != nil {
		return nil, err
	}
	response, err := b.to.RoundTrip(fenced)
	if refused := (*RefusedError)(nil); errors.As(err, &refused) {
		return nil, refused
	}
	if err != nil {
		return nil, connection(err)
	}
	most := answers.LimitOf(r.Context(), maxAnswerBytes)
	if response.StatusCode >= http.StatusMultipleChoices {
		most = maxErrorBytes
	}
	response.Body = answers.Body(response.Body, most)
	return response, nil
}

// CloseIdleConnections is what http.Client looks for.
func (b *bounds) CloseIdleConnections() { b.to.CloseIdleConnections() }

// connection passes on what the network and TLS say. Everything else is about what the
// other side has answered, and may quote it.
func connection(err error) error {
	var (
		network     net.Error
		operation   *net.OpError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		address     *AddressError
	)
	switch {
	case errors.As(err, &address):
		return address
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &operation), errors.As(err, &network):
		return err
	case errors.As(err, &record):
		return ErrNoTLS
	}
	return ErrNoHTTP
}

// What is wrong with an answer.
var (
	ErrNoHTTP = errors.New("the answer is not HTTP as it should be")
	ErrNoTLS  = errors.New("the answer is not TLS: check whether the endpoint is http or https")
)
