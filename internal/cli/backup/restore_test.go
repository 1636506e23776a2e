package backup

import (
	"bytes"
	"strings"
	"testing"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

func TestRestoreChoices(t *testing.T) {
	o := restoreOptions{Existing: "update", RestoredBackups: "KEEP"}
	if err := o.choose(); err != nil || o.Existing != "Update" || o.RestoredBackups != "Keep" {
		t.Errorf("%v, %s, %s", err, o.Existing, o.RestoredBackups)
	}
	o.Existing = "replace"
	if err := o.choose(); err == nil || err.Error() != `--existing takes Skip, Update and Fail, not "replace"` {
		t.Error(err)
	}
}

func TestRestoreTable(t *testing.T) {
	var out bytes.Buffer
	counts := []backupv1alpha1.ResourceCounts{
		{Resource: "configmaps", RestoreCounts: backupv1alpha1.RestoreCounts{Created: 40}},
		{Resource: "deployments.apps", RestoreCounts: backupv1alpha1.RestoreCounts{Updated: 1, Failed: 2}},
	}
	if err := printCounts(&out, counts, backupv1alpha1.RestoreCounts{Created: 40, Updated: 1, Failed: 2}); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimPrefix(`
RESOURCE           CREATED   UPDATED   SKIPPED   FAILED   DEFERRED
configmaps         40        0         0         0        0
deployments.apps   0         1         0         2        0
all                40        1         0         2        0
`, "\n")
	if out.String() != want {
		t.Errorf("%s\nwant:\n%s", out.String(), want)
	}
}

func TestWarningLine(t *testing.T) {
	for want, warning := range map[string]backupv1alpha1.ResourceWarning{
		"configmaps shop/a: differs; set --existing to Update to restore it": {Resource: "configmaps", Namespace: "shop", Name: "a", Message: "differs; set existing to Update to restore it"},
		"namespaces shop: x": {Resource: "namespaces", Name: "shop", Message: "x"},
		"x":                  {Message: "x"},
	} {
		if got := warningLine(warning); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
