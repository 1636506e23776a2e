package propagation

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
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
	// policyStatusGrace is how long after a start fewer objects may be selected than before.
	policyStatusGrace = 15 * time.Second
)

// lookAtStatuses has the statuses of the policies written, where they are not so.
func (p *policyStore) lookAtStatuses() {
	select {
	case p.changes <- struct{}{}:
	default:
	}
}

// report keeps the statuses of policies until ctx ends.
// intent is what an object is to be, with all that it depends on.
func (p *policyStore) report(ctx context.Context, running *typeSet, intent func(*runningType, *federated) federate.Intent) {
	survey, began := newPolicySurvey(p, running, intent), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.changes:
		case <-time.After(policyStatusPeriod):
		}
		stored := p.stored()
		found := survey.take(len(stored) > 0)
		for _, key := range slices.SortedFunc(maps.Keys(stored), compareKeys) {
			one := found[stored[key].compiled.Origin]
			one.unmatched = p.unmatched(stored[key].compiled, running)
			if !tooEarly(stored[key], one, time.Since(began)) {
				p.reportOne(ctx, one, key, stored[key])
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(policyStatusPause):
		}
	}
}

// tooEarly says whether what was said of a policy before this process began counts more than what
// it has found so far: types and their objects become known one after the other.
func tooEarly(stored *storedPolicy, found effects, running time.Duration) bool {
	if stored.status.ObservedGeneration != stored.generation {
		return false
	}
	return found.undecided > 0 || running < policyStatusGrace && small(found.selected) < stored.status.SelectedObjects
}

func compareKeys(a, b types.NamespacedName) int {
	return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
}

// reportOne writes a policy's status if it says something else than is so.
func (p *policyStore) reportOne(ctx context.Context, found effects, key types.NamespacedName, stored *storedPolicy) {
	status := statusOfPolicy(stored, found, time.Now())
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
		"observedGeneration": status.ObservedGeneration, "selectedObjects": status.SelectedObjects, "objects": status.Objects,
		"clusters": status.Clusters, "conditions": status.Conditions,
	}})
}

func statusOfPolicy(stored *storedPolicy, found effects, now time.Time) policyv1alpha1.OverridePolicyStatus {
	status := policyv1alpha1.OverridePolicyStatus{
		ObservedGeneration: stored.generation, SelectedObjects: small(found.selected), Objects: small(found.changed), Clusters: small(found.clusters),
		Conditions: slices.Clone(stored.status.Conditions),
	}
	problem := stored.compiled.Problem()
	for _, c := range []metav1.Condition{accepted(problem, found), applied(problem, found), contested(found)} {
		c.ObservedGeneration, c.LastTransitionTime = stored.generation, metav1.NewTime(now)
		c.Message = errtext.Bounded(c.Message, errtext.Cluster)
		meta.SetStatusCondition(&status.Conditions, c)
	}
	return status
}

func small(n int) int32 { return int32(min(n, 1<<30)) } //nolint:gosec // bounded

// amountOf is a number of things.
func amountOf(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

func accepted(problem error, found effects) metav1.Condition {
	c := metav1.Condition{Type: policyv1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, Reason: policyv1alpha1.ReasonAccepted,
		Message: "selects " + amountOf(found.selected, "federated object")}
	switch {
	case problem != nil:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, policyv1alpha1.ReasonInvalid, problem.Error()+"; what the policy selects stays as it is"
		return c
	case found.selected == 0:
		c.Reason, c.Message = policyv1alpha1.ReasonSelectsNothing, "no federated object is selected: see spec.selectors"
	case len(found.unmatched) > 0:
		c.Reason = policyv1alpha1.ReasonUnmatched
	}
	if len(found.unmatched) > 0 {
		c.Message += "; " + strings.Join(found.unmatched, "; ")
	}
	return c
}

func applied(problem error, found effects) metav1.Condition {
	c := metav1.Condition{Type: policyv1alpha1.ConditionApplied, Status: metav1.ConditionTrue, Reason: policyv1alpha1.ReasonApplied,
		Message: "changes " + amountOf(found.changed, "federated object") + " in " + amountOf(found.clusters, "cluster")}
	switch {
	case problem != nil:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, policyv1alpha1.ReasonInvalid, "the policy cannot be carried out: see the condition Accepted"
	case found.faulty.n > 0:
		c.Status, c.Reason = metav1.ConditionFalse, policyv1alpha1.ReasonFailed
		c.Message = "the last good state stays of " + found.faulty.objects() + ": " + found.faulty.first
	case found.late > 0:
		c.Status, c.Reason = metav1.ConditionFalse, policyv1alpha1.ReasonPropagating
		c.Message += "; not there yet in " + amountOf(found.late, "cluster") + ": " + found.propagating.first
	case found.selected == 0: // where kubectl get shows it
		c.Reason = policyv1alpha1.ReasonSelectsNothing
	case found.noted.n > 0:
		c.Reason, c.Message = policyv1alpha1.ReasonRestricted, c.Message+"; there is something to say of "+found.noted.objects()+": "+found.noted.first
	case len(found.unmatched) > 0:
		c.Reason, c.Message = policyv1alpha1.ReasonUnmatched, c.Message+": see the condition Accepted"
	}
	return c
}

func contested(found effects) metav1.Condition {
	c := metav1.Condition{Type: policyv1alpha1.ConditionContested, Status: metav1.ConditionFalse, Reason: policyv1alpha1.ReasonUncontested,
		Message: "no other policy sets the same fields to something else"}
	if found.contested.n > 0 {
		c.Status, c.Reason = metav1.ConditionTrue, policyv1alpha1.ReasonContested
		c.Message = "another policy sets a field of " + found.contested.objects() + " to something else: " + found.contested.first
	}
	return c
}

// samePolicyStatus compares all but times.
func samePolicyStatus(a, b policyv1alpha1.OverridePolicyStatus) bool {
	return a.ObservedGeneration == b.ObservedGeneration && a.SelectedObjects == b.SelectedObjects && a.Objects == b.Objects && a.Clusters == b.Clusters &&
		slices.EqualFunc(a.Conditions, b.Conditions, func(one, other metav1.Condition) bool {
			return one.Type == other.Type && one.Status == other.Status && one.Reason == other.Reason && one.Message == other.Message
		})
}
