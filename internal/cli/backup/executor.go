package backup

import (
	"cmp"
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

// executorPatience is how long an executor may take to see what was asked for before
// somebody asks whether there is one.
const executorPatience = 5 * time.Second

// waitsForExecutor says that a command waits for the cluster's executor, and after a
// while whether there is any.
func (t *target) waitsForExecutor(ctx context.Context, c client.Client) func() string {
	since := time.Now()
	return func() string {
		if time.Since(since) < executorPatience {
			return "waits for an executor"
		}
		lease := &coordinationv1.Lease{}
		err := c.Get(ctx, client.ObjectKey{Namespace: t.factory.KubeFedNamespace, Name: backupv1alpha1.ExecutorLease}, lease)
		switch {
		case apierrors.IsNotFound(err), err == nil && !held(lease):
			return fmt.Sprintf("waits for an executor; none works in this cluster: \"fedctl backup status -A\" says why, and \"fedctl install --member %s\" with --backup-rights or --executor brings one", errtext.Argument(cmp.Or(t.context(), cmdutil.NoContext)))
		}
		return "waits for an executor"
	}
}

// held says whether a Lease has a holder that has renewed it lately. Clocks differ.
func held(lease *coordinationv1.Lease) bool {
	spec := lease.Spec
	if ptr.Deref(spec.HolderIdentity, "") == "" || spec.RenewTime == nil {
		return false
	}
	return time.Since(spec.RenewTime.Time) < time.Duration(ptr.Deref(spec.LeaseDurationSeconds, 15))*time.Second+5*time.Minute
}
