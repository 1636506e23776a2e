package executor

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/capture"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// save reads the cluster into the repository.
func (x *execution) save(ctx context.Context, r *repository.Repository) (*capture.Result, error) {
	source := repository.Source{Namespace: x.backup.Namespace, Backup: x.backup.Name, Run: x.run.Name}
	if x.run.Spec.ScheduledFor != nil {
		tick := x.run.Spec.ScheduledFor.UTC()
		source.ScheduledFor = &tick
	}
	return capture.Run(ctx, capture.Params{
		Config: x.config, Repository: r, Run: source,
		Source: x.backup.Spec.Source, Hooks: x.backup.Spec.Hooks, Progress: x.progress(ctx),
	})
}

// progress writes now and then how far the run is.
func (x *execution) progress(ctx context.Context) func(objects int64) {
	var last atomic.Int64
	last.Store(time.Now().UnixNano())
	return func(objects int64) {
		now, before := time.Now().UnixNano(), last.Load()
		if time.Duration(now-before) < progressPeriod || !last.CompareAndSwap(before, now) {
			return
		}
		current := &v1alpha1.BackupRun{}
		if err := x.live.Get(ctx, client.ObjectKeyFromObject(x.run), current); err != nil || !x.owns(current) {
			return // the end is written in any case
		}
		current.Status.Totals.Objects = objects
		_ = x.client.Status().Update(ctx, current) // as above
	}
}

// owns says whether a run is still this attempt's.
func (x *execution) owns(run *v1alpha1.BackupRun) bool {
	return run.UID == x.run.UID && run.Status.Phase == v1alpha1.RunRunning &&
		run.Status.Executor == x.identity && run.Status.Attempts == x.run.Status.Attempts
}

// partialMessage says why a run saved only a part.
func partialMessage(warnings []v1alpha1.ResourceWarning) string {
	if len(warnings) == 0 {
		return "something is missing; the snapshot's manifest.json tells what"
	}
	first := warnings[0].Message
	if of := subject(&warnings[0]); of != "" {
		first = of + ": " + first
	}
	if len(warnings) == 1 {
		return first
	}
	return fmt.Sprintf("%s; status.warnings has more", first)
}

// subject is what a warning is about; empty: the run.
func subject(w *v1alpha1.ResourceWarning) string {
	return strings.TrimSpace(w.Resource + " " + strings.Trim(w.Namespace+"/"+w.Name, "/"))
}
