// Package disable is the command that ends the federation of a type.
package disable

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

const (
	long = `Disable the federation of a type.

The controller stops to propagate it, lets go of its federated objects, and its
FederatedTypeConfig is deleted. What is in the member clusters stays there as it
is, with the label kubefed.io/managed; the command says how to take that off. To have
it deleted, delete the federated objects first.

What was chosen for the type, such as the collection of its objects' status, is kept at
the CustomResourceDefinition of the federated type, and comes back when the type is
enabled again.

With --delete-crd the federated type is removed from the host as well, unless objects
of it exist. What was chosen goes with it then, and the command says how to have it again.
The type itself need not exist any more if it is given by its full name, such as
widgets.example.com.

The members keep the rights that the type needed until each is joined again. For a type
with which any right can be granted, the command says so, and names the commands.`

	example = `  # Stop to propagate CronJobs
  fedctl disable cronjobs.batch

  # And remove the type FederatedCronJob
  fedctl disable cronjobs.batch --delete-crd`
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	Directive enablement.Directive
	Filename  string
	Output    cmdutil.Output
	Disable   enablement.DisableOptions
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput("name")}
	cmd := &cobra.Command{
		Use:     "disable (NAME | -f FILENAME)",
		Short:   "End the federation of a type",
		Long:    long,
		Example: example,
		Args:    cobra.MaximumNArgs(1),

		ValidArgsFunction: fedtypes.First(fedtypes.CompleteTypeNames(f)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(args); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	o.addFlags(cmd.Flags())
	o.Output.AddFlag(cmd, "Print what was deleted")
	return cmd
}

func (o *Options) addFlags(flags *pflag.FlagSet) {
	const onlyWithout = " Matters only with --delete-crd when there is no FederatedTypeConfig."
	flags.StringVar(&o.Directive.Spec.TargetVersion, "version", "", "Version of the type."+onlyWithout)
	flags.StringVar(&o.Directive.Spec.FederatedGroup, "federated-group", typeconfig.DefaultFederatedGroup, "Group of the federated type."+onlyWithout)
	flags.StringVarP(&o.Filename, "filename", "f", "", "File with the EnableTypeDirective or the CustomResourceDefinition that the type was enabled with, - for standard input.")
	flags.BoolVar(&o.Disable.DeleteCRD, "delete-crd", false, "Delete the CustomResourceDefinition of the federated type as well.")
	flags.BoolVar(&o.Disable.DryRun, "dry-run", false, "Say what would be done, and do nothing.")
	flags.DurationVar(&o.Disable.Wait, "wait", 30*time.Second, "How long to wait for the controller to stop the propagation; 0 does not wait, and may leave finalizers behind if no controller runs.")
}

// Complete takes the type from the arguments or from the file.
func (o *Options) Complete(args []string) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	switch {
	case o.Filename != "" && len(args) > 0:
		return errors.New("give a NAME or --filename, not both")
	case o.Filename != "":
		file, err := enablement.ReadFile(o.Filename, o.factory.In)
		if err != nil {
			return err
		}
		o.Directive = file.Directive
	case len(args) == 0:
		return errors.New("give the NAME of a type such as deployments.apps, or --filename")
	default:
		o.Directive.Name = args[0]
	}
	return nil
}

// Run disables the type.
func (o *Options) Run(ctx context.Context) error {
	host, err := fedtypes.NewHost(o.factory)
	if err != nil {
		return err
	}
	host.Out = o.Output.Progress(o.factory)
	host.Deleted = o.Output.NamePrinter(o.factory)
	o.Disable.Disabled = func(config *fedcorev1beta1.FederatedTypeConfig) { o.sayRights(ctx, host, config) }
	return host.Disable(ctx, o.Directive, o.Disable)
}
