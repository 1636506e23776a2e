package repository_test

import (
	"errors"
	"maps"
	"testing"
)

// TestWhoMayNotWriteLeavesTheFiles: an executor that was paused and goes on when another
// one leads neither deletes what that one may need, nor writes.
func TestWhoMayNotWriteLeavesTheFiles(t *testing.T) {
	lost := errors.New("another one leads")
	var why error
	config := inDir(t)
	config.MayWrite = func() error { return why }
	r := open(t, config)
	first := save(t, r, "run-1", 100, nil)
	save(t, r, "run-2", 100, nil)
	before := files(t, directory(config))

	why = lost
	if err := r.Forget(t.Context(), first.ID); !errors.Is(err, lost) {
		t.Errorf("forgetting a run: %v", err)
	}
	if err := r.Maintain(t.Context()); err == nil {
		t.Log("there was nothing to maintain")
	}
	if _, err := r.Write(t.Context(), source("run-3"), oneObject); !errors.Is(err, lost) {
		t.Errorf("writing a run: %v", err)
	}
	if after := files(t, directory(config)); !maps.Equal(before, after) {
		t.Errorf("the files were %v, and are %v", before, after)
	}

	why = nil
	if err := r.Forget(t.Context(), first.ID); err != nil {
		t.Errorf("forgetting a run when it leads: %v", err)
	}
}
