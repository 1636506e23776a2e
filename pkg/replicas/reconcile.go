package replicas

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/replicas/planner"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// conflictDelay is how long another writer of the federated object gets.
const conflictDelay = 50 * time.Millisecond

// Reconcile works on one preference. As in KubeFed, one that is deleted leaves
// behind what it has written.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	p := c.preferences.Get(request.NamespacedName)
	if p == nil || p.deleting() {
		c.want(request.NamespacedName, "")
		return reconcile.Result{}, nil
	}
	result, err := c.schedule(ctx, request.NamespacedName, p)
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: conflictDelay}, nil
	}
	if result.Reason != "" && p.invalid == nil && c.informed() {
		result.Faults = p.faults(c.clusterNames())
	}
	if reportErr := c.report(ctx, request.NamespacedName, p, result); reportErr != nil && err == nil {
		err = reportErr
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: result.Wait}, nil
}

// schedule plans and writes what one preference asks for.
func (c *Controller) schedule(ctx context.Context, key types.NamespacedName, p *preference) (outcome, error) {
	t, result := c.typeOf(p.spec.TargetKind)
	c.want(key, t.Name)
	if t.Name == "" {
		return result, nil
	}
	if p.invalid != nil {
		return failed(ReasonInvalidPreference, "%v", p.invalid), nil //nolint:nilerr // reported: trying again does not mend it
	}
	if name := c.awaited(); name != "" {
		return failed(ReasonClusterAwaited, "cluster %s was brought from another host and has not joined this one: what runs there is not known; the federated object is left as it is until fedctl join %s, or fedctl unjoin %s --force", name, name, name), nil
	}
	if !c.informed() {
		return outcome{}, nil // queued again when it is
	}
	u, err := c.get(ctx, t.Federated, key.Namespace, key.Name)
	switch {
	case apierrors.IsNotFound(err):
		return failed(ReasonFederatedObjectNotFound, "there is no %s %s: create it, under the name of this preference", t.Federated.GVK.Kind, key), nil
	case err != nil:
		return outcome{}, fmt.Errorf("reading %s %s: %w", t.Federated.GVK.Kind, key, err)
	case u.GetDeletionTimestamp() != nil:
		return failed(ReasonFederatedObjectNotFound, "%s %s is being deleted", t.Federated.GVK.Kind, key), nil
	}
	fed, err := federate.Parse(u)
	if err != nil {
		return failed(ReasonInvalidFederatedObject, "%s %s: %v", t.Federated.GVK.Kind, key, err), nil
	}
	clusters, result, err := c.candidates(ctx, t, fed, p.spec.IntersectWithClusterSelector)
	if err != nil || result.Reason != "" {
		return result, err
	}
	states := c.observe(ctx, t, fed, clusters.ready)
	result = outcome{Wait: waitOf(states)}
	if slices.ContainsFunc(states, func(s clusterState) bool { return s.unknown }) {
		return result, nil
	}
	plan, left := planAround(p.preferences(), states, key.String())
	if err := c.write(ctx, t, u, p, written(fed, plan.Scheduled(), left, keptAway(fed, p.preferences(), clusters.unready))); err != nil {
		if apierrors.IsConflict(err) {
			return outcome{}, err
		}
		return failed(ReasonWriteFailed, "%v", err), err
	}
	result.tell(plan, left, states, clusters.unready, p.spec.TotalReplicas)
	return result, nil
}

// typeOf finds the running type of a target kind; otherwise the outcome says why
// there is none.
func (c *Controller) typeOf(kind string) (typeconfig.Type, outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var kinds []string
	for _, name := range targetTypes {
		t, running := c.types[name]
		if running && t.Federated.GVK.Kind == kind {
			return t, outcome{}
		}
		if running {
			kinds = append(kinds, t.Federated.GVK.Kind)
		}
	}
	// Types are told one by one when the controller starts: the next may be this one.
	if wait := listTimeout - time.Since(c.told); wait > 0 {
		return typeconfig.Type{}, outcome{Wait: wait}
	}
	if kind == "FederatedDeployment" || kind == "FederatedReplicaSet" {
		return typeconfig.Type{}, failed(ReasonTypeNotEnabled, "the type of spec.targetKind %s is not propagated: fedctl enable %s.apps",
			kind, strings.ToLower(strings.TrimPrefix(kind, "Federated"))+"s")
	}
	message := fmt.Sprintf("spec.targetKind is %q: it must be FederatedDeployment or FederatedReplicaSet", kind)
	if len(kinds) > 0 {
		message = fmt.Sprintf("spec.targetKind is %q: it must be the federated kind of Deployments or ReplicaSets, here %s", kind, strings.Join(kinds, " or "))
	}
	return typeconfig.Type{}, outcome{Reason: ReasonUnknownTargetKind, Message: message}
}

// informed says whether it is known of each cluster if it is ready. What would be
// planned without one would be moved back a moment later.
func (c *Controller) informed() bool {
	if !c.inventory.Synced() {
		return false
	}
	for _, info := range c.inventory.Clusters() {
		if !info.Ready && !info.Probed {
			return false
		}
	}
	return true
}

