package join

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// firstAnswer is how long a cluster may take to answer the first request of a
// command: a wrong context is found out soon.
const firstAnswer = 8 * time.Second

var joinScheme = sync.OnceValue(func() *runtime.Scheme {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), fedcorev1beta1.AddToScheme(scheme)); err != nil {
		panic(err) // two Go types for one kind: a mistake of the program
	}
	return scheme
})

// A side is one of the two clusters of a join or unjoin, with the rights of the
// user who does it.
type side struct {
	name   string
	config *rest.Config
	client client.Client
	// uid identifies the cluster; empty when the user may not read it.
	uid string
	// asked are the rights that the cluster was asked about, and whether the user has them.
	asked map[right]bool
}

// openSide connects to a member and asks it who it is.
func openSide(ctx context.Context, config *rest.Config, name string) (*side, error) {
	config = rest.CopyConfig(config)
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, fmt.Errorf("reading the certificates for %s: %w", name, err)
	}
	config.WarningHandler = rest.NoWarnings{}
	cl, err := client.New(config, client.Options{Scheme: joinScheme()})
	if err != nil {
		return nil, fmt.Errorf("making a client of %s: %w", name, err)
	}
	s := &side{name: name, config: config, client: cl}
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	var namespace corev1.Namespace
	err = cl.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, &namespace)
	switch {
	case err == nil:
		s.uid = string(namespace.UID)
	case apierrors.IsUnauthorized(err):
		why := "401 Unauthorized"
		if ended := endedCertificate(config, time.Now()); ended != "" {
			why += "; " + ended
		}
		return nil, fmt.Errorf("%s at %s does not accept the credentials in the kubeconfig (%s)", name, config.Host, why)
	case !apierrors.IsForbidden(err):
		return nil, &UnreachableError{Cluster: name, Endpoint: config.Host, message: reach.Describe(err, config.Host, firstAnswer)}
	}
	return s, nil
}

// Identify asks a cluster who it is: the UID of its kube-system namespace, empty where the
// user may not read it.
func Identify(ctx context.Context, config *rest.Config, name string) (uid string, err error) {
	s, err := openSide(ctx, config, name)
	if err != nil {
		return "", err
	}
	return s.uid, nil
}

// UnreachableError says that a cluster did not answer.
type UnreachableError struct {
	Cluster, Endpoint string

	message string
}

// Error implements error.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s at %s is not reachable: %s", e.Cluster, errtext.Address(e.Endpoint), e.message)
}

// right is something a user must be allowed to do.
type right struct{ verb, group, resource, namespace string }

func (r right) String() string {
	resource := r.resource
	if r.group != "" {
		resource += "." + r.group
	}
	if r.namespace != "" {
		resource += " in namespace " + r.namespace
	}
	return r.verb + " " + resource
}

// missing asks the cluster which of the rights the user lacks, about each once.
func (s *side) missing(ctx context.Context, rights []right) error {
	var lacking []string
	for n, r := range rights {
		if slices.Contains(rights[:n], r) {
			continue
		}
		allowed, err := s.allows(ctx, r)
		if err != nil {
			return err
		}
		if !allowed {
			lacking = append(lacking, r.String())
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return fmt.Errorf("you lack rights in %s: %s", s.name, strings.Join(lacking, ", "))
}

func (s *side) allows(ctx context.Context, r right) (bool, error) {
	if allowed, known := s.asked[r]; known {
		return allowed, nil
	}
	resource, subresource, _ := strings.Cut(r.resource, "/")
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: r.verb, Group: r.group, Resource: resource, Subresource: subresource, Namespace: r.namespace},
	}}
	if err := s.client.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking %s what you may do: %w", s.name, err)
	}
	if s.asked == nil {
		s.asked = map[right]bool{}
	}
	s.asked[r] = review.Status.Allowed
	return review.Status.Allowed, nil
}

// mayGrant has the cluster say whether the user may give the rights of a role, for which he
// must have them himself or be allowed to give any. Nothing is written.
func (s *side) mayGrant(ctx context.Context, role client.Object) error {
	probe, ok := role.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("unexpected type %T", role)
	}
	// Of one that is there this is asked as well, before it is said to be there. Whatever else
	// is wrong will be said when it is done.
	if err := s.client.Create(ctx, probe, client.DryRunAll); apierrors.IsForbidden(err) {
		return fmt.Errorf("you may not give the rights of %s in %s: %w", describeObject(role), s.name, err)
	}
	return nil
}

// checkRights asks for the rights to create or update objects, and for more.
func (s *side) checkRights(ctx context.Context, objects []client.Object, more ...right) error {
	rights, err := s.rightsTo(objects, "get", "create")
	if err != nil {
		return err
	}
	return s.missing(ctx, append(rights, more...))
}

// rightsTo are those to do something with objects; types that the cluster does not have
// are an error.
func (s *side) rightsTo(objects []client.Object, verbs ...string) (rights []right, err error) {
	for _, object := range objects {
		mapping, err := s.client.RESTMapper().RESTMapping(object.GetObjectKind().GroupVersionKind().GroupKind())
		if err != nil {
			return nil, fmt.Errorf("asking %s about %s: %w", s.name, describeObject(object), err)
		}
		for _, verb := range verbs {
			one := right{verb, mapping.Resource.Group, mapping.Resource.Resource, object.GetNamespace()}
			if !slices.Contains(rights, one) {
				rights = append(rights, one)
			}
		}
	}
	return rights, nil
}

// proxyURL is the proxy that a kubeconfig names for its cluster, or empty.
func proxyURL(config *rest.Config) (string, error) {
	if config.Proxy == nil {
		return "", nil
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return "", fmt.Errorf("the address %q is not a URL: %w", config.Host, err)
	}
	proxy, err := config.Proxy(&http.Request{URL: target})
	if err != nil || proxy == nil {
		return "", err
	}
	return proxy.String(), nil
}
