package fleetapi

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/httputil"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/transport"
	"k8s.io/klog/v2"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// proxy serves clusters/NAME/proxy/...: the API of a member, as the user who asks.
//
// It stands on httputil.ReverseProxy and not on apimachinery's UpgradeAwareHandler. That
// one dials upgrades itself and writes to them what it was sent; its requests lose, after
// they were made, what the client calls a hop-by-hop header ("Connection:
// Impersonate-User"); and it rewrites answers. ReverseProxy has one way for both, in which
// what this package says comes last.
type proxy struct {
	members    *members
	authorizer authorizer.Authorizer
	prefix     string
	streams    *streams
	buffers    httputil.BufferPool
	places     *places
	room       *room // for pages of lists of several members
}

var (
	_ rest.Connecter = &proxy{}
	_ rest.Scoper    = &proxy{}

	proxyMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
)

// New implements rest.Storage.
func (*proxy) New() runtime.Object { return &fleetv1alpha1.Cluster{} }

// Destroy implements rest.Storage.
func (*proxy) Destroy() {}

// NamespaceScoped implements rest.Scoper.
func (*proxy) NamespaceScoped() bool { return false }

// ConnectMethods implements rest.Connecter.
func (*proxy) ConnectMethods() []string { return proxyMethods }

// NewConnectOptions implements rest.Connecter: the path is taken from the request, and no
// parameter of the query is anything but the member's.
func (*proxy) NewConnectOptions() (options runtime.Object, subpath bool, key string) {
	return nil, true, ""
}

// Connect implements rest.Connecter. The host's API server has been asked whether the user
// may do this verb with clusters/proxy of this name.
func (p *proxy) Connect(ctx context.Context, name string, _ runtime.Object, responder rest.Responder) (http.Handler, error) {
	u, _ := request.UserFrom(ctx)
	who, err := impersonated(u, p.prefix)
	if err != nil {
		return nil, apierrors.NewForbidden(clustersResource, name, err)
	}
	if name == fleetv1alpha1.AllClusters {
		return &everywhere{proxy: p, user: u, who: who, responder: responder}, nil
	}
	c, err := p.members.to(ctx, name)
	if err != nil {
		return nil, err
	}
	return &passage{proxy: p, connection: c, user: u.GetName(), who: who, responder: responder}, nil
}

// passage is one request on its way to a member.
type passage struct {
	*proxy
	*connection
	user      string // in the host
	who       transport.ImpersonationConfig
	responder rest.Responder
}

// ServeHTTP implements http.Handler.
func (p *passage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, err := memberPath(r.URL.Path, p.cluster)
	if err != nil {
		p.responder.Error(apierrors.NewBadRequest(err.Error()))
		return
	}
	to := p.plain
	upgrade, err := p.mayUpgrade(r)
	if err != nil {
		p.responder.Error(err)
		return
	} else if upgrade {
		to = p.upgrades
	}
	leave, err := p.places.take(p.user, 1)
	if err != nil {
		p.responder.Error(err)
		return
	}
	defer leave()
	defer goneQuietly(r)
	r, done := p.streams.follow(p.ended, r, upgrade)
	defer done()
	forward := httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL = memberURL(p.endpoint, path, pr.Out.URL.RawQuery)
			pr.Out.Host = p.endpoint.Host
			pr.Out.Header = forMember(pr.Out.Header)
			pr.Out.Trailer = nil
			if pr.Out.Body != nil && !upgrade {
				pr.Out.Body = sent(w, pr.Out.Body, p.buffers)
			}
		},
		Transport:      transport.NewImpersonatingRoundTripper(p.who, to),
		BufferPool:     p.buffers, // streams, which have no known length, are passed as they come
		ModifyResponse: func(response *http.Response) error { return p.answer(r, response) },
		ErrorHandler:   func(_ http.ResponseWriter, _ *http.Request, err error) { p.failed(err) },
		ErrorLog:       discard,
	}
	forward.ServeHTTP(&finalWriter{w}, r)
}

// goneQuietly ends the abort of an answer that nobody waits for any more. Others are to break
// the connection off, so that the client does not take a part for the whole.
func goneQuietly(r *http.Request) {
	if err := recover(); err != nil && (err != http.ErrAbortHandler || r.Context().Err() == nil) { //nolint:errorlint // what panics with it, panics with itself
		panic(err)
	}
}

var discard = log.New(writerFunc(func(text []byte) (int, error) {
	klog.V(4).Info(errtext.Bounded(string(text), errtext.Cluster)) // clients that have gone, mostly
	return len(text), nil
}), "", 0)

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// finalWriter leaves out interim answers: they come with headers that nobody looks at.
type finalWriter struct{ http.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *finalWriter) WriteHeader(code int) {
	if code < http.StatusOK && code != http.StatusSwitchingProtocols {
		return
	}
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (w *finalWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// failed says why a member has not answered. Nothing was written yet.
func (p *passage) failed(err error) {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		p.responder.Error(err)
		return
	}
	klog.V(2).InfoS("A member did not answer", "cluster", p.cluster, "err", reach.Innermost(err))
	p.responder.Error(unavailable(p.cluster, reach.Describe(err, p.endpoint.String(), p.members.responseTimeout)))
}
