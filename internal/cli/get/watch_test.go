package get

import (
	"slices"
	"testing"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

func TestAWatchSaysWhoIsLostAndWhoIsBack(t *testing.T) {
	lost := union.Missing{Reason: union.NotReady, Message: "it is\x1b[2J away"}
	got := changes(map[string]union.Missing{"a": lost, "b": lost}, map[string]union.Missing{"b": lost, "c": lost})
	want := []string{"Warning: cluster c is missing (NotReady): it is [2J away", "cluster a is back"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := changes(nil, nil); got != nil {
		t.Errorf("%q of nothing", got)
	}
}
