package federate

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestEndingOf(t *testing.T) {
	type m = map[string]any
	condition := func(kind, status, at string) m {
		return m{"conditions": []any{m{"type": kind, "status": status, "lastTransitionTime": at}}}
	}
	const at, before, after = "2026-01-02T10:00:00Z", "2026-01-02T09:59:30Z", "2026-01-02T10:00:30Z"
	deleted := m{"deletionTimestamp": at}
	killed := m{"deletionTimestamp": after, "deletionGracePeriodSeconds": int64(30)} // asked for at: at
	never := m{"restartPolicy": "Never"}
	phase := func(phase, finished string) m {
		return m{"phase": phase, "containerStatuses": []any{m{"state": m{"terminated": m{"finishedAt": finished}}}}}
	}
	job, pod := schema.GroupKind{Group: "batch", Kind: "Job"}, schema.GroupKind{Kind: "Pod"}
	for name, test := range map[string]struct {
		gk                     schema.GroupKind
		metadata, spec, status m
		want                   Ending
	}{
		"a Job that runs":                             {gk: job, status: m{"active": int64(1)}},
		"a Job without a status":                      {gk: job},
		"a Job that is suspended":                     {gk: job, status: condition("Suspended", "True", at)},
		"a Job that has completed":                    {gk: job, status: condition("Complete", "True", at), want: Succeeded},
		"a Job that has met its criteria only":        {gk: job, status: condition("SuccessCriteriaMet", "True", at)},
		"a Job that has failed":                       {gk: job, status: condition("Failed", "True", at), want: Failed},
		"a Job that has not failed":                   {gk: job, status: condition("Failed", "False", at)},
		"a Job that has completed, being deleted":     {gk: job, metadata: deleted, status: condition("Complete", "True", after), want: Succeeded},
		"a Job that had failed when it was deleted":   {gk: job, metadata: deleted, status: condition("Failed", "True", before), want: Failed},
		"a Job that has failed because of a deletion": {gk: job, metadata: deleted, status: condition("Failed", "True", after)},
		"a Pod that runs":                             {gk: pod, spec: never, status: m{"phase": "Running"}},
		"a Pod that has succeeded":                    {gk: pod, spec: never, status: phase("Succeeded", at), want: Succeeded},
		"a Pod that has failed":                       {gk: pod, spec: m{"restartPolicy": "OnFailure"}, status: phase("Failed", at), want: Failed},
		"a Pod that was to run for ever":              {gk: pod, spec: m{"restartPolicy": "Always"}, status: phase("Failed", at)},
		"a Pod that was evicted":                      {gk: pod, spec: never, status: m{"phase": "Failed", "reason": "Evicted"}},
		"a Pod whose node is gone": {gk: pod, spec: never, status: m{
			"phase": "Failed", "conditions": []any{m{"type": "DisruptionTarget", "status": "True"}},
		}},
		"a Pod that ended before it was deleted":      {gk: pod, metadata: killed, spec: never, status: phase("Succeeded", before), want: Succeeded},
		"a Pod that ended because it was deleted":     {gk: pod, metadata: killed, spec: never, status: phase("Succeeded", after)},
		"a Pod that was deleted before it ever began": {gk: pod, metadata: killed, spec: never, status: m{"phase": "Failed"}},
		"a CronJob":              {gk: schema.GroupKind{Group: "batch", Kind: "CronJob"}, status: condition("Complete", "True", at)},
		"a Job of another group": {gk: schema.GroupKind{Group: "example.com", Kind: "Job"}, status: condition("Complete", "True", at)},
	} {
		t.Run(name, func(t *testing.T) {
			object := m{"metadata": test.metadata, "spec": test.spec, "status": test.status}
			if got := EndingOf(test.gk, object); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	for _, object := range []m{nil, {"status": "x", "spec": 1}, {"status": m{"conditions": "x"}}, {"status": m{"conditions": []any{1, nil}}}} {
		if EndingOf(job, object) != "" || EndingOf(pod, object) != "" {
			t.Errorf("%v has ended", object)
		}
	}
}

func TestRemovesItself(t *testing.T) {
	job := schema.GroupKind{Group: "batch", Kind: "Job"}
	for name, c := range map[string]struct {
		kind schema.GroupKind
		spec map[string]any
		want bool
	}{
		"a Job that stays":       {kind: job, spec: map[string]any{}},
		"one that is removed":    {kind: job, spec: map[string]any{"ttlSecondsAfterFinished": int64(0)}, want: true},
		"one that goes on":       {kind: job, spec: map[string]any{"ttlSecondsAfterFinished": int64(60), "suspend": false}, want: true},
		"one that never ends":    {kind: job, spec: map[string]any{"ttlSecondsAfterFinished": int64(60), "suspend": true}},
		"another kind's of that": {kind: schema.GroupKind{Group: "example.com", Kind: "Job"}, spec: map[string]any{"ttlSecondsAfterFinished": int64(0)}},
	} {
		if got := removesItself(c.kind, map[string]any{"spec": c.spec}); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
