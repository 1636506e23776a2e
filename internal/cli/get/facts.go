package get

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/internal/view"
)

const factsExample = `  # Write what a pipeline needs to render without a cluster
  fedctl get facts -o yaml > facts.yaml

  # The same for objects in one namespace, for one who has rights there alone
  fedctl get facts -n shop -o yaml > facts.yaml`

// FactsOptions are the flags of get facts.
type FactsOptions struct {
	factory *cmdutil.Factory
	Output  cmdutil.Output
	// Namespaces are those whose placements and policies are wanted; none means all.
	Namespaces []string
}

func newFactsCommand(f *cmdutil.Factory) *cobra.Command {
	o := &FactsOptions{factory: f, Output: cmdutil.NewOutput(cmdutil.ObjectFormats...)}
	cmd := &cobra.Command{
		Use:   "facts",
		Short: "Print what decides, beside an object, where it goes and what it becomes",
		Long: `Print what decides, beside a federated object, where it goes and what it becomes: the
enabled types, the members' names and labels, and the placements of the
FederatedNamespaces. Addresses and credentials are left out. "fedctl render --facts" and
"fedctl explain --facts" read it, in yaml or json. With --namespace it is what decides on
objects in some namespaces.`,
		Example: factsExample,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.Run(cmd.Context()) },
	}
	cmd.Flags().StringSliceVarP(&o.Namespaces, "namespace", "n", nil, "Namespaces whose placements and policies are wanted; by default all.")
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(f))
	o.Output.AddFlag(cmd, "Output format, yaml by default")
	return cmd
}

// Run reads and prints.
func (o *FactsOptions) Run(ctx context.Context) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	host, err := o.factory.HostClient()
	if err != nil {
		return err
	}
	facts, err := preview.Read(ctx, host, o.factory.KubeFedNamespace, o.Namespaces...)
	if apierrors.IsForbidden(err) && len(o.Namespaces) == 0 {
		return fmt.Errorf("you may not read the facts of all namespaces, but perhaps those of one: choose it with -n. The right that is missing: %w", err)
	} else if err != nil {
		return err
	}
	printer := o.Output.Printer(o.factory)
	if printer.Format == "" {
		printer.Format = view.YAML
	}
	return printer.PrintObjects(facts.Objects)
}
