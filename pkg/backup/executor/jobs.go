package executor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
)

// Why jobs are cancelled.
var (
	errStopped  = errors.New("the executor stops")
	errReplaced = errors.New("a newer run took its place, as concurrencyPolicy Replace says")
	errRetained = errors.New("spec.deletionPolicy is Retain now")
	errDeleted  = errors.New("the object was deleted")
	errTimeout  = errors.New("it took longer than spec.timeout")
)

// stopPatience is how long jobs may take to end.
const stopPatience = 15 * time.Second

// Slots limits how many jobs go on at a time.
type Slots chan struct{}

// NewSlots returns n free slots.
func NewSlots(n int) Slots { return make(Slots, n) }

func (s Slots) take() bool {
	if s == nil {
		return true
	}
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s Slots) free() {
	if s != nil {
		<-s
	}
}

// jobs are what goes on in the background, at most one for each object. They end
// when the Lease is lost.
type jobs struct {
	log         logr.Logger
	own, shared Slots
	ctx         context.Context //nolint:containedctx // the term of the Lease, in which jobs come and go
	cancel      context.CancelCauseFunc
	running     sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	byUID   map[types.UID]*job
	// refused is when there was no place for somebody last.
	refused time.Time
}

// job is what goes on for one object.
type job struct {
	// of is the kind and name of the object, which another one may have by now.
	of string
	// alone is what at most one job may be for at a time; empty: nothing.
	alone  string
	since  time.Time
	ctx    context.Context //nolint:containedctx // from when the place is reserved
	cancel context.CancelCauseFunc
}

// jobOf names an object for its job.
func jobOf(kind string, key types.NamespacedName) string { return kind + " " + key.String() }

func newJobs(n int, shared Slots, log logr.Logger) *jobs {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &jobs{log: log, own: NewSlots(n), shared: shared, ctx: ctx, cancel: cancel, byUID: map[types.UID]*job{}}
}

// Start waits for the end of the term and ends the jobs with it.
func (j *jobs) Start(ctx context.Context) error {
	<-ctx.Done()
	j.stop()
	return nil
}

// NeedLeaderElection ties the jobs to the Lease.
func (j *jobs) NeedLeaderElection() bool { return true }

func (j *jobs) stop() {
	j.mu.Lock()
	j.stopped = true
	j.mu.Unlock()
	j.cancel(errStopped)
	ended := make(chan struct{})
	go func() {
		j.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(stopPatience):
		// A directory on a dead server cannot be left alone; what the job writes later
		// is refused, because the run is no longer its own.
	}
}

// has says whether there is a job for an object.
func (j *jobs) has(uid types.UID) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ok := j.byUID[uid]
	return ok
}

// abort cancels an object's job, if there is one, for a reason that the job finds
// with context.Cause.
func (j *jobs) abort(uid types.UID, why error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if job, ok := j.byUID[uid]; ok {
		job.cancel(why)
	}
}

// abortOthers cancels the jobs of objects that are gone: those of the same kind and
// name as the one that is there, whose UID is empty if there is none.
func (j *jobs) abortOthers(of string, uid types.UID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for other, job := range j.byUID {
		if job.of == of && other != uid {
			job.cancel(errDeleted)
		}
	}
}

// reserve takes a place for an object's job; false if there is none, or the object
// has a job, or there is one for the same that it must be alone for, if that is not
// empty. The place is used by run or given back by release.
func (j *jobs) reserve(uid types.UID, of, alone string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.byUID[uid]; ok || j.stopped || j.jobFor(alone) != nil {
		return false
	}
	if !j.take() {
		j.refused = time.Now()
		return false
	}
	j.enter(uid, of, alone)
	return true
}

// reserveSpare takes a place that nobody else waits for: nobody was refused one for a
// while, in which he would have asked again.
func (j *jobs) reserveSpare(uid types.UID, of string, while time.Duration) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.byUID[uid]; ok || j.stopped || time.Since(j.refused) < while || !j.take() {
		return false
	}
	j.enter(uid, of, "")
	return true
}

func (j *jobs) take() bool {
	if !j.own.take() {
		return false
	}
	if !j.shared.take() {
		j.own.free()
		return false
	}
	return true
}

// enter notes the job that a place was taken for. The caller holds the lock.
func (j *jobs) enter(uid types.UID, of, alone string) {
	ctx, cancel := context.WithCancelCause(j.ctx)
	j.byUID[uid] = &job{of: of, alone: alone, since: time.Now(), ctx: ctx, cancel: cancel}
	j.running.Add(1)
}

// jobFor is the job for what another one must be alone for; nil if there is none. The
// caller holds the lock.
func (j *jobs) jobFor(alone string) *job {
	for _, job := range j.byUID {
		if alone != "" && job.alone == alone {
			return job
		}
	}
	return nil
}

// beganFor says whether there is such a job, and how long ago it began.
func (j *jobs) beganFor(alone string) (ago time.Duration, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	job := j.jobFor(alone)
	if job == nil {
		return 0, false
	}
	return time.Since(job.since), true
}

func (j *jobs) release(uid types.UID) {
	j.mu.Lock()
	j.byUID[uid].cancel(nil)
	delete(j.byUID, uid)
	j.mu.Unlock()
	j.own.free()
	j.shared.free()
	j.running.Done()
}

// run starts the job of an object for which a place was reserved.
func (j *jobs) run(uid types.UID, job func(ctx context.Context)) {
	j.mu.Lock()
	ctx := j.byUID[uid].ctx
	j.mu.Unlock()
	go func() {
		defer j.release(uid)
		defer j.recover(uid)
		job(ctx)
	}()
}

// recover keeps a job that panics from ending the process, which works for all
// clusters. Its object is found without a job, and the attempt has failed.
func (j *jobs) recover(uid types.UID) {
	if what := recover(); what != nil {
		j.log.Error(fmt.Errorf("%v", what), "A job has panicked", "uid", uid, "stack", string(debug.Stack()))
	}
}

// uidSet are objects by their UIDs, for several goroutines, with since when they are in it.
type uidSet struct{ byUID sync.Map }

func (s *uidSet) add(uid types.UID)    { s.byUID.Store(uid, time.Now()) }
func (s *uidSet) remove(uid types.UID) { s.byUID.Delete(uid) }

func (s *uidSet) has(uid types.UID) bool { return !s.at(uid).IsZero() }

// at is when an object came last; zero if it is not in it.
func (s *uidSet) at(uid types.UID) time.Time {
	since, _ := s.byUID.Load(uid)
	at, _ := since.(time.Time)
	return at
}
