// Package federate is the command that makes federated objects of objects that
// exist: one, all in a namespace, or those of a file. It writes the federated
// objects into the host cluster, or prints them; the controller does the rest.
package federate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

const (
	long = `Make a federated object of an object in the host cluster.

Its template is the object without what belongs to this one cluster: status, owners,
server-set metadata, addresses and node ports of a Service, tokens of a ServiceAccount,
the volume of a claim, the generated selector of a Job, and the like. It is placed in
all clusters; for an object in a namespace, those of the FederatedNamespace. Change
spec.placement afterwards, or print it with -o yaml and change it before.

With --contents, a namespace is federated with what is in it. Left out, with a line
that says why, is what a controller owns and what each cluster makes for itself; events,
endpoints, leases and the like are left out without one. What is federated already
stays as it is, so the command can be repeated.

With --filename, the objects are read from a file, no cluster is asked, and the
federated objects are printed.`

	example = `  # Federate the Deployment web
  fedctl federate deployments web -n shop

  # Federate a namespace and what is in it, but for Secrets and all of group batch
  fedctl federate namespaces shop --contents --skip-api-resources secrets,batch

  # Federate manifests
  fedctl federate -f manifests.yaml | kubectl apply -f -

  # See what would be created
  fedctl federate deployments web -n shop -o yaml`
)

// Options are the flags and arguments of the command.
type Options struct {
	factory *cmdutil.Factory

	Type, Name string
	Namespace  string
	Contents   bool
	// Skip are names of types and groups that --contents leaves out.
	Skip       []string
	Filename   string
	EnableType bool
	// Federated says how types are federated that are not enabled yet.
	Federated enablement.DirectiveSpec
	Output    cmdutil.Output
	DryRun    bool
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(cmdutil.ObjectFormats...)}
	cmd := &cobra.Command{
		Use:     "federate (TYPE NAME | -f FILENAME)",
		Short:   "Make federated objects of objects that exist",
		Long:    long,
		Example: example,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(args); err != nil {
				return err
			}
			if err := o.Validate(); err != nil {
				return err
			}
			o.warnFlags(cmd.Flags())
			return o.Run(cmd.Context())
		},
		ValidArgsFunction: fedtypes.CompleteTypeAndName(f, func() fedtypes.Names { return fedtypes.Names{Namespace: o.Namespace, Targets: true} }),
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "Namespace of the object; by default that of the context.")
	flags.BoolVarP(&o.Contents, "contents", "c", false, "Federate a namespace with what is in it.")
	flags.StringSliceVarP(&o.Skip, "skip-api-resources", "s", nil, "Types that --contents leaves out: plural, kind, short name, plural.group, or a group for all its types.")
	flags.StringVarP(&o.Filename, "filename", "f", "", "File with the objects, - for standard input. Prints the federated objects and does nothing.")
	flags.BoolVarP(&o.EnableType, "enable-type", "t", false, "Enable the federation of types that are not federated yet.")
	flags.StringVar(&o.Federated.FederatedGroup, "federated-group", typeconfig.DefaultFederatedGroup, "Group of the federated types that are not enabled yet.")
	flags.StringVar(&o.Federated.FederatedVersion, "federated-version", typeconfig.DefaultFederatedVersion, "Version of the federated types that are not enabled yet.")
	o.Output.AddFlag(cmd, "Print what would be created and do nothing, also of types that are not enabled")
	flags.BoolVar(&o.DryRun, "dry-run", false, "Say what would be done, asking the API server, and do nothing.")
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(f))
	_ = cmd.RegisterFlagCompletionFunc("skip-api-resources", completeContentTypes(f))
	return cmd
}

// Complete takes the object from the arguments, unless there is a file.
func (o *Options) Complete(args []string) (err error) {
	if o.Filename == "" {
		o.Type, o.Name, err = fedtypes.ParseTypeAndName(args)
		return err
	}
	if len(args) > 0 {
		return fmt.Errorf("give TYPE NAME or --filename, not both (%q)", strings.Join(args, " "))
	}
	return nil
}

// Validate checks flags that need no cluster.
func (o *Options) Validate() error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	if o.EnableType && o.Output.Format != "" {
		return errors.New("--output only prints, so it cannot be used with --enable-type; it needs no enabled type")
	}
	return nil
}

// warnFlags tells of flags that have no effect; kubefedctl ignores them as well.
func (o *Options) warnFlags(flags *pflag.FlagSet) {
	if o.Filename != "" {
		for _, name := range []string{"namespace", "contents", "skip-api-resources", "enable-type"} {
			if flags.Changed(name) {
				o.warn("--%s has no effect with --filename", name)
			}
		}
	} else if len(o.Skip) > 0 && !o.Contents {
		o.warn("--skip-api-resources has no effect without --contents")
	}
}

func (o *Options) warn(format string, args ...any) {
	fmt.Fprintf(o.factory.ErrOut, "warning: "+format+"\n", args...)
}

// Run federates. Nothing is written before everything has been read and found fit.
func (o *Options) Run(ctx context.Context) error {
	if o.Filename != "" {
		return o.runFile()
	}
	s, err := o.newSource(ctx)
	if err != nil {
		return err
	}
	first, err := s.named(ctx)
	if err != nil {
		return err
	}
	batches := []batch{first}
	var left leftOut
	if o.Contents {
		contents, skipped, err := s.contents(ctx, o.Name)
		if err != nil {
			return err
		}
		batches, left = append(batches, contents...), skipped
	}
	if o.Output.Format != "" {
		left.print(o.factory.ErrOut)
		return o.print(batches)
	}
	if !o.EnableType {
		if err := o.refuseDisabled(batches); err != nil {
			return err
		}
	}
	left.print(o.factory.ErrOut)
	return s.create(ctx, batches)
}

// refuseDisabled names all types that are to be enabled before anything is done,
// because half a namespace is worse than none.
func (o *Options) refuseDisabled(batches []batch) error {
	var names []string
	for i := range batches {
		if !batches[i].enabled {
			names = append(names, batches[i].typ.Name)
		}
	}
	switch {
	case len(names) == 0:
		return nil
	case !o.Contents:
		return fmt.Errorf("%s is not a federated type: enable it with \"fedctl enable %s\", or add --enable-type", names[0], names[0])
	}
	return fmt.Errorf("namespace %s has objects of types that are not federated: %s. Nothing was done. Enable each with \"fedctl enable TYPE\", add --enable-type to enable them all, or leave them out with --skip-api-resources %s",
		o.Name, strings.Join(names, ", "), strings.Join(names, ","))
}
