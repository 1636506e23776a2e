package ledger_test

import (
	"testing"

	"github.com/fedctl/fedctl/pkg/propagation/ledger"
)

func TestMoved(t *testing.T) {
	for version, want := range map[string]string{
		"aa.00000000000000bb":                    "aa.00000000000000bb.12345678",
		"aa.00000000000000bb.87654321":           "aa.00000000000000bb.12345678",
		"aa.00000000000000bb.87654321..s":        "aa.00000000000000bb.12345678..s",
		"aa.00000000000000bb.87654321..f":        "aa.00000000000000bb.12345678..f",
		"aa.00000000000000bb.87654321..e":        "", // of an earlier membership of the earlier host
		"aa.00000000000000bb.87654321...some-id": "aa.00000000000000bb.12345678...some-id",
		"aa.00000000000000bb.87654321.6565656":   "", // found, not applied
		"none":                                   "",
		"":                                       "",
		"aa.x":                                   "",
	} {
		if got := ledger.Moved(version, "12345678"); got != want {
			t.Errorf("%s: %q, want %q", version, got, want)
		}
	}
}
