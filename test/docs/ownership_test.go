package docs_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/federate"
)

// The tables of ownership are what the code decides with.
func TestOwnershipIsInTheReference(t *testing.T) {
	want := []string{"| Exact by default | A field that somebody adds |\n| --- | --- |\n"}
	for _, kind := range federate.ExactKinds() {
		want = append(want, fmt.Sprintf("| %s | %s |\n", kindName(kind.GroupKind), kind.Why))
	}
	holds(t, strings.Join(want, ""))

	want = []string{"| Field | Of | Written by | Where that is said |\n| --- | --- | --- | --- |\n"}
	for _, known := range federate.KnownWriters() {
		kinds := make([]string, len(known.Kinds))
		for i, kind := range known.Kinds {
			kinds[i] = kindName(kind)
		}
		who := known.Who
		if known.Manager != "" {
			who += fmt.Sprintf(", as the field manager `%s`", known.Manager)
		}
		if len(known.Beside) > 0 {
			who += fmt.Sprintf(", where the template has `%s`", pathName(known.Beside))
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | <%s> |\n", pathName(known.Field), strings.Join(kinds, ", "), who, known.Source))
	}
	holds(t, strings.Join(want, ""))
}

func holds(t *testing.T, table string) {
	t.Helper()
	if !strings.Contains(read(t, "docs/reference.md"), table) {
		t.Errorf("docs/reference.md has not this table, which is the code's:\n%s", table)
	}
}

func kindName(kind schema.GroupKind) string {
	return cmp.Or(map[string]string{"": kind.Kind}[kind.Group], kind.Kind+"."+kind.Group)
}

// pathName is a field as the status would say it.
func pathName(path []string) string {
	name := path[0]
	for _, step := range path[1:] {
		switch {
		case step == "*" || strings.Contains(step, "."):
			name += "[" + step + "]"
		default:
			name += "." + step
		}
	}
	return name
}
