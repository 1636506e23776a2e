package restore

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

func TestChoose(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2030, 1, 1, hour, 0, 0, 0, time.UTC) }
	snapshot := func(cluster, namespace, backup, run string, hour int, partial bool) repository.Snapshot {
		return repository.Snapshot{ID: run, ClusterUID: cluster, Source: repository.Source{Namespace: namespace, Backup: backup, Run: run}, EndTime: at(hour), Partial: partial}
	}
	snapshots := []repository.Snapshot{
		snapshot("u1", "shop", "nightly", "n-1", 1, false),
		snapshot("u1", "shop", "nightly", "n-2", 2, false),
		snapshot("u1", "shop", "nightly", "n-3", 3, true),
		snapshot("u1", "shop", "hourly", "h-1", 4, false),
		snapshot("u1", "shop", "broken", "b-1", 4, true),
		snapshot("u2", "shop", "nightly", "n-9", 9, false),
		snapshot("u1", "ops", "nightly", "o-1", 5, false),
		snapshot("u1", "late", "nightly", "l-1", 8, false),
		snapshot("u1", "late", "nightly", "l-2", 20, false),
		snapshot("u1", "late", "ahead", "a-1", 20, false),
	}
	time1 := func(hour int) *metav1.Time { t := metav1.NewTime(at(hour)); return &t }
	for name, test := range map[string]struct {
		from          backupv1alpha1.RestoreSource
		want, problem string
	}{
		"the newest complete one":                {backupv1alpha1.RestoreSource{Backup: "nightly", Cluster: "u1", Latest: true}, "n-2", ""},
		"of another cluster":                     {backupv1alpha1.RestoreSource{Backup: "nightly", Cluster: "u2", Latest: true}, "n-9", ""},
		"of any cluster":                         {backupv1alpha1.RestoreSource{Backup: "nightly", Latest: true}, "n-9", ""},
		"of another namespace":                   {backupv1alpha1.RestoreSource{Backup: "ops/nightly", Latest: true}, "o-1", ""},
		"by name":                                {backupv1alpha1.RestoreSource{Backup: "nightly", Run: "n-1"}, "n-1", ""},
		"an incomplete one, by name":             {backupv1alpha1.RestoreSource{Backup: "nightly", Run: "n-3"}, "n-3", ""},
		"by time":                                {backupv1alpha1.RestoreSource{Backup: "nightly", Cluster: "u1", Time: time1(1)}, "n-1", ""},
		"by time, incomplete ones not":           {backupv1alpha1.RestoreSource{Backup: "nightly", Cluster: "u1", Time: time1(8)}, "n-2", ""},
		"too early":                              {backupv1alpha1.RestoreSource{Backup: "nightly", Cluster: "u1", Time: time1(0)}, "", "no run of Backup shop/nightly of the cluster with the UID u1 had ended before 2030-01-01T00:00:00Z"},
		"no such run":                            {backupv1alpha1.RestoreSource{Backup: "nightly", Cluster: "u1", Run: "x"}, "", "no run x of Backup shop/nightly of the cluster with the UID u1; it holds n-3 of 2030-01-01T03:00:00Z, incomplete; n-2 of"},
		"no such backup":                         {backupv1alpha1.RestoreSource{Backup: "weekly", Latest: true}, "", "holds nothing of Backup shop/weekly"},
		"a mistyped backup":                      {backupv1alpha1.RestoreSource{Backup: "nightyl", Latest: true}, "", "did you mean shop/nightly?"},
		"a backup of another namespace":          {backupv1alpha1.RestoreSource{Backup: "ahead", Latest: true}, "", "did you mean late/ahead?"},
		"a mistyped namespace":                   {backupv1alpha1.RestoreSource{Backup: "ltae/nightly", Latest: true}, "", "did you mean late/nightly?"},
		"one of another cluster":                 {backupv1alpha1.RestoreSource{Backup: "ahaed", Cluster: "u2", Latest: true}, "", "compare spec.from with the Backup's namespace and name"},
		"one of a clock that was wrong, not":     {backupv1alpha1.RestoreSource{Backup: "late/nightly", Latest: true}, "l-1", ""},
		"one of a clock that was wrong, by time": {backupv1alpha1.RestoreSource{Backup: "late/nightly", Time: time1(22)}, "l-1", ""},
		"one of a clock that was wrong, by name": {backupv1alpha1.RestoreSource{Backup: "late/nightly", Run: "l-2"}, "l-2", ""},
		"only of a clock that was wrong":         {backupv1alpha1.RestoreSource{Backup: "late/ahead", Latest: true}, "", "a clock was wrong; to restore one of them, name it in spec.from.run: a-1"},
		"none complete":                          {backupv1alpha1.RestoreSource{Backup: "broken", Latest: true}, "", "name it in spec.from.run: b-1 of 2030-01-01T04:00:00Z, incomplete"},
	} {
		got, note, err := Choose(snapshots, test.from, "shop", at(10))
		if test.problem != "" {
			var typed *Error
			if !errors.As(err, &typed) || typed.Reason != ReasonNotFound || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || got.Run != test.want || (note != "") != (test.want == "l-1") {
			t.Errorf("%s: %s, %q, %v", name, got.Run, note, err)
		}
	}
}
