package get

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/internal/view"
)

const factsExample = `  # Write what a pipeline needs to render without a cluster
  fedctl get facts -o yaml > facts.yaml`

// FactsOptions are the flags of get facts.
type FactsOptions struct {
	factory *cmdutil.Factory
	Output  cmdutil.Output
}

func newFactsCommand(f *cmdutil.Factory) *cobra.Command {
	o := &FactsOptions{factory: f, Output: cmdutil.NewOutput(cmdutil.ObjectFormats...)}
	cmd := &cobra.Command{
		Use:   "facts",
		Short: "Print what decides, beside an object, where it goes and what it becomes",
		Long: `Print what decides, beside a federated object, where it goes and what it becomes: the
enabled types, the members' names and labels, and the placements of the
FederatedNamespaces. Addresses and credentials are left out. "fedctl render --facts" and
"fedctl explain --facts" read it, in yaml or json.`,
		Example: factsExample,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.Run(cmd.Context()) },
	}
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
	facts, err := preview.Read(ctx, host, o.factory.KubeFedNamespace)
	if err != nil {
		return err
	}
	printer := o.Output.Printer(o.factory)
	if printer.Format == "" {
		printer.Format = view.YAML
	}
	return printer.PrintObjects(facts.Objects)
}
