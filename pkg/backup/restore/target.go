package restore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

const (
	requestTimeout = 30 * time.Second
	// patience is how long a request is repeated that fails for a passing reason.
	patience = time.Minute
	// aliveTimeout is how long a cluster may take for its simplest answer.
	aliveTimeout = 10 * time.Second
)

// target is the cluster that is restored into.
type target struct {
	client client.Client
	dryRun bool
}

func newTarget(config *rest.Config, dryRun bool) (target, error) {
	config = rest.CopyConfig(config)
	if config.QPS == 0 && config.RateLimiter == nil {
		config.QPS, config.Burst = 200, 400
	}
	// Warnings of deprecated versions were for those who wrote the objects.
	config.WarningHandler = rest.NoWarnings{}
	if config.Timeout == 0 {
		config.Timeout = requestTimeout
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return target{}, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return target{}, &Error{Reason: ReasonUnreachable, Message: "cannot connect to the cluster", Err: err}
	}
	return target{client: c, dryRun: dryRun}, nil
}

// servedAs is a resource as the cluster serves it. problem says why it does not.
type servedAs struct {
	content.Resource
	problem string
}

// serve finds the version of a resource that the cluster serves. Whether it serves it
// is looked up once, until it is to be tried again.
func (r *run) serve(ctx context.Context, resource content.Resource) servedAs {
	r.plan.mu.Lock()
	known, ok := r.plan.served[resource.Name()]
	r.plan.mu.Unlock()
	if ok {
		return known
	}
	known = r.findServed(ctx, resource)
	r.plan.mu.Lock()
	defer r.plan.mu.Unlock()
	r.plan.served[resource.Name()] = known
	return known
}

// forgetServed looks up again what was not served.
func (r *run) forgetServed(resource content.Resource) {
	r.plan.mu.Lock()
	defer r.plan.mu.Unlock()
	if r.plan.served[resource.Name()].problem != "" {
		delete(r.plan.served, resource.Name())
	}
}

func (t *target) findServed(ctx context.Context, resource content.Resource) servedAs {
	var found *meta.RESTMapping
	err := t.retry(ctx, func(context.Context) (err error) {
		// Without a version, the cluster's preferred one; its own if it has it.
		kind := schema.GroupKind{Group: resource.Group, Kind: resource.Kind}
		found, err = t.client.RESTMapper().RESTMapping(kind, resource.Version)
		if meta.IsNoMatchError(err) {
			found, err = t.client.RESTMapper().RESTMapping(kind)
		}
		return err
	})
	switch {
	case meta.IsNoMatchError(err):
		return servedAs{resource, fmt.Sprintf("the cluster does not serve %s", resource.Name())}
	case err != nil:
		return servedAs{resource, fmt.Sprintf("cannot find out whether the cluster serves %s: %v", resource.Name(), err)}
	}
	resource.Version = found.GroupVersionKind.Version
	return servedAs{Resource: resource}
}

// notServed is the fault of a type that is not there. It may come with an APIService of
// this restore, whose server has to start.
func (r *run) notServed(resource content.Resource, problem string) error {
	r.plan.mu.Lock()
	defer r.plan.mu.Unlock()
	if r.plan.groups[resource.Group] {
		return &faultError{kind: faultUnavailable, subject: resource.Name(), message: problem}
	}
	return &faultError{kind: faultNotServed, subject: resource.Name(), message: problem}
}

// alive says whether the cluster answers at all.
func (t *target) alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	return t.client.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, &corev1.Namespace{}) == nil
}

// retry repeats a request while it fails for reasons that pass.
func (t *target) retry(ctx context.Context, request func(ctx context.Context) error) error {
	var last error
	backoff := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 12, Cap: 10 * time.Second}
	deadline := time.Now().Add(patience)
	for {
		limited, cancel := context.WithTimeout(ctx, requestTimeout)
		last = request(limited)
		cancel()
		if last == nil || ctx.Err() != nil || !passing(last) || time.Now().After(deadline) {
			return last
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(backoff.Step()):
		}
	}
}

// passing says whether an error may be gone a moment later. One that holds for many
// objects is not waited for with each.
func passing(err error) bool {
	if lasting(err) {
		return false
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return !meta.IsNoMatchError(err) && !errors.Is(err, context.Canceled) // the network
	}
	switch code := status.Status().Code; {
	case code == http.StatusTooManyRequests, code >= 500 && code != http.StatusNotImplemented:
		return true
	case apierrors.IsForbidden(err):
		// A namespace that has not got its account yet.
		return strings.Contains(err.Error(), "error looking up service account")
	}
	return false
}

// lost says whether an error means that the cluster does not answer, so that
// there is no use in going on with other objects.
func lost(err error) bool {
	var request *url.Error
	return apierrors.IsServiceUnavailable(err) || apierrors.IsUnauthorized(err) || errors.As(err, &request) || errors.Is(err, context.DeadlineExceeded)
}

// fatal is the error that ends a restore.
func (t *target) fatal(what string, err error) error {
	reason := ReasonUnreachable
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		reason, what = ReasonNotAllowed, what+" ("+RightsHint+")"
	}
	return &Error{Reason: reason, Message: what, Err: err}
}

// waitForTypes waits until the cluster serves the types of the
// CustomResourceDefinitions that were restored.
func (r *run) waitForTypes(ctx context.Context, resource content.Resource) error {
	return r.each(ctx, resource, func(ctx context.Context, object *saved) error {
		crd := newObject(resource)
		if r.plan.of(resource, object).action == content.Leave {
			return nil
		}
		err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
			if err := r.client.Get(ctx, client.ObjectKey{Name: object.name}, crd); err != nil {
				return apierrors.IsNotFound(err), nil // refused: it has its warning
			}
			return slices.ContainsFunc(conditions(crd.Object), func(c map[string]any) bool {
				return c["type"] == "Established" && c["status"] == "True"
			}), nil
		})
		if wait.Interrupted(err) && ctx.Err() == nil {
			r.warn(resource.Name(), "", object.name, "is not established after a minute; objects of its type may not be restored")
			return nil
		}
		return err
	})
}
