package localcluster

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// StopMember ends the processes of a cluster. Its data and its port stay, for
// StartMember. Stopping a stopped cluster does nothing.
func (f *Fleet) StopMember(ctx context.Context, name string) error {
	cluster, err := f.Member(name)
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, f.dir, f.log.out)
	if err != nil {
		return err
	}
	defer unlock()
	return cluster.stop()
}

// StartMember starts what does not run of a cluster, resumes what is paused, and
// returns when the cluster is ready. The endpoint stays the same.
func (f *Fleet) StartMember(ctx context.Context, name string) error {
	cluster, err := f.Member(name)
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, f.dir, f.log.out)
	if err != nil {
		return err
	}
	defer unlock()
	return f.startAll(ctx, []*Cluster{cluster}, false)
}

// Pause makes a cluster hang: its API server still accepts connections (the
// kernel does) and answers nothing, until Resume. When Pause returns, no thread
// of it runs any more.
func (f *Fleet) Pause(name string) error {
	p, err := f.apiServer(name)
	if err != nil {
		return err
	}
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	// The kernel stops each thread when it gets to it.
	for deadline := time.Now().Add(stopTime); !allStopped(p.PID); time.Sleep(time.Millisecond) {
		if !p.alive() || time.Now().After(deadline) {
			return fmt.Errorf("the API server of cluster %s (process %d) does not stop", name, p.PID)
		}
	}
	return nil
}

// stopTime is how long the threads of a process may take to stop.
const stopTime = 10 * time.Second

// Resume ends a pause.
func (f *Fleet) Resume(name string) error {
	p, err := f.apiServer(name)
	if err != nil {
		return err
	}
	return p.signal(syscall.SIGCONT)
}

func (f *Fleet) apiServer(name string) (process, error) {
	cluster, err := f.Member(name)
	if err != nil {
		return process{}, err
	}
	p := cluster.process(APIServer)
	if !p.alive() {
		return process{}, fmt.Errorf("the API server of cluster %s does not run: start it with \"fedctl local start %s\"", name, name)
	}
	return p, nil
}
