package members

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/pkg/answers"
	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
	"github.com/fedctl/fedctl/pkg/turns"
)

// Member is one that can be reached.
type Member struct {
	Name string
	// Config is for requests that are answered, within a time and a size.
	Config *rest.Config
	// Streams is for what lasts and may be of any length, such as logs, and for commands.
	Streams *rest.Config
}

// Reached are the members that are meant: those that can be reached, and the others.
type Reached struct {
	Way     Way
	Members []Member
	Missing []union.Missing
}

// Reacher finds the members of a choice, as often as it is asked: members come back.
type Reacher struct {
	factory *cmdutil.Factory
	choice  Choice
	way     Way
	host    string // the name of its context
}

// NewReacher finds out which way leads to the members, and says it on standard error.
func (o *Flags) NewReacher(ctx context.Context, f *cmdutil.Factory) (*Reacher, error) {
	choice, err := o.Choice()
	if err != nil {
		return nil, err
	}
	r := &Reacher{factory: f, choice: choice, way: Way(o.Via)}
	if r.host, err = f.HostContext(); err != nil {
		return nil, err
	}
	why := ""
	if r.way != Contexts {
		installed, err := Installed(ctx, f)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w; with --via %s members are reached by your own contexts", err, Contexts)
		case installed:
			r.way = FleetAPI
		case r.way == FleetAPI:
			return nil, ErrNoFleetAPI
		default:
			r.way, why = Contexts, ", since the host has no API of the fleet"
		}
	}
	if r.way == FleetAPI {
		_, err = fmt.Fprintf(f.ErrOut, "Reading members through the API of the fleet in %s.\n", r.host)
	} else {
		_, err = fmt.Fprintf(f.ErrOut, "Reading members by contexts of your kubeconfig%s.\n", why)
	}
	return r, err
}

// ErrNoFleetAPI says what a host lacks.
var ErrNoFleetAPI = errors.New("the host has no API of the fleet, through which members are reached: its administrator installs it with \"fedctl install --fleet-api\"")

// Installed says whether the host has the API of the fleet.
func Installed(ctx context.Context, f *cmdutil.Factory) (bool, error) {
	config, err := f.HostConfig()
	if err != nil {
		return false, err
	}
	config.Wrap(func(to http.RoundTripper) http.RoundTripper { return Bound(ctx, to) })
	host, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return false, err
	}
	_, err = host.ServerResourcesForGroupVersion(fleetv1alpha1.GroupVersion.String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking the host for the API of the fleet: %w", err)
	}
	return true, nil
}

// Way is the one that is taken.
func (r *Reacher) Way() Way { return r.way }

