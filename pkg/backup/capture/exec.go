package capture

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	spdytransport "k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/transport/websocket"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// execConfig is for typed requests, which the capture's own is not.
func execConfig(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Timeout = 0
	return config
}

// executorFor runs a command through an API server's exec endpoint: by WebSocket, or
// by SPDY where the server or a proxy before it does not know that.
func executorFor(config *rest.Config, endpoint *url.URL) (remotecommand.Executor, error) {
	config, tlsConfig, err := upgradeConfig(config)
	if err != nil {
		return nil, err
	}
	first, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, endpoint.String())
	if err != nil {
		return nil, err
	}
	second, err := spdyExecutor(config, tlsConfig, endpoint)
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(first, second, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}

// upgradeConfig returns a configuration for connections that are upgraded. client-go
// dials those itself, with the TLS settings of the configuration: what a transport of
// the caller's own knows of authorities, validations and proxies would be lost, so
// that a member could not be reached this way. tlsConfig is what both must use.
func upgradeConfig(config *rest.Config) (upgrade *rest.Config, tlsConfig *tls.Config, err error) {
	config = execConfig(config)
	if config.Transport == nil {
		tlsConfig, err = rest.TLSConfigFor(config)
		return config, tlsConfig, err
	}
	own, ok := config.Transport.(*http.Transport)
	if !ok {
		return nil, nil, fmt.Errorf("commands cannot be run through a connection of the type %T", config.Transport)
	}
	own = own.Clone() // which waits for the original's own changes
	tlsConfig = own.TLSClientConfig
	if tlsConfig == nil {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	tlsConfig.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrades
	config.Transport, config.Proxy = nil, own.Proxy
	wrap := config.WrapTransport
	config.WrapTransport = func(dialer http.RoundTripper) http.RoundTripper {
		if websocket, ok := dialer.(*websocket.RoundTripper); ok {
			websocket.TLSConfig = tlsConfig
		}
		if wrap != nil {
			return wrap(dialer)
		}
		return dialer
	}
	return config, tlsConfig, nil
}

func spdyExecutor(config *rest.Config, tlsConfig *tls.Config, endpoint *url.URL) (remotecommand.Executor, error) {
	dialer, err := spdy.NewRoundTripperWithConfig(spdy.RoundTripperConfig{TLS: tlsConfig, Proxier: config.Proxy, PingPeriod: 5 * time.Second})
	if err != nil {
		return nil, err
	}
	transport, err := rest.HTTPWrappersForConfig(config, dialer)
	if err != nil {
		return nil, err
	}
	return remotecommand.NewSPDYExecutorForTransports(transport, spdytransport.NewUpgraderForStreaming(dialer), http.MethodPost, endpoint)
}
