package propagation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
)

const (
	// policyStatusPause is the least time between two looks at what policies select.
	policyStatusPause = 2 * time.Second
	// policyStatusPeriod is how long the number of selected objects may be out of date.
	policyStatusPeriod = 30 * time.Second
)

// lookAtStatuses has the statuses of the policies written, where they are not so.
func (p *policyStore) lookAtStatuses() {
	select {
	case p.changes <- struct{}{}:
	default:
	}
}

// report keeps the statuses of policies until ctx ends.
func (p *policyStore) report(ctx context.Context, running *typeSet) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.changes:
		case <-time.After(policyStatusPeriod):
		}
		stored := p.stored()
		for _, key := range slices.SortedFunc(maps.Keys(stored), compareKeys) {
			p.reportOne(ctx, running, key, stored[key])
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(policyStatusPause):
		}
	}
}

func compareKeys(a, b types.NamespacedName) int {
	return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
}

// reportOne writes a policy's status if it says something else than is so.
func (p *policyStore) reportOne(ctx context.Context, running *typeSet, key types.NamespacedName, stored *storedPolicy) {
	status := statusOfPolicy(stored, countSelected(running, stored), time.Now())
	if samePolicyStatus(stored.status, status) {
		return
	}
	body, err := policyStatusPatch(stored.uid, status)
	if err != nil { // plain data
		return
	}
	ctx, cancel := context.WithTimeout(ctx, p.host.timeout)
	defer cancel()
	resource := p.host.resource(stored.resource, key.Namespace)
	_, err = resource.Patch(ctx, key.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: federate.FieldManager}, "status")
	if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
		p.host.log.V(1).Info("Could not write the status of a policy; will retry", "policy", stored.compiled.Origin.String(), "error", errtext.Stable(err))
	}
}

// policyStatusPatch sends all fields: what is left out would stay as it was.
func policyStatusPatch(uid types.UID, status policyv1alpha1.OverridePolicyStatus) ([]byte, error) {
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": uid}, "status": map[string]any{
		"observedGeneration": status.ObservedGeneration, "objects": status.Objects, "conditions": status.Conditions,
	}})
}

// countSelected is how many federated objects a policy selects.
func countSelected(running *typeSet, stored *storedPolicy) int {
	count := 0
	for _, t := range running.all() {
		for _, key := range t.federated.Keys(stored.compiled.Origin.Namespace) {
			if fed := t.federated.Get(key); fed != nil && stored.compiled.Selects(objectOf(t, fed)) {
				count++
			}
		}
	}
	return count
}

func statusOfPolicy(stored *storedPolicy, objects int, now time.Time) policyv1alpha1.OverridePolicyStatus {
	status := policyv1alpha1.OverridePolicyStatus{ObservedGeneration: stored.generation, Objects: int32(min(objects, 1<<30))} //nolint:gosec // bounded
	status.Conditions = slices.Clone(stored.status.Conditions)
	c := metav1.Condition{Type: policyv1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, Reason: policyv1alpha1.ReasonAccepted,
		Message: fmt.Sprintf("%d federated objects are selected", objects), ObservedGeneration: stored.generation, LastTransitionTime: metav1.NewTime(now)}
	switch problem := stored.compiled.Problem(); {
	case problem != nil:
		c.Status, c.Reason = metav1.ConditionFalse, policyv1alpha1.ReasonInvalid
		c.Message = errtext.Bounded(problem.Error()+"; what the policy selects stays as it is", errtext.Cluster)
	case objects == 0:
		c.Reason, c.Message = policyv1alpha1.ReasonSelectsNothing, "no federated object is selected: see spec.selectors"
	}
	meta.SetStatusCondition(&status.Conditions, c)
	return status
}

// samePolicyStatus compares all but times.
func samePolicyStatus(a, b policyv1alpha1.OverridePolicyStatus) bool {
	one, other := meta.FindStatusCondition(a.Conditions, policyv1alpha1.ConditionAccepted), meta.FindStatusCondition(b.Conditions, policyv1alpha1.ConditionAccepted)
	return a.ObservedGeneration == b.ObservedGeneration && a.Objects == b.Objects && one != nil && other != nil &&
		one.Status == other.Status && one.Reason == other.Reason && one.Message == other.Message
}