// Reach finds the members, by name. None at all is an error.
func (r *Reacher) Reach(ctx context.Context) (*Reached, error) {
	var found *Reached
	var err error
	if r.way == FleetAPI {
		found, err = r.throughHost(ctx)
	} else {
		found, err = r.byContexts(ctx)
	}
	if err != nil {
		return nil, err
	}
	found.Way = r.way
	for _, name := range r.choice.Names {
		known := slices.ContainsFunc(found.Members, func(m Member) bool { return m.Name == name }) ||
			slices.ContainsFunc(found.Missing, func(m union.Missing) bool { return m.Cluster == name })
		if !known {
			found.Missing = append(found.Missing, union.Missing{Cluster: name, Reason: union.NotFound, Message: "no such cluster has joined"})
		}
	}
	slices.SortFunc(found.Members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	if len(found.Members)+len(found.Missing) == 0 {
		return nil, errors.New("no clusters have joined that are meant; see \"fedctl get clusters\"")
	}
	return found, nil
}

// throughHost asks the API of the fleet who is there. Whoever may not list members may
// know the names of some all the same.
func (r *Reacher) throughHost(ctx context.Context) (*Reached, error) {
	host, err := r.factory.HostClient()
	if err != nil {
		return nil, err
	}
	found, list := &Reached{}, &fleetv1alpha1.ClusterList{}
	err = host.List(ctx, list)
	if apierrors.IsForbidden(err) && r.choice.Names != nil {
		for _, name := range r.choice.Names {
			if err := r.add(found, name); err != nil {
				return nil, err
			}
		}
		return found, nil
	} else if err != nil {
		return nil, fmt.Errorf("listing the clusters of the fleet, which those need not whom --clusters names: %w", err)
	}
	for i := range list.Items {
		c := &list.Items[i]
		switch {
		case !r.choice.Has(c.Name, c.Labels):
		case c.Status.Ready != corev1.ConditionTrue:
			found.Missing = append(found.Missing, union.Missing{
				Cluster: c.Name, Reason: union.NotReady, Message: errtext.Bounded(cmp.Or(c.Status.Reason, "Unknown")+": "+c.Status.Message, errtext.Cluster),
			})
		default:
			if err := r.add(found, c.Name); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// add takes in a member that is reached through the host.
func (r *Reacher) add(found *Reached, name string) error {
	config, err := r.factory.HostConfig()
	if err != nil {
		return err
	}
	config.Host = strings.TrimSuffix(config.Host, "/") + fleetv1alpha1.ProxyPath(name)
	found.Members = append(found.Members, newMember(name, config))
	return nil
}

// newMember takes a configuration for that of a member, of whom nothing is taken on trust.
func newMember(name string, config *rest.Config) Member {
	config.WarningHandler = rest.NoWarnings{}
	streams := rest.CopyConfig(config)
	streams.Timeout = 0
	streams.Wrap(func(to http.RoundTripper) http.RoundTripper { return staying{to} })
	config.Wrap(answers.Wrap)
	return Member{Name: name, Config: config, Streams: streams}
}

// staying follows no redirects, which would carry the user's login elsewhere.
type staying struct{ to http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (s staying) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.to.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if redirect := answers.RedirectOf(r, response); redirect != nil {
		_ = response.Body.Close()
		return nil, redirect
	}
	return response, nil
}

// WrappedRoundTripper is what client-go looks for.
func (s staying) WrappedRoundTripper() http.RoundTripper { return s.to }

// Note says on standard error which members are missing, and is true if there are any.
func (r *Reached) Note(f *cmdutil.Factory) bool {
	for _, line := range union.Warnings(r.Missing) {
		_, _ = fmt.Fprintf(f.ErrOut, "Warning: %s\n", line)
	}
	return len(r.Missing) > 0
}

// ErrMissing is the error of a command whose answer is not whole; who is missing it has said.
var ErrMissing = errors.New("some of the members are missing in what was read")

// MissingOf says why a member is missing that has answered with an error, or not at all.
func MissingOf(cluster string, err error) union.Missing {
	reason := union.Failed
	switch {
	case apierrors.IsForbidden(err):
		reason = union.Forbidden
	case apierrors.IsNotFound(err), errors.Is(err, errNotServed): // what may not be there is looked for before
		reason = union.NotServed
	}
	return union.Missing{Cluster: cluster, Reason: reason, Message: errtext.Stable(err)}
}

const (
	// AtOnce is how many requests to members are begun at a time.
	AtOnce = 16
	// Soon is for how long one counts that is not answered.
	Soon = time.Second
)

// Each asks the members, several at a time, and returns the answers of those that answer, by
// their names. The others are missing.
func Each[A any](ctx context.Context, r *Reached, ask func(context.Context, Member) (A, error)) map[string]A {
	answers, errs := make([]A, len(r.Members)), make([]error, len(r.Members))
	turns.New(AtOnce, Soon).Each(ctx, len(r.Members), func(i int) { answers[i], errs[i] = ask(ctx, r.Members[i]) })
	found := map[string]A{}
	for i, m := range r.Members {
		if errs[i] != nil {
			r.Missing = append(r.Missing, MissingOf(m.Name, errs[i]))
		} else {
			found[m.Name] = answers[i]
		}
	}
	return found
}
