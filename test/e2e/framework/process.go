package framework

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// Process is a program that a spec runs beside the controller.
type Process struct {
	LogPath string

	command *exec.Cmd
	exited  chan struct{}
}

// StartProcess starts a program whose output goes to the end of a file. It ends with
// the suite, however that ends.
func StartProcess(logPath, program string, args ...string) (*Process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the process has its own descriptor
	p := &Process{LogPath: logPath, command: exec.Command(program, args...), exited: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = log, log
	p.command.SysProcAttr = dieWithParent()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.command.Wait() // how it ended is told by the log
		close(p.exited)
	}()
	return p, nil
}

// Signal sends a signal; a process that has ended already is no error.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := p.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Kill ends the process at once, as a crash would, and waits for it.
func (p *Process) Kill() error {
	err := p.Signal(syscall.SIGKILL)
	<-p.exited
	return err
}

// PeakMemory is the largest resident size that the process has had, in bytes.
func (p *Process) PeakMemory() (int64, error) { return localcluster.PeakMemory(p.command.Process.Pid) }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ExitCode is the code of a process that has ended; -1 if a signal ended it.
func (p *Process) ExitCode() int {
	<-p.exited
	return p.command.ProcessState.ExitCode()
}
