package membership

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fedctl/fedctl/pkg/reach"
)

func TestHealthObserve(t *testing.T) {
	up := reach.Observation{Verdict: reach.Ready}
	down := reach.Observation{Verdict: reach.Offline, Detail: "refused"}
	ill := reach.Observation{Verdict: reach.NotReady, Detail: "etcd"}
	bad := reach.Observation{Verdict: reach.Malformed, Detail: "no token"}
	for _, tc := range []struct {
		name       string
		thresholds thresholds
		probes     []reach.Observation
		want       []health
	}{
		{
			name: "the first probe decides", thresholds: thresholds{Failure: 3, Success: 2}, probes: []reach.Observation{down},
			want: []health{{Known: true, Why: down}},
		},
		{
			name: "a ready member bears failures below the threshold", thresholds: thresholds{Failure: 3, Success: 1},
			probes: []reach.Observation{up, down, down, up, down, ill, down},
			want: []health{
				{Known: true, Ready: true, Why: up},
				{Known: true, Ready: true, Why: up, Contrary: 1},
				{Known: true, Ready: true, Why: up, Contrary: 2},
				{Known: true, Ready: true, Why: up},
				{Known: true, Ready: true, Why: up, Contrary: 1},
				{Known: true, Ready: true, Why: up, Contrary: 2},
				{Known: true, Why: down},
			},
		},
		{
			name: "an unready member needs successes in a row", thresholds: thresholds{Failure: 1, Success: 2},
			probes: []reach.Observation{down, up, ill, up, up},
			want: []health{
				{Known: true, Why: down},
				{Known: true, Why: down, Contrary: 1},
				{Known: true, Why: ill},
				{Known: true, Why: ill, Contrary: 1},
				{Known: true, Ready: true, Why: up},
			},
		},
		{
			name: "nothing left to probe counts at once", thresholds: thresholds{Failure: 3, Success: 3}, probes: []reach.Observation{up, bad, up},
			want: []health{{Known: true, Ready: true, Why: up}, {Known: true, Why: bad}, {Known: true, Why: bad, Contrary: 1}},
		},
		{
			name: "a problem of a ready member shows at once", thresholds: thresholds{Failure: 3, Success: 3},
			probes: []reach.Observation{up, {Verdict: reach.Ready, Problem: "rejected"}},
			want: []health{
				{Known: true, Ready: true, Why: up},
				{Known: true, Ready: true, Why: reach.Observation{Verdict: reach.Ready, Problem: "rejected"}},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var h health
			var got []health
			for _, probe := range tc.probes {
				h = h.observe(probe, tc.thresholds)
				got = append(got, h)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("health after each probe (-want +got):\n%s", diff)
			}
		})
	}
}
