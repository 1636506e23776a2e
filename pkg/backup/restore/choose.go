package restore

import (
	"fmt"
	"strings"
	"time"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// Choose finds the snapshot that a Restore in a namespace means, among those of a
// repository. A run that is not complete is taken only by its name.
func Choose(snapshots []repository.Snapshot, from backupv1alpha1.RestoreSource, namespace string) (repository.Snapshot, error) {
	backup := from.Backup
	if ns, name, ok := strings.Cut(from.Backup, "/"); ok {
		namespace, backup = ns, name
	}
	var chosen *repository.Snapshot
	seen, partial := 0, 0
	for i := range snapshots {
		s := &snapshots[i]
		if s.Namespace != namespace || s.Backup != backup || (from.Cluster != "" && s.ClusterUID != from.Cluster) {
			continue
		}
		seen++
		switch {
		case from.Run != "" && s.Run != from.Run,
			from.Time != nil && s.EndTime.After(from.Time.Time):
			continue
		case from.Run == "" && s.Partial:
			partial++
			continue
		}
		if chosen == nil || s.EndTime.After(chosen.EndTime) {
			chosen = s
		}
	}
	if chosen != nil {
		return *chosen, nil
	}
	return repository.Snapshot{}, &Error{Reason: ReasonNotFound, Message: notFound(from, namespace+"/"+backup, seen, partial)}
}

func notFound(from backupv1alpha1.RestoreSource, backup string, seen, partial int) string {
	of := "Backup " + backup
	if from.Cluster != "" {
		of += " of the cluster with the UID " + from.Cluster
	}
	switch {
	case seen == 0:
		return "the repository holds nothing of " + of + ": compare spec.from with the Backup's namespace and name"
	case from.Run != "":
		return fmt.Sprintf("the repository holds no run %s of %s, but %d others", from.Run, of, seen)
	case partial > 0:
		return fmt.Sprintf("no run of %s that qualifies is complete; name one of the %d incomplete ones in spec.from.run to restore what it has", of, partial)
	}
	return fmt.Sprintf("no run of %s had ended before %s", of, from.Time.UTC().Format(time.RFC3339))
}
