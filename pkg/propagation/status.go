package propagation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/placement"
)

// writeStatus folds the outcomes of all clusters into the object's status and
// writes it, once, if it says something new.
func (e *Engine) writeStatus(ctx context.Context, t *runningType, item Item, host *hostObject, o *object,
	reason federate.AggregateReason, message string, unknown []placement.UnknownCluster,
) (reconcile.Result, error) {
	o.mu.Lock()
	for name, p := range o.places {
		if p.pending && p.status == "" {
			info, _ := e.inventory.Info(name)
			p.status, p.message = timedOut(p, t.IsNamespace && info.Host), "the cluster has not answered yet"
		}
	}
	faults, faultReason := problems(unknown), "ClusterNotFound"
	if len(faults) == 0 {
		faultReason = applyRefused
	}
	faults = append(faults, e.refusals(t, item, o)...)
	warnings := e.warnings(o, host, faults)
	next, changed := federate.Fold(federate.FoldInput{
		Previous:      o.previousStatus(host),
		Generation:    host.fed.Generation,
		Reason:        reason,
		Message:       message,
		Outcomes:      o.outcomes(func(cluster string) any { return e.remoteStatus(t, cluster, item.Object) }),
		Problems:      faults,
		ProblemReason: faultReason,
		Rollup:        e.rollup(t),
		Now:           e.now(),
	})
	if !changed {
		o.renderer = nil // only needed while something is written
		o.mu.Unlock()
		e.warn(t, item.Object, host, warnings)
		return reconcile.Result{}, nil
	}
	previous := o.written
	o.written = &next
	o.mu.Unlock()

	if err := e.patchStatus(ctx, t, item.Object, host, next); err != nil {
		o.mu.Lock()
		o.written = previous
		o.mu.Unlock()
		if apierrors.IsNotFound(err) {
			return reconcile.Result{}, nil
		}
		return e.again(fmt.Errorf("writing the status: %w", err))
	}
	o.mu.Lock()
	for _, p := range o.places {
		p.updated = false
	}
	o.renderer = nil
	o.mu.Unlock()
	e.warn(t, item.Object, host, warnings)
	return reconcile.Result{}, nil
}

// rollup adds up what the members say of a type's objects; nil where nothing does.
func (e *Engine) rollup(t *runningType) federate.Rollup {
	if !t.StatusCollection {
		return nil
	}
	return e.opts.Rollups[t.Target.GVK.GroupKind()]
}

// previousStatus is the status that the new one is compared with: the host's.
// Where the host's CRD does not know all of our fields, it drops them; what we
// wrote then stands for what it shows. The caller holds o.mu.
func (o *object) previousStatus(host *hostObject) federate.Status {
	if o.written != nil && shows(host.fed.Status, *o.written) {
		return *o.written
	}
	return host.fed.Status
}

// shows says whether a status in the host is one that we wrote, or what CRDs that
// know less keep of it: ours from before there was a rollup, and KubeFed's.
func shows(status, written federate.Status) bool {
	if sameStatus(written, status) || sameStatus(kubeFedPart(written), status) {
		return true
	}
	if written.Rollup == nil {
		return false
	}
	written.Rollup = nil
	return sameStatus(written, status)
}

// kubeFedPart is what KubeFed's own CRDs keep of a status.
func kubeFedPart(s federate.Status) federate.Status {
	part := federate.Status{ObservedGeneration: s.ObservedGeneration}
	for _, c := range s.Conditions {
		c.Message = ""
		part.Conditions = append(part.Conditions, c)
	}
	for _, c := range s.Clusters {
		c.Message, c.Version = "", ""
		part.Clusters = append(part.Clusters, c)
	}
	return part
}

// timedOut is KubeFed's word for a write whose answer is not there yet. What is
// kept, a namespace of the host, only loses the label.
func timedOut(p *place, kept bool) federate.PropagationStatus {
	switch {
	case p.want == wantAbsent && kept:
		return federate.LabelRemovalTimedOut
	case p.want == wantAbsent:
		return federate.DeletionTimedOut
	case p.applied == "":
		return federate.CreationTimedOut
	}
	return federate.UpdateTimedOut
}

// patchStatus writes the status subresource. The UID makes sure that it is still
// the object the status was made for.
func (e *Engine) patchStatus(ctx context.Context, t *runningType, key types.NamespacedName, host *hostObject, status federate.Status) error {
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": host.fed.UID},
		"status":   statusPatch(host.fed.Status, status),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.opts.RequestTimeout)
	defer cancel()
	result, err := e.hostResource(t, key.Namespace).Patch(ctx, key.Name, types.MergePatchType, body,
		metav1.PatchOptions{FieldManager: federate.FieldManager}, "status")
	if err != nil {
		return err
	}
	e.metrics.statusWrites.WithLabelValues(t.Name).Inc()
	t.host.Observe(key, host, result.ResourceVersion, host.finalizers, status)
	return nil
}

