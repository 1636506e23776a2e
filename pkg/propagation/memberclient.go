package propagation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// memberClient makes the engine's requests to one member cluster. Answers are
// asked for as metadata alone, in protobuf: the rest would be thrown away.
type memberClient struct {
	metadata metadata.Interface
	dynamic  dynamic.Interface
	// discovery asks what the cluster serves.
	discovery rest.Interface
	timeout   time.Duration // of one request that is not a watch
}

// newMemberClient returns a client on a member's connection. timeout bounds
// every request but watches.
func newMemberClient(cl cluster.Cluster, timeout time.Duration) (*memberClient, error) {
	config := rest.CopyConfig(cl.GetConfig())
	config.WarningHandler = rest.NoWarnings{} // a warning repeated for each object helps nobody
	meta, err := metadata.NewForConfigAndClient(config, cl.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("metadata client: %w", err)
	}
	dyn, err := dynamic.NewForConfigAndClient(config, cl.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("dynamic client: %w", err)
	}
	disco, err := discovery.NewDiscoveryClientForConfigAndClient(config, cl.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("discovery client: %w", err)
	}
	return &memberClient{metadata: meta, dynamic: dyn, discovery: disco.RESTClient(), timeout: timeout}, nil
}

func (c *memberClient) resource(r typeconfig.Resource, namespace string) metadata.ResourceInterface {
	if r.Namespaced {
		return c.metadata.Resource(r.GVR).Namespace(namespace)
	}
	return c.metadata.Resource(r.GVR)
}

// Apply applies an object by server-side apply as manager and returns its metadata.
// Fields that others own with another value are taken over with force, and a
// conflict without.
func (c *memberClient) Apply(ctx context.Context, r typeconfig.Resource, key types.NamespacedName, body []byte, manager string, force bool) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.resource(r, key.Namespace).Patch(ctx, key.Name, types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: manager, Force: ptr.To(force)})
}

// Get reads an object's metadata from the server.
func (c *memberClient) Get(ctx context.Context, r typeconfig.Resource, key types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.resource(r, key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
}

// GetWhole reads the object itself from the server.
func (c *memberClient) GetWhole(ctx context.Context, r typeconfig.Resource, key types.NamespacedName) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.whole(r, key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
}

func (c *memberClient) whole(r typeconfig.Resource, namespace string) dynamic.ResourceInterface {
	if r.Namespaced {
		return c.dynamic.Resource(r.GVR).Namespace(namespace)
	}
	return c.dynamic.Resource(r.GVR)
}

// Create creates an object as manager.
func (c *memberClient) Create(ctx context.Context, r typeconfig.Resource, key types.NamespacedName, object *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.whole(r, key.Namespace).Create(ctx, object, metav1.CreateOptions{FieldManager: manager})
}

// Update writes an object as manager; the version in it must still be the server's.
func (c *memberClient) Update(ctx context.Context, r typeconfig.Resource, key types.NamespacedName, object *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.whole(r, key.Namespace).Update(ctx, object, metav1.UpdateOptions{FieldManager: manager})
}

// DropManager takes a manager's entry off managedFields, leaving the fields.
func (c *memberClient) DropManager(ctx context.Context, r typeconfig.Resource, key types.NamespacedName, object *unstructured.Unstructured, manager string) error {
	entries := object.GetManagedFields()
	kept := slices.DeleteFunc(slices.Clone(entries), func(e metav1.ManagedFieldsEntry) bool { return e.Manager == manager })
	if len(kept) == len(entries) || len(kept) == 0 { // an empty list would reset everything
		return nil
	}
	body, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": kept},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": object.GetResourceVersion()},
	})
	if err != nil {
		return err
	}
	_, err = c.patchMetadata(ctx, r, key, types.JSONPatchType, body)
	return err
}

// patchMetadata changes an object's metadata and returns it.
func (c *memberClient) patchMetadata(ctx context.Context, r typeconfig.Resource, key types.NamespacedName, kind types.PatchType, body []byte) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.resource(r, key.Namespace).Patch(ctx, key.Name, kind, body, metav1.PatchOptions{FieldManager: federate.FieldManager})
}

// Delete deletes the object as it is known, and neither another that took its name
// nor one that has changed since: both are a conflict.
func (c *memberClient) Delete(ctx context.Context, r typeconfig.Resource, key types.NamespacedName, known *live, options *metav1.DeleteOptions) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	opts := metav1.DeleteOptions{}
	if options != nil {
		opts = *options.DeepCopy()
	}
	if opts.PropagationPolicy == nil && opts.OrphanDependents == nil { //nolint:staticcheck // the user may still set the old field
		opts.PropagationPolicy = ptr.To(metav1.DeletePropagationBackground)
	}
	if opts.Preconditions == nil {
		opts.Preconditions = &metav1.Preconditions{}
	}
	opts.Preconditions.UID = &known.uid
	if version := known.resourceVersion(); opts.Preconditions.ResourceVersion == nil && version != "" {
		opts.Preconditions.ResourceVersion = &version
	}
	return c.resource(r, key.Namespace).Delete(ctx, key.Name, opts)
}

// RemoveManagedLabel takes the managed label off the object as it is known; one that
// has changed since, whose label may be its owner's now, is a conflict.
func (c *memberClient) RemoveManagedLabel(ctx context.Context, r typeconfig.Resource, key types.NamespacedName, known *live) error {
	metadata := map[string]any{"uid": known.uid, "labels": map[string]any{federate.ManagedLabel: nil}}
	if version := known.resourceVersion(); version != "" {
		metadata["resourceVersion"] = version
	}
	body, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	_, err = c.patchMetadata(ctx, r, key, types.MergePatchType, body)
	return err
}

// whyNotFound explains a list of a resource that was not found. missing: the
// cluster serves the resource in no version, so there are no objects of it.
func (c *memberClient) whyNotFound(ctx context.Context, r typeconfig.Resource, notFound error) (err error, missing bool) {
	name := r.GVR.GroupResource().String() + "/" + r.GVR.Version
	versions, err := c.servedVersions(ctx, r)
	switch {
	case err != nil:
		return fmt.Errorf("%w; what else the cluster serves could not be read: %w", notFound, err), false
	case slices.Contains(versions, r.GVR.Version):
		return notFound, false
	case len(versions) > 0:
		return fmt.Errorf("the cluster does not serve %s, which spec.targetType.version of the FederatedTypeConfig names, but only %s", name, strings.Join(versions, ", ")), false
	}
	return fmt.Errorf("the cluster does not serve %s; install its CustomResourceDefinition there", name), true
}

// servedVersions returns the versions that the cluster serves a resource in.
func (c *memberClient) servedVersions(ctx context.Context, r typeconfig.Resource) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if r.GVR.Group == "" {
		return []string{r.GVR.Version}, nil // the core group has only one, which is always there
	}
	group := &metav1.APIGroup{}
	if err := c.discovery.Get().AbsPath("/apis", r.GVR.Group).Do(ctx).Into(group); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var versions []string
	for _, version := range group.Versions {
		resources := &metav1.APIResourceList{}
		if err := c.discovery.Get().AbsPath("/apis", r.GVR.Group, version.Version).Do(ctx).Into(resources); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(resources.APIResources, func(a metav1.APIResource) bool { return a.Name == r.GVR.Resource }) {
			versions = append(versions, version.Version)
		}
	}
	return versions, nil
}
