package fleetapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/filters"
	"k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/settings"
)

// Options configure a server.
type Options struct {
	settings.FleetAPI
	// KubeFedNamespace is where the KubeFedClusters are. Required.
	KubeFedNamespace string
	// Kubeconfig is that of the host cluster, whose API server says who asks and what he
	// may; empty: the Pod's service account.
	Kubeconfig string
	// View says what is shown of a member. Required.
	View View
}

// Server is the aggregated API server.
type Server struct {
	options Options
	manager manager.Manager
	members *members
	// over is cancelled when streams are to end.
	over context.Context //nolint:containedctx // the life of the server, not of a call
	end  context.CancelFunc
}

// Setup adds a server to a manager whose cache has the KubeFedClusters of the namespace.
// The error names what is wrong with the options.
func Setup(mgr manager.Manager, o Options) error {
	s := &Server{options: o, manager: mgr, members: &members{
		clusters: mgr.GetClient(), secrets: mgr.GetAPIReader(), namespace: o.KubeFedNamespace, responseTimeout: o.ResponseTimeout,
	}}
	s.over, s.end = context.WithCancel(context.Background())
	server, err := s.build()
	if err != nil {
		return fmt.Errorf("the fleet's API server: %w", err)
	}
	return errors.Join(
		mgr.Add(manager.RunnableFunc(s.followClusters)),
		mgr.Add(manager.RunnableFunc(s.renewTokens)),
		mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { return s.run(ctx, server) })),
	)
}

// newScheme has this API only, and what every API has.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := fleetv1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	return scheme, scheme.SetVersionPriority(fleetv1alpha1.GroupVersion)
}

// build makes the generic server: without etcd, admission and informers, since nothing is
// stored and nobody else is asked.
func (s *Server) build() (*genericapiserver.GenericAPIServer, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	codecs := serializer.NewCodecFactory(scheme)
	config := genericapiserver.NewConfig(codecs)
	config.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	namer := openapi.NewDefinitionNamer(scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	config.OpenAPIConfig.Info.Title, config.OpenAPIV3Config.Info.Title = "fedctl fleet", "fedctl fleet"
	config.EnableProfiling = false
	// What passes through has the member's limits.
	config.LongRunningFunc = filters.BasicLongRunningRequestCheck(sets.NewString("watch"), sets.NewString(fleetv1alpha1.ProxySubresource))
	config.ShutdownDelayDuration = s.options.DrainPeriod
	config.ShutdownWatchTerminationGracePeriod = s.options.DrainPeriod
	if err := s.secure(config); err != nil {
		return nil, err
	}
	config.Authentication.Authenticator = newFrontProxy(config.Authentication.RequestHeaderConfig, config.Authentication.Authenticator)
	host := &hostKnown{authority: config.Authentication.RequestHeaderConfig.CAContentProvider}
	config.AddReadyzChecks(host)
	chain := config.BuildHandlerChainFunc
	config.BuildHandlerChainFunc = func(handler http.Handler, c *genericapiserver.Config) http.Handler {
		return withStack(host.before(chain(handler, c), codecs))
	}
	server, err := config.Complete(nil).New("fedctl-fleet-api", genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, err
	}
	resources, err := s.resources(config)
	if err != nil {
		return nil, err
	}
	group := genericapiserver.NewDefaultAPIGroupInfo(fleetv1alpha1.GroupVersion.Group, scheme, runtime.NewParameterCodec(scheme), codecs)
	group.VersionedResourcesStorageMap[fleetv1alpha1.GroupVersion.Version] = resources
	return server, server.InstallAPIGroup(&group)
}

func (s *Server) resources(config *genericapiserver.Config) (map[string]rest.Storage, error) {
	host, err := client.NewWithWatch(s.manager.GetConfig(), client.Options{Scheme: s.manager.GetScheme(), Mapper: s.manager.GetRESTMapper()})
	if err != nil {
		return nil, err
	}
	return map[string]rest.Storage{
		fleetv1alpha1.ClustersResource: &clusters{host: host, namespace: s.options.KubeFedNamespace, view: s.options.View},
		fleetv1alpha1.ClustersResource + "/" + fleetv1alpha1.ProxySubresource: &proxy{
			members: s.members, authorizer: config.Authorization.Authorizer, prefix: s.options.IdentityPrefix,
			streams: &streams{over: s.over}, buffers: &buffers{}, places: newPlaces(s.options.MaxRequests, s.options.MaxRequestsPerUser),
			room: newRoom(mostNextOfAll),
		},
	}, nil
}

// secure has it serve by TLS, and ask the host's API server who asks and what he may.
func (s *Server) secure(config *genericapiserver.Config) error {
	serving := options.NewSecureServingOptions()
	host, port, err := net.SplitHostPort(s.options.BindAddress)
	if err != nil {
		return err
	}
	serving.BindPort, err = strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("the port of %s: %w", s.options.BindAddress, err)
	}
	if host != "" {
		if serving.BindAddress = net.ParseIP(host); serving.BindAddress == nil {
			return fmt.Errorf("%s is not an IP address", host)
		}
	}
	serving.ServerCert.CertDirectory = "" // one that is made is kept in memory
	if dir := s.options.CertDir; dir != "" {
		serving.ServerCert.CertKey = options.CertKey{
			CertFile: filepath.Join(dir, corev1.TLSCertKey), KeyFile: filepath.Join(dir, corev1.TLSPrivateKeyKey),
		}
	} else if err := serving.MaybeDefaultWithSelfSignedCerts("localhost", nil, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		return err
	}
	authentication, authorization := options.NewDelegatingAuthenticationOptions(), options.NewDelegatingAuthorizationOptions()
	authentication.RemoteKubeConfigFile, authorization.RemoteKubeConfigFile = s.options.Kubeconfig, s.options.Kubeconfig
	if err := serving.WithLoopback().ApplyTo(&config.SecureServing, &config.LoopbackClientConfig); err != nil {
		return err
	}
	if err := authentication.ApplyTo(&config.Authentication, config.SecureServing, config.OpenAPIConfig); err != nil {
		return err
	}
	return authorization.ApplyTo(&config.Authorization)
}

// run serves until ctx ends, and then until requests have ended, streams being ended when
// the drain period is over.
func (s *Server) run(ctx context.Context, server *genericapiserver.GenericAPIServer) error {
	defer s.end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(s.options.DrainPeriod, s.end) })()
	return server.PrepareRun().RunWithContext(ctx)
}

// followClusters ends what goes through to members that leave, or let nobody in any more.
func (s *Server) followClusters(ctx context.Context) error {
	informer, err := s.manager.GetCache().GetInformer(ctx, &fedcorev1beta1.KubeFedCluster{})
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(_, object any) {
			if kfc, ok := object.(*fedcorev1beta1.KubeFedCluster); ok && kfc.Annotations[reach.FleetAccessAnnotation] == "" {
				s.members.forget(kfc.Name)
			}
		},
		DeleteFunc: func(object any) {
			if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = last.Obj
			}
			if kfc, ok := object.(*fedcorev1beta1.KubeFedCluster); ok {
				s.members.forget(kfc.Name)
			}
		},
	})
	return err
}

// buffers lends the memory in which bodies pass, one for each body that moves.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