// statusPatch is the merge patch that makes a status of another one. A merge patch
// keeps what it does not mention.
func statusPatch(from, to federate.Status) map[string]any {
	patch := to.ToUnstructured()
	for _, field := range []string{"conditions", "clusters", "summary"} {
		if _, ok := patch[field]; !ok {
			patch[field] = nil
		}
	}
	switch {
	case len(from.Rollup) == 0:
	case len(to.Rollup) == 0:
		patch["rollup"] = nil
	default:
		rollup := maps.Clone(to.Rollup)
		for field := range from.Rollup {
			if _, ok := rollup[field]; !ok {
				rollup[field] = nil
			}
		}
		patch["rollup"] = rollup
	}
	return patch
}

func (e *Engine) hostResource(t *runningType, namespace string) metadata.ResourceInterface {
	if t.Federated.Namespaced {
		return e.hostMeta.Resource(t.Federated.GVR).Namespace(namespace)
	}
	return e.hostMeta.Resource(t.Federated.GVR)
}

// remoteStatus is the status of the member's object, for types that collect it; nil if there is none.
func (e *Engine) remoteStatus(t *runningType, cluster string, key types.NamespacedName) any {
	if !t.StatusCollection {
		return nil
	}
	return e.collected(t, cluster, key)
}

// collected is the status of the member's object as it was last seen, nil if there is none.
func (e *Engine) collected(t *runningType, cluster string, key types.NamespacedName) any {
	_, watched := e.watches.Get(cluster, t.Name)
	l := watched.Get(t.targetKey(key))
	if l == nil || l.remote == "" {
		return nil
	}
	var status any
	if err := json.Unmarshal([]byte(l.remote), &status); err != nil {
		return nil
	}
	return status
}

// problems is bad input that did not stop the propagation to the other clusters.
func problems(unknown []placement.UnknownCluster) []string {
	var list []string
	for _, u := range unknown {
		list = append(list, fmt.Sprintf("%s: no cluster %q has joined", u.Field, u.Name))
	}
	return list
}

// applyRefused is the reason of the Accepted condition when the template cannot be applied.
const applyRefused = "ApplyRefused"

// refusals says why the object is updated, and not applied, in clusters that hold
// it. The caller holds o.mu.
func (e *Engine) refusals(t *runningType, item Item, o *object) []string {
	var list []string
	for name, p := range o.places {
		_, watched := e.watches.Get(name, t.Name)
		if l := watched.Get(t.targetKey(item.Object)); p.want == wantApplied && l != nil && l.Replaced && p.refusal != "" {
			list = append(list, p.refusal)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// warnings returns an event for each outcome that differs from what the status
// said before. The caller holds o.mu.
func (e *Engine) warnings(o *object, host *hostObject, faults []string) []warning {
	before := map[string]federate.ClusterStatus{}
	for _, c := range host.fed.Status.Clusters {
		before[c.Name] = c
	}
	var list []warning
	for name, p := range o.places {
		if p.status == "" || p.status == federate.WaitingForRemoval || before[name].Status == p.status && before[name].Message == p.message {
			continue
		}
		list = append(list, warning{name, string(p.status), fmt.Sprintf("cluster %s: %s", name, p.message)})
	}
	text := slices.Clone(faults)
	if o.renderer != nil {
		text = append(text, o.renderer.Warnings()...)
	}
	if joined := strings.Join(text, "; "); joined != o.problems {
		o.problems = joined
		if joined != "" {
			list = append(list, warning{"", "PartlyIgnored", joined})
		}
	}
	return list
}

// warning is an event; cluster may be empty.
type warning struct{ cluster, reason, message string }

// warn sends events on the federated object.
func (e *Engine) warn(t *runningType, key types.NamespacedName, host *hostObject, warnings []warning) {
	if len(warnings) == 0 {
		return
	}
	about := &metav1.PartialObjectMetadata{}
	about.SetGroupVersionKind(t.Federated.GVK)
	about.Namespace, about.Name, about.UID = key.Namespace, key.Name, host.fed.UID
	for _, w := range warnings {
		message := w.message
		if len(message) > 1024 { // the API's limit for an event's note
			message = message[:1020] + "…"
		}
		e.events.Eventf(about, e.related(w.cluster), "Warning", w.reason, "Propagate", "%s", message)
	}
}

// related is the cluster an event is about as well. Without it, events with the
// same reason for several clusters would be one series, which shows the first alone.
func (e *Engine) related(cluster string) runtime.Object {
	if cluster == "" {
		return nil
	}
	c := &metav1.PartialObjectMetadata{}
	c.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"))
	c.Namespace, c.Name = e.opts.KubeFedNamespace, cluster
	return c
}

// since is a helper for latency metrics, in seconds.
func (e *Engine) since(start time.Time) float64 { return e.now().Sub(start).Seconds() }
