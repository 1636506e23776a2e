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

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// What is collected from the members is in the status of the federated object.
// Where a FederatedTypeConfig names a type for it, it is also in an object of
// KubeFed's form, such as a FederatedServiceStatus, of the same name:
// clusterStatus[] of {clusterName, status}.

// statusObjects are the status objects of a type; each says the JSON of its clusterStatus.
type statusObjects = companionStore[string]

// statusObjectWriter writes status objects.
type statusObjectWriter struct {
	host    *hostClient
	lookout *lookout
	work    *worklist
	events  *eventSender
}

// prepare gives a type a place for its status objects, if it has any.
func (w *statusObjectWriter) prepare(t *runningType) {
	if !t.HasStatusObjects() {
		return
	}
	changed := func(key types.NamespacedName) {
		if t.federated.Get(key) != nil {
			w.work.decide(t, key)
		}
	}
	t.statusObjects = newCompanionStore(readClusterStatus, changed, func() { w.work.decideAll(t) })
}

// follow follows the status objects of a type until ctx ends.
func (w *statusObjectWriter) follow(ctx context.Context, t *runningType) {
	if t.statusObjects == nil {
		return
	}
	source := w.host.source(t.StatusObjects)
	source.OnListFailed = func(err error) {
		w.events.warnStatusType(t, fmt.Errorf("listing %s: %w", t.StatusObjects.GVR.Resource, err))
	}
	fleet.Follow(ctx, source, t.statusObjects)
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

// write brings the status object of a federated object up to date.
func (w *statusObjectWriter) write(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated) error {
	if t.statusObjects == nil {
		return nil
	}
	have, listed := t.statusObjects.Look(key)
	if !listed {
		return nil // the end of the list queues us again
	}
	clusterStatus := w.clusterStatus(t, key)
	text, err := json.Marshal(clusterStatus)
	if err != nil {
		return err
	}
	if have != nil && have.ownedBy(fed.UID) && have.says == string(text) {
		return nil
	}
	saved, err := w.save(ctx, t, key, fed, clusterStatus, have == nil)
	switch {
	case apierrors.HasStatusCause(err, "NamespaceTerminating"):
		return nil // the object goes as well
	case have == nil && apierrors.IsAlreadyExists(err), have != nil && apierrors.IsNotFound(err):
		return nil // the watch is about to tell, and queues us again
	case err != nil:
		err = fmt.Errorf("writing %s %s: %w", t.StatusObjects.GVK.Kind, key, err)
		w.events.warnStatusType(t, err)
		return err
	}
	t.statusObjects.Observe(key, companionOf(saved.GetResourceVersion(), fed, string(text)))
	return nil
}

// clusterStatus is what the ready clusters that hold the object say of it, by name,
// within the bounds of the federated object's own status, which says what is left out.
func (w *statusObjectWriter) clusterStatus(t *runningType, key types.NamespacedName) []any {
	var clusters []federate.ClusterStatus
	for _, info := range w.lookout.inventory.Clusters() {
		_, known := w.lookout.look(t, key, info.Name)
		if !info.Ready || known == nil {
			continue
		}
		clusters = append(clusters, federate.ClusterStatus{Name: info.Name, RemoteStatus: known.status()})
	}
	federate.BoundCollected(clusters)
	list := make([]any, 0, len(clusters))
	for i := range clusters {
		status, ok := clusters[i].RemoteStatus.(map[string]any)
		if !ok {
			status = map[string]any{} // KubeFed's definitions require one
		}
		list = append(list, map[string]any{"clusterName": clusters[i].Name, "status": status})
	}
	return list
}

// save creates or changes the status object, which goes with its
// federated object. It does not apply it: a definition older than the members'
// status is to drop the fields it does not know, and an apply would be refused.
func (w *statusObjectWriter) save(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated,
	clusterStatus []any, create bool,
) (*unstructured.Unstructured, error) {
	owner := ownerReference(t, fed)
	object := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"ownerReferences": []any{map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
		}}},
		"clusterStatus": clusterStatus,
	}}
	object.SetGroupVersionKind(t.StatusObjects.GVK)
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	var client dynamic.ResourceInterface = w.host.dynamic.Resource(t.StatusObjects.GVR)
	if t.StatusObjects.Namespaced {
		client = w.host.dynamic.Resource(t.StatusObjects.GVR).Namespace(key.Namespace)
	}
	ctx, cancel := context.WithTimeout(ctx, w.host.timeout)
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
