package members

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
)

// Way is how members are reached.
type Way string

// The ways.
const (
	// FleetAPI is through the host, as its user.
	FleetAPI Way = "fleet-api"
	// Contexts is by the contexts of the user's own kubeconfig.
	Contexts Way = "contexts"
)

// WaysHelp says in a command's help how it reaches members.
const WaysHelp = `Members are reached through the API of the fleet in the host (fedctl install --fleet-api),
as the user of the host's context. Where the host has none, or with --via contexts, it is
by contexts of your own kubeconfig: for each member one of its name, or one that leads to its
address, and only if the same cluster answers there as has joined. Standard error says
which way it is, and which members are missing.`

// Flags choose members and the way to them.
type Flags struct {
	Clusters string
	// Via is the way that is asked for; empty is the API of the fleet where there is one.
	Via string
}

// AddFlags adds --clusters, with its default, and --via.
func (o *Flags) AddFlags(f *cmdutil.Factory, cmd *cobra.Command, clusters string) {
	cmd.Flags().StringVar(&o.Clusters, "clusters", clusters, "The member clusters to look into: all, names (a,b), or a selector of their labels (region=eu).")
	_ = cmd.RegisterFlagCompletionFunc("clusters", CompleteClusters(f))
	o.AddVia(cmd)
}

// AddVia adds --via alone.
func (o *Flags) AddVia(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.Via, "via", "", "How to reach members: fleet-api (through the host) or contexts (of your kubeconfig); by default the first where the host has it.")
	_ = cmd.RegisterFlagCompletionFunc("via", cobra.FixedCompletions([]string{string(FleetAPI), string(Contexts)}, cobra.ShellCompDirectiveNoFileComp))
}

// Choice reads --clusters.
func (o *Flags) Choice() (Choice, error) {
	switch Way(o.Via) {
	case "", FleetAPI, Contexts:
	default:
		return Choice{}, fmt.Errorf("--via takes %s or %s, not %q", FleetAPI, Contexts, o.Via)
	}
	return ParseChoice(o.Clusters)
}

// CompleteClusters completes names of members, separated by commas, and all.
func CompleteClusters(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		before := ""
		if i := strings.LastIndexByte(word, ','); i >= 0 {
			before = word[:i+1]
		}
		found, directive := fedtypes.CompleteClusters(f)(cmd, strings.Split(before, ","), word[len(before):])
		for i := range found {
			found[i] = before + found[i]
		}
		if before == "" {
			found = append([]string{All}, found...)
		}
		return found, directive
	}
}

// CompleteTypeAndName completes TYPE/NAME of what is federated: in members, it is called
// the same.
func CompleteTypeAndName(f *cmdutil.Factory, namespace *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		const nothing = cobra.ShellCompDirectiveNoFileComp
		if len(args) > 0 {
			return nil, nothing
		}
		ctx, cancel := fedtypes.CompletionContext(cmd)
		defer cancel()
		typeName, _, named := strings.Cut(word, "/")
		if !named {
			types := fedtypes.CompleteTypes(ctx, f)
			for i := range types {
				types[i] += "/"
			}
			return types, nothing | cobra.ShellCompDirectiveNoSpace
		}
		names := fedtypes.CompleteNames(ctx, f, fedtypes.Names{Type: typeName, Namespace: *namespace})
		for i := range names {
			names[i] = typeName + "/" + names[i]
		}
		return names, nothing
	}
}
