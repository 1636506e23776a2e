// Package local implements "fedctl local": clusters on this machine, without
// containers, to try fedctl on and to test with. What it does is in
// internal/localcluster; here are the flags and what is printed.
package local

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/localcluster"
)

// DirEnv names the environment variable that replaces the default of --dir.
const DirEnv = "FEDCTL_LOCAL_DIR"

// NewCommand returns the command "local" with its subcommands.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run a host cluster and member clusters on this machine",
		Long: `Runs real Kubernetes control planes on this machine, without containers: a host
cluster and members, each with its own etcd, API server, controllers and
scheduler. Nodes and kubelets are played by kwok, so that pods become ready
without running anything.`,
		Args: cobra.NoArgs,
	}
	shared := &dirFlag{}
	shared.add(cmd.PersistentFlags())
	cmd.AddCommand(newUp(f, shared), newStatus(f, shared), newDown(f, shared), newLogs(f, shared), newKubectl(f, shared))
	cmd.AddCommand(newMemberCommands(f, shared)...)
	return cmd
}

// dirFlag is the flag --dir, common to all subcommands.
type dirFlag struct{ dir string }

func (d *dirFlag) add(flags *pflag.FlagSet) {
	flags.StringVar(&d.dir, "dir", "", "Directory of the local clusters; by default $"+DirEnv+", then fedctl/local in $XDG_STATE_HOME or ~/.local/state.")
}

// path returns the directory as an absolute path.
func (d *dirFlag) path() (string, error) {
	if d.dir != "" {
		return filepath.Abs(d.dir)
	}
	return defaultDir()
}

func defaultDir() (string, error) {
	if dir := os.Getenv(DirEnv); dir != "" {
		return filepath.Abs(dir)
	}
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errors.New("the home directory is not known: say where the local clusters are with --dir")
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "fedctl", "local"), nil
}

// option returns the --dir that a hint to the user must repeat: none for the
// default directory.
func (d *dirFlag) option(dir string) string {
	if standard, err := defaultDir(); err == nil && standard == dir {
		return ""
	}
	return " --dir " + dir
}

// load returns the fleet in the directory.
func (d *dirFlag) load() (*localcluster.Fleet, error) {
	dir, err := d.path()
	if err != nil {
		return nil, err
	}
	return localcluster.Load(dir)
}

// completeClusters completes the name of a cluster as the first argument, and
// what follows from next.
func (d *dirFlag) completeClusters(next ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return next, cobra.ShellCompDirectiveNoFileComp
		}
		fleet, err := d.load()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, cluster := range fleet.Clusters() {
			names = append(names, cluster.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
