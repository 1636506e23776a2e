package replicas

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// watchPreferences watches all ReplicaSchedulingPreferences.
func (c *Controller) watchPreferences(ctx context.Context) *fleet.Watch[preference] {
	source := fleet.Objects(c.host, typeconfig.Resource{GVR: preferenceGVR, GVK: PreferenceGVK, Namespaced: true}, c.opts.TargetNamespace)
	return fleet.Follow(ctx, c.onHost(source, preferenceGVR), fleet.NewTable(fleet.Rules[preference]{
		Read:        readPreference,
		SilentLists: true,
		ByNamespace: true,
		OnChange: func(key types.NamespacedName, before, after *preference) {
			if before == nil || after == nil || !before.sameIntent(after) {
				c.enqueue(key)
			}
		},
		OnSynced: c.enqueueAll,
	}))
}

// onHost completes what is watched of a resource in the host cluster.
func (c *Controller) onHost(source fleet.Source, gvr schema.GroupVersionResource) fleet.Source {
	source.Name, source.Log = "replicas: host: "+gvr.Resource, c.log.WithValues("hostResource", gvr.GroupResource().String())
	return source
}

// version is what of a host object's metadata tells that it says something else.
type version struct {
	uid        types.UID
	generation int64
}

// watchVersions watches objects of the host by their metadata alone. onChange is
// told of those that come, go or say something else.
func (c *Controller) watchVersions(ctx context.Context, r typeconfig.Resource, onChange func(types.NamespacedName), onSynced func()) *fleet.Watch[version] {
	source := fleet.Metadata(c.hostMeta, r, c.opts.TargetNamespace)
	return fleet.Follow(ctx, c.onHost(source, r.GVR), fleet.NewTable(fleet.Rules[version]{
		Read:        func(obj metav1.Object) (*version, error) { return &version{obj.GetUID(), obj.GetGeneration()}, nil },
		SilentLists: true,
		OnChange: func(key types.NamespacedName, before, after *version) {
			if before == nil || after == nil || *before != *after {
				onChange(key)
			}
		},
		OnSynced: onSynced,
	}))
}

// workload is what matters of a Deployment or ReplicaSet in a member.
type workload struct {
	replicas, ready int64
	// selector selects its pods.
	selector string
}

func readWorkload(obj metav1.Object) (*workload, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("watched object is a %T", obj)
	}
	w := &workload{}
	replicas, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "replicas")
	w.replicas, _ = number(replicas)
	ready, _, _ := unstructured.NestedFieldNoCopy(u.Object, "status", "readyReplicas")
	w.ready, _ = number(ready)
	raw, _, _ := unstructured.NestedMap(u.Object, "spec", "selector")
	selector := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, selector); err != nil {
		return nil, fmt.Errorf("spec.selector: %w", err)
	}
	w.selector = metav1.FormatLabelSelector(selector)
	return w, nil
}

// watchWorkloads watches the managed objects of a type in a member. They are sent
// whole, because replicas are in their status; three fields are kept.
func (c *Controller) watchWorkloads(ctx context.Context, cluster string, m *member, t typeconfig.Type, known *fleet.Table[workload]) *fleet.Watch[workload] {
	if known == nil {
		known = fleet.NewTable(fleet.Rules[workload]{
			Read:        readWorkload,
			SilentLists: true,
			OnChange: func(key types.NamespacedName, before, after *workload) {
				if before == nil || after == nil || *before != *after {
					c.enqueueSoon(key, t.Name)
				}
			},
			OnSynced: func() { c.enqueueType(t.Name) },
		})
	}
	source := fleet.Objects(m.dynamic, t.Target, c.opts.TargetNamespace)
	source.Selector = federate.ManagedLabel + "=" + federate.ManagedLabelValue
	source.Name, source.Log = "replicas: member "+cluster+": "+t.Name, c.log.WithValues("cluster", cluster, "type", t.Name)
	return fleet.Follow(ctx, source, known)
}
