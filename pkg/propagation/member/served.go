package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// A 404 may be of the object, or of the way to it: the member does not serve the type in
// this version, not in this scope, or not at all, or what answers is no API server. Only
// the first says that there is no such object.

// notFound says whether a request for an object was answered that there is none.
func notFound(err error, r Ref) bool {
	details := notFoundDetails(err)
	// Where its namespace is not there, nothing is said of the object.
	return details != nil && details.Name == r.Key.Name && (details.Kind != "namespaces" || r.Resource.GVR.Resource == "namespaces")
}

// Astray says whether a request was answered that there is nothing of the kind that was
// asked for, which says nothing of objects.
func Astray(err error) bool { return apierrors.IsNotFound(err) && notFoundDetails(err) == nil }

// notFoundDetails is what an API server says was not found; nil if none has said so. For
// a version that it no longer serves of a group of its own it names nothing.
func notFoundDetails(err error) *metav1.StatusDetails {
	var answer apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &answer) {
		return nil
	}
	details := answer.Status().Details
	if details == nil || details.Name == "" && details.Kind == "" || slices.ContainsFunc(details.Causes, func(c metav1.StatusCause) bool { return c.Type == metav1.CauseTypeUnexpectedServerResponse }) {
		return nil
	}
	return details
}

// Served knows in which versions a member serves resources that it does not serve as
// they were asked for. It is safe for concurrent use.
type Served struct {
	discovery rest.Interface
	timeout   time.Duration
	// fresh is how long what was found out stands for the next who asks: many objects
	// go astray at once.
	fresh time.Duration

	looking sync.Mutex // one looks, and the others wait for what is found
	mu      sync.RWMutex
	// elsewhere has the version that is used in place of the one that was asked for.
	elsewhere map[schema.GroupVersionResource]string
	found     map[schema.GroupVersionResource]Finding
	changed   func()
}

// mostVersions is how many versions are tried in one go: what a member says that it
// serves may change meanwhile, and may be wrong.
const mostVersions = 3

// servedFresh is long enough for the objects that are in work at a time.
const servedFresh = time.Second

// NewServed returns a Served of the member that discovery asks, each request within timeout.
func NewServed(discovery rest.Interface, timeout time.Duration) *Served {
	return &Served{
		discovery: discovery, timeout: timeout, fresh: servedFresh, changed: func() {},
		elsewhere: map[schema.GroupVersionResource]string{}, found: map[schema.GroupVersionResource]Finding{},
	}
}

// OnReturn has f called when a version is served again in whose place another was used.
func (s *Served) OnReturn(f func()) { s.changed = f }

// Finding is what a member serves of a resource.
type Finding struct {
	// Version is the one that requests are to be made in; empty for none.
	Version string
	// Undefined says that there can be no objects of the resource: it is not defined.
	Undefined bool
	// Why says why requests in the version that was asked for go astray; nil if it is served.
	Why error

	at time.Time
}

// why is Why, or what a request has met if that explains nothing.
func (f Finding) why(met error) error {
	if f.Why != nil {
		return f.Why
	}
	return met
}

// In returns a resource in the version that requests are to be made in.
func (s *Served) In(r typeconfig.Resource) typeconfig.Resource {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if version := s.elsewhere[r.GVR]; version != "" {
		r.GVR.Version, r.GVK.Version = version, version
	}
	return r
}

// Look finds out why a request for a resource went astray, and has another version used
// from then on if there is one.
func (s *Served) Look(ctx context.Context, r typeconfig.Resource) Finding {
	s.looking.Lock()
	defer s.looking.Unlock()
	if known, ok := s.found[r.GVR]; ok && time.Since(known.at) < s.fresh {
		return known
	}
	found := s.find(ctx, r)
	found.at = time.Now()
	s.found[r.GVR] = found
	if found.Version != "" || found.Undefined {
		s.use(r.GVR, found.Version)
	}
	return found
}

