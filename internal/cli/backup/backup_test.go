package backup

import (
	"strings"
	"testing"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

func TestRestoreObject(t *testing.T) {
	for name, test := range map[string]struct {
		options restoreOptions
		problem string
	}{
		"both":       {restoreOptions{Run: "a", Time: "2030-01-31T20:00:00Z"}, "exclude each other"},
		"a bad time": {restoreOptions{Time: "yesterday"}, "is not a time"},
		"a time":     {restoreOptions{Time: "2030-01-31T20:00:00Z"}, ""},
		"a run":      {restoreOptions{Run: "a"}, ""},
		"the newest": {restoreOptions{}, ""},
	} {
		object, err := test.options.object("nightly")
		if test.problem != "" {
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		from := object.Spec.From
		if err != nil || from.Latest != (name == "the newest") || (from.Time != nil) != (name == "a time") || (from.Run != "") != (name == "a run") {
			t.Errorf("%s: %+v, %v", name, from, err)
		}
	}
}

func TestProgress(t *testing.T) {
	for want, got := range map[string]string{
		"Running, 1200 objects":   progressOf(backupv1alpha1.RunRunning, "", "", 1200),
		"Pending":                 progressOf(backupv1alpha1.RunPending, "", "", 0),
		"Pending: DiskFull: full": progressOf(backupv1alpha1.RunPending, "DiskFull", "full", 7),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestMessagesNameFlags(t *testing.T) {
	for message, want := range map[string]string{
		"spec.includedResources: no deployments were saved":      "--resources: no deployments were saved",
		"set spec.from.cluster to u1":                            "set --from-cluster to u1",
		"compare spec.from with the Backup's namespace and name": "compare BACKUP, -n and --from-cluster with the Backup's namespace and name",
		"name it in spec.from.run: n-1":                          "name it in --run: n-1",
		"whose spec.existing says":                               "whose --existing says",
		"add the copy to spec.from":                              "add the copy to spec.from", // of a ReferenceGrant
		"remove them by a transform":                             "remove them by spec.transforms of a Restore that you write as a manifest",
	} {
		if got := inFlags.Replace(message); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
