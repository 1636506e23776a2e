//go:build unix && !linux

package localcluster

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// inspect returns the start time of a process and the letter of its state, from
// ps: there is no /proc here.
func inspect(pid int) (start string, state byte, err error) {
	out, err := exec.Command("ps", "-o", "state=,lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", 0, err
	}
	fields := strings.Fields(string(out))
	if len(fields) < 2 {
		return "", 0, fmt.Errorf("process %d does not exist", pid)
	}
	return strings.Join(fields[1:], " "), fields[0][0], nil
}

// allStopped reports whether a signal has stopped a process.
func allStopped(pid int) bool {
	_, state, err := inspect(pid)
	return err == nil && state == 'T'
}

// bootID is not needed here: ps gives start times as dates.
func bootID() string { return "" }

// marked finds nothing here: other processes' environments cannot be read.
func marked(string) []process { return nil }

// detach makes the child a session of its own, so that no signal of the terminal reaches it.
func detach(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func onLastingThread(fn func()) { fn() }
