// Package uninstall is the command that removes the control plane from a host cluster.
package uninstall

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/serverapply"
)

const (
	long = `Remove the control plane from the host cluster: the controller, its namespace with
all that is in it, its rights and policies.

What was propagated stays in the member clusters, and federated objects stay in the
host without their finalizers, so that they can be deleted. Their definitions stay
as well, because deleting those would delete the objects.

Members are unjoined first, each with "fedctl unjoin"; with --force they need not be:
what join created in them then stays there. Where this cluster is a member of another
host with the same namespace, that host's account is in it: the namespace then stays,
without what belongs to the control plane.

If the namespace of the control plane has been deleted already, and waits for
finalizers that no controller is left to remove, this ends the wait.`

	example = `  # Remove the control plane
  fedctl uninstall --host-cluster-context host

  # End the wait after: kubectl delete namespace kube-federation-system
  fedctl uninstall --force`
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	Force  bool
	DryRun bool
	Output cmdutil.Output
	Wait   time.Duration

	found bool // there was something to delete
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput("name")}
	cmd := &cobra.Command{
		Use:     "uninstall",
		Short:   "Remove the control plane from the host cluster",
		Long:    long,
		Example: example,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Output.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.Force, "force", false, "Remove it although member clusters are joined.")
	flags.BoolVar(&o.DryRun, "dry-run", false, "Say what would be done, and do nothing.")
	flags.DurationVar(&o.Wait, "wait", 2*time.Minute, "How long to wait until the controller and the namespace are gone.")
	o.Output.AddFlag(cmd, "Print what was deleted")
	return cmd
}

// Run removes the control plane.
func (o *Options) Run(ctx context.Context) error {
	host, err := fedtypes.NewHost(o.factory)
	if err != nil {
		return err
	}
	host.Out = o.Output.Progress(o.factory)
	host.Deleted = o.Output.NamePrinter(o.factory)
	if err := o.refuseWhileJoined(ctx, host.Client); err != nil {
		return err
	}
	others, err := o.othersAccounts(ctx, host.Client) // first: nothing is removed while that is not known
	if err != nil {
		return err
	}
	if err := o.stopController(ctx, host.Client); err != nil {
		return err
	}
	alone, err := host.ReleaseAll(ctx, o.DryRun)
	if err != nil {
		return err
	}
	if err := o.removeFleetAPI(ctx, host.Client); err != nil {
		return err
	}
	if len(others) == 0 {
		err = o.removeNamespace(ctx, host.Client)
	} else {
		err = o.emptyNamespace(ctx, host.Client, others)
	}
	if err != nil {
		return err
	}
	if err := o.removeClusterWide(ctx, host.Client, alone); err != nil {
		return err
	}
	if !o.found {
		o.say("Nothing was found of a control plane in namespace %s; others are named with --kubefed-namespace, other hosts with --host-cluster-context.", o.factory.KubeFedNamespace)
	}
	return nil
}

// refuseWhileJoined returns an error that names the clusters that are joined.
func (o *Options) refuseWhileJoined(ctx context.Context, host client.Client) error {
	joined, err := o.joined(ctx, host)
	if err != nil || len(joined) == 0 || o.Force {
		return err
	}
	var commands []string
	for _, cluster := range joined {
		commands = append(commands, o.factory.UnjoinCommand(cluster.Name, cluster.Spec.APIEndpoint))
	}
	return fmt.Errorf("%d clusters are joined; unjoin them first, or leave in them what join created with --force:\n  %s",
		len(commands), strings.Join(commands, "\n  "))
}

// stopController deletes the controller's Deployment and waits for its Pods.
func (o *Options) stopController(ctx context.Context, host client.Client) error {
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: o.factory.KubeFedNamespace, Name: kubefedconfig.Controller}
	if err := host.Get(ctx, key, deployment); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("reading Deployment %s: %w", key, err)
	}
	if o.DryRun {
		o.deleted("deployment.apps/" + key.Name)
		return nil
	}
	if err := client.IgnoreNotFound(host.Delete(ctx, deployment, client.PropagationPolicy(metav1.DeletePropagationBackground))); err != nil {
		return fmt.Errorf("deleting Deployment %s: %w", key, err)
	}
	defer o.factory.Tell(func() string { return "waiting for the controller's Pods to end" })()
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, o.Wait, true, func(ctx context.Context) (bool, error) {
		var pods corev1.PodList
		err := host.List(ctx, &pods, client.InNamespace(key.Namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
		return err == nil && len(pods.Items) == 0, err
	})
	if err != nil {
		return fmt.Errorf("waiting for the controller's Pods in namespace %s to end: %w", key.Namespace, err)
	}
	o.deleted("deployment.apps/" + key.Name)
	return nil
}

// removeClusterWide deletes what install has put beside the namespace, but for
// definitions, with which the objects would go, and, unless this control plane is
// alone, for what the others use as well.
func (o *Options) removeClusterWide(ctx context.Context, host client.Client, alone bool) error {
	own, shared, err := manifests.ClusterWide(o.factory.KubeFedNamespace)
	if err != nil {
		return fmt.Errorf("building the manifests: %w", err)
	}
	if alone {
		own = append(own, shared...)
	} else {
		o.say("kept the roles and policies that another control plane in this cluster uses as well")
	}
	return o.deleteAll(ctx, host, own)
}

// deleteAll deletes what is there of the objects.
func (o *Options) deleteAll(ctx context.Context, host client.Client, objects []*unstructured.Unstructured) error {
	var options []client.DeleteOption
	if o.DryRun {
		options = append(options, client.DryRunAll) // tells what is there, and whether it may be deleted
	}
	for _, object := range objects {
		if err := host.Delete(ctx, object, options...); apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			continue
		} else if err != nil {
			return fmt.Errorf("deleting %s: %w", serverapply.Describe(object), err)
		}
		o.deleted(serverapply.Describe(object))
	}
	return nil
}

// deleted tells of an object that is gone, or in a dry run would be.
func (o *Options) deleted(name string) {
	o.found = true
	suffix := ""
	if o.DryRun {
		suffix = " (dry run)"
	}
	if printName := o.Output.NamePrinter(o.factory); printName != nil {
		printName(name)
		return
	}
	o.say("%s deleted%s", name, suffix)
}

func (o *Options) say(format string, args ...any) {
	_, _ = fmt.Fprintf(o.Output.Progress(o.factory), format+"\n", args...)
}
