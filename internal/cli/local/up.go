package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/localcluster"
)

// UpOptions are the options of "local up".
type UpOptions struct {
	genericiooptions.IOStreams

	Members, GPUMembers int
	PortBase            int
	Binary              string
	Timeout             time.Duration
	MergeKubeconfig     bool

	dir     *dirFlag
	path    string
	running *localcluster.Fleet // what the directory holds already, if anything
}

func newUp(f *cmdutil.Factory, dir *dirFlag) *cobra.Command {
	o := &UpOptions{IOStreams: f.IOStreams, Members: 3, GPUMembers: 1, Timeout: 2 * time.Minute, dir: dir}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a host cluster and member clusters",
		Long: `Starts a host cluster and member clusters, and writes a kubeconfig with a context
for each: host, member-1 … The last members have GPU nodes: 8 nvidia.com/gpu
each, with the taint nvidia.com/gpu=present:NoSchedule.

Clusters that exist already are kept, and what does not run of them is started.
~/.kube/config is not touched unless --merge-kubeconfig is given.`,
		Example: `  # A host and three members, the last one with GPUs
  fedctl local up

  # Five members at the ports from 7001 on
  fedctl local up --members 5 --gpu-members 2 --ports 7000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Complete(cmd); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.Members, "members", o.Members, "Number of member clusters.")
	flags.IntVar(&o.GPUMembers, "gpu-members", o.GPUMembers, "Number of members, counted from the last, that have GPU nodes.")
	flags.IntVar(&o.PortBase, "ports", o.PortBase, "Port of the host's API server; the members' follow it. 0 chooses free ports.")
	flags.StringVar(&o.Binary, "binary", o.Binary, "Kubernetes' multi-call binary; by default $"+localcluster.BinaryEnv+", then \"kubernetes\" beside fedctl, then bin/kubernetes here.")
	flags.DurationVar(&o.Timeout, "timeout", o.Timeout, "Longest time a cluster may take to become ready.")
	flags.BoolVar(&o.MergeKubeconfig, "merge-kubeconfig", o.MergeKubeconfig, "Also add the contexts, as "+localcluster.MergedPrefix+"NAME, to $KUBECONFIG or ~/.kube/config.")
	return cmd
}

// Complete finds the directory and what it holds: clusters that exist say how
// many there are, unless the flags do.
func (o *UpOptions) Complete(cmd *cobra.Command) error {
	path, err := o.dir.path()
	if err != nil {
		return err
	}
	o.path = path
	if o.running, err = localcluster.Load(path); err != nil && !errors.Is(err, localcluster.ErrNoFleet) {
		return err
	}
	flags := cmd.Flags()
	if o.running != nil && !flags.Changed("members") {
		o.Members = len(o.running.Members())
	}
	if !flags.Changed("gpu-members") {
		o.GPUMembers = min(o.GPUMembers, o.Members)
		if o.running != nil {
			o.GPUMembers = gpuMembers(o.running)
		}
	}
	return nil
}

func gpuMembers(fleet *localcluster.Fleet) int {
	n := 0
	for _, member := range fleet.Members() {
		if member.GPU {
			n++
		}
	}
	return n
}

// Run starts the clusters and says how to use them.
func (o *UpOptions) Run(ctx context.Context) error {
	if o.running != nil {
		_, _ = fmt.Fprintf(o.ErrOut, "%s holds local clusters already: starting what does not run\n", o.path)
	}
	begin := time.Now()
	fleet, err := localcluster.Up(ctx, localcluster.Options{
		Dir: o.path, Binary: o.Binary, Members: o.Members, GPUMembers: o.GPUMembers,
		PortBase: o.PortBase, Timeout: o.Timeout, Log: o.ErrOut,
	})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(o.Out, "\nThe host and %s run (Kubernetes %s, %.1f s).\n", members(len(fleet.Members())), fleet.Version(), time.Since(begin).Seconds())
	if o.MergeKubeconfig {
		if err := o.merge(fleet); err != nil {
			return err
		}
	}
	o.hint(fleet)
	return nil
}

func members(n int) string {
	if n == 1 {
		return "1 member"
	}
	return fmt.Sprintf("%d members", n)
}

func (o *UpOptions) merge(fleet *localcluster.Fleet) error {
	path := clientcmd.NewDefaultPathOptions().GetDefaultFilename()
	if err := fleet.MergeKubeconfig(path); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(o.Out, "Their contexts are in %s as %shost, %smember-1 …\n", path, localcluster.MergedPrefix, localcluster.MergedPrefix)
	return nil
}

func (o *UpOptions) hint(fleet *localcluster.Fleet) {
	self, option := os.Args[0], o.dir.option(o.path)
	last := fleet.Clusters()[len(fleet.Clusters())-1].Name
	_, _ = fmt.Fprintf(o.Out, `
Use them:
  export KUBECONFIG=%[1]s
  kubectl --context %[4]s get nodes      (or: %[2]s local kubectl%[3]s %[4]s get nodes)
Look at them, stop one to see what happens, remove them:
  %[2]s local status%[3]s
  %[2]s local stop%[3]s %[4]s
  %[2]s local down%[3]s
`, fleet.KubeconfigPath(), self, option, last)
	if len(fleet.Members()) > 0 {
		_, _ = fmt.Fprintf(o.Out, "Join a member to the host:\n  %s join member-1 --host-cluster-context host --cluster-context member-1\n", self)
	}
}
