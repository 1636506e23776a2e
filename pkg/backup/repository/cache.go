package repository

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// cache is a directory for the temporary files of one open repository. It is locked
// while it is in use; the lock ends with the process, however that ends.
type cache struct {
	path string
	lock *os.File
}

const (
	cachePrefix = "fedctl-repository-"
	// Under this name it is made: nobody may find it before it is locked.
	newCachePrefix = "fedctl-new-repository-"
)

// newCache makes a directory in parent, the system's for temporary files by default,
// and removes those of processes that were killed.
func newCache(parent string) (*cache, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	removeStale(parent)
	made, err := os.MkdirTemp(parent, newCachePrefix)
	if err != nil {
		return nil, err
	}
	lock, err := lockDirectory(made)
	if err != nil {
		return nil, errors.Join(err, os.Remove(made))
	}
	c := &cache{path: filepath.Join(parent, cachePrefix+strings.TrimPrefix(filepath.Base(made), newCachePrefix)), lock: lock}
	if err := os.Rename(made, c.path); err != nil {
		return nil, errors.Join(err, c.remove(), os.Remove(made))
	}
	return c, nil
}

// remove may be repeated.
func (c *cache) remove() error {
	if c.lock == nil {
		return nil
	}
	err := errors.Join(os.RemoveAll(c.path), c.lock.Close())
	c.lock = nil
	return err
}

// removeStale removes what nobody has locked. What cannot be removed is left: it is in
// nobody's way.
func removeStale(parent string) {
	found, _ := filepath.Glob(filepath.Join(parent, cachePrefix+"*"))
	for _, path := range found {
		if lock, err := lockDirectory(path); err == nil {
			_ = (&cache{path: path, lock: lock}).remove()
		}
	}
}

// lockDirectory fails at once when somebody else has the lock.
func lockDirectory(path string) (*os.File, error) {
	directory, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(directory.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, directory.Close())
	}
	return directory, nil
}
