package local

import (
	"os"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

func newKubectl(_ *cmdutil.Factory, dir *dirFlag) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubectl CLUSTER [ARG ...]",
		Short: "Run kubectl, of the clusters' own version, on a local cluster",
		Example: `  fedctl local kubectl host get federateddeployments -A
  fedctl local kubectl member-1 -- apply -f deployment.yaml`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: dir.completeClusters(),
		RunE: func(_ *cobra.Command, args []string) error {
			fleet, err := dir.load()
			if err != nil {
				return err
			}
			cluster, err := fleet.Member(args[0])
			if err != nil {
				return err
			}
			rest := args[1:]
			if len(rest) > 0 && rest[0] == "--" {
				rest = rest[1:]
			}
			// kubectl takes this process's place: its signals, terminal and exit code are the user's.
			arguments := slices.Concat([]string{"kubectl", "--kubeconfig=" + fleet.KubeconfigPath(), "--context=" + cluster.Name}, rest)
			return syscall.Exec(fleet.Binary(), arguments, os.Environ())
		},
	}
	// Flags after the cluster are kubectl's.
	cmd.Flags().SetInterspersed(false)
	return cmd
}
