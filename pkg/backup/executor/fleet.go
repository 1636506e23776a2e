package executor

import (
	"context"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"
)

// Fleet runs an Executor for each member cluster that the manager engages. It
// implements multicluster-runtime's Runnable.
type Fleet struct {
	// Options of all executors; Config and Cluster are each member's own.
	Options Options

	running sync.WaitGroup
}

// Start waits until all executors have ended.
func (f *Fleet) Start(ctx context.Context) error {
	<-ctx.Done()
	f.running.Wait()
	return nil
}

// Engage starts a member's executor, which ends with ctx. It does not wait for the
// member. A member with new credentials is engaged again before the old ctx ends;
// the Lease keeps its two executors apart.
func (f *Fleet) Engage(ctx context.Context, name multicluster.ClusterName, cl cluster.Cluster) error {
	opts := f.Options
	opts.Config, opts.Cluster = cl.GetConfig(), string(name)
	executor, err := New(opts)
	if err != nil {
		return err
	}
	f.running.Add(1)
	go func() {
		defer f.running.Done()
		executor.Run(ctx)
	}()
	return nil
}
