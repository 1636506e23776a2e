package join

import (
	"context"
	"testing"

	"github.com/fedctl/fedctl/pkg/reach"
)

func TestNewCredentialsGetTheTimeToBecomeKnown(t *testing.T) {
	for name, test := range map[string]struct {
		answers []reach.Observation // one after the other
		want    reach.Observation
		calls   int
	}{
		"at once":      {[]reach.Observation{{Verdict: reach.Ready}}, reach.Observation{Verdict: reach.Ready}, 1},
		"later":        {[]reach.Observation{{Verdict: reach.NotReady, Refused: true}, {Verdict: reach.Ready}}, reach.Observation{Verdict: reach.Ready}, 2},
		"unreachable":  {[]reach.Observation{{Verdict: reach.Offline}}, reach.Observation{Verdict: reach.Offline}, 1},
		"in bad state": {[]reach.Observation{{Verdict: reach.NotReady}}, reach.Observation{Verdict: reach.NotReady}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			got := eventually(t.Context(), func(context.Context) reach.Observation {
				calls++
				return test.answers[calls-1]
			})
			if got != test.want || calls != test.calls {
				t.Errorf("%+v after %d probes, want %+v after %d", got, calls, test.want, test.calls)
			}
		})
	}
}
