package backup

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/ptr"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/view"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *metav1.Time { return &metav1.Time{Time: noon.Add(-d)} }

func TestPolicyDiffers(t *testing.T) {
	spec := backupv1alpha1.BackupSpec{Schedule: "@daily", Timeout: &metav1.Duration{Duration: time.Hour}, Objective: &backupv1alpha1.Objective{MaxAge: metav1.Duration{Duration: 26 * time.Hour}}}
	same := spec
	// What the API server sets by default is no other policy.
	same.ConcurrencyPolicy, same.Retention = backupv1alpha1.ConcurrencyForbid, &backupv1alpha1.Retention{MinGood: ptr.To[int32](1)}
	if got := differing(policyOf(&spec), policyOf(&same)); len(got) > 0 {
		t.Errorf("differs: %v", got)
	}
	other := spec
	other.Timeout, other.Retention, other.Jitter = nil, &backupv1alpha1.Retention{Daily: ptr.To[int32](30)}, &metav1.Duration{Duration: 10 * time.Second}
	want := []term{{"Retention", "daily 30"}, {"Timeout", "not set"}, {"Jitter", "10s"}}
	if got := differing(policyOf(&spec), policyOf(&other)); !slices.Equal(got, want) {
		t.Errorf("differs: %v", got)
	}
	for d, text := range map[time.Duration]string{10 * time.Second: "10s", time.Minute: "1m", 20 * time.Hour: "20h", 90 * time.Minute: "1h30m", 0: "0s"} {
		if got := duration(&metav1.Duration{Duration: d}); got != text {
			t.Errorf("%s is printed as %s", d, got)
		}
	}
}

func TestNext(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, message string) func(*backupv1alpha1.Backup) {
		return func(b *backupv1alpha1.Backup) {
			b.Status.Conditions = append(b.Status.Conditions, metav1.Condition{Type: kind, Status: status, Message: message})
		}
	}
	for name, test := range map[string]struct {
		state memberState
		edit  func(*backupv1alpha1.Backup)
		want  string
	}{
		"well":            {edit: func(b *backupv1alpha1.Backup) { b.Status.LastVerified = b.Status.LastSuccess }, want: "nothing has to be done"},
		"not verified":    {want: "fedctl backup verify n-1 -n shop --cluster admin@c --wait"},
		"no executor":     {edit: func(b *backupv1alpha1.Backup) { b.Status.Conditions = nil }, want: "fedctl install --member admin@c --backup-rights save"},
		"no repository":   {edit: condition("Ready", "False", "there is no BackupRepository"), want: "there is no BackupRepository; then \"fedctl backup run"},
		"too old":         {edit: condition("WithinObjective", "False", ""), want: "too old: \"fedctl backup run nightly -n shop --cluster admin@c --wait\""},
		"damaged":         {edit: condition("Verified", "False", ""), want: "not as it was written"},
		"never":           {edit: func(b *backupv1alpha1.Backup) { b.Status.LastSuccess = nil }, want: "wait for the first run"},
		"suspended":       {edit: func(b *backupv1alpha1.Backup) { b.Spec.Suspend = true }, want: "spec.suspend"},
		"overdue":         {edit: func(b *backupv1alpha1.Backup) { b.Status.NextRun = before(time.Hour) }, want: "overdue"},
		"does not answer": {state: memberState{MemberBackups: view.MemberBackups{Reason: view.ReasonNoAnswer, Message: "no answer"}}, want: "no answer"},
		"damaged and stale": {edit: func(b *backupv1alpha1.Backup) {
			condition("WithinObjective", "False", "")(b)
			condition("Verified", "False", "")(b)
		}, want: "not as it was written"},
	} {
		b := &backupv1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "nightly"}}
		b.Status.LastSuccess = &backupv1alpha1.RunSummary{Name: "n-1", Time: before(time.Hour)}
		b.Status.Conditions = []metav1.Condition{{Type: "Scheduled", Status: "True"}}
		if test.edit != nil {
			test.edit(b)
		}
		test.state.Cluster, test.state.context = "c", "admin@c"
		if got := next(&test.state, b, nil, noon); !strings.Contains(got, test.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := next(&memberState{}, nil, &unstructured.Unstructured{}, noon); !strings.Contains(got, "not in the cluster") {
		t.Error(got)
	}
}

// What is odd about a run is told with its end; what no run saves is not told with each of
// them.
func TestExceptionalWarnings(t *testing.T) {
	run := &backupv1alpha1.BackupRun{}
	run.Name, run.Status.Phase, run.Status.Totals.Objects = "nightly-1", backupv1alpha1.RunSucceeded, 12
	run.Status.Warnings = []backupv1alpha1.ResourceWarning{
		{Resource: "secrets", Message: "no such resource; did you mean secrets?"},
		{Resource: "events", Message: "left out: events tell what happened and cannot be restored"},
		{Resource: "configmaps", Message: "left out 1: made by the cluster"},
	}
	const want = `backuprun.backup.fedctl.io/nightly-1 Succeeded: 12 objects, 0 bytes, 0 bytes stored
warning: secrets: no such resource; did you mean secrets?
`
	for _, format := range []string{"", view.Name} {
		streams, _, out, errOut := genericiooptions.NewTestIOStreams()
		told := &target{factory: cmdutil.NewFactory(streams), Output: cmdutil.NewOutput(cmdutil.ObjectFormats...)}
		told.Output.Format = format
		told.tellEnd(run)
		got, other := out, errOut
		if format != "" { // the output is the object
			got, other = errOut, out
		}
		if got.String() != want || other.Len() > 0 {
			t.Errorf("-o %q: told is %q, and elsewhere %q", format, got, other)
		}
	}
	if len(run.Status.Warnings) != 3 {
		t.Error("the run itself has lost warnings")
	}
}
