package eventnote

import (
	"fmt"
	"strings"
	"testing"
)

// TestNote: what the API server would refuse is what fits. How is errtext's.
func TestNote(t *testing.T) {
	var parts []string
	for i := range 100 {
		parts = append(parts, fmt.Sprintf("cluster eu-central-%03d:\n the object is refused: field is immutable", i))
	}
	got := Note(strings.Join(parts, "; "))
	if len(got) > Limit || len(got) < Limit-20 {
		t.Errorf("%d bytes of %d are used", len(got), Limit)
	}
	if !strings.HasPrefix(got, "cluster eu-central-000: the") || !strings.HasSuffix(got, "cluster eu-central-099: the object is refused: field is immutable") {
		t.Errorf("both ends are wanted: %q", got)
	}
	if whole := strings.Repeat("x", Limit); Note(whole) != whole {
		t.Error("what fits was shortened")
	}
}
