// Package unjoin is the command that ends a cluster's membership.
package unjoin

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/join"
)

const (
	long = `End a cluster's membership: remove its KubeFedCluster and Secret from the host, and
from the cluster itself what join created there, and the rights to execute its backups.

What was propagated to the cluster stays in it, and so does what another
KubeFedCluster uses: the Secret, the account and its rights. The control plane's namespace in
the member is removed only if nothing else is left in it, and never in the host. The labels
of the KubeFedCluster are said, and left in the cluster for the next join.

The rights to all that are asked for first; without them nothing is changed. What a join
or unjoin that was interrupted has left, a repeated unjoin removes, in both clusters.

With --force a cluster that is gone, or whose context is, is removed from the host
alone, and of one that may not be cleaned up as much goes as may.`

	example = `  # Let member-1 go
  fedctl unjoin member-1 --host-cluster-context host

  # Let it go although it cannot be reached any more
  fedctl unjoin member-1 --force`
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	ClusterContext string
	Output         cmdutil.Output
	Unjoin         join.UnjoinOptions
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput("name")}
	cmd := &cobra.Command{
		Use:               "unjoin CLUSTER_NAME",
		Short:             "End a cluster's membership",
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
	flags := cmd.Flags()
	flags.StringVar(&o.ClusterContext, "cluster-context", "", "Context of the cluster in the kubeconfig; by default the cluster's name.")
	flags.StringVar(&o.Unjoin.HostClusterName, "host-cluster-name", "", "Name of the host cluster given to join; by default the one that join noted.")
	flags.BoolVar(&o.Unjoin.Force, "force", false, "Remove the cluster from the host even if it cannot be reached or cleaned up.")
	flags.BoolVar(&o.Unjoin.DryRun, "dry-run", false, "Change nothing; say what would be done.")
	o.Output.AddFlag(cmd, "Print what was deleted, in the host and in the cluster")
	_ = cmd.RegisterFlagCompletionFunc("cluster-context", f.CompleteContexts)
	return cmd
}

// Complete fills in what follows from the arguments and the kubeconfig.
func (o *Options) Complete(args []string) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	o.Unjoin.ClusterName = args[0]
	if o.ClusterContext == "" {
		o.ClusterContext = o.Unjoin.ClusterName
	}
	o.Unjoin.ClusterContext = o.ClusterContext
	o.Unjoin.KubeFedNamespace = o.factory.KubeFedNamespace
	o.Unjoin.Say = func(line string) { _, _ = fmt.Fprintln(o.Output.Progress(o.factory), line) }
	if o.Output.Format != "" {
		o.Unjoin.Deleted = func(object client.Object) {
			_ = o.Output.Print(o.factory.Out, object) // a lost line is no reason to stop half-way
		}
	}
	hostContext, err := o.factory.HostContext()
	if err != nil {
		return err
	}
	o.Unjoin.DefaultHostClusterName = join.HostClusterName(hostContext)
	return nil
}

// Run lets the cluster go.
func (o *Options) Run(ctx context.Context) error {
	host, err := o.factory.HostConfig()
	if err != nil {
		return err
	}
	member, err := o.factory.ConfigFor(o.ClusterContext)
	if err != nil && !o.Unjoin.Force {
		return o.explainContext(ctx, err)
	}
	return join.Unjoin(ctx, host, member, o.Unjoin)
}

// explainContext says what to do when there is no such context: which one leads to
// the cluster, if any does, unless it is the cluster's name that is wrong.
func (o *Options) explainContext(ctx context.Context, contextErr error) error {
	host, err := o.factory.HostClient()
	if err != nil {
		return err
	}
	cluster := &fedcorev1beta1.KubeFedCluster{}
	key := client.ObjectKey{Namespace: o.factory.KubeFedNamespace, Name: o.Unjoin.ClusterName}
	err = host.Get(ctx, key, cluster)
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("cluster %s has not joined: there is no KubeFedCluster %s in the host cluster (see \"fedctl get clusters\"), and %w", key.Name, key, contextErr)
	case err == nil:
		contextErr = fmt.Errorf("%w; run \"%s\"", contextErr, o.factory.UnjoinCommand(key.Name, cluster.Spec.APIEndpoint))
	default: // what is wrong there is told when the host is worked on
		contextErr = fmt.Errorf("%w; choose another one with --cluster-context", contextErr)
	}
	return fmt.Errorf("the cluster to unjoin: %w, or remove it from the host alone with --force", contextErr)
}
