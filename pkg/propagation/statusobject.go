package propagation

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// What is collected from the members is in the status of the federated object.
// Where a FederatedTypeConfig names a type for it, it is also in an object of
// KubeFed's form, such as a FederatedServiceStatus, of the same name:
// clusterStatus[] of {clusterName, status}. Nothing here rests on it.

// statusObjects are the status objects of a type; the content of each is the JSON
// of its clusterStatus.
type statusObjects = recordStore[string]

// watchStatusObjects follows the status objects of a type until ctx ends.
func (e *Engine) watchStatusObjects(ctx context.Context, t *runningType) {
	if t.statusObjects == nil {
		return
	}
	source := e.hostSource(t.StatusObjects)
	source.OnListFailed = func(err error) {
		e.warnStatusType(t, fmt.Errorf("listing %s: %w", t.StatusObjects.GVR.Resource, err))
	}
	fleet.Follow(ctx, source, t.statusObjects)
}

func newStatusObjects(e *Engine, t *runningType) *statusObjects {
	changed := func(key types.NamespacedName) {
		if t.host.Get(key) != nil {
			e.queue.Add(Item{Type: t.Name, Object: key})
		}
	}
	return newRecordStore(readClusterStatus, changed, func() { e.enqueueAll(t) })
}

func readClusterStatus(u *unstructured.Unstructured) string {
	content, ok := u.Object["clusterStatus"]
	if !ok {
		return ""
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return ""
	}
	return string(raw)
}

// writeStatusObject brings the status object of a federated object up to date.
func (e *Engine) writeStatusObject(ctx context.Context, t *runningType, item Item, host *hostObject) error {
	if t.statusObjects == nil {
		return nil
	}
	have, synced := t.statusObjects.Look(item.Object)
	if !synced {
		return nil // the end of the list queues us again
	}
	clusterStatus := e.clusterStatus(t, item.Object)
	want, err := json.Marshal(clusterStatus)
	if err != nil {
		return err
	}
	if have != nil && have.ownedBy(host.fed.UID) && have.status == string(want) {
		return nil
	}
	written, err := e.saveStatusObject(ctx, t, item.Object, host, clusterStatus, have == nil)
	switch {
	case apierrors.HasStatusCause(err, "NamespaceTerminating"):
		return nil // the object goes as well
	case have == nil && apierrors.IsAlreadyExists(err), have != nil && apierrors.IsNotFound(err):
		return nil // the watch is about to tell, and queues us again
	case err != nil:
		err = fmt.Errorf("writing %s %s: %w", t.StatusObjects.GVK.Kind, item.Object, err)
		e.warnStatusType(t, err)
		return err
	}
	t.statusObjects.Observe(item.Object, &hostRecord[string]{
		version: fleet.ParseVersion(written.GetResourceVersion()), owners: []types.UID{host.fed.UID}, status: string(want),
	})
	return nil
}

// clusterStatus is what the ready clusters that hold the object say of it, by name.
func (e *Engine) clusterStatus(t *runningType, key types.NamespacedName) []any {
	list := []any{}
	for _, info := range e.inventory.Clusters() { // sorted
		cluster := info.Name
		_, watched := e.watches.Get(cluster, t.Name)
		if !info.Ready || watched.Get(t.targetKey(key)) == nil {
			continue
		}
		status, ok := e.collected(t, cluster, key).(map[string]any)
		if !ok {
			status = map[string]any{} // KubeFed's definitions require one
		}
		list = append(list, map[string]any{"clusterName": cluster, "status": status})
	}
	return list
}

// saveStatusObject creates or changes the status object, which goes with its
// federated object. It does not apply it: a definition older than the members'
// status is to drop the fields it does not know, and an apply would be refused.
func (e *Engine) saveStatusObject(ctx context.Context, t *runningType, key types.NamespacedName, host *hostObject,
	clusterStatus []any, create bool,
) (*unstructured.Unstructured, error) {
	owner := t.ownerReference(host)
	object := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"ownerReferences": []any{map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
		}}},
		"clusterStatus": clusterStatus,
	}}
	object.SetGroupVersionKind(t.StatusObjects.GVK)
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	var client dynamic.ResourceInterface = e.host.Resource(t.StatusObjects.GVR)
	if t.StatusObjects.Namespaced {
		client = e.host.Resource(t.StatusObjects.GVR).Namespace(key.Namespace)
	}
	ctx, cancel := context.WithTimeout(ctx, e.opts.RequestTimeout)
	defer cancel()
	if create {
		return client.Create(ctx, object, metav1.CreateOptions{FieldManager: federate.FieldManager})
	}
	body, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return client.Patch(ctx, key.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: federate.FieldManager})
}

// warnStatusType sends an event on the FederatedTypeConfig about its status type.
func (e *Engine) warnStatusType(t *runningType, err error) {
	message := err.Error()
	if apierrors.IsForbidden(err) {
		message += fmt.Sprintf("; grant the controller list, watch, create and patch on %s", t.StatusObjects.GVR.GroupResource())
	}
	about := &metav1.PartialObjectMetadata{}
	about.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("FederatedTypeConfig"))
	about.Namespace, about.Name = e.opts.KubeFedNamespace, t.Name
	e.events.Eventf(about, nil, "Warning", "StatusTypeFailed", "Propagate", "%s", message[:min(len(message), 1024)])
}
