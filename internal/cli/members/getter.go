package members

import (
	"net/http"
	"path"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Getter is a member as kubectl's code takes it, with the namespace that is meant there.
// What the member serves is asked once, and kept in memory.
func Getter(config *rest.Config, namespace string) genericclioptions.RESTClientGetter {
	return &getter{config: config, namespace: namespace}
}

type getter struct {
	config    *rest.Config
	namespace string
	cached    discovery.CachedDiscoveryInterface
}

// ToRESTConfig implements genericclioptions.RESTClientGetter.
func (g *getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

// ToDiscoveryClient implements genericclioptions.RESTClientGetter.
func (g *getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	if g.cached == nil {
		config := rest.CopyConfig(g.config)
		config.Wrap(func(to http.RoundTripper) http.RoundTripper { return &discovering{to: to} })
		client, err := discovery.NewDiscoveryClientForConfig(config)
		if err != nil {
			return nil, err
		}
		g.cached = memory.NewMemCacheClient(client)
	}
	return g.cached, nil
}

// ToRESTMapper implements genericclioptions.RESTClientGetter.
func (g *getter) ToRESTMapper() (meta.RESTMapper, error) {
	client, err := g.ToDiscoveryClient()
	if err != nil {
		return nil, err
	}
	return restmapper.NewShortcutExpander(restmapper.NewDeferredDiscoveryRESTMapper(client), client, nil), nil
}

// ToRawKubeConfigLoader implements genericclioptions.RESTClientGetter.
func (g *getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	overrides := &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: g.namespace}}
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), overrides)
}

// discovering asks once what a member serves that says it cannot tell: kubectl's code asks again
// and again, and loses what is said.
type discovering struct {
	to     http.RoundTripper
	mu     sync.Mutex
	failed error
}

// RoundTrip implements http.RoundTripper.
func (d *discovering) RoundTrip(r *http.Request) (*http.Response, error) {
	if name := path.Base(r.URL.Path); name != "api" && name != "apis" {
		return d.to.RoundTrip(r)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed != nil {
		return nil, d.failed
	}
	response, err := d.to.RoundTrip(r)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode < http.StatusBadRequest, response.StatusCode == http.StatusNotFound, response.StatusCode == http.StatusNotAcceptable: // which say what there is not
		return response, nil
	}
	defer response.Body.Close() //nolint:errcheck // only read
	d.failed = refusalOf(response)
	return nil, d.failed
}

// WrappedRoundTripper is what client-go looks for.
func (d *discovering) WrappedRoundTripper() http.RoundTripper { return d.to }
