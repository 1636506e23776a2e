// Package prune is the command that removes from a cluster what it held when it joined
// and no placement selects.
package prune

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/reach"
)

const (
	long = `Remove from a cluster what it held when it joined and no placement selects.

A cluster that joins, perhaps again, may hold managed objects that no placement selects
there: its labels may be others now, or nobody has looked after it meanwhile. The
controller keeps them (status NotSelected) for the time of its setting leftover-retention.
This command asks the controller to remove them now, all that there are at this moment,
and waits until they are gone. What is selected meanwhile stays.

With --dry-run it says which they are: the controller's own record, by which it removes.`

	example = `  # See what nobody selects in member-1
  fedctl prune member-1 --dry-run

  # Remove it
  fedctl prune member-1`
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	Cluster string
	DryRun  bool
	Timeout time.Duration
	Output  cmdutil.Output

	host    client.Client
	dynamic dynamic.Interface
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput("name")}
	cmd := &cobra.Command{
		Use:               "prune CLUSTER_NAME",
		Short:             "Remove what a cluster held when it joined and no placement selects",
		Long:              long,
		Example:           example,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: fedtypes.First(fedtypes.CompleteClusters(f)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(args); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "Change nothing; say what would be removed.")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", time.Minute, "How long to wait until the objects are gone; 0 does not wait.")
	o.Output.AddFlag(cmd, "Print what was removed, or with --dry-run would be")
	return cmd
}

// Complete takes the cluster from the arguments.
func (o *Options) Complete(args []string) error {
	o.Cluster = args[0]
	if o.Timeout < 0 {
		return fmt.Errorf("--timeout is %s: less than 0", o.Timeout)
	}
	return o.Output.Validate()
}

// Run asks the controller to remove what nobody selects, and waits until it is gone.
func (o *Options) Run(ctx context.Context) (err error) {
	if o.host, err = o.factory.HostClient(); err != nil {
		return err
	}
	config, err := o.factory.HostConfig()
	if err != nil {
		return err
	}
	if o.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	cluster := &fedcorev1beta1.KubeFedCluster{}
	key := client.ObjectKey{Namespace: o.factory.KubeFedNamespace, Name: o.Cluster}
	if err := o.host.Get(ctx, key, cluster); apierrors.IsNotFound(err) {
		return fmt.Errorf("cluster %s has not joined: there is no KubeFedCluster %s in the host cluster (see \"fedctl get clusters\")", o.Cluster, key)
	} else if err != nil {
		return fmt.Errorf("reading KubeFedCluster %s in the host cluster: %w", key, err)
	}
	found, err := o.find(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		o.say("nothing to prune in %s: every object that it held when it joined is selected, or gone", o.Cluster)
		return nil
	}
	if o.DryRun {
		for _, l := range found {
			o.tell("would remove", l)
		}
		return nil
	}
	if err := o.ask(ctx, cluster, found); err != nil {
		return err
	}
	return o.await(ctx, found)
}

// ask notes in the KubeFedCluster up to when what was found is to go.
func (o *Options) ask(ctx context.Context, cluster *fedcorev1beta1.KubeFedCluster, found []leftover) error {
	at := time.Now()
	for _, l := range found {
		if l.since.After(at) { // the controller's clock is ahead
			at = l.since
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": cluster.UID, "annotations": map[string]string{reach.PruneAnnotation: at.UTC().Format(time.RFC3339)},
	}})
	if err != nil {
		return err
	}
	if err := o.host.Patch(ctx, cluster, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("annotating KubeFedCluster %s/%s: %w", cluster.Namespace, cluster.Name, err)
	}
	return nil
}

// await tells of each object when it is gone, or is not to go any more.
func (o *Options) await(ctx context.Context, found []leftover) error {
	if o.Timeout == 0 {
		for _, l := range found {
			o.tell("asked to remove", l)
		}
		return nil
	}
	left := found
	leaving := atomic.Int64{}
	leaving.Store(int64(len(found)))
	defer o.factory.Tell(func() string {
		return fmt.Sprintf("waiting until they are gone from %s: %d of %d objects are left", o.Cluster, leaving.Load(), len(found))
	})()
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, o.Timeout, true, func(ctx context.Context) (bool, error) {
		var still []leftover
		for _, l := range left {
			state, err := o.stateOf(ctx, l)
			switch {
			case err != nil:
				return false, err
			case state == leaves:
				still = append(still, l)
			case state == selected:
				o.say("kept %s in %s: a placement selects it now", l, o.Cluster)
			default:
				o.tell("removed", l)
			}
		}
		left = still
		leaving.Store(int64(len(left)))
		return len(left) == 0, nil
	})
	if err != nil && wait.Interrupted(err) && ctx.Err() == nil {
		names := make([]string, 0, len(left))
		for _, l := range left[:min(len(left), 3)] {
			names = append(names, l.String())
		}
		return fmt.Errorf("%d of %d objects are still in %s after %s, among them %s: see \"fedctl status -o wide\", and \"fedctl get clusters\" for whether the cluster is ready",
			len(left), len(found), o.Cluster, o.Timeout, strings.Join(names, ", "))
	}
	return err
}

func (o *Options) say(format string, args ...any) {
	_, _ = fmt.Fprintf(o.Output.Progress(o.factory), format+"\n", args...)
}

// tell tells what becomes of an object.
func (o *Options) tell(did string, l leftover) {
	if o.Output.Format != "" {
		_, _ = fmt.Fprintln(o.factory.Out, l.resourceName())
		return
	}
	since := ""
	if !l.since.IsZero() {
		since = ", found " + l.since.UTC().Format(time.RFC3339)
	}
	o.say("%s %s in %s%s", did, l, o.Cluster, since)
}
