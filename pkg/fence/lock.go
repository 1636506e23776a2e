package fence

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Lock returns the lock for the election, which tells the fence what becomes of it.
// Its client must not be behind the fence itself.
func (f *Fence) Lock(of resourcelock.Interface) resourcelock.Interface {
	return &lock{Interface: of, fence: f}
}

type lock struct {
	resourcelock.Interface
	fence *Fence
}

// Get implements resourcelock.Interface.
func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil {
		l.fence.saw(record.HolderIdentity, l.Identity())
	}
	return record, raw, err
}

// Create implements resourcelock.Interface.
func (l *lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Create)
}

// Update implements resourcelock.Interface.
func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Update)
}

func (l *lock) write(ctx context.Context, record resourcelock.LeaderElectionRecord, send func(context.Context, resourcelock.LeaderElectionRecord) error) error {
	if record.HolderIdentity != l.Identity() {
		l.fence.gaveUp() // before anybody can take it
		return send(ctx, record)
	}
	sent, err := l.fence.begin()
	if err != nil {
		return err // a Lease that is lost is left to others
	}
	err = send(ctx, record)
	switch {
	case err == nil:
		l.fence.took(sent)
	case apierrors.IsConflict(err), apierrors.IsNotFound(err), apierrors.IsAlreadyExists(err):
		l.fence.doubt()
	}
	return err
}
