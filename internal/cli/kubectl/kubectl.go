// Package kubectl is the command that runs kubectl on a member cluster, through the host.
package kubectl

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/cli/members"
	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

const (
	long = `Run kubectl on a member cluster, through the host and as the user of the host's context.

It takes the API of the fleet in the host (fedctl install --fleet-api), and a member that
lets users of the host in (fedctl join --fleet-access). kubectl is the one in PATH, else
that of the local clusters. "fedctl kubeconfig" makes a kubeconfig for more than a call.`

	example = `  fedctl kubectl --cluster member-1 -- get pods -A
  fedctl kubectl --cluster member-1 -- exec -it web-0 -- sh`
)

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	var cluster string
	cmd := &cobra.Command{
		Use:     "kubectl --cluster CLUSTER -- ARG...",
		Short:   "Run kubectl on a member cluster, through the host",
		Long:    long,
		Example: example,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cluster == "" {
				return errors.New("--cluster names the member; it is missing")
			}
			if err := exists(cmd.Context(), f, cluster); err != nil {
				return err
			}
			options, err := optionsFor(f, cluster)
			if err != nil {
				return err
			}
			program, err := find()
			if err != nil {
				return err
			}
			return run(program, slices.Concat([]string{"kubectl"}, options, args))
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		return complete(cmd.Context(), f.ForCompletion(), cluster, append(args, word))
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "Name of the member cluster.")
	_ = cmd.RegisterFlagCompletionFunc("cluster", fedtypes.CompleteClusters(f))
	cmd.Flags().SetInterspersed(false) // flags after the first argument are kubectl's
	return cmd
}

// exists says that there is no such member, or no way to any, which kubectl would not. Who may
// not look may know the name all the same.
func exists(ctx context.Context, f *cmdutil.Factory, cluster string) error {
	host, err := f.HostClient()
	if err != nil {
		return err
	}
	err = host.Get(ctx, client.ObjectKey{Name: cluster}, &fleetv1alpha1.Cluster{})
	switch {
	case meta.IsNoMatchError(err):
		return members.ErrNoFleetAPI
	case apierrors.IsNotFound(err):
		return fmt.Errorf("cluster %s has not joined; see \"fedctl get clusters\"", cluster)
	}
	return nil
}

// complete has kubectl complete its own arguments, with what is in the member.
func complete(ctx context.Context, f *cmdutil.Factory, cluster string, args []string) ([]string, cobra.ShellCompDirective) {
	const nothing = cobra.ShellCompDirectiveNoFileComp
	options, err := optionsFor(f, cluster)
	if err != nil || cluster == "" {
		return nil, nothing
	}
	program, err := find()
	if err != nil {
		return nil, nothing
	}
	command := exec.CommandContext(ctx, program)
	command.Args = slices.Concat([]string{"kubectl", cobra.ShellCompRequestCmd}, options, args)
	out, err := command.Output()
	if err != nil {
		return nil, nothing
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := lines[len(lines)-1] // ":" and the directive
	directive, err := strconv.Atoi(strings.TrimPrefix(last, ":"))
	if err != nil {
		return nil, nothing
	}
	return lines[:len(lines)-1], cobra.ShellCompDirective(directive)
}

// optionsFor have kubectl take all but the address from the host's context.
func optionsFor(f *cmdutil.Factory, cluster string) ([]string, error) {
	host, err := f.HostThrough()
	if err != nil {
		return nil, err
	}
	options := []string{"--context=" + host.Context, "--server=" + host.Server(cluster)}
	if f.Kubeconfig != "" {
		options = append(options, "--kubeconfig="+f.Kubeconfig)
	}
	if name := host.Cluster.TLSServerName; name != "" { // which another server makes kubectl forget
		options = append(options, "--tls-server-name="+name)
	}
	return options, nil
}

// find is kubectl in PATH, or the program of the local clusters, which is kubectl as well.
func find() (string, error) {
	if path, err := exec.LookPath("kubectl"); err == nil {
		return path, nil
	}
	path, err := ofLocalClusters()
	if err != nil {
		return "", errors.New("there is no kubectl in PATH")
	}
	return path, nil
}
