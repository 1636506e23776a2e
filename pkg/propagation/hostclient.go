package propagation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// hostClient makes the engine's requests to the host cluster.
type hostClient struct {
	dynamic  dynamic.Interface
	metadata metadata.Interface
	timeout  time.Duration // of one request that is not a watch
	// namespace is the only one that is looked at; empty: all.
	namespace string
	log       logr.Logger
}

func newHostClient(mgr manager.Manager, opts Options, log logr.Logger) (*hostClient, error) {
	config := rest.CopyConfig(mgr.GetConfig())
	config.QPS, config.Burst = -1, -1 // the API server's own priority and fairness decides
	config.WarningHandler = rest.NoWarnings{}
	dyn, err := dynamic.NewForConfigAndClient(config, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("host client: %w", err)
	}
	meta, err := metadata.NewForConfigAndClient(config, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("host metadata client: %w", err)
	}
	return &hostClient{dynamic: dyn, metadata: meta, timeout: opts.RequestTimeout, namespace: opts.TargetNamespace, log: log}, nil
}

// source is what is watched of a resource.
func (c *hostClient) source(r typeconfig.Resource) fleet.Source {
	source := fleet.Objects(c.dynamic, r, c.namespace)
	source.Name, source.Log = "host: "+r.GVR.Resource, c.log.WithValues("hostResource", r.GVR.GroupResource().String())
	source.Retry, source.RetryMax = 200*time.Millisecond, 15*time.Second
	return source
}

// optional is source, of a resource that not every host has, in a namespace. A host on which an older release was installed
// does not define it, so that there can be no object; that it is not served, or may not be
// read, says nothing of what there is.
func (c *hostClient) optional(r typeconfig.Resource, namespace string) fleet.Source {
	source, within := c.source(r), fleet.Objects(c.dynamic, r, namespace)
	undefined := func(ctx context.Context) bool {
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		_, err := c.metadata.Resource(definitions).Get(ctx, r.GVR.GroupResource().String(), metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}
	source.Watch = within.Watch
	source.List = func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		found, err := within.List(ctx, options)
		if apierrors.IsForbidden(err) && undefined(ctx) { // rights of an older release
			err = apierrors.NewNotFound(r.GVR.GroupResource(), "")
		}
		return found, err
	}
	source.WhyNotFound = func(ctx context.Context, err error) fleet.Absence {
		none := undefined(ctx)
		return fleet.Absence{Why: err, Unserved: none, Undefined: none}
	}
	return source
}

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// resource is for requests whose answers are wanted as metadata alone.
func (c *hostClient) resource(r typeconfig.Resource, namespace string) metadata.ResourceInterface {
	if r.Namespaced {
		return c.metadata.Resource(r.GVR).Namespace(namespace)
	}
	return c.metadata.Resource(r.GVR)
}

// namespaceGoes says whether a namespace of the host is being deleted, or gone.
func (c *hostClient) namespaceGoes(ctx context.Context, name string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	found, err := c.metadata.Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("reading namespace %s: %w", name, err)
	}
	return found.DeletionTimestamp != nil, nil
}

// setFinalizers sets the finalizers of a federated object, and returns it as it is then.
// nil without an error: the object is gone. A conflict means that the watch is behind.
func (c *hostClient) setFinalizers(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated, finalizers []string) (*federated, error) {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":             fed.UID,
		"resourceVersion": fed.resourceVersion,
		"finalizers":      finalizers,
	}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	result, err := c.resource(t.Federated, key.Namespace).Patch(ctx, key.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: federate.FieldManager})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // documented: it is gone
	case err != nil:
		return nil, fmt.Errorf("setting the finalizers: %w", err)
	}
	return t.federated.Observe(key, fed, result.ResourceVersion, result.Finalizers, fed.Status), nil
}

// setStatus writes the status of a federated object. The UID makes sure that it is still
// the object the status was made for.
func (c *hostClient) setStatus(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated, status federate.Status) error {
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": fed.UID},
		"status":   statusPatch(fed.Status, status),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	result, err := c.resource(t.Federated, key.Namespace).Patch(ctx, key.Name, types.MergePatchType, body,
		metav1.PatchOptions{FieldManager: federate.FieldManager}, "status")
	if err != nil {
		return err
	}
	t.federated.Observe(key, fed, result.ResourceVersion, fed.finalizers, status)
	return nil
}

// conflictDelay is how long the watch gets to catch up after a conflict. It may
// only bring the echo of our own status, which queues nothing.
const conflictDelay = 50 * time.Millisecond

// again has the controller try an item again after a failed request to the host.
func again(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: conflictDelay}, nil
	}
	return reconcile.Result{}, err
}
