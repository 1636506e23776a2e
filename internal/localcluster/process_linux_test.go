package localcluster

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

const listenEnv = "LOCALCLUSTER_TEST_LISTEN"

// TestListen is the process of TestKilledProcessHasLeftItsPort: it has many threads, and
// memory that takes a while to free.
func TestListen(t *testing.T) {
	if os.Getenv(listenEnv) == "" {
		t.Skip("run by TestKilledProcessHasLeftItsPort")
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	for range 40 {
		go func() {
			runtime.LockOSThread()
			memory := make([]byte, 4<<20)
			for i := range memory {
				memory[i] = 1
			}
			ready <- struct{}{}
			select {}
		}()
	}
	for range 40 {
		<-ready
	}
	fmt.Println("listens at", listener.Addr())
	select {}
}

// TestKilledProcessHasLeftItsPort: the first thread of a process may end before others,
// which still hold its port.
func TestKilledProcessHasLeftItsPort(t *testing.T) {
	for range 10 {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestListen$")
		command.Env = append(os.Environ(), listenEnv+"=1")
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		address, found := strings.CutPrefix(strings.TrimSpace(line), "listens at ")
		if err != nil || !found {
			t.Fatalf("got %q, %v", line, err)
		}
		p, err := identify(command.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.kill(0); err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp4", address)
		if err != nil {
			t.Errorf("the process counts as gone: %v", err)
		} else {
			_ = listener.Close()
		}
		_ = command.Wait()
	}
}

func TestParseStat(t *testing.T) {
	const rest = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	for name, test := range map[string]struct {
		stat, start string
		state       byte
		fails       bool
	}{
		"plain":                {stat: "12 (etcd) S" + rest, start: "4711", state: 'S'},
		"blanks, parentheses":  {stat: "12 (a) T (b c)) T" + rest, start: "4711", state: 'T'},
		"too short":            {stat: "12 (etcd) S 1 2", fails: true},
		"no command":           {stat: "", fails: true},
		"name without the end": {stat: "12 (etcd", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			start, state, threads, err := parseStat(test.stat)
			if (err != nil) != test.fails || start != test.start || state != test.state || !test.fails && threads != 17 {
				t.Errorf("got start %q, state %q, %d threads, error %v", start, state, threads, err)
			}
		})
	}
}
