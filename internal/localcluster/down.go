package localcluster

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Down ends every process of the fleet in dir and removes what the fleet keeps
// there, and dir itself when nothing else is in it. It needs neither a readable
// state nor a fleet that came up: it may be repeated, and used after a start
// that was interrupted. A directory without fleet is left alone.
func Down(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return killLeftovers(dir)
	}
	if !exists(filepath.Join(dir, stateFile)) && !exists(filepath.Join(dir, clustersDir)) && !exists(filepath.Join(dir, lockFile)) {
		return killLeftovers(dir)
	}
	unlock, err := lock(ctx, dir, io.Discard)
	if err != nil {
		return err
	}
	defer unlock()
	return remove(dir)
}

// Down ends every process of the fleet and removes all it keeps.
func (f *Fleet) Down(ctx context.Context) error { return Down(ctx, f.dir) }

// remove ends the processes and deletes our files; the caller has the lock.
func remove(dir string) error {
	if err := killLeftovers(dir); err != nil {
		return err
	}
	if err := unmerge(dir); err != nil {
		return err
	}
	// The state goes last: while it is there, a removal cut short can be repeated.
	for _, name := range []string{clustersDir, "kubeconfig", stateFile, lockFile} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// killLeftovers ends every process that is recorded in dir or carries its mark.
func killLeftovers(dir string) error {
	records, err := filepath.Glob(filepath.Join(dir, clustersDir, "*", "run", "*.json"))
	if err != nil {
		return err
	}
	var processes []process
	for _, record := range records {
		processes = append(processes, readProcess(record))
	}
	return killProcesses(append(processes, marked(dir)...))
}

// killUnrecorded ends processes of the fleet that no record names: the program
// that started them was killed before it could write one.
func (f *Fleet) killUnrecorded() error {
	known := map[process]bool{}
	for _, cluster := range f.clusters {
		for _, component := range Components {
			known[cluster.process(component)] = true
		}
	}
	var unknown []process
	for _, p := range marked(f.dir) {
		if !known[p] {
			unknown = append(unknown, p)
		}
	}
	return killProcesses(unknown)
}

// killProcesses ends processes at once and together.
func killProcesses(processes []process) error {
	errs := make([]error, len(processes))
	var wait sync.WaitGroup
	for i, p := range processes {
		wait.Go(func() { errs[i] = p.kill(0) })
	}
	wait.Wait()
	return errors.Join(errs...)
}
