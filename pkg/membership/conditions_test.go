package membership

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

var (
	long   = metav1.NewTime(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC))
	moment = metav1.NewTime(time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC))
)

func conditionOf(kind fedcommon.ClusterConditionType, status corev1.ConditionStatus, reason, message string, since metav1.Time) fedcorev1beta1.ClusterCondition {
	return fedcorev1beta1.ClusterCondition{
		Type: kind, Status: status, Reason: &reason, Message: &message, LastProbeTime: moment, LastTransitionTime: &since,
	}
}

func TestStatusFor(t *testing.T) {
	readySince := []fedcorev1beta1.ClusterCondition{conditionOf(fedcommon.ClusterReady, corev1.ConditionTrue, ReasonReady, messageReady, long)}
	for _, tc := range []struct {
		name      string
		previous  fedcorev1beta1.KubeFedClusterStatus
		health    health
		facts     Facts
		malformed string
		want      fedcorev1beta1.KubeFedClusterStatus
	}{
		{
			name:     "not probed leaves everything",
			previous: fedcorev1beta1.KubeFedClusterStatus{Conditions: readySince, KubernetesVersion: "v1"},
			want:     fedcorev1beta1.KubeFedClusterStatus{Conditions: readySince, KubernetesVersion: "v1"},
		},
		{
			name:   "ready comes with the version",
			health: health{Known: true, Ready: true, Why: reach.Observation{Verdict: reach.Ready}},
			facts:  Facts{KubernetesVersion: "v1.36.3"},
			want: fedcorev1beta1.KubeFedClusterStatus{KubernetesVersion: "v1.36.3", Conditions: []fedcorev1beta1.ClusterCondition{
				conditionOf(fedcommon.ClusterReady, corev1.ConditionTrue, "ClusterReady", "/healthz responded with ok", moment),
				conditionOf(fedcommon.ClusterOffline, corev1.ConditionFalse, "ClusterReachable", "cluster is reachable", moment),
			}},
		},
		{
			name:     "still ready keeps the transition time, and what is unknown now",
			previous: fedcorev1beta1.KubeFedClusterStatus{Conditions: readySince, KubernetesVersion: "v1", Region: ptr.To("eu"), Zones: []string{"a"}},
			health:   health{Known: true, Ready: true, Why: reach.Observation{Verdict: reach.Ready, Problem: "but"}},
			want: fedcorev1beta1.KubeFedClusterStatus{
				KubernetesVersion: "v1", Region: ptr.To("eu"), Zones: []string{"a"},
				Conditions: []fedcorev1beta1.ClusterCondition{
					conditionOf(fedcommon.ClusterReady, corev1.ConditionTrue, "ClusterReady", "/healthz responded with ok; but", long),
					conditionOf(fedcommon.ClusterOffline, corev1.ConditionFalse, "ClusterReachable", "cluster is reachable", moment),
				},
			},
		},
		{
			name:     "offline",
			previous: fedcorev1beta1.KubeFedClusterStatus{Conditions: readySince, KubernetesVersion: "v1"},
			health:   health{Known: true, Why: reach.Observation{Verdict: reach.Offline, Detail: "connection refused"}},
			want: fedcorev1beta1.KubeFedClusterStatus{KubernetesVersion: "v1", Conditions: []fedcorev1beta1.ClusterCondition{
				conditionOf(fedcommon.ClusterReady, corev1.ConditionFalse, "ClusterNotReachable", "cluster is not reachable: connection refused", moment),
				conditionOf(fedcommon.ClusterOffline, corev1.ConditionTrue, "ClusterNotReachable", "cluster is not reachable: connection refused", moment),
			}},
		},
		{
			name:   "unwell",
			health: health{Known: true, Why: reach.Observation{Verdict: reach.NotReady, Detail: "500"}},
			want: fedcorev1beta1.KubeFedClusterStatus{Conditions: []fedcorev1beta1.ClusterCondition{
				conditionOf(fedcommon.ClusterReady, corev1.ConditionFalse, "ClusterNotReady", "/healthz responded without ok: 500", moment),
				conditionOf(fedcommon.ClusterOffline, corev1.ConditionFalse, "ClusterReachable", "cluster is reachable", moment),
			}},
		},
		{
			name:      "malformed",
			health:    health{Known: true, Why: reach.Observation{Verdict: reach.Malformed, Detail: "no token"}},
			malformed: "no token",
			want: fedcorev1beta1.KubeFedClusterStatus{Conditions: []fedcorev1beta1.ClusterCondition{
				conditionOf(fedcommon.ClusterReady, corev1.ConditionFalse, "ClusterConfigMalformed", "cluster's configuration may be malformed: no token", moment),
				conditionOf(fedcommon.ClusterConfigMalformed, corev1.ConditionTrue, "ClusterConfigMalformed", "cluster's configuration may be malformed: no token", moment),
			}},
		},
		{
			name:     "an inventory without zones removes them",
			previous: fedcorev1beta1.KubeFedClusterStatus{Region: ptr.To("eu"), Zones: []string{"a"}},
			facts:    Facts{Nodes: &Nodes{}},
			want:     fedcorev1beta1.KubeFedClusterStatus{},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := statusFor(tc.previous, tc.health, tc.facts, tc.malformed, moment.Time)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompareStatus(t *testing.T) {
	base := func() fedcorev1beta1.KubeFedClusterStatus {
		return statusFor(fedcorev1beta1.KubeFedClusterStatus{}, health{Known: true, Ready: true, Why: reach.Observation{Verdict: reach.Ready}}, Facts{KubernetesVersion: "v1"}, "", long.Time)
	}
	for _, tc := range []struct {
		name   string
		change func(*fedcorev1beta1.KubeFedClusterStatus)
		want   difference
	}{
		{"nothing", func(*fedcorev1beta1.KubeFedClusterStatus) {}, differsNot},
		{"times", func(s *fedcorev1beta1.KubeFedClusterStatus) { s.Conditions[0].LastProbeTime = moment }, differsNot},
		{"an empty region", func(s *fedcorev1beta1.KubeFedClusterStatus) { s.Region = ptr.To("") }, differsNot},
		{"a message", func(s *fedcorev1beta1.KubeFedClusterStatus) { s.Conditions[0].Message = ptr.To("x") }, differsInMessage},
		{"a reason", func(s *fedcorev1beta1.KubeFedClusterStatus) { s.Conditions[0].Reason = ptr.To("x") }, differs},
		{"a status", func(s *fedcorev1beta1.KubeFedClusterStatus) { s.Conditions[0].Status = corev1.ConditionFalse }, differs},
		{"a condition more", func(s *fedcorev1beta1.KubeFedClusterStatus) { s.Conditions = append(s.Conditions, s.Conditions[0]) }, differs},
		{"the version", func(s *fedcorev1beta1.KubeFedClusterStatus) { s.KubernetesVersion = "v2" }, differs},
		{"the zones", func(s *fedcorev1beta1.KubeFedClusterStatus) { s.Zones = []string{"a"} }, differs},
		{"the region", func(s *fedcorev1beta1.KubeFedClusterStatus) { s.Region = ptr.To("eu") }, differs},
	} {
		t.Run(tc.name, func(t *testing.T) {
			changed := base()
			tc.change(&changed)
			if got := compareStatus(base(), changed); got != tc.want {
				t.Errorf("difference %d, want %d", got, tc.want)
			}
		})
	}
}

func TestWorthWriting(t *testing.T) {
	stored := statusFor(fedcorev1beta1.KubeFedClusterStatus{}, health{Known: true, Why: reach.Observation{Verdict: reach.Offline, Detail: "refused"}}, Facts{}, "", moment.Time)
	sameLater := statusFor(stored, health{Known: true, Why: reach.Observation{Verdict: reach.Offline, Detail: "refused"}}, Facts{}, "", moment.Time)
	otherWords := statusFor(stored, health{Known: true, Why: reach.Observation{Verdict: reach.Offline, Detail: "time-out"}}, Facts{}, "", moment.Time)
	ready := statusFor(stored, health{Known: true, Ready: true, Why: reach.Observation{Verdict: reach.Ready}}, Facts{}, "", moment.Time)
	r := reporter{}
	for _, tc := range []struct {
		name  string
		want  fedcorev1beta1.KubeFedClusterStatus
		after time.Duration
		write bool
	}{
		{"the same soon", sameLater, 10 * time.Second, false},
		{"the same after minutes", sameLater, refreshProbeTime, true},
		{"other words", otherWords, time.Second, true},
		{"other words again soon", otherWords, messagePause, false},
		{"other words again later", otherWords, time.Second + messagePause, true},
		{"another state at once", ready, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := r.worthWriting(stored, tc.want, moment.Add(tc.after)); got != tc.write {
				t.Errorf("worth writing: %t, want %t", got, tc.write)
			}
		})
	}
}

func TestPatches(t *testing.T) {
	kfc := &fedcorev1beta1.KubeFedCluster{}
	kfc.UID = "u"
	kfc.Annotations = map[string]string{NodesAnnotation: "3", AcceleratorsAnnotation: "", reach.ClusterUIDAnnotation: "c"}
	inv := &Nodes{Count: 3, Accelerators: map[string]int64{}}
	if patch := annotationPatch(kfc, Facts{Nodes: inv}, "c", time.Time{}); patch != nil {
		t.Errorf("patch %s although nothing differs", patch)
	}
	if patch := annotationPatch(kfc, Facts{}, "", time.Time{}); patch != nil {
		t.Errorf("patch %s although nothing is known", patch)
	}
	inv.Accelerators = map[string]int64{"nvidia.com/gpu": 16, "amd.com/gpu": 4}
	want := `{"metadata":{"annotations":{"fedctl.io/accelerators":"amd.com/gpu=4,nvidia.com/gpu=16"},"uid":"u"}}`
	if patch := annotationPatch(kfc, Facts{Nodes: inv}, "c", time.Time{}); string(patch) != want {
		t.Errorf("patch %s, want %s", patch, want)
	}
	var got map[string]map[string]any
	if err := json.Unmarshal(statusPatch("u", fedcorev1beta1.KubeFedClusterStatus{Zones: []string{"a"}}), &got); err != nil {
		t.Fatal(err)
	}
	wantStatus := map[string]any{"conditions": nil, "kubernetesVersion": nil, "region": nil, "zones": []any{"a"}}
	if diff := cmp.Diff(wantStatus, got["status"]); diff != "" {
		t.Errorf("status patch (-want +got):\n%s", diff)
	}
}
