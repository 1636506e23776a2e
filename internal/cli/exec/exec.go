// Package exec is the command that runs a command in pods of members: in one as kubectl does,
// with a terminal, or in one pod of each of several.
//
//   - exec.go: the command and its flags
//   - several.go: in several members, side by side
//   - executor.go: one command in one pod
package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	utilexec "k8s.io/client-go/util/exec"
	kubectlexec "k8s.io/kubectl/pkg/cmd/exec"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/cli/members"
)

const (
	long = `Run a command in a pod of a member cluster, or in one pod of each of several.

In one member it is as kubectl does it, with -i and -t; the exit code is that of the command. In
several the commands run side by side and take no input; each line begins with its cluster and
pod, and the exit code is the greatest, or 1 if the command did not run everywhere. Of a
workload one pod is taken in each member, as kubectl takes it.

` + members.WaysHelp

	example = `  # A shell in one member
  fedctl exec deployment/web -n shop --clusters member-1 -it -- sh

  # The same command everywhere
  fedctl exec deployment/web -n shop --clusters all -- nginx -v`

	defaultPodTimeout = time.Minute
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory
	members members.Flags

	Namespace  string
	Container  string
	Stdin, TTY bool
	Quiet      bool
	PodTimeout time.Duration
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f}
	cmd := &cobra.Command{
		Use:     "exec (POD | TYPE/NAME) --clusters all|A,B|SELECTOR -- COMMAND [ARG...]",
		Short:   "Run a command in pods of members",
		Long:    long,
		Example: example,
		Args:    arguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.Run(cmd.Context(), args[0], args[1:])
		},
		ValidArgsFunction: members.CompleteTypeAndName(f, &o.Namespace),
	}
	o.members.AddFlags(f, cmd, "")
	flags := cmd.Flags()
	flags.StringVar(&o.members.Clusters, "cluster", "", "Same as --clusters.")
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "The namespace in the member clusters; by default that of the context.")
	flags.StringVarP(&o.Container, "container", "c", "", "The container; by default the one that the pod's annotation names, or the first.")
	flags.BoolVarP(&o.Stdin, "stdin", "i", false, "Pass standard input to the command, in one member.")
	flags.BoolVarP(&o.TTY, "tty", "t", false, "Standard input is a terminal, in one member.")
	flags.BoolVarP(&o.Quiet, "quiet", "q", false, "Print only what the command prints.")
	flags.DurationVar(&o.PodTimeout, "pod-running-timeout", defaultPodTimeout, "How long to wait until a pod of the workload runs.")
	_ = cmd.RegisterFlagCompletionFunc("cluster", members.CompleteClusters(f))
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(f))
	return cmd
}

// arguments are one name and, after two dashes, a command.
func arguments(cmd *cobra.Command, args []string) error {
	switch dash := cmd.ArgsLenAtDash(); {
	case len(args) == 0:
		return errors.New("give a POD or TYPE/NAME, and a command after --")
	case dash < 0 && len(args) > 1:
		return errors.New("put two dashes before the command: POD -- COMMAND")
	case dash != 1 && dash >= 0:
		return errors.New("give one POD or TYPE/NAME before --")
	case len(args) == 1:
		return errors.New("the command is missing: POD -- COMMAND")
	}
	return nil
}

// Run runs the command.
func (o *Options) Run(ctx context.Context, name string, command []string) error {
	if o.members.Clusters == "" {
		return errors.New("say in which members with --clusters; see fedctl exec --help")
	}
	reacher, err := o.members.NewReacher(ctx, quiet(o.factory, o.Quiet))
	if err != nil {
		return err
	}
	if o.Namespace == "" {
		if o.Namespace, err = fedtypes.ContextNamespace(o.factory); err != nil {
			return err
		}
	}
	reached, err := reacher.Reach(ctx)
	if err != nil {
		return err
	}
	missing := reached.Note(o.factory)
	switch all := len(reached.Members) + len(reached.Missing); {
	case len(reached.Members) == 0:
		return members.ErrMissing
	case all == 1:
		return o.one(ctx, reached.Members[0], name, command)
	case o.Stdin || o.TTY:
		return fmt.Errorf("standard input cannot be that of %d clusters: choose one for -i and -t", all)
	}
	return o.several(ctx, reached.Members, missing, name, command)
}

// quiet has nothing said that the command does not print.
func quiet(f *cmdutil.Factory, is bool) *cmdutil.Factory {
	if !is {
		return f
	}
	silent := *f
	silent.ErrOut = io.Discard
	return &silent
}

// one runs the command in one member, with the terminal if it is asked for.
func (o *Options) one(ctx context.Context, m members.Member, name string, command []string) error {
	return exitOf(o.in(ctx, m, name, command, o.factory.IOStreams, func(string) {}))
}

// in runs the command in one pod of a member, by kubectl's own code. picked is told which one it
// is, before anything is written.
func (o *Options) in(ctx context.Context, m members.Member, name string, command []string, streams genericiooptions.IOStreams, picked func(pod string)) error {
	run := &kubectlexec.ExecOptions{
		StreamOptions: kubectlexec.StreamOptions{
			Namespace: o.Namespace, ContainerName: o.Container, Stdin: o.Stdin, TTY: o.TTY, Quiet: o.Quiet, IOStreams: streams,
		},
		ResourceName: name, Command: command, Executor: &executor{ctx: ctx},
	}
	if err := o.prepare(ctx, run, m, picked); err != nil {
		return err
	}
	return run.Run()
}

// exitOf has the program end with the exit code of the command that it ran.
func exitOf(err error) error {
	var ended utilexec.CodeExitError
	if errors.As(err, &ended) {
		return cmdutil.ExitError{Code: ended.Code, Err: err}
	}
	return err
}
