package finding

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestMergeAndWrite(t *testing.T) {
	at := func(hour int) *metav1.Time { return &metav1.Time{Time: time.Date(2030, 1, 1, hour, 0, 0, 0, time.UTC)} }
	findings := Merge([]Finding{
		{Level: Note, Code: "n", Message: "a note"},
		{Level: Failure, Code: "f", Subject: "pods", Objects: []string{"b"}, Since: at(3), Message: "it fails", Do: "help it"},
		{Level: Failure, Code: "f", Subject: "pods", Objects: []string{"a", "b", "c", "d", "e", "f"}, Since: at(2), Message: "it fails", Do: "help it"},
		{Level: Failure, Code: "f", Subject: "pods", Objects: []string{"z"}, Message: "it fails in another way"},
		{Level: Blocks, Code: "x", Message: "it blocks"},
	})
	var b strings.Builder
	if err := Write(&b, findings, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`
BLOCKS x
  it blocks

FAILURE f: pods a, b, c, d, e and 1 more (since 2030-01-01T02:00:00Z)
  it fails
  -> help it

FAILURE f: pods z
  it fails in another way

NOTE n
  a note
`, b.String()); diff != "" {
		t.Error(diff)
	}
	if !Has(findings, Blocks) || Has(findings, Warning) {
		t.Error("levels are mistaken")
	}
}
