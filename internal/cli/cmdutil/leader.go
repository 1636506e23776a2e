package cmdutil

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// Leaderless says since when no controller has led the control plane, as its Lease
// tells; nil if one does, or if that cannot be known: the Lease cannot be read, or the
// controller runs without an election.
//
// The clocks of controller, host and user may differ. So a Lease that looks as if it had
// ended is read again after the time in which its holder would have renewed it.
func Leaderless(ctx context.Context, host client.Reader, namespace string) *time.Time {
	first := readLease(ctx, host, namespace)
	switch {
	case first == nil:
		return nil
	case released(first):
		return &first.Spec.RenewTime.Time
	case time.Since(first.Spec.RenewTime.Time).Abs() < leaseDuration(first):
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(leaseDuration(first) / 2):
	}
	again := readLease(ctx, host, namespace)
	if again == nil || !again.Spec.RenewTime.Equal(first.Spec.RenewTime) {
		return nil
	}
	return &again.Spec.RenewTime.Time
}

// NoteLeaderless tells the user that what a command shows is as old as the last leader,
// and returns what Leaderless does.
func (f *Factory) NoteLeaderless(ctx context.Context, host client.Reader) *time.Time {
	defer f.Tell(func() string { return "looking whether a controller leads" })()
	since := Leaderless(ctx, host, f.KubeFedNamespace)
	if since != nil {
		_, _ = fmt.Fprintf(f.ErrOut, "warning: no controller leads the control plane in namespace %s since %s: what is shown may be as old as that, and nothing is propagated\n",
			f.KubeFedNamespace, since.UTC().Format(time.RFC3339))
	}
	return since
}

func readLease(ctx context.Context, host client.Reader, namespace string) *coordinationv1.Lease {
	lease := &coordinationv1.Lease{}
	if err := host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: kubefedconfig.Controller}, lease); err != nil || lease.Spec.RenewTime == nil {
		return nil
	}
	return lease
}

// released says that the last leader has ended as it should.
func released(lease *coordinationv1.Lease) bool {
	return lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == ""
}

func leaseDuration(lease *coordinationv1.Lease) time.Duration {
	if seconds := lease.Spec.LeaseDurationSeconds; seconds != nil && *seconds > 0 {
		return time.Duration(*seconds) * time.Second
	}
	return 15 * time.Second
}
