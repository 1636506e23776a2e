package propagation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	fedcorev1alpha1 "sigs.k8s.io/kubefed/pkg/apis/core/v1alpha1"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// What was applied is in the status of the federated object. Where somebody reads
// KubeFed's version records, they are written as well: a PropagatedVersion, or a
// ClusterPropagatedVersion, for each federated object.

var (
	propagatedVersions        = recordResource("PropagatedVersion", "propagatedversions", true)
	clusterPropagatedVersions = recordResource("ClusterPropagatedVersion", "clusterpropagatedversions", false)
)

func recordResource(kind, plural string, namespaced bool) typeconfig.Resource {
	gv := fedcorev1alpha1.SchemeGroupVersion
	return typeconfig.Resource{GVR: gv.WithResource(plural), GVK: gv.WithKind(kind), Namespaced: namespaced}
}

type recordStore = companionStore[federate.VersionRecord]

// recordWriter writes version records; nil where they are switched off.
type recordWriter struct {
	host                *hostClient
	lookout             *lookout
	namespaced, cluster *recordStore
}

func newRecordWriter(host *hostClient, look *lookout, running *typeSet, work *worklist) *recordWriter {
	store := func(namespaced bool) *recordStore {
		return newCompanionStore(readRecord, nil, func() {
			for _, t := range running.all() {
				if t.Federated.Namespaced == namespaced {
					work.decideAll(t)
				}
			}
		})
	}
	return &recordWriter{host: host, lookout: look, namespaced: store(true), cluster: store(false)}
}

// follow starts to follow the records that there are.
func (w *recordWriter) follow(ctx context.Context) {
	if w == nil {
		return
	}
	fleet.Follow(ctx, w.host.source(propagatedVersions), w.namespaced)
	if w.host.namespace == "" { // a Namespaced control plane has nothing cluster-scoped
		fleet.Follow(ctx, w.host.source(clusterPropagatedVersions), w.cluster)
	}
}

func (w *recordWriter) of(t *runningType) (*recordStore, typeconfig.Resource) {
	if t.Federated.Namespaced {
		return w.namespaced, propagatedVersions
	}
	return w.cluster, clusterPropagatedVersions
}

// recordKey is where the record of a federated object is: KubeFed's name for it.
func recordKey(t *runningType, key types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: key.Namespace, Name: strings.ToLower(t.Target.GVK.Kind) + "-" + key.Name}
}

// write brings the record of an object up to date. selected are the clusters of its placement.
func (w *recordWriter) write(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated, acc *account, selected []string) (reconcile.Result, error) {
	if w == nil || fed.fault != nil {
		return reconcile.Result{}, nil //nolint:nilerr // the status says what cannot be read
	}
	store, resource := w.of(t)
	at := recordKey(t, key)
	have, listed := store.Look(at)
	if !listed {
		return reconcile.Result{}, nil // the end of the list queues us again
	}
	record := w.make(t, key, fed, acc, selected, have)
	owned := have != nil && have.ownedBy(fed.UID)
	if owned && sameRecord(have.says, record) {
		return reconcile.Result{}, nil
	}
	saved, err := w.save(ctx, t, resource, at, fed, record, !owned)
	switch {
	case apierrors.IsNotFound(err) && owned: // otherwise even creating it was not possible, which an error tells
		store.Forget(at, func(known *companion[federate.VersionRecord]) bool { return known == have })
		return reconcile.Result{RequeueAfter: conflictDelay}, nil // deleted by somebody: it is created again
	case apierrors.HasStatusCause(err, "NamespaceTerminating"):
		return reconcile.Result{}, nil // the object goes as well
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("writing %s %s: %w", resource.GVK.Kind, at, err)
	}
	store.Observe(at, companionOf(saved.ResourceVersion, fed, record))
	return reconcile.Result{}, nil
}

// make returns what the record is to say. A cluster of the placement that
// cannot be read now keeps the version it had, as long as nothing else has changed.
func (w *recordWriter) make(t *runningType, key types.NamespacedName, fed *federated, acc *account, selected []string,
	have *companion[federate.VersionRecord],
) federate.VersionRecord {
	record := federate.VersionRecord{
		TemplateVersion:  federate.TemplateVersion(fed.Template),
		OverridesVersion: federate.OverridesVersion(fed.Overrides),
	}
	before := map[string]string{}
	if have != nil && have.says.TemplateVersion == record.TemplateVersion && have.says.OverridesVersion == record.OverridesVersion {
		for _, v := range have.says.ClusterVersions {
			before[v.ClusterName] = v.Version
		}
	}
	acc.keep(func(l *ledger.Ledger) {
		for _, cluster := range selected {
			version := before[cluster]
			if sighting, known := w.lookout.look(t, key, cluster); l.UpToDate(cluster, sighting) {
				version = known.recorded()
			}
			if version != "" {
				record.ClusterVersions = append(record.ClusterVersions, federate.ClusterVersion{ClusterName: cluster, Version: version})
			}
		}
	})
	slices.SortFunc(record.ClusterVersions, func(a, b federate.ClusterVersion) int { return strings.Compare(a.ClusterName, b.ClusterName) })
	return record
}

func sameRecord(a, b federate.VersionRecord) bool {
	return a.TemplateVersion == b.TemplateVersion && a.OverridesVersion == b.OverridesVersion && slices.Equal(a.ClusterVersions, b.ClusterVersions)
}

// readRecord reads a PropagatedVersion. What it cannot read counts as another record,
// which is then written anew.
func readRecord(u *unstructured.Unstructured) (record federate.VersionRecord) {
	if status, ok := u.Object["status"].(map[string]any); ok {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(status, &record); err != nil {
			return federate.VersionRecord{}
		}
	}
	return record
}

// save writes a record's status, and before that, if need be, the record
// itself, which goes with its federated object.
func (w *recordWriter) save(ctx context.Context, t *runningType, resource typeconfig.Resource, at types.NamespacedName, fed *federated,
	record federate.VersionRecord, create bool,
) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, w.host.timeout)
	defer cancel()
	client := w.host.resource(resource, at.Namespace)
	if create {
		body, err := json.Marshal(map[string]any{
			"apiVersion": resource.GVK.GroupVersion().String(),
			"kind":       resource.GVK.Kind,
			"metadata":   map[string]any{"name": at.Name, "ownerReferences": []metav1.OwnerReference{ownerReference(t, fed)}},
		})
		if err != nil {
			return nil, err
		}
		if _, err := client.Patch(ctx, at.Name, types.ApplyPatchType, body,
			metav1.PatchOptions{FieldManager: federate.FieldManager, Force: ptr.To(true)}); err != nil {
			return nil, err
		}
	}
	body, err := json.Marshal(map[string]any{"status": record})
	if err != nil {
		return nil, err
	}
	return client.Patch(ctx, at.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: federate.FieldManager}, "status")
}
