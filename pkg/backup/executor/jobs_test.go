package executor

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
)

// ended is a job that tells why it was cancelled.
func ended(into chan<- error) func(context.Context) {
	return func(ctx context.Context) {
		<-ctx.Done()
		into <- context.Cause(ctx)
	}
}

func TestJobsOfObjectsThatAreGone(t *testing.T) {
	j := newJobs(3, NewSlots(3), logr.Discard())
	old, other := make(chan error, 1), make(chan error, 1)
	for uid, into := range map[string]chan error{"old": old, "other": other} {
		of := "BackupRun team-a/nightly-1"
		if uid == "other" {
			of = "Restore team-a/nightly-1"
		}
		if !j.reserve(types.UID("uid-of-"+uid), of, "") {
			t.Fatal("there was a place")
		}
		j.run(types.UID("uid-of-"+uid), ended(into))
	}
	j.abortOthers("BackupRun team-a/nightly-1", "uid-of-old")
	if !j.has("uid-of-old") {
		t.Error("the job of an object that is there was ended")
	}
	j.abortOthers("BackupRun team-a/nightly-1", "")
	if err := <-old; err != errDeleted { //nolint:errorlint // the very value
		t.Errorf("the job ended for %v", err)
	}
	if !j.has("uid-of-other") {
		t.Error("a job of another kind was ended")
	}
	j.stop()
	if err := <-other; err != errStopped { //nolint:errorlint // the very value
		t.Errorf("the job ended for %v", err)
	}
	if len(j.own)+len(j.shared) != 0 {
		t.Errorf("%d places are not free", len(j.own)+len(j.shared))
	}
}

func TestJobsThatMustBeAlone(t *testing.T) {
	j := newJobs(3, nil, logr.Discard())
	const backup = "Backup team-a/nightly"
	if !j.reserve("first", "BackupRun team-a/1", backup) || j.reserve("second", "BackupRun team-a/2", backup) {
		t.Error("two runs of a Backup would be in work")
	}
	if !j.reserve("other", "BackupRun team-a/3", "Backup team-a/weekly") || !j.reserve("restore", "Restore team-a/1", "") {
		t.Error("jobs for something else have to wait")
	}
	if _, ok := j.beganFor(backup); !ok {
		t.Error("it is not known that there is one")
	}
	j.release("first")
	j.release("other")
	j.release("restore")
	if _, ok := j.beganFor(backup); ok || !j.reserve("second", "BackupRun team-a/2", backup) || len(j.own) != 1 {
		t.Errorf("the next one has to wait; %d places are taken", len(j.own))
	}
}

func TestJobThatIsAbortedBeforeItBegins(t *testing.T) {
	j := newJobs(1, nil, logr.Discard())
	if !j.reserve("uid", "BackupRun team-a/nightly-1", "") {
		t.Fatal("there was a place")
	}
	j.abort("uid", errReplaced)
	why := make(chan error, 1)
	j.run("uid", ended(why))
	if err := <-why; err != errReplaced { //nolint:errorlint // the very value
		t.Errorf("the job ended for %v", err)
	}
}

func TestJobThatPanics(t *testing.T) {
	j := newJobs(1, nil, logr.Discard())
	if !j.reserve("uid", "BackupRun team-a/nightly-1", "") {
		t.Fatal("there was a place")
	}
	j.run("uid", func(context.Context) { panic("what is this") })
	j.running.Wait()
	if j.has("uid") || !j.reserve("uid", "BackupRun team-a/nightly-1", "") {
		t.Error("the place was not given back")
	}
}

func TestPlacesThatNobodyElseWaitsFor(t *testing.T) {
	j := newJobs(1, nil, logr.Discard())
	if !j.reserveSpare("spare", "BackupRun team-a/1", time.Hour) {
		t.Fatal("nobody waits for the place")
	}
	if j.reserveSpare("another", "BackupRun team-a/2", time.Hour) || j.reserve("due", "BackupRun team-a/3", "") {
		t.Fatal("there is no place")
	}
	j.release("spare")
	if j.reserveSpare("another", "BackupRun team-a/2", time.Hour) {
		t.Error("it is taken from who was refused just now")
	}
	if !j.reserve("due", "BackupRun team-a/3", "") {
		t.Error("there is a place for who was refused")
	}
	j.release("due")
	if !j.reserveSpare("another", "BackupRun team-a/2", 0) {
		t.Error("nobody waits any more")
	}
}
