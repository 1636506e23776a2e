package executor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// rereadPeriod is after how long a run that could not be read back is read again, while
// all of its packs are there.
const rereadPeriod = time.Hour

// losses are what cannot be restored any more of what a repository holds.
type losses struct {
	damage repository.Damage
	// runs are names of BackupRuns, reading those that have all of their packs again and
	// are being read back, doubtful those that are to be read; strays are those of
	// snapshots whose BackupRun is gone.
	runs, reading, doubtful, strays []string
	readOnly                        bool
}

// losesOrGains passes what has happened to a run that a repository's condition follows:
// it was found to be lost, in doubt or whole again, or was so and somebody has deleted it.
func losesOrGains() predicate.Predicate {
	type state struct{ lost, doubtful bool }
	of := func(object client.Object) state {
		run, ok := object.(*v1alpha1.BackupRun)
		return state{lost: ok && lost(run), doubtful: ok && doubtful(run)}
	}
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool { return of(e.ObjectOld) != of(e.ObjectNew) },
		DeleteFunc: func(e event.DeleteEvent) bool { return of(e.Object) != state{} },
	}
}

// repositoryOfRun is the BackupRepository that a run's data is in.
func repositoryOfRun(_ context.Context, object client.Object) []reconcile.Request {
	run, ok := object.(*v1alpha1.BackupRun)
	if !ok || run.Status.Repository == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: run.Namespace, Name: run.Status.Repository}}}
}

// losses finds out what a repository has lost, and notes it in the runs at once: the next
// run that would may be a year away. Runs that may be whole again are read back.
func (r *repositories) losses(ctx context.Context, object *v1alpha1.BackupRepository, open *repository.Repository, snapshots []repository.Snapshot) (*losses, error) {
	damage, err := open.Examine(ctx)
	if err != nil {
		return nil, err
	}
	found := &losses{damage: damage, readOnly: object.Spec.ReadOnly}
	runs, err := r.runsIn(ctx, object)
	if err != nil {
		return nil, err
	}
	known := slices.ContainsFunc(slices.Collect(maps.Values(runs)), func(run *v1alpha1.BackupRun) bool { return lost(run) || doubtful(run) })
	for _, run := range runs {
		if !lost(run) && !doubtful(run) {
			r.tries.remove(run.UID)
		}
	}
	again := r.changed(object, damage)
	if damage.Packs+damage.Contents == 0 && !known {
		return found, nil
	}
	ids := slices.Collect(maps.Keys(runs))
	for i := range snapshots {
		if runs[snapshots[i].ID] == nil {
			ids = append(ids, snapshots[i].ID)
		}
	}
	faults, err := open.VerifyAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	for id, run := range runs {
		switch {
		case faults[id] != nil:
			if err := r.noteLost(ctx, run, faults[id]); err != nil {
				return nil, err
			}
			found.runs = append(found.runs, run.Name)
		case lost(run) && r.reread(object, run, again):
			found.reading = append(found.reading, run.Name)
		case lost(run):
			found.runs = append(found.runs, run.Name)
		case doubtful(run):
			found.doubtful = append(found.doubtful, run.Name)
		}
	}
	r.readNext(object, runs, again)
	for i := range snapshots {
		if s := &snapshots[i]; runs[s.ID] == nil && faults[s.ID] != nil {
			found.strays = append(found.strays, s.Run)
		}
	}
	slices.Sort(found.runs)
	slices.Sort(found.reading)
	slices.Sort(found.doubtful)
	slices.Sort(found.strays)
	return found, nil
}

// tellKnown takes back that a repository is intact where its runs say that they are not:
// before a look at the storage, which takes its time, and may fail for the same damage.
func (r *repositories) tellKnown(ctx context.Context, object *v1alpha1.BackupRepository) error {
	if !meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionIntact) {
		return nil
	}
	runs, err := r.runsIn(ctx, object)
	if err != nil {
		return err
	}
	known := &losses{readOnly: object.Spec.ReadOnly}
	for _, run := range runs {
		switch {
		case lost(run):
			known.runs = append(known.runs, run.Name)
		case doubtful(run):
			known.doubtful = append(known.doubtful, run.Name)
		}
	}
	if len(known.runs)+len(known.doubtful) == 0 {
		return nil
	}
	slices.Sort(known.runs)
	slices.Sort(known.doubtful)
	r.setIntact(object, &object.Status, known.intact(object.Name))
	return r.client.Status().Update(ctx, object)
}

// runsIn are the runs whose data is in a BackupRepository, by their snapshots.
func (r *repositories) runsIn(ctx context.Context, object *v1alpha1.BackupRepository) (map[string]*v1alpha1.BackupRun, error) {
	var list v1alpha1.BackupRunList
	if err := r.client.List(ctx, &list, client.InNamespace(object.Namespace)); err != nil {
		return nil, err
	}
	byID := map[string]*v1alpha1.BackupRun{}
	for i := range list.Items {
		if run := &list.Items[i]; run.Status.SnapshotID != "" && run.Status.Repository == object.Name && run.DeletionTimestamp.IsZero() {
			byID[run.Status.SnapshotID] = run
		}
	}
	return byID, nil
}

// changed says whether something may have come back since the last look: what is lost is
// not as it was, the repository could not be used, or somebody asks.
func (r *repositories) changed(object *v1alpha1.BackupRepository, damage repository.Damage) bool {
	before, known := r.damage.Swap(client.ObjectKeyFromObject(object), damage)
	return known && before != damage || !meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionReady) ||
		object.Annotations[v1alpha1.CheckAnnotation] != object.Status.HandledCheck
}

