package executor

import (
	"context"
	"errors"
	"slices"
	"testing"

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
