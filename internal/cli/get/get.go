// Package get is the command that lists what the host cluster knows, and what is in the
// members.
package get

import (
	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/members"
)

const (
	long = `List member clusters, and what decides about objects; or, with --clusters, objects of
any type in the members.

` + members.WaysHelp

	example = `  # The member clusters
  fedctl get clusters

  # The pods of all members, of two of them, of those in a region
  fedctl get pods -A --clusters all
  fedctl get deployments -n shop --clusters member-1,member-2 -o wide
  fedctl get nodes --clusters region=eu-west -w`
)

// NewCommand returns the command and its children.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get TYPE [NAME] --clusters all|A,B|SELECTOR",
		Short:   "List member clusters, what decides about objects, and what is in members",
		Long:    long,
		Example: example,
	}
	addMembers(f, cmd)
	cmd.AddCommand(newClustersCommand(f), newFactsCommand(f))
	return cmd
}
