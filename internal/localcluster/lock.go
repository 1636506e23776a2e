package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lock keeps other programs from changing the fleet in dir until unlock is
// called or this program ends. It waits for a program that has it, and says so.
func lock(ctx context.Context, dir string, log io.Writer) (unlock func(), err error) {
	path := filepath.Join(dir, lockFile)
	for said := false; ; {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil && stillAt(file, path) {
			return func() { _ = file.Close() }, nil
		}
		_ = file.Close()
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if err != nil && !said {
			said = true
			_, _ = fmt.Fprintf(log, "waiting: another program is changing the local clusters in %s\n", dir)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another program is changing the local clusters in %s: %w", dir, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// stillAt reports whether path still names file: Down removes the lock with the rest.
func stillAt(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}
