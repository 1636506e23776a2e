package localcluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func sleeper(t *testing.T) (process, *exec.Cmd) {
	t.Helper()
	command := exec.Command("sleep", "300")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	p, err := identify(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p, command
}

func TestProcessIsKilledOnlyByItsIdentity(t *testing.T) {
	p, _ := sleeper(t)
	if !p.alive() {
		t.Fatal("a running process counts as gone")
	}
	for name, stranger := range map[string]process{
		"other start time": {PID: p.PID, Start: p.Start + "1", Boot: p.Boot},
		"other boot":       {PID: p.PID, Start: p.Start, Boot: p.Boot + "x"},
	} {
		if stranger.alive() {
			t.Errorf("%s: a record of another process counts as running", name)
		}
		if err := stranger.kill(time.Second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !p.alive() {
		t.Fatal("a stranger was killed")
	}
	if err := p.kill(0); err != nil {
		t.Fatal(err)
	}
	if p.alive() {
		t.Error("the process was not killed")
	}
	if err := p.kill(0); err != nil {
		t.Errorf("killing it again: %v", err)
	}
}

func TestKillEndsStoppedProcess(t *testing.T) {
	p, _ := sleeper(t)
	if err := p.signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for p.state() != 'T' {
		time.Sleep(time.Millisecond)
	}
	if err := p.kill(5 * time.Second); err != nil || p.alive() {
		t.Errorf("alive %v, error %v", p.alive(), err)
	}
}

func TestRecordOfProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etcd.json")
	if p := readProcess(path); p.alive() || p.PID != 0 {
		t.Errorf("no record reads as %+v", p)
	}
	p, _ := sleeper(t)
	if err := p.write(path); err != nil {
		t.Fatal(err)
	}
	if got := readProcess(path); got != p {
		t.Errorf("read %+v, wrote %+v", got, p)
	}
	for _, damaged := range []string{"", "{", "12345", `{"pid":-1}`, `{"pid":0}`} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		got := readProcess(path)
		if got.alive() {
			t.Errorf("record %q reads as a live process", damaged)
		}
		if err := got.kill(0); err != nil {
			t.Errorf("record %q: %v", damaged, err)
		}
	}
}

func TestMarkedFindsUnrecordedProcesses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other processes' environments cannot be read here")
	}
	dir := t.TempDir()
	command := exec.Command("sleep", "300")
	command.Env = []string{"A=b", markEnv + "=" + filepath.Join(dir, "clusters", "host", "run", "etcd.json")}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	if found := marked(dir); len(found) != 1 || found[0].PID != command.Process.Pid {
		t.Errorf("found %+v, want process %d", found, command.Process.Pid)
	}
	if found := marked(dir[:len(dir)-1]); len(found) != 0 {
		t.Errorf("a directory with a similar name owns %+v", found)
	}
	if err := Down(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if found := marked(dir); len(found) != 0 {
		t.Errorf("left running: %+v", found)
	}
}
