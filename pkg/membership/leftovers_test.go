package membership

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

func TestLeftoversAreSaid(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	earlier := metav1.NewTime(now.Add(-time.Hour))
	ready := fedcorev1beta1.ClusterCondition{Type: fedcommon.ClusterReady, Status: corev1.ConditionTrue}
	said := fedcorev1beta1.ClusterCondition{Type: ConditionLeftovers, Status: corev1.ConditionTrue, LastTransitionTime: &earlier}
	many := Leftovers{Count: 5, Examples: []string{"A a", "B b", "C c"}, Until: now}
	for name, test := range map[string]struct {
		previous []fedcorev1beta1.ClusterCondition
		found    Leftovers
		known    bool
		message  string // "": there is no condition
		since    *metav1.Time
	}{
		"nothing":          {nil, Leftovers{}, true, "", nil},
		"nothing any more": {[]fedcorev1beta1.ClusterCondition{ready, said}, Leftovers{}, true, "", nil},
		"several": {nil, many, true,
			"5 objects that were there when the cluster joined are selected by no placement: A a, B b, C c, and 2 more; kept until 2026-01-02T03:04:05Z at least; see: fedctl prune m --dry-run",
			&metav1.Time{Time: now}},
		"one, for ever, as before": {[]fedcorev1beta1.ClusterCondition{said}, Leftovers{Count: 1, Examples: []string{"A a"}}, true,
			"1 object that was there when the cluster joined is selected by no placement: A a; see: fedctl prune m --dry-run", &earlier},
	} {
		t.Run(name, func(t *testing.T) {
			got := withLeftovers([]fedcorev1beta1.ClusterCondition{ready}, test.previous, "m", test.found, test.known, now)
			rest, had := withoutLeftovers(got)
			if had != (test.message != "") || len(rest) != 1 {
				t.Fatalf("%+v", got)
			}
			if had && (valueOf(got[1].Message) != test.message || !got[1].LastTransitionTime.Equal(test.since)) {
				t.Errorf("says %q since %s", valueOf(got[1].Message), got[1].LastTransitionTime)
			}
		})
	}
	// A controller that has just started does not take back what another has said.
	if got := withLeftovers(nil, []fedcorev1beta1.ClusterCondition{said}, "m", Leftovers{}, false, now); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}
