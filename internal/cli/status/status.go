// Package status is the command that shows where federated objects are: one row
// for each, one column for each member cluster. It reads the host cluster only,
// and of that only what the controller has written into the objects' status.
package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
)

const statusLong = `Show federated objects and how they fare in each member cluster.

PROPAGATED is True when every cluster has what it should, False when one has not,
Pending while the controller has not yet seen the last change, and Deleting while
the object waits to be removed from the clusters. A colon is followed by the reason
where the columns of the clusters do not show it.

READY is True when it works in every cluster, False when it does not (yet), and Unknown
when nobody can tell, with the reason where the object is propagated all the same.

Under each cluster stands OK, one word that says what is wrong or how the object fares
(Progressing, Degraded, Suspended, Unknown), or a dash where it is not placed. -o wide adds the messages. Where no controller leads the control
plane, a warning says since when: what is shown may be as old as that.

TYPE is a federated type or its target: the plural, the kind or a short name, such as
deployments, FederatedDeployment or deploy. Without TYPE, all enabled types are shown;
those that are not namespaced only with --all-namespaces. A watch takes up types that
are enabled while it runs, and says when one is disabled.`

const statusExample = `  # All federated objects in all namespaces
  fedctl status -A

  # The deployments in one namespace, with the reason and message of what is wrong
  fedctl status deployments -n shop -o wide

  # Follow one object while it rolls out
  fedctl status deployment/web -n shop --watch`

// Options are the flags and arguments of status.
type Options struct {
	factory *cmdutil.Factory

	Namespace     string
	AllNamespaces bool
	Selector      string
	Output        cmdutil.Output
	Watch         bool
	NoHeaders     bool

	// requests are the types and names asked for; none means all types.
	requests []request
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(cmdutil.TableFormats...)}
	cmd := &cobra.Command{
		Use:     "status [TYPE[/NAME] | TYPE NAME...]",
		Short:   "Show where federated objects are and how they fare there",
		Long:    statusLong,
		Example: statusExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(args); err != nil {
				return err
			}
			if err := o.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "Namespace to look in; by default that of the context.")
	flags.BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "Look in all namespaces.")
	flags.StringVarP(&o.Selector, "selector", "l", "", "Only objects whose labels match, such as app=web.")
	o.Output.AddFlag(cmd, "Output format")
	flags.BoolVarP(&o.Watch, "watch", "w", false, "After the table, print the rows that change, until interrupted.")
	flags.BoolVar(&o.NoHeaders, "no-headers", false, "Do not print the line of headers.")
	o.registerCompletions(cmd)
	return cmd
}

// Complete takes the arguments and the namespace of the context.
func (o *Options) Complete(args []string) error {
	var err error
	if o.requests, err = parseArgs(args); err != nil {
		return err
	}
	if o.Namespace == "" && !o.AllNamespaces {
		o.Namespace, err = fedtypes.ContextNamespace(o.factory)
	}
	return err
}

// Validate checks flags that need no cluster.
func (o *Options) Validate() error {
	if o.AllNamespaces && o.Namespace != "" {
		return errors.New("--namespace and --all-namespaces exclude each other")
	}
	if err := o.Output.Validate(); err != nil {
		return err
	}
	if _, err := labels.Parse(o.Selector); err != nil {
		return fmt.Errorf("--selector %q: %w", o.Selector, err)
	}
	return nil
}

// Run prints what there is and, with --watch, what changes. What cannot be read
// does not keep the rest from being shown; the error tells of it in the end.
func (o *Options) Run(ctx context.Context) error {
	s, err := newSource(ctx, o)
	if err != nil {
		return err
	}
	rows, listErr := s.list(ctx)
	s.explain(ctx, rows)
	since := o.factory.NoteLeaderless(ctx, s.host)
	markStale(rows, since)
	out := newOutput(o, s.clusters)
	if err := out.print(rows); err != nil {
		return err
	}
	if o.Watch {
		if listErr != nil {
			_, _ = fmt.Fprintf(o.factory.ErrOut, "warning: %v\n", listErr)
		}
		if len(rows) == 0 {
			_, _ = fmt.Fprintf(o.factory.ErrOut, "There is nothing yet %s; waiting for it.\n", o.where())
		}
		go s.followLeader(ctx, since)
		return s.watch(ctx, rows, out)
	}
	if listErr != nil {
		return listErr
	}
	return o.noneFound(rows)
}

// markStale says in the rows how old they may be where nobody keeps them up to date.
func markStale(rows []view.ObjectRow, since *time.Time) {
	for i := range rows {
		if since != nil {
			rows[i].NoLeaderSince = &metav1.Time{Time: *since}
		}
	}
}

// followLeader tells when the control plane has no leader any more, and when it has one
// again, until ctx ends.
func (s *source) followLeader(ctx context.Context, since *time.Time) {
	f := s.opts.factory
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(leaderInterval):
		}
		switch now := cmdutil.Leaderless(ctx, s.host, f.KubeFedNamespace); {
		case ctx.Err() != nil:
			return
		case now != nil && since == nil:
			since = f.NoteLeaderless(ctx, s.host)
		case now == nil && since != nil:
			since = nil
			_, _ = fmt.Fprintf(f.ErrOut, "A controller leads the control plane in namespace %s again.\n", f.KubeFedNamespace)
		}
	}
}

// leaderInterval is how often a watch looks whether there is a leader.
const leaderInterval = 5 * time.Second

// noneFound says what to do when there is nothing to show.
func (o *Options) noneFound(rows []view.ObjectRow) error {
	for _, request := range o.requests {
		if request.name != "" && !slices.ContainsFunc(rows, request.isFor) {
			hint := ""
			if !o.AllNamespaces && request.typ.Federated.Namespaced {
				hint = fmt.Sprintf(": choose another namespace with -n, or see \"fedctl status %s -A\"", request.typ.Name)
			}
			return fmt.Errorf("there is no %s %q %s%s", request.typ.Federated.GVK.Kind, request.name, o.where(), hint)
		}
	}
	if len(rows) > 0 || !o.Output.Printer(o.factory).ShowsTable() {
		return nil
	}
	hint := ""
	if !o.AllNamespaces {
		hint = "; use -A to look in all namespaces"
	}
	_, err := fmt.Fprintf(o.factory.ErrOut, "There are no federated objects %s%s.\n", o.where(), hint)
	return err
}

func (o *Options) where() string {
	if o.AllNamespaces {
		return "in any namespace"
	}
	return "in namespace " + o.Namespace
}