// awaited is a cluster that was brought from another host and has not joined yet, or empty:
// to take its replicas away before that would be for nothing.
func (c *Controller) awaited() string {
	for _, info := range c.inventory.Clusters() {
		if info.AwaitsJoin && !info.Ready {
			return info.Name
		}
	}
	return ""
}

// waitOf is the least time that a state asks for; 0 if none does.
func waitOf(states []clusterState) time.Duration {
	var wait time.Duration
	for i := range states {
		if w := states[i].wait; w > 0 && (wait == 0 || w < wait) {
			wait = w
		}
	}
	return wait
}

// write makes the federated object say what is scheduled, if it does not.
func (c *Controller) write(ctx context.Context, t typeconfig.Type, u *unstructured.Unstructured, p *preference, scheduled map[string]int64) error {
	changes, err := edit(u, scheduled)
	if err != nil || changes == nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": u.GetUID(), "resourceVersion": u.GetResourceVersion()},
		"spec":     changes,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.RequestTimeout)
	defer cancel()
	_, err = c.host.Resource(t.Federated.GVR).Namespace(u.GetNamespace()).
		Patch(ctx, u.GetName(), types.MergePatchType, body, metav1.PatchOptions{FieldManager: federate.FieldManager})
	switch {
	case apierrors.IsNotFound(err):
		return nil // deleted meanwhile, which queues the preference again
	case err != nil:
		return fmt.Errorf("writing %s %s/%s: %w", t.Federated.GVK.Kind, u.GetNamespace(), u.GetName(), err)
	}
	c.log.Info("Replicas scheduled", "object", u.GetNamespace()+"/"+u.GetName(), "kind", t.Federated.GVK.Kind, "replicas", scheduled)
	c.events.Eventf(&p.meta, u, corev1.EventTypeNormal, ReasonScheduled, "Schedule", "Replicas scheduled: %s", spread(scheduled))
	return nil
}

// tell adds to an outcome what was planned.
func (o *outcome) tell(plan planner.Plan, left map[string]int64, states []clusterState, unready []string, total int32) {
	scheduled := plan.Scheduled()
	maps.Copy(scheduled, left)
	var notes []string
	for i := range states {
		name := states[i].Name
		if n, isLeft := left[name]; isLeft {
			notes = append(notes, fmt.Sprintf("%s has %d, which its autoscaler decides on", name, n))
		} else if n := states[i].Current; states[i].left && n > 0 {
			notes = append(notes, fmt.Sprintf("%s is to have none, and has %d, which its autoscaler decides on", name, n))
		}
		o.Clusters = append(o.Clusters, ClusterStatus{Name: name, Replicas: scheduled[name], Unschedulable: states[i].unschedulable})
		if n := states[i].unschedulable; n > 0 {
			notes = append(notes, fmt.Sprintf("the nodes of %s have no room for %d", name, n))
		}
	}
	o.Reason = ReasonScheduled
	head := fmt.Sprintf("%d replicas in %d clusters", total, len(states))
	if plan.Unplaced > 0 {
		o.Reason = ReasonPartlyScheduled
		head = fmt.Sprintf("%d of %d replicas in %d clusters: the weights, maxReplicas and the room in the clusters allow no more",
			int64(total)-plan.Unplaced, total, len(states))
	}
	if len(unready) > 0 {
		notes = append(notes, "not ready, so that others have the share: "+strings.Join(unready, ", "))
	}
	o.Message = strings.Join(append([]string{head}, notes...), "; ")
}

// report writes the status of a preference if it says something else, and an
// event when the reason is another one.
func (c *Controller) report(ctx context.Context, key types.NamespacedName, p *preference, o outcome) error {
	if o.Reason == "" {
		return nil
	}
	status, differs := o.next(p, time.Now())
	if !differs {
		return nil
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.meta.UID}, "status": mergePatch(status)})
	if err != nil {
		return err
	}
	before := meta.FindStatusCondition(p.status.Conditions, ConditionScheduled)
	if !o.scheduled() && (before == nil || before.Reason != o.Reason) {
		c.events.Eventf(&p.meta, nil, corev1.EventTypeWarning, o.Reason, "Schedule", "%s", o.Message)
	}
	was, is := meta.FindStatusCondition(p.status.Conditions, ConditionAccepted), meta.FindStatusCondition(status.Conditions, ConditionAccepted)
	if is != nil && (was == nil || was.Message != is.Message) {
		c.events.Eventf(&p.meta, nil, corev1.EventTypeWarning, is.Reason, "Schedule", "%s", is.Message)
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.RequestTimeout)
	defer cancel()
	_, err = c.host.Resource(preferenceGVR).Namespace(key.Namespace).
		Patch(ctx, key.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: federate.FieldManager}, "status")
	if apierrors.IsNotFound(err) {
		return nil // deleted meanwhile, or KubeFed's definition, which has no status
	}
	if err != nil {
		return fmt.Errorf("writing the status of ReplicaSchedulingPreference %s: %w", key, err)
	}
	written := *p
	written.status = status
	c.preferences.Swap(key, p, &written)
	return nil
}

// mergePatch is the status as a merge patch, in which null removes what is empty.
func mergePatch(status Status) map[string]any {
	out := map[string]any{"observedGeneration": status.ObservedGeneration, "conditions": status.Conditions, "clusters": nil}
	if len(status.Clusters) > 0 {
		out["clusters"] = status.Clusters
	}
	return out
}
