// Package backup are the commands for backups: how they stand over the fleet,
// and running, verifying and restoring them in one cluster.
package backup

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// NewCommand returns the command with its subcommands.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "See, run, verify and restore backups",
		Long: `See how the backups of all member clusters stand, and run, verify or restore them.

status, list and describe ask the host and all member clusters. The other commands
work in one cluster, the one of the context that --cluster names; by default, the
current context.`,
	}
	cmd.AddCommand(newStatusCommand(f), newListCommand(f), newDescribeCommand(f), newRunCommand(f), newVerifyCommand(f), newRestoreCommand(f), newRepositoryCommand(f))
	return cmd
}

// target is the cluster and namespace that a command works in.
type target struct {
	factory   *cmdutil.Factory
	Cluster   string
	Namespace string
	Wait      bool
	Timeout   time.Duration
	// Output prints the object that was made or asked for, as it is in the end.
	Output cmdutil.Output
}

func (t *target) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	t.addPlaceFlags(cmd, "Backup")
	flags.BoolVar(&t.Wait, "wait", false, "Wait until it has ended, and fail if it has failed.")
	flags.DurationVar(&t.Timeout, "timeout", time.Hour, "How long to wait.")
}

// addPlaceFlags adds the flags that say where an object of a kind is, and how it is printed.
func (t *target) addPlaceFlags(cmd *cobra.Command, kind string) {
	flags := cmd.Flags()
	t.Output = cmdutil.NewOutput(cmdutil.ObjectFormats...)
	t.Output.AddFlag(cmd, "Print the object as it is in the end")
	flags.StringVar(&t.Cluster, "cluster", "", "Context of the cluster to work in; by default that of the host cluster.")
	flags.StringVarP(&t.Namespace, "namespace", "n", "default", "Namespace of the "+kind+".")
	_ = cmd.RegisterFlagCompletionFunc("cluster", t.factory.CompleteContexts)
	_ = cmd.RegisterFlagCompletionFunc("namespace", t.complete(&corev1.NamespaceList{}))
}

// context is the one of the cluster to work in; empty for the current one.
func (t *target) context() string { return cmp.Or(t.Cluster, t.factory.HostClusterContext) }

// where names the cluster in messages.
func (t *target) where() string {
	if t.context() == "" {
		return "the cluster of the current context"
	}
	return "the cluster of context " + t.context()
}

func (t *target) client() (client.Client, error) {
	if err := t.Output.Validate(); err != nil {
		return nil, err
	}
	return newClient(t.factory, t.context())
}

// newClient is a client of the cluster of a context that knows backups.
func newClient(f *cmdutil.Factory, kubeContext string) (client.Client, error) {
	config, err := f.ConfigFor(kubeContext)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, backupv1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return client.New(config, client.Options{Scheme: scheme})
}

// poll reads an object until done says that it has ended, and tells meanwhile how far
// it is, whenever that has changed. A cluster may be away for a while: what was asked of it
// goes on all the same.
func (t *target) poll(ctx context.Context, c client.Client, object client.Object, done func() bool, progress func() string) error {
	told := ""
	err := wait.PollUntilContextTimeout(ctx, time.Second, t.Timeout, true, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKeyFromObject(object), object)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		var now string
		switch {
		case apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
			return false, err
		case err != nil:
			now = fmt.Sprintf("%s does not say how far it is, and is asked again: %s", t.where(), errtext.Stable(err))
		case done():
			return true, nil
		default:
			now = progress()
		}
		if now != told {
			told = now
			fmt.Fprintf(t.factory.ErrOut, "%s: %s\n", object.GetName(), now)
		}
		return false, nil
	})
	if ctx.Err() != nil {
		return fmt.Errorf("%s has not ended; it goes on", object.GetName())
	}
	if wait.Interrupted(err) {
		return fmt.Errorf("%s has not ended after %s; it goes on", object.GetName(), t.Timeout)
	}
	return err
}

// say tells what was done.
func (t *target) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.Output.Progress(t.factory), format+"\n", args...)
}

// print prints the object, if that was asked for.
func (t *target) print(c client.Client, object client.Object) error {
	if t.Output.Format == "" {
		return nil
	}
	gvk, err := c.GroupVersionKindFor(object)
	if err != nil {
		return err
	}
	object.GetObjectKind().SetGroupVersionKind(gvk) // reading leaves it out
	return t.Output.Print(t.factory.Out, object)
}

// progressOf says how far a run or a restore is, that an executor has seen.
func progressOf(phase backupv1alpha1.RunPhase, reason, message string, objects int64) string {
	if phase == backupv1alpha1.RunRunning {
		return fmt.Sprintf("%s, %d objects", phase, objects)
	}
	if message == "" {
		return string(phase)
	}
	return fmt.Sprintf("%s: %s: %s", phase, reason, message)
}

// ended is nil for a good end.
func ended(what string, phase backupv1alpha1.RunPhase, reason, message string) error {
	if phase == backupv1alpha1.RunSucceeded {
		return nil
	}
	if reason == string(phase) {
		return fmt.Errorf("%s: %s: %s", what, phase, message)
	}
	return fmt.Errorf("%s: %s %s: %s", what, phase, reason, message)
}
