package localcluster

import (
	"context"
	"fmt"
	"syscall"
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
// kernel does) and answers nothing, until Resume.
func (f *Fleet) Pause(name string) error { return f.signalAPIServer(name, syscall.SIGSTOP) }

// Resume ends a pause.
func (f *Fleet) Resume(name string) error { return f.signalAPIServer(name, syscall.SIGCONT) }

func (f *Fleet) signalAPIServer(name string, sig syscall.Signal) error {
	cluster, err := f.Member(name)
	if err != nil {
		return err
	}
	p := cluster.process(APIServer)
	if !p.alive() {
		return fmt.Errorf("the API server of cluster %s does not run: start it with \"fedctl local start %s\"", name, name)
	}
	return p.signal(sig)
}
