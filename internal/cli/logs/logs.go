// Package logs is the command that reads the logs of pods in several members at once.
//
//   - logs.go: the command and its flags
//   - target.go: which pods of a member are meant; cronjob.go: those of the Jobs of a CronJob
//   - container.go: which containers of a pod, and how their logs are asked for
//   - once.go: what is there, in the order of its times
//   - follow.go: what comes, of all members; follower.go: of one; stream.go: of one container
package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubectl/pkg/util/term"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/lines"
)

const (
	long = `Print the logs of pods in several member clusters, each line with its cluster and pod,
and with its container where the pod has several.

The pods are those of a workload in each member (of a CronJob those of its Jobs), one pod by
its name, or those that a selector matches. Without -f the lines of all are in the order of their times, and the exit
code is 1 if something could not be read. With -f lines come as they are written; pods that
appear and members that come back are taken up, and the command ends when the pods have ended for
good, as those of a Job do. On a terminal, what would control it is shown as codes.

` + members.WaysHelp

	example = `  # What the pods of the Deployment web have said in the last five minutes, everywhere
  fedctl logs deployment/web -n shop --since 5m

  # Follow them in two members
  fedctl logs deployment/web -n shop --clusters member-1,member-2 -f --tail 10

  # All containers of the pods with a label, in the members of a region
  fedctl logs -l app=web -n shop --clusters region=eu-west --all-containers`

	// tailOfSelector is how many lines there are of each pod that a selector matches, as
	// kubectl has it.
	tailOfSelector = 10
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory
	members members.Flags

	Namespace     string
	Selector      string
	Container     string
	AllContainers bool
	Previous      bool
	Follow        bool
	Tail          int64
	Since         time.Duration
	SinceTime     string
	Timestamps    bool
	Prefix        bool
	MaxRequests   int

	name      string // POD or TYPE/NAME; empty with a selector
	sinceTime *metav1.Time
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f}
	cmd := &cobra.Command{
		Use:     "logs (POD | TYPE/NAME | -l SELECTOR) [--clusters all|A,B|SELECTOR]",
		Short:   "Print the logs of pods in several members at once",
		Long:    long,
		Example: example,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.Run(cmd.Context(), args)
		},
		ValidArgsFunction: members.CompleteTypeAndName(f, &o.Namespace),
	}
	o.members.AddFlags(f, cmd, members.All)
	flags := cmd.Flags()
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "The namespace in the member clusters; by default that of the context.")
	flags.StringVarP(&o.Selector, "selector", "l", "", "The pods whose labels match, in place of a name.")
	flags.StringVarP(&o.Container, "container", "c", "", "The container; by default the one that the pod's annotation names, or the first.")
	flags.BoolVar(&o.AllContainers, "all-containers", false, "All containers of the pods.")
	flags.BoolVarP(&o.Previous, "previous", "p", false, "The logs of the containers before they were restarted.")
	flags.BoolVarP(&o.Follow, "follow", "f", false, "Go on with what is written.")
	flags.Int64Var(&o.Tail, "tail", -1, "How many of the last lines of each container; -1 is all, and the default with a selector is 10.")
	flags.DurationVar(&o.Since, "since", 0, "Only lines that are not older, such as 5m.")
	flags.StringVar(&o.SinceTime, "since-time", "", "Only lines after a time (RFC3339).")
	flags.BoolVar(&o.Timestamps, "timestamps", false, "Begin each line with its time.")
	flags.BoolVar(&o.Prefix, "prefix", true, "Begin each line with its cluster and pod.")
	flags.IntVar(&o.MaxRequests, "max-log-requests", 50, "How many logs are read at a time.")
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(f))
	return cmd
}

// Run prints.
func (o *Options) Run(ctx context.Context, args []string) error {
	if err := o.complete(args); err != nil {
		return err
	}
	reacher, err := o.members.NewReacher(ctx, o.factory)
	if err != nil {
		return err
	}
	terminal := term.TTY{Out: o.factory.Out}.IsTerminalOut()
	_, colorless := os.LookupEnv("NO_COLOR")
	out := lines.NewWriter(o.factory.Out, lines.Style{Terminal: terminal, Color: terminal && !colorless, Bare: !o.Prefix}, o.Timestamps)
	if o.Follow {
		err = o.follow(ctx, reacher, out)
	} else {
		err = o.once(ctx, reacher, out)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// complete reads the arguments and what flags mean together.
func (o *Options) complete(args []string) (err error) {
	switch {
	case len(args) == 0 && o.Selector == "":
		return errors.New("give a POD, a TYPE/NAME, or a selector with -l; see fedctl logs --help")
	case len(args) > 0 && o.Selector != "":
		return errors.New("a name and --selector exclude each other")
	case o.Container != "" && o.AllContainers:
		return errors.New("--container and --all-containers exclude each other")
	case o.Since != 0 && o.SinceTime != "":
		return errors.New("--since and --since-time exclude each other")
	case o.Previous && o.Follow:
		return errors.New("--previous and --follow exclude each other: nothing more comes of what has ended")
	case o.Since < 0:
		return fmt.Errorf("--since %s is in the future", o.Since)
	case o.Tail < -1:
		return fmt.Errorf("--tail %d: it takes a number of lines, or -1 for all", o.Tail)
	case o.MaxRequests < 1:
		return fmt.Errorf("--max-log-requests %d: it takes at least 1", o.MaxRequests)
	}
	if len(args) > 0 {
		o.name = args[0]
	} else if o.Tail == -1 {
		o.Tail = tailOfSelector
	}
	if _, err := labels.Parse(o.Selector); err != nil {
		return fmt.Errorf("--selector %q: %w", o.Selector, err)
	}
	if o.SinceTime != "" {
		at, err := time.Parse(time.RFC3339, o.SinceTime)
		if err != nil {
			return fmt.Errorf("--since-time %q is not a time such as 2026-01-31T15:04:05Z", o.SinceTime)
		}
		o.sinceTime = &metav1.Time{Time: at}
	}
	if o.Namespace == "" {
		o.Namespace, err = fedtypes.ContextNamespace(o.factory)
	}
	return err
}
