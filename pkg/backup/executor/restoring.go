package executor

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/backup/restore"
)

// progressPeriod is the time between two writes of how far a restore is.
const progressPeriod = 3 * time.Second

// reasonDifferent is data that was restored and is not as it was saved.
const reasonDifferent = "Different"

// maxRestoreWarnings is how many warnings a Restore's status takes.
const maxRestoreWarnings = 100

// restored is what became of a restore.
type restored struct {
	Run    string
	Result restore.Result
}

// restore brings back what a Restore asks for. The result is there also with an
// error, with what was restored before it.
func (c *core) restore(ctx context.Context, object *v1alpha1.Restore) (*restored, error) {
	from := object.Spec.From
	r, err := c.openReadOnly(ctx, object.Namespace, from.RepositoryRef.Name)
	if err != nil {
		return nil, err
	}
	defer closeRepository(ctx, r)
	if from.Cluster == "" && r.ClusterUID() != c.clusterUID {
		return nil, &problem{string(repository.ForeignOwner), fmt.Sprintf(
			"the repository holds the data of another cluster; to restore it into this one, set spec.from.cluster to %s", r.ClusterUID())}
	}
	snapshots, err := r.Snapshots(ctx, repository.Filter{})
	if err != nil {
		return nil, err
	}
	chosen, note, err := restore.Choose(snapshots, from, object.Namespace, c.opts.Clock.Now())
	if err != nil {
		return nil, err
	}
	reader, err := r.Read(ctx, chosen.ID)
	if err != nil {
		return nil, err
	}
	result, err := restore.Run(ctx, restore.Params{
		Config: c.config, Reader: reader, Spec: object.Spec, Progress: c.restoreProgress(ctx, object, chosen.Run),
	})
	if note != "" {
		result.MoreWarnings += int64(max(0, len(result.Warnings)+1-maxRestoreWarnings))
		result.Warnings = append([]v1alpha1.ResourceWarning{{Message: note}}, result.Warnings[:min(len(result.Warnings), maxRestoreWarnings-1)]...)
	}
	return &restored{Run: chosen.Run, Result: result}, err
}

// restoreProgress writes now and then how far a restore is.
func (c *core) restoreProgress(ctx context.Context, object *v1alpha1.Restore, run string) func(restore.Result) {
	var last atomic.Int64
	last.Store(time.Now().UnixNano())
	return func(result restore.Result) {
		now, before := time.Now().UnixNano(), last.Load()
		if time.Duration(now-before) < progressPeriod || !last.CompareAndSwap(before, now) {
			return
		}
		current := &v1alpha1.Restore{}
		if err := c.live.Get(ctx, client.ObjectKeyFromObject(object), current); err != nil ||
			current.Status.Phase != v1alpha1.RunRunning || current.Status.Executor != c.identity {
			return // the end is written in any case
		}
		current.Status.Run, current.Status.Message = run, said(result.Waiting)
		writeResult(&current.Status, result)
		_ = c.client.Status().Update(ctx, current) // as above
	}
}

// restoreAndCompare restores a snapshot into scratch namespaces and compares.
func (c *core) restoreAndCompare(ctx context.Context, r *repository.Repository, snapshot string) error {
	reader, err := r.Read(ctx, snapshot)
	if err != nil {
		return err
	}
	result, err := restore.Verify(ctx, c.config, reader)
	if err != nil {
		return err
	}
	if result.Counts.Failed == 0 {
		return nil
	}
	message := fmt.Sprintf("%d objects could not be restored or are not as they were saved", result.Counts.Failed)
	if len(result.Warnings) > 0 {
		first := result.Warnings[0]
		message += fmt.Sprintf("; the first is %s %s/%s: %s", first.Resource, first.Namespace, first.Name, first.Message)
	}
	return &problem{reasonDifferent, message}
}

// writeResult writes what became of the objects so far.
func writeResult(status *v1alpha1.RestoreStatus, result restore.Result) {
	status.Counts, status.Resources, status.Totals = result.Counts, result.Resources, result.Totals()
	status.Warnings = result.Warnings
}

// restoreMessage sums up a restore that came to its end.
func restoreMessage(result restore.Result, dryRun bool) string {
	text := countsText(result.Counts)
	if dryRun {
		text = "dry run: " + text
	}
	if result.MoreWarnings > 0 {
		text += fmt.Sprintf("; %d more warnings than are listed", result.MoreWarnings)
	}
	return text
}

func countsText(counts v1alpha1.RestoreCounts) string {
	text := fmt.Sprintf("%d objects created, %d updated, %d skipped, %d failed", counts.Created, counts.Updated, counts.Skipped, counts.Failed)
	if counts.Deferred > 0 {
		text += fmt.Sprintf(", %d put aside", counts.Deferred)
	}
	return text
}
