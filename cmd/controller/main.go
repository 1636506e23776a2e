// Command controller is the federation's control plane in the host cluster: it
// connects to the member clusters, reads which types are federated, propagates,
// and executes backups. With --mode=member it executes the backups of its own
// cluster, and nothing else; with --mode=fleet-api it serves the API of the fleet, through
// which users of the host reach the members. Everything but the wiring lives in the packages it imports.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/internal/version"
	"github.com/fedctl/fedctl/pkg/settings"
)

func main() {
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "controller",
		Short:         "Federate resources from this host cluster to its member clusters",
		Version:       version.Get(),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c := config.New(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.Load(); err != nil {
			return err
		}
		return run(cmd.Context(), c)
	}
	return cmd
}

// run starts the control plane and returns when ctx ends or the Lease is lost.
func run(ctx context.Context, c *config.Config) error {
	host, err := hostConfig(c.Kubeconfig, c.Context)
	if err != nil {
		return err
	}
	switch c.Mode {
	case settings.ModeMember:
		return runMember(ctx, host, c)
	case settings.ModeFleetAPI:
		return runFleetAPI(ctx, host, c)
	}
	setUpLogging(c.Process) // which no KubeFedConfig sets
	kubefed, err := kubeFedConfig(ctx, host, c)
	if err != nil {
		return err
	}
	if err := c.Finish(kubefed); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	ctrl.Log.Info("Starting", "version", version.Get(), "host", host.Host, "settings", c.Values(), "kubeFedConfig", kubefed != nil)
	if kubefed != nil { // tools wait for KubeFed's words
		ctrl.Log.Info(fmt.Sprintf("Using valid KubeFedConfig %q", kubefed.Namespace+"/"+kubefed.Name))
	}
	p, err := newControlPlane(host, c, kubefed)
	if err != nil {
		return err
	}
	return p.start(ctx)
}
