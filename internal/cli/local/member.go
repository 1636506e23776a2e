package local

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/localcluster"
)

// newMemberCommands returns the commands that do one thing to one cluster.
func newMemberCommands(f *cmdutil.Factory, dir *dirFlag) []*cobra.Command {
	type action func(context.Context, *localcluster.Fleet, string) error
	command := func(use, short, done string, act action) *cobra.Command {
		return &cobra.Command{
			Use:               use + " CLUSTER",
			Short:             short,
			Args:              cobra.ExactArgs(1),
			ValidArgsFunction: dir.completeClusters(),
			RunE: func(cmd *cobra.Command, args []string) error {
				fleet, err := dir.load()
				if err != nil {
					return err
				}
				fleet.SetLog(f.ErrOut)
				if err := act(cmd.Context(), fleet, args[0]); err != nil {
					return err
				}
				_, _ = fmt.Fprintf(f.Out, "%s %s\n", args[0], done)
				return nil
			},
		}
	}
	return []*cobra.Command{
		command("stop", "Stop one cluster and keep its data", "is stopped", func(ctx context.Context, fleet *localcluster.Fleet, name string) error {
			return fleet.StopMember(ctx, name)
		}),
		command("start", "Start a stopped cluster, with its data and its endpoint", "runs", func(ctx context.Context, fleet *localcluster.Fleet, name string) error {
			return fleet.StartMember(ctx, name)
		}),
		command("pause", "Make one cluster hang: it accepts connections and does not answer", "hangs until it is resumed", func(_ context.Context, fleet *localcluster.Fleet, name string) error {
			return fleet.Pause(name)
		}),
		command("resume", "End the pause of a cluster", "is resumed", func(_ context.Context, fleet *localcluster.Fleet, name string) error {
			return fleet.Resume(name)
		}),
	}
}