// noteLost writes into a run that it cannot be restored.
func (r *repositories) noteLost(ctx context.Context, run *v1alpha1.BackupRun, fault error) error {
	if damaged(run) {
		return nil
	}
	v := &verification{mode: verifyChecksum, at: r.opts.Clock.Now(), err: fault}
	_, err := r.updateRun(ctx, run, func(run *v1alpha1.BackupRun) bool { v.apply(run); return true })
	return err
}

// reread has a run read back that was lost and has all of its packs again, as a job of
// its own, and says whether it is being read: now, if that was asked for, or now and then.
func (r *repositories) reread(object *v1alpha1.BackupRepository, run *v1alpha1.BackupRun, now bool) bool {
	tried := condition(run.Status.Conditions, v1alpha1.ConditionVerified).LastTransitionTime
	switch {
	case r.rereads.has(run.UID):
		return true
	case r.jobs.has(run.UID): // somebody else reads it, and says what comes of that
		return false
	case !now && (r.opts.Clock.Now().Sub(tried.Time).Abs() < rereadPeriod || !r.mayTry(run)):
		return false
	case !r.readBack(object, run):
		r.damage.Store(client.ObjectKeyFromObject(object), nil) // too much is going on: at the next look, then
		return false
	}
	return true
}

// readNext has one of the runs read that are in doubt, unless one is: the others follow it,
// and leave room for what else is to be done. One that could not be read comes again after
// the others, and after a while, unless something has changed.
func (r *repositories) readNext(object *v1alpha1.BackupRepository, runs map[string]*v1alpha1.BackupRun, now bool) {
	var waiting []*v1alpha1.BackupRun
	for _, run := range runs {
		if r.rereads.has(run.UID) {
			return
		}
		if doubtful(run) && !r.jobs.has(run.UID) {
			waiting = append(waiting, run)
		}
	}
	if next := nextInDoubt(waiting, r.tries.at); next != nil && (now || r.mayTry(next)) {
		r.readBack(object, next)
	}
}

// nextInDoubt is the run that is read first: the newest of those that nobody has tried to
// read, or that of which this is the longest ago.
func nextInDoubt(runs []*v1alpha1.BackupRun, tried func(types.UID) time.Time) (next *v1alpha1.BackupRun) {
	for _, run := range runs {
		if next == nil || cmp.Or(tried(run.UID).Compare(tried(next.UID)), orderTime(next).Compare(orderTime(run))) < 0 {
			next = run
		}
	}
	return next
}

// mayTry says whether a run has been let alone for long enough since it was to be read back.
func (r *repositories) mayTry(run *v1alpha1.BackupRun) bool {
	return time.Since(r.tries.at(run.UID)) >= 12*r.opts.Poll
}

// readBack starts the job that reads a run, after which its repository is looked at; false
// if there is no room, or others wait for it.
func (r *repositories) readBack(object *v1alpha1.BackupRepository, run *v1alpha1.BackupRun) bool {
	if !r.jobs.reserveSpare(run.UID, jobOf("BackupRun", client.ObjectKeyFromObject(run)), 2*r.opts.Poll) {
		return false
	}
	r.rereads.add(run.UID)
	r.tries.add(run.UID)
	backup := &v1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: run.Namespace, Name: run.Spec.BackupRef.Name}}
	r.jobs.run(run.UID, func(ctx context.Context) {
		defer r.suspect(object.Namespace, object.Name) // as soon as the run does not count as being read
		defer r.rereads.remove(run.UID)
		r.verifyRun(ctx, backup, run, verifyChecksum)
	})
	return true
}

// intact is a repository's condition about what it has lost.
func (l *losses) intact(name string) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionIntact, Status: metav1.ConditionTrue, Reason: "Intact", Message: "everything that its runs need is in the storage"}
	missing, reading := l.runs, ""
	if len(l.reading) > 0 {
		reading = fmt.Sprintf("these runs have all of their packs again, and are being read back: %s", some(l.reading))
	}
	if len(l.doubtful) > 0 {
		reading = strings.TrimPrefix(fmt.Sprintf("%s; data of this repository is not as it was written, so that these runs are not known to be whole until they were read again, which goes on: %s",
			reading, some(l.doubtful)), "; ")
	}
	if l.readOnly { // the runs are another cluster's
		missing = append(slices.Clone(l.runs), l.strays...)
	}
	if len(missing) == 0 && reading != "" {
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, v1alpha1.ReasonReadingBack, reading
		return c
	}
	if len(missing) == 0 {
		if len(l.strays) > 0 {
			c.Message += fmt.Sprintf("; what was saved by runs that are not listed any more cannot be restored as a whole: %s", some(l.strays))
		}
		return c
	}
	c.Status, c.Reason = metav1.ConditionFalse, reasonDataLost
	c.Message = fmt.Sprintf("these runs cannot be restored as a whole: %s", some(missing))
	if l.damage.Packs > 0 {
		c.Message += fmt.Sprintf("; packs that are gone from the storage, or cut off: %d, so find out who deletes there, such as a rule of the bucket", l.damage.Packs)
	}
	if reading != "" {
		c.Message += "; " + reading
	}
	back := fmt.Sprintf("if the data can be brought back, do so, and have it read with \"fedctl backup repository check %s\"", name)
	if l.readOnly {
		c.Message += "; the cluster that it belongs to saves anew what it still has; " + back
		return c
	}
	c.Message += "; the next run of their Backup saves anew what is still in the cluster, and makes whole again what it can (\"fedctl backup run\" does so now); " +
		"what is not in the cluster any more is lost: delete those runs (kubectl delete backuprun); " + back
	return c
}

// some are the first of names, and how many more there are.
func some(names []string) string {
	text := strings.Join(names[:min(len(names), maxRecent)], ", ")
	if more := len(names) - maxRecent; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
