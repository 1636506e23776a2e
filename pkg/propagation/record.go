package propagation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	fedcorev1alpha1 "sigs.k8s.io/kubefed/pkg/apis/core/v1alpha1"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/placement"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Our own record of what was applied is in the status of the federated object.
// Where somebody reads KubeFed's, it is written as well: a PropagatedVersion, or a
// ClusterPropagatedVersion, for each federated object. Nothing here rests on it.

var (
	propagatedVersions        = recordResource("PropagatedVersion", "propagatedversions", true)
	clusterPropagatedVersions = recordResource("ClusterPropagatedVersion", "clusterpropagatedversions", false)
)

func recordResource(kind, plural string, namespaced bool) typeconfig.Resource {
	gv := fedcorev1alpha1.SchemeGroupVersion
	return typeconfig.Resource{GVR: gv.WithResource(plural), GVK: gv.WithKind(kind), Namespaced: namespaced}
}

// versionRecords are KubeFed's records; nil where they are switched off.
type versionRecords struct {
	namespaced, cluster *recordStore[federate.VersionRecord]
}

// watchRecords starts to follow the records that there are.
func (e *Engine) watchRecords(ctx context.Context) {
	if e.records == nil {
		return
	}
	fleet.Follow(ctx, e.hostSource(propagatedVersions), e.records.namespaced)
	if e.opts.TargetNamespace == "" { // a Namespaced control plane has nothing cluster-scoped
		fleet.Follow(ctx, e.hostSource(clusterPropagatedVersions), e.records.cluster)
	}
}

func newVersionRecords(e *Engine) *versionRecords {
	store := func(namespaced bool) *recordStore[federate.VersionRecord] {
		return newRecordStore(readVersionRecord, nil, func() {
			for _, t := range e.runningTypes() {
				if t.Federated.Namespaced == namespaced {
					e.enqueueAll(t)
				}
			}
		})
	}
	return &versionRecords{namespaced: store(true), cluster: store(false)}
}

func (r *versionRecords) of(t *runningType) (*recordStore[federate.VersionRecord], typeconfig.Resource) {
	if t.Federated.Namespaced {
		return r.namespaced, propagatedVersions
	}
	return r.cluster, clusterPropagatedVersions
}

// record brings KubeFed's record of an object up to date.
func (e *Engine) record(ctx context.Context, t *runningType, item Item, host *hostObject, o *object, decision placement.Decision) (reconcile.Result, error) {
	if e.records == nil || host.invalid != nil {
		return reconcile.Result{}, nil //nolint:nilerr // the status says what is invalid
	}
	store, resource := e.records.of(t)
	key := t.recordKey(item.Object)
	have, synced := store.Look(key)
	if !synced {
		return reconcile.Result{}, nil // the end of the list queues us again
	}
	want := e.versionRecord(t, item, host, o, decision, have)
	owned := have != nil && have.ownedBy(host.fed.UID)
	if owned && sameRecord(have.status, want) {
		return reconcile.Result{}, nil
	}
	written, err := e.writeRecord(ctx, t, resource, key, host, want, !owned)
	switch {
	case apierrors.IsNotFound(err) && owned: // otherwise even creating it was not possible, which an error tells
		store.Forget(key, func(known *versionRecord) bool { return known == have })
		return reconcile.Result{RequeueAfter: conflictDelay}, nil // deleted by somebody: it is created again
	case apierrors.HasStatusCause(err, "NamespaceTerminating"):
		return reconcile.Result{}, nil // the object goes as well
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("writing %s %s: %w", resource.GVK.Kind, key, err)
	}
	store.Observe(key, &versionRecord{version: fleet.ParseVersion(written.ResourceVersion), owners: []types.UID{host.fed.UID}, status: want})
	return reconcile.Result{}, nil
}

// versionRecord is what the record is to say. A cluster of the placement that
// cannot be read now keeps the version it had, as long as nothing else has changed.
func (e *Engine) versionRecord(t *runningType, item Item, host *hostObject, o *object, decision placement.Decision, have *versionRecord) federate.VersionRecord {
	want := federate.VersionRecord{
		TemplateVersion:  federate.TemplateVersion(host.fed.Template),
		OverridesVersion: federate.OverridesVersion(host.fed.Overrides),
	}
	before := map[string]string{}
	if have != nil && have.status.TemplateVersion == want.TemplateVersion && have.status.OverridesVersion == want.OverridesVersion {
		for _, v := range have.status.ClusterVersions {
			before[v.ClusterName] = v.Version
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, cluster := range decision.Clusters {
		_, watched := e.watches.Get(cluster, t.Name)
		l := watched.Get(t.targetKey(item.Object))
		version := before[cluster]
		if p := o.places[cluster]; p != nil && p.upToDate(l) {
			version = l.recorded()
		}
		if version != "" {
			want.ClusterVersions = append(want.ClusterVersions, federate.ClusterVersion{ClusterName: cluster, Version: version})
		}
	}
	slices.SortFunc(want.ClusterVersions, func(a, b federate.ClusterVersion) int { return strings.Compare(a.ClusterName, b.ClusterName) })
	return want
}

// recorded is the version of a member's object in KubeFed's words; empty without an object.
func (l *live) recorded() string {
	if l == nil {
		return ""
	}
	return federate.ObjectVersion(l.Generation, strconv.FormatUint(l.Version, 10))
}

// ownerReference makes an object of the host go with the federated one.
func (t *runningType) ownerReference(host *hostObject) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: t.Federated.GVK.GroupVersion().String(),
		Kind:       t.Federated.GVK.Kind,
		Name:       host.fed.Name,
		UID:        host.fed.UID,
	}
}

// writeRecord writes a record's status, and before that, if need be, the record
// itself, which goes with its federated object.
func (e *Engine) writeRecord(ctx context.Context, t *runningType, resource typeconfig.Resource, key types.NamespacedName, host *hostObject,
	want federate.VersionRecord, create bool,
) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, e.opts.RequestTimeout)
	defer cancel()
	var client metadata.ResourceInterface = e.hostMeta.Resource(resource.GVR)
	if resource.Namespaced {
		client = e.hostMeta.Resource(resource.GVR).Namespace(key.Namespace)
	}
	if create {
		body, err := json.Marshal(map[string]any{
			"apiVersion": resource.GVK.GroupVersion().String(),
			"kind":       resource.GVK.Kind,
			"metadata":   map[string]any{"name": key.Name, "ownerReferences": []metav1.OwnerReference{t.ownerReference(host)}},
		})
		if err != nil {
			return nil, err
		}
		if _, err := client.Patch(ctx, key.Name, types.ApplyPatchType, body,
			metav1.PatchOptions{FieldManager: federate.FieldManager, Force: ptr.To(true)}); err != nil {
			return nil, err
		}
	}
	body, err := json.Marshal(map[string]any{"status": want})
	if err != nil {
		return nil, err
	}
	return client.Patch(ctx, key.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: federate.FieldManager}, "status")
}
