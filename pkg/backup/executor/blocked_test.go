package executor

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// reports are what a Reporter was told; the first fail of them have failed.
type reports struct {
	got  []string
	fail int
}

func (r *reports) Report(_ context.Context, _ string, why *Blocked) error {
	text := "well"
	if why != nil {
		text = why.Reason
	}
	r.got = append(r.got, text)
	if len(r.got) <= r.fail {
		return errors.New("the host does not answer")
	}
	return nil
}

func TestReportThatFailedIsRepeated(t *testing.T) {
	r := &reports{fail: 2}
	e := &Executor{opts: Options{Reporter: r, Cluster: "m"}, log: logr.Discard()}
	defer forgetCluster("m")
	forbidden := &Blocked{Reason: BlockedForbidden}
	for _, why := range []*Blocked{forbidden, forbidden, forbidden, forbidden, nil, nil} {
		e.tell(t.Context(), why)
	}
	if want := []string{"Forbidden", "Forbidden", "Forbidden", "well"}; !slices.Equal(r.got, want) {
		t.Errorf("told %v, want %v", r.got, want)
	}
}

// What is missing is looked at with every probe, so that nobody is told of it for
// minutes after it has been granted.
func TestMissingRightsAreLookedAtOften(t *testing.T) {
	e := &Executor{opts: Options{Cluster: "m", ProbePeriod: time.Second}, log: logr.Discard()}
	defer forgetCluster("m")
	for _, step := range []struct {
		why  *Blocked
		want time.Duration
	}{
		{nil, rightsPeriods * time.Second},
		{&Blocked{Reason: BlockedForbidden}, time.Second},
		{nil, rightsPeriods * time.Second},
	} {
		e.tell(t.Context(), step.why)
		if got := e.untilLook(); got != step.want {
			t.Errorf("after %v the next look is in %s, want %s", step.why, got, step.want)
		}
	}
}
