package localstorage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/fedctl/fedctl/internal/freeport"
)

// ready is how long a server may take to answer on a busy machine.
const ready = time.Minute

// Process is a server that runs, which dies with this process.
type Process struct {
	binary  string
	address string
	args    []string
	env     []string // beside this process's own
	mu      sync.Mutex
	command *exec.Cmd
	output  *bytes.Buffer
}

// newProcess finds the program and a free port.
func newProcess(name, variable string) (*Process, error) {
	binary, err := Binary(name, variable)
	if err != nil {
		return nil, err
	}
	port, err := ports.Find(nil)
	if err != nil {
		return nil, err
	}
	return &Process{binary: binary, address: net.JoinHostPort(freeport.Loopback, strconv.Itoa(port))}, nil
}

// ports are those of servers: others than clusters have.
var ports = freeport.Range{First: 10000, Last: 20000}

// Binary finds a program: what the environment variable names, or bin/<name> of the
// module.
func Binary(name, variable string) (string, error) {
	if set := os.Getenv(variable); set != "" {
		return set, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		candidate := filepath.Join(dir, "bin", name)
		if info, err := os.Stat(candidate); err == nil && !info.IsDir() {
			return candidate, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("bin/%s is not built: run make bin/%s, or set %s", name, name, variable)
		}
	}
}

// Restart starts the server again on the same port, after Stop.
func (p *Process) Restart(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.output = &bytes.Buffer{}
	p.command = exec.Command(p.binary, p.args...) //nolint:noctx // it outlives the context of its start
	p.command.Env = append(os.Environ(), p.env...)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	p.command.SysProcAttr = dieWithParent()
	// The signal comes when the thread ends that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.command.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(ready)
	for {
		connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", p.address)
		if err == nil {
			return connection.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return errors.Join(fmt.Errorf("%s does not answer: %w: %s", filepath.Base(p.binary), err, p.output), p.command.Process.Kill())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Stop ends the server. It is no error when it has ended.
func (p *Process) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command == nil {
		return nil
	}
	err := p.command.Process.Kill()
	_ = p.command.Wait()
	p.command = nil
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Hang makes the server accept connections and answer nothing, until Continue.
func (p *Process) Hang() error { return p.signal(syscall.SIGSTOP) }

// Continue ends Hang.
func (p *Process) Continue() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(signal os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command == nil {
		return fmt.Errorf("%s does not run", filepath.Base(p.binary))
	}
	return p.command.Process.Signal(signal)
}
