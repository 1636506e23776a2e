package restore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// maxSkew is how far the clocks of two machines may differ.
const maxSkew = 5 * time.Minute

// Choose finds the snapshot that a Restore in a namespace means, among those of a
// repository. A run that is not complete is taken only by its name, and so is one that
// has ended in the future: the clock that its time was read from was wrong, and it may
// be older than those that it would come before. Then note says so.
func Choose(snapshots []repository.Snapshot, from backupv1alpha1.RestoreSource, namespace string, now time.Time) (found repository.Snapshot, note string, err error) {
	backup := from.Backup
	if ns, name, ok := strings.Cut(from.Backup, "/"); ok {
		namespace, backup = ns, name
	}
	var chosen *repository.Snapshot
	var seen, partial, ahead []*repository.Snapshot
	for i := range snapshots {
		s := &snapshots[i]
		if s.Namespace != namespace || s.Backup != backup || (from.Cluster != "" && s.ClusterUID != from.Cluster) {
			continue
		}
		seen = append(seen, s)
		switch {
		case from.Run != "" && s.Run != from.Run,
			from.Time != nil && s.EndTime.After(from.Time.Time):
			continue
		case from.Run == "" && s.Partial:
			partial = append(partial, s)
			continue
		case from.Run == "" && s.EndTime.After(now.Add(maxSkew)):
			ahead = append(ahead, s)
			continue
		}
		if chosen == nil || s.EndTime.After(chosen.EndTime) {
			chosen = s
		}
	}
	if chosen == nil {
		return repository.Snapshot{}, "", &Error{Reason: ReasonNotFound, Message: notFound(from, namespace+"/"+backup, meantBackup(snapshots, from.Cluster, namespace, backup), seen, partial, ahead)}
	}
	if len(ahead) > 0 {
		note = fmt.Sprintf("runs that have ended in the future by this clock (%s) were not taken for the newest, since a clock was wrong; to restore one of them, name it in spec.from.run: %s",
			now.UTC().Format(time.RFC3339), runNames(ahead))
	}
	return *chosen, note, nil
}

// meantBackup is the Backup that the repository has something of and that was probably
// meant, as <namespace>/<name>: one with a name that is nearly this one, or one with this
// name in another namespace. Empty if there is none, or no single one.
func meantBackup(snapshots []repository.Snapshot, cluster, namespace, backup string) string {
	var here, elsewhere []string
	for i := range snapshots {
		s := &snapshots[i]
		switch {
		case cluster != "" && s.ClusterUID != cluster:
		case s.Namespace == namespace:
			here = append(here, s.Backup)
		case s.Backup == backup:
			elsewhere = append(elsewhere, s.Namespace)
		}
	}
	if name := content.Meant(backup, here); name != "" {
		return namespace + "/" + name
	}
	slices.Sort(elsewhere)
	if elsewhere = slices.Compact(elsewhere); len(elsewhere) == 1 {
		return elsewhere[0] + "/" + backup
	}
	if of := content.Meant(namespace, elsewhere); of != "" {
		return of + "/" + backup
	}
	return ""
}

func notFound(from backupv1alpha1.RestoreSource, backup, meant string, seen, partial, ahead []*repository.Snapshot) string {
	of := "Backup " + backup
	if from.Cluster != "" {
		of += " of the cluster with the UID " + from.Cluster
	}
	switch {
	case len(seen) == 0:
		return "the repository holds nothing of " + of + ": compare spec.from with the Backup's namespace and name" + content.DidYouMean(meant)
	case from.Run != "":
		return fmt.Sprintf("the repository holds no run %s of %s; it holds %s", from.Run, of, runNames(seen))
	case len(ahead) > 0:
		return fmt.Sprintf("the runs of %s that qualify have ended in the future, so a clock was wrong; to restore one of them, name it in spec.from.run: %s", of, runNames(ahead))
	case len(partial) > 0:
		return fmt.Sprintf("no run of %s that qualifies is complete; to restore what an incomplete one has, name it in spec.from.run: %s", of, runNames(partial))
	}
	return fmt.Sprintf("no run of %s had ended before %s; there are %s", of, from.Time.UTC().Format(time.RFC3339), runNames(seen))
}

// maxRunsNamed runs are named in a message.
const maxRunsNamed = 5

// runNames are those of the newest runs, with when they ended.
func runNames(of []*repository.Snapshot) string {
	sorted := slices.SortedFunc(slices.Values(of), func(a, b *repository.Snapshot) int { return b.EndTime.Compare(a.EndTime) })
	var list []string
	for _, s := range sorted[:min(len(sorted), maxRunsNamed)] {
		what := s.Run + " of " + s.EndTime.UTC().Format(time.RFC3339)
		if s.Partial {
			what += ", incomplete"
		}
		list = append(list, what)
	}
	if more := len(sorted) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("and %d older ones", more))
	}
	return strings.Join(list, "; ")
}