// Revisit finds out whether versions of a resource are served again that another is
// used for. It costs nothing where none is.
func (s *Served) Revisit(ctx context.Context, r typeconfig.Resource) {
	s.mu.RLock()
	var due []string
	for gvr := range s.elsewhere {
		if gvr.GroupResource() == r.GVR.GroupResource() {
			due = append(due, gvr.Version)
		}
	}
	s.mu.RUnlock()
	for _, version := range due {
		asked := r
		asked.GVR.Version, asked.GVK.Version = version, version
		s.Look(ctx, asked)
	}
}

func (s *Served) use(gvr schema.GroupVersionResource, version string) {
	s.mu.Lock()
	before := s.elsewhere[gvr]
	if version == gvr.Version || version == "" {
		delete(s.elsewhere, gvr)
	} else {
		s.elsewhere[gvr] = version
	}
	s.mu.Unlock()
	if before != "" && version == gvr.Version {
		s.changed()
	}
}

func (s *Served) find(ctx context.Context, r typeconfig.Resource) Finding {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	name := r.GVR.GroupResource().String() + "/" + r.GVR.Version
	versions, scope, err := s.versions(ctx, r)
	switch {
	case err != nil:
		return Finding{Why: fmt.Errorf("the cluster does not answer for %s, and what it serves could not be read: %w", name, err)}
	case scope != "":
		return Finding{Undefined: true, Why: fmt.Errorf("the cluster serves %s with scope %s: spec.targetType.scope of the FederatedTypeConfig says otherwise", name, scope)}
	case slices.Contains(versions, r.GVR.Version):
		return Finding{Version: r.GVR.Version}
	case len(versions) > 0:
		return Finding{Version: versions[0], Why: fmt.Errorf("the cluster does not serve %s, but only %s", name, strings.Join(versions, ", "))}
	}
	switch err := s.definition(ctx, r); {
	case err == nil:
		return Finding{Why: fmt.Errorf("the cluster does not serve %s: its CustomResourceDefinition serves no version, and what it has stored cannot be reached", name)}
	case notFoundDetails(err) != nil && notFoundDetails(err).Name == r.GVR.GroupResource().String():
		return Finding{Undefined: true, Why: fmt.Errorf("the cluster does not serve %s; install its CustomResourceDefinition there", name)}
	default:
		return Finding{Why: fmt.Errorf("the cluster does not serve %s; install its CustomResourceDefinition there. Whether it has one, and objects, could not be read (%w): fedctl join again grants that", name, err)}
	}
}

// versions returns the versions that the member serves a resource in, the best first; or,
// with none, the scope that it serves it with, if that is the only thing that is wrong.
func (s *Served) versions(ctx context.Context, r typeconfig.Resource) (versions []string, scope string, err error) {
	if r.GVR.Group == "" {
		return nil, "", errors.New("the core API has one version, which is always served: is this an API server?")
	}
	group := &metav1.APIGroup{}
	if err := s.discovery.Get().AbsPath("/apis", r.GVR.Group).Do(ctx).Into(group); apierrors.IsNotFound(err) {
		return nil, "", nil
	} else if err != nil {
		return nil, "", err
	}
	for _, version := range group.Versions {
		resources := &metav1.APIResourceList{}
		if err := s.discovery.Get().AbsPath("/apis", r.GVR.Group, version.Version).Do(ctx).Into(resources); apierrors.IsNotFound(err) {
			continue // it has gone a moment ago
		} else if err != nil {
			return nil, "", err
		}
		for i := range resources.APIResources {
			found := &resources.APIResources[i]
			switch {
			case found.Name != r.GVR.Resource || found.Kind != r.GVK.Kind:
			case found.Namespaced != r.Namespaced:
				scope = map[bool]string{true: "Namespaced", false: "Cluster"}[found.Namespaced]
			default:
				versions = append(versions, version.Version)
			}
		}
	}
	if len(versions) > 0 {
		scope = ""
	}
	return versions, scope, nil
}

// definition asks for the CustomResourceDefinition of a resource.
func (s *Served) definition(ctx context.Context, r typeconfig.Resource) error {
	return s.discovery.Get().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", r.GVR.GroupResource().String()).Do(ctx).Error()
}
