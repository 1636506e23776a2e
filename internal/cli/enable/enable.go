// Package enable is the command that starts the federation of a type.
package enable

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

const (
	long = `Enable the federation of a Kubernetes type, which may be a custom one.

The host gets a CustomResourceDefinition for the federated type, whose template
knows the fields of the type, and a FederatedTypeConfig. The controller then starts
to propagate it; nothing is restarted. Repeat the command to update the schema
after the type has changed. What was chosen for the type, such as the collection of
its objects' status, stays then, and comes back when it has been disabled meanwhile.`

	example = `  # Federate CronJobs
  fedctl enable cronjobs

  # Federate CronJobs, and give the controller the rights in members that joined earlier
  fedctl enable cronjobs --join

  # Federate a custom resource, and collect what its controllers say in the members
  fedctl enable databases.example.com --collect-status

  # Federate a custom resource, with its federated type in a group of one's own
  fedctl enable widgets.example.com --federated-group federated.example.com

  # Federate a type that only the members have
  fedctl enable -f widgets-crd.yaml

  # See what would be created
  fedctl enable cronjobs -o yaml`
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	Directive enablement.Directive
	// CRD defines the type if that is what the file holds.
	CRD      *apiextensionsv1.CustomResourceDefinition
	Filename string
	Output   cmdutil.Output
	DryRun   bool
	Wait     time.Duration
	// CollectStatus is what the type's statusCollection is to be, if the flag says so.
	CollectStatus bool
	// Join says that members are given the rights to the type.
	Join bool
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(cmdutil.ObjectFormats...)}
	cmd := &cobra.Command{
		Use:     "enable (NAME | -f FILENAME)",
		Short:   "Start the federation of a type",
		Long:    long,
		Example: example,
		Args:    cobra.MaximumNArgs(1),

		ValidArgsFunction: completeTargets(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(args); err != nil {
				return err
			}
			o.keepDefaults(cmd.Flags())
			o.chooseStatus(cmd.Flags())
			return o.Run(cmd.Context())
		},
	}
	o.addFlags(cmd.Flags())
	o.Output.AddFlag(cmd, "Print what would be created and do nothing")
	_ = cmd.RegisterFlagCompletionFunc("version", completeVersions(f))
	return cmd
}

func (o *Options) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Directive.Spec.TargetVersion, "version", "", "Version of the type; by default the one the host cluster prefers.")
	flags.StringVar(&o.Directive.Spec.FederatedGroup, "federated-group", typeconfig.DefaultFederatedGroup, "Group of the federated type.")
	flags.StringVar(&o.Directive.Spec.FederatedVersion, "federated-version", typeconfig.DefaultFederatedVersion, "Version of the federated type.")
	flags.BoolVar(&o.CollectStatus, "collect-status", false, "Collect the status of the members' objects (spec.statusCollection); false does not. Without the flag it stays as it is, or was before the type was disabled. A new type collects none, but for FederatedBackups.")
	flags.StringVarP(&o.Filename, "filename", "f", "", "File with an EnableTypeDirective, which says all this instead, or with the CustomResourceDefinition of the type, which the host need not have; - for standard input.")
	flags.BoolVar(&o.DryRun, "dry-run", false, "Say what would be done, asking the API server, and do nothing.")
	flags.BoolVar(&o.Join, "join", false, "Then bring all members up to date, as fedctl join does, so that the controller gets its rights to the type there. Members are found among the contexts of the kubeconfig; those that are not are named, and the exit code is 1.")
	flags.DurationVar(&o.Wait, "wait", 30*time.Second, "How long to wait for the controller to start the propagation; 0 does not wait.")
}

// Complete takes the type from the arguments or from the file.
func (o *Options) Complete(args []string) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	if o.Join && o.Output.Format != "" {
		return errors.New("-o prints and does nothing: leave out --join")
	}
	switch {
	case o.Filename != "" && len(args) > 0:
		return errors.New("give a NAME or --filename, not both")
	case o.Filename != "":
		file, err := enablement.ReadFile(o.Filename, o.factory.In)
		if err != nil {
			return err
		}
		if o.CRD = file.CRD; o.CRD != nil {
			file.Directive.Spec = o.Directive.Spec // which a definition does not say
		}
		o.Directive = file.Directive
	case len(args) == 0:
		return errors.New("give the NAME of a type such as deployments.apps, or --filename")
	default:
		o.Directive.Name = args[0]
	}
	return nil
}

// keepDefaults leaves open what no flag says, so that it stays as an earlier enable was told.
func (o *Options) keepDefaults(flags *pflag.FlagSet) {
	for name, field := range map[string]*string{"federated-group": &o.Directive.Spec.FederatedGroup, "federated-version": &o.Directive.Spec.FederatedVersion} {
		if (o.Filename == "" || o.CRD != nil) && !flags.Changed(name) {
			*field = ""
		}
	}
}

// chooseStatus has the flag say whether status is collected, also beside a file.
func (o *Options) chooseStatus(flags *pflag.FlagSet) {
	if !flags.Changed("collect-status") {
		return
	}
	mode := fedcorev1beta1.StatusCollectionDisabled
	if o.CollectStatus {
		mode = fedcorev1beta1.StatusCollectionEnabled
	}
	o.Directive.Spec.StatusCollection = &mode
}

// Run enables the type.
func (o *Options) Run(ctx context.Context) error {
	host, err := fedtypes.NewHost(o.factory)
	if err != nil {
		return err
	}
	prepared, err := o.prepare(ctx, host)
	if err != nil {
		return err
	}
	if o.Output.Format != "" {
		objects, err := prepared.Objects()
		if err != nil {
			return err
		}
		return o.Output.PrintAll(o.factory.Out, objects)
	}
	if err := host.Enable(ctx, prepared, o.DryRun); err != nil {
		return err
	}
	o.warnOfGranting(ctx, host, prepared.TypeConfig)
	name := prepared.TypeConfig.Name
	if o.Join {
		switch err := o.joinMembers(ctx, host, prepared.TypeConfig); {
		case err != nil && o.DryRun:
			return err
		case err != nil:
			return fmt.Errorf("%s is enabled, but %w", name, err)
		}
	}
	if o.DryRun {
		return nil
	}
	if o.Wait > 0 {
		if err := host.WaitRunning(ctx, name, o.Wait); err != nil {
			return fmt.Errorf("%s is enabled, but not propagated yet: %w", name, err)
		}
	}
	federated := prepared.TypeConfig.Spec.FederatedType
	explain, join := "kubectl explain "+federated.PluralName+".spec", "fedctl join CLUSTER"
	width := max(len(explain), len(join))
	if _, err = fmt.Fprintf(o.factory.Out, `
%s is enabled. Next:
  %-*s   what to write into a %s
`, name, width, explain, federated.Kind); err != nil || o.Join {
		return err
	}
	_, err = fmt.Fprintf(o.factory.Out, `  %-*s   again for each member joined earlier: it gives the rights to %s there
  %-*s   or --join with this command, for all of them
`, width, join, prepared.TypeConfig.Spec.TargetType.PluralName, width, "")
	return err
}

func (o *Options) prepare(ctx context.Context, host *enablement.Host) (*enablement.Enablement, error) {
	if o.CRD != nil {
		return host.PrepareCRD(ctx, o.CRD, o.Directive)
	}
	return host.Prepare(ctx, o.Directive)
}
