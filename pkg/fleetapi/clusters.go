package fleetapi

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

// View says what is shown of a member.
type View struct {
	// Status reads what the controller says of it.
	Status func(*fedcorev1beta1.KubeFedCluster) fleetv1alpha1.ClusterStatus
	// Table lays clusters out, one row each. now is for their ages.
	Table func(clusters []fleetv1alpha1.Cluster, now time.Time) *metav1.Table
}

// clusters serves the members as a resource that cannot be written. What the host's API
// server says of the KubeFedClusters is passed on: its order, its pages, its versions and
// its watches.
type clusters struct {
	host      client.WithWatch
	namespace string
	view      View
}

var (
	_ rest.Getter               = &clusters{}
	_ rest.Lister               = &clusters{}
	_ rest.Watcher              = &clusters{}
	_ rest.Scoper               = &clusters{}
	_ rest.SingularNameProvider = &clusters{}
)

// New implements rest.Storage.
func (*clusters) New() runtime.Object { return &fleetv1alpha1.Cluster{} }

// NewList implements rest.Lister.
func (*clusters) NewList() runtime.Object { return &fleetv1alpha1.ClusterList{} }

// Destroy implements rest.Storage.
func (*clusters) Destroy() {}

// NamespaceScoped implements rest.Scoper.
func (*clusters) NamespaceScoped() bool { return false }

// GetSingularName implements rest.SingularNameProvider.
func (*clusters) GetSingularName() string { return "cluster" }

// Get implements rest.Getter.
func (c *clusters) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	kfc := &fedcorev1beta1.KubeFedCluster{}
	err := c.host.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, kfc, &client.GetOptions{Raw: options})
	if err != nil {
		return nil, hostError(err, name)
	}
	return c.cluster(kfc), nil
}

// List implements rest.Lister.
func (c *clusters) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	found := &fedcorev1beta1.KubeFedClusterList{}
	if err := c.host.List(ctx, found, c.listOptions(options)); err != nil {
		return nil, hostError(err, "")
	}
	list := &fleetv1alpha1.ClusterList{ListMeta: found.ListMeta, Items: make([]fleetv1alpha1.Cluster, len(found.Items))}
	for i := range found.Items {
		list.Items[i] = *c.cluster(&found.Items[i])
	}
	return list, nil
}

// Watch implements rest.Watcher.
func (c *clusters) Watch(ctx context.Context, options *internalversion.ListOptions) (watch.Interface, error) {
	events, err := c.host.Watch(ctx, &fedcorev1beta1.KubeFedClusterList{}, c.listOptions(options))
	if err != nil {
		return nil, hostError(err, "")
	}
	return watch.Filter(events, func(event watch.Event) (watch.Event, bool) {
		if kfc, ok := event.Object.(*fedcorev1beta1.KubeFedCluster); ok {
			event.Object = c.cluster(kfc) // also of a bookmark, which has a version and nothing else
		}
		return event, true
	}), nil
}

// ConvertToTable implements rest.TableConvertor.
func (c *clusters) ConvertToTable(_ context.Context, object, options runtime.Object) (*metav1.Table, error) {
	var items []fleetv1alpha1.Cluster
	var meta metav1.ListMeta
	switch object := object.(type) {
	case *fleetv1alpha1.Cluster:
		items, meta.ResourceVersion = []fleetv1alpha1.Cluster{*object}, object.ResourceVersion
	case *fleetv1alpha1.ClusterList:
		items, meta = object.Items, object.ListMeta
	default:
		return nil, fmt.Errorf("there is no table of %T", object)
	}
	table := c.view.Table(items, time.Now())
	table.ListMeta = meta
	for i := range items {
		table.Rows[i].Object = runtime.RawExtension{Object: &items[i]}
	}
	if o, ok := options.(*metav1.TableOptions); ok && o.NoHeaders {
		table.ColumnDefinitions = nil
	}
	return table, nil
}

func (c *clusters) listOptions(o *internalversion.ListOptions) *client.ListOptions {
	if o == nil {
		o = &internalversion.ListOptions{}
	}
	return &client.ListOptions{
		Namespace: c.namespace, LabelSelector: o.LabelSelector, FieldSelector: o.FieldSelector, Limit: o.Limit, Continue: o.Continue,
		Raw: &metav1.ListOptions{
			ResourceVersion: o.ResourceVersion, ResourceVersionMatch: o.ResourceVersionMatch, TimeoutSeconds: o.TimeoutSeconds,
			AllowWatchBookmarks: o.AllowWatchBookmarks, SendInitialEvents: o.SendInitialEvents,
		},
	}
}

// cluster is what is shown of a member. Annotations are left out: they are the
// controller's own.
func (c *clusters) cluster(kfc *fedcorev1beta1.KubeFedCluster) *fleetv1alpha1.Cluster {
	shown := &fleetv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{
		Name: kfc.Name, UID: kfc.UID, ResourceVersion: kfc.ResourceVersion, Labels: kfc.Labels,
		CreationTimestamp: kfc.CreationTimestamp, DeletionTimestamp: kfc.DeletionTimestamp,
	}}
	if end, found := kfc.Annotations[metav1.InitialEventsAnnotationKey]; found {
		shown.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: end} // of a bookmark
	}
	if kfc.Name != "" {
		shown.Status = c.view.Status(kfc)
	}
	return shown
}

// hostError says of clusters what the host's API server says of KubeFedClusters.
func hostError(err error, name string) error {
	switch {
	case apierrors.IsNotFound(err) && name != "":
		return apierrors.NewNotFound(clustersResource, name)
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err), apierrors.IsBadRequest(err), apierrors.IsInvalid(err),
		apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), apierrors.IsTooManyRequests(err):
		return err
	}
	return apierrors.NewInternalError(fmt.Errorf("reading KubeFedClusters in the host cluster: %w", err))
}
