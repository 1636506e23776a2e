package executor

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// Where some data was found to be other than it was written, the rest of a repository is
// not known to be whole: a list of the storage does not show it, only reading does. Each
// run of it is in doubt until it was read again. Its own status says so, which outlives
// executors, and the run that the damage was found in.

// doubtful says whether a run is to be read again because of what was found elsewhere.
func doubtful(run *v1alpha1.BackupRun) bool {
	c := condition(run.Status.Conditions, v1alpha1.ConditionVerified)
	return c != nil && c.Status == metav1.ConditionUnknown && c.Reason == v1alpha1.ReasonReadingBack
}

// doubt notes it in a run. where is what the damage was found in.
func doubt(run *v1alpha1.BackupRun, where string, at time.Time) {
	setVerified(run, metav1.ConditionUnknown, v1alpha1.ReasonReadingBack,
		fmt.Sprintf("%s is not as it was written, so that this run is read again", where), at)
}

// doubtOthers puts the runs of a repository in doubt, but for one and those that are known
// to be damaged. It comes before the damage is noted: who ends in between finds it again.
func (c *core) doubtOthers(ctx context.Context, namespace, repository string, but *v1alpha1.BackupRun, where string) error {
	var list v1alpha1.BackupRunList
	if err := c.live.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return err
	}
	for i := range list.Items {
		run := &list.Items[i]
		if run.UID == but.UID || run.Status.SnapshotID == "" || run.Status.Repository != repository {
			continue
		}
		_, err := c.updateRun(ctx, run, func(run *v1alpha1.BackupRun) bool {
			if damaged(run) || doubtful(run) {
				return false
			}
			doubt(run, where, c.opts.Clock.Now())
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inDoubt says what makes a run doubtful that has just been written; empty: nothing. It
// refers to data of others.
func (x *execution) inDoubt(ctx context.Context) (string, error) {
	if x.altered {
		return "something in the repository", nil
	}
	var list v1alpha1.BackupRunList
	if err := x.live.List(ctx, &list, client.InNamespace(x.backup.Namespace)); err != nil {
		return "", err
	}
	for i := range list.Items {
		run := &list.Items[i]
		if run.UID != x.run.UID && run.Status.Repository == x.backup.Spec.RepositoryRef.Name && doubtful(run) {
			return "something in the repository", nil
		}
	}
	return "", nil
}
