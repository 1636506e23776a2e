package localcluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// inspect returns the start time of a process, in clock ticks since boot, and
// the letter of its state.
func inspect(pid int) (start string, state byte, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) //nolint:gosec // a number
	if err != nil {
		return "", 0, err
	}
	start, state, threads, err := parseStat(string(data))
	if err == nil && state == 'Z' && threads > 1 {
		// The first thread has ended. While others are about to, files and ports of the
		// process are still in use. A list of them may end early when one of them does.
		state = 'R'
	}
	return start, state, err
}

// threads returns the stat files of a process's threads.
func threads(pid int) []string {
	found, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return found
}

// parseStat reads /proc/PID/stat: "PID (COMMAND) STATE …", the number of threads is the 20th
// field and the start time the 22nd. The command may hold blanks and parentheses.
func parseStat(stat string) (start string, state byte, threads int, err error) {
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 20 {
		return "", 0, 0, fmt.Errorf("unknown format of a process's stat file: %q", stat)
	}
	if threads, err = strconv.Atoi(fields[17]); err != nil {
		return "", 0, 0, fmt.Errorf("the number of threads in a process's stat file: %w", err)
	}
	return fields[19], fields[0][0], threads, nil
}

// allStopped reports whether a signal has stopped every thread of a process.
func allStopped(pid int) bool {
	found := threads(pid)
	for _, path := range found {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		if _, state, _, err := parseStat(string(stat)); err != nil || state != 'T' {
			return false
		}
	}
	return len(found) > 0
}

// bootID tells this boot from others.
var bootID = sync.OnceValue(func() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
})

// marked returns the processes that were started for a file below dir, by the
// mark in their environment: also those that a killed program had no time to record.
func marked(dir string) []process {
	var found []process
	mark := []byte(markEnv + "=" + dir + string(filepath.Separator))
	entries, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range entries {
		environ, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(append([]byte{0}, environ...), append([]byte{0}, mark...)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if p, err := identify(pid); err == nil {
			found = append(found, p)
		}
	}
	return found
}

// detach makes the child a session of its own, so that no signal of the
// terminal reaches it, and optionally has the kernel kill it with its parent.
func detach(dieWithParent bool) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if dieWithParent {
		attributes.Pdeathsig = syscall.SIGKILL
	}
	return attributes
}

// onLastingThread runs fn on a thread that lives as long as the program: the
// kernel takes the end of the thread that forked for the end of the parent.
func onLastingThread(fn func()) {
	lastingThread.once.Do(func() {
		lastingThread.work = make(chan func())
		go func() {
			runtime.LockOSThread()
			for work := range lastingThread.work {
				work()
			}
		}()
	})
	done := make(chan struct{})
	lastingThread.work <- func() { defer close(done); fn() }
	<-done
}

var lastingThread struct {
	once sync.Once
	work chan func()
}
