package localcluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// process identifies one process for ever: process ids are reused, but not
// together with their start time within one boot.
type process struct {
	PID   int    `json:"pid"`
	Start string `json:"start"`
	Boot  string `json:"boot"`
}

// identify returns the identity of the process that has pid now.
func identify(pid int) (process, error) {
	start, _, err := inspect(pid)
	if err != nil {
		return process{}, err
	}
	return process{PID: pid, Start: start, Boot: bootID()}, nil
}

// state returns the state of the process: its letter as in ps ('T' is stopped by
// a signal), or 0 when this process is no more, even if another has its id now.
func (p process) state() byte {
	if p.PID <= 0 || p.Boot != bootID() {
		return 0
	}
	start, state, err := inspect(p.PID)
	if err != nil || start != p.Start || state == 'Z' || state == 'X' {
		return 0
	}
	return state
}

func (p process) alive() bool { return p.state() != 0 }

// signal sends sig if the process still is the one that was identified. It is no
// error when it is gone.
func (p process) signal(sig syscall.Signal) error {
	if !p.alive() {
		return nil
	}
	// On Linux the handle pins the process: what is checked next is what is signalled.
	handle, err := os.FindProcess(p.PID)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }()
	if !p.alive() {
		return nil
	}
	if err := handle.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("sending %s to process %d: %w", sig, p.PID, err)
	}
	return nil
}

// kill ends the process: with SIGTERM and grace to obey it, or at once when
// grace is 0. It returns when the process is gone.
func (p process) kill(grace time.Duration) error {
	if grace > 0 {
		if err := p.signal(syscall.SIGTERM); err != nil {
			return err
		}
		_ = p.signal(syscall.SIGCONT) // a stopped process obeys only once it runs
		if p.gone(grace) {
			return nil
		}
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !p.gone(10 * time.Second) {
		return fmt.Errorf("process %d does not end, although it was killed", p.PID)
	}
	return nil
}

// gone waits until the process is no more, at most for limit.
func (p process) gone(limit time.Duration) bool {
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if !p.alive() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// readProcess reads a recorded identity. No record, or one that cannot be read
// (a crash in the middle of a write cannot leave one), is the zero process,
// which is not alive.
func readProcess(path string) process {
	var p process
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &p) != nil {
		return process{}
	}
	return p
}

func (p process) write(path string) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'))
}

// writeFile replaces path in one step, so that a reader never sees half of it.
// Only the owner may read it: most of what is written here are credentials.
func writeFile(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(data)
	if err = errors.Join(err, temporary.Chmod(0o600), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
