package executor

import (
	"context"

	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/fence"
)

// A term is the time for which the Lease is held once.
type term struct {
	lock  resourcelock.Interface
	fence *fence.Fence
	// config is of all clients but the Lease's own: an executor that was paused, or
	// cut off, and has lost the Lease, writes nothing more. Nor does it in storage, of
	// which the fence is asked (core.mayWrite).
	config *rest.Config
}

func (e *Executor) newTerm() (*term, error) {
	own := rest.CopyConfig(e.opts.Config)
	own.Timeout = e.opts.RenewDeadline / 2
	coreClient, err := corev1.NewForConfig(own)
	if err != nil {
		return nil, err
	}
	coordinationClient, err := coordinationv1.NewForConfig(own)
	if err != nil {
		return nil, err
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, e.opts.LeaseNamespace, v1alpha1.ExecutorLease, coreClient, coordinationClient,
		resourcelock.ResourceLockConfig{Identity: e.identity})
	if err != nil {
		return nil, err
	}
	t := &term{fence: fence.New(lock.Describe(), e.opts.LeaseDuration), config: rest.CopyConfig(e.opts.Config)}
	t.lock = t.fence.Lock(lock)
	t.config.Wrap(t.fence.Wrap)
	return t, nil
}

// during returns a context that ends when the Lease is lost.
func (t *term) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-t.fence.Lost():
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
