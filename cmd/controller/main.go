// Command controller is the federation's control plane in the host cluster: it
// connects to the member clusters, reads which types are federated, propagates,
// and executes backups. With --mode=member it executes the backups of its own
// cluster, and nothing else. Everything but the wiring lives in the packages it imports.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/viper"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/internal/version"
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
	config.AddFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v := viper.New()
		if err := config.SettingsFile(v, cmd.Flags()); err != nil {
			return err
		}
		return run(cmd.Context(), v)
	}
	return cmd
}

// run starts the control plane and returns when ctx ends or the Lease is lost.
func run(ctx context.Context, v *viper.Viper) error {
	hostConfig, err := hostConfig(v.GetString("kubeconfig"), v.GetString("context"))
	if err != nil {
		return err
	}
	if v.GetString("mode") == config.ModeMember {
		return runMember(ctx, hostConfig, v)
	}
	kubefed, err := kubeFedConfig(ctx, hostConfig, v)
	if err != nil {
		return err
	}
	settings, err := config.Final(v, kubefed)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	setUpLogging(settings)
	ctrl.Log.Info("Starting", "version", version.Get(), "host", hostConfig.Host, "settings", *settings, "kubeFedConfig", kubefed != nil)
	mgr, err := newManager(hostConfig, settings, kubefed)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}
