package top

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

const podsExample = `  # What do the pods of a namespace use, everywhere?
  fedctl top pods -n shop

  # Which use the most memory, of all in two members?
  fedctl top pods -A --clusters member-1,member-2 --sort-by memory`

// metricsTimeout is how long a member may take to say what all of its pods use.
const metricsTimeout = 30 * time.Second

// podsOptions are the flags of top pods.
type podsOptions struct {
	factory *cmdutil.Factory
	members members.Flags
	members.Namespaces

	Selector   string
	SortBy     string
	Containers bool
	NoHeaders  bool
	Output     cmdutil.Output
}

func newPodsCommand(f *cmdutil.Factory) *cobra.Command {
	o := &podsOptions{factory: f, Output: cmdutil.NewOutput(view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "pods",
		Aliases: []string{"pod", "po"},
		Short:   "Show what pods use in several members",
		Long: `Show what pods use in several member clusters, of processors and memory, as each member's
metrics API (metrics.k8s.io) says. The exit code is 1 if a member could not be read, or has
no such API.

` + members.WaysHelp,
		Example: podsExample,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.Run(cmd.Context()) },
	}
	o.members.AddFlags(f, cmd, members.All)
	o.AddNamespaces(f, cmd)
	flags := cmd.Flags()
	flags.StringVarP(&o.Selector, "selector", "l", "", "Only pods whose labels match.")
	flags.StringVar(&o.SortBy, "sort-by", "", "Sort by cpu or memory, the greatest first.")
	flags.BoolVar(&o.Containers, "containers", false, "A row for each container.")
	flags.BoolVar(&o.NoHeaders, "no-headers", false, "Do not print the line of headers.")
	o.Output.AddFlag(cmd, "Output format")
	_ = cmd.RegisterFlagCompletionFunc("sort-by", cobra.FixedCompletions([]string{"cpu", "memory"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// Run reads and prints.
func (o *podsOptions) Run(ctx context.Context) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	switch o.SortBy {
	case "", "cpu", "memory":
	default:
		return fmt.Errorf("--sort-by takes cpu or memory, not %q", o.SortBy)
	}
	if err := o.ResolveNamespace(o.factory); err != nil {
		return err
	}
	reacher, err := o.members.NewReacher(ctx, o.factory)
	if err != nil {
		return err
	}
	reached, err := reacher.Reach(ctx)
	if err != nil {
		return err
	}
	rows, missing := o.read(ctx, reached)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := o.print(rows); err != nil {
		return err
	}
	if missing {
		return members.ErrMissing
	}
	return nil
}

// read asks the members, and says which are missing.
func (o *podsOptions) read(ctx context.Context, reached *members.Reached) (rows []view.PodUsage, missing bool) {
	type answer struct {
		rows []view.PodUsage
		none bool
	}
	for name, a := range members.Each(ctx, reached, func(ctx context.Context, m members.Member) (answer, error) {
		rows, err := o.readOne(ctx, m)
		if apierrors.IsNotFound(err) {
			return answer{none: true}, nil
		}
		return answer{rows: rows}, err
	}) {
		if a.none {
			reached.Missing = append(reached.Missing, union.Missing{Cluster: name, Reason: union.NotServed, Message: "it has no metrics API (metrics.k8s.io)"})
		}
		rows = append(rows, a.rows...)
	}
	view.SortPodUsage(rows, o.SortBy)
	return rows, reached.Note(o.factory)
}

func (o *podsOptions) readOne(ctx context.Context, m members.Member) ([]view.PodUsage, error) {
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	c, err := kubernetes.NewForConfig(m.Config)
	if err != nil {
		return nil, err
	}
	segments := []string{"/apis/metrics.k8s.io/v1beta1"}
	if o.Namespace != "" {
		segments = append(segments, "namespaces", o.Namespace)
	}
	request := c.RESTClient().Get().AbsPath(append(segments, "pods")...).SetHeader("Accept", "application/json")
	if o.Selector != "" {
		request = request.Param("labelSelector", o.Selector)
	}
	answer := request.Do(ctx)
	if err := answer.Error(); err != nil { // Raw's does not have what the member says
		return nil, err
	}
	list, err := answer.Raw()
	if err != nil {
		return nil, err
	}
	return view.ReadPodUsage(m.Name, list, o.Containers)
}

func (o *podsOptions) print(rows []view.PodUsage) error {
	printer := o.Output.Printer(o.factory)
	printer.NoHeaders = o.NoHeaders
	switch {
	case !printer.ShowsTable():
		if rows == nil {
			rows = []view.PodUsage{} // [], not null
		}
		return printer.PrintDocument(map[string]any{"items": rows})
	case len(rows) == 0:
		_, err := fmt.Fprintf(o.factory.ErrOut, "No metrics of pods %s.\n", o.Where())
		return err
	}
	return printer.PrintTable(view.PodUsageTable(rows, o.AllNamespaces, o.Containers))
}
