// Package events is the command that shows the events of several members.
//
//   - events.go: the command and its flags; what there is
//   - watch.go: what comes
package events

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/answers"
)

const (
	long = `Show the events of several member clusters, the latest last, as kubectl does for one.

The exit code is 1 if a member could not be read. With -w events are printed as they come;
members that come back are taken up.

` + members.WaysHelp

	example = `  # What went wrong in a namespace, everywhere
  fedctl events -n shop --types Warning

  # What is said of the Deployment web in two members, and what comes
  fedctl events --for deployment/web -n shop --clusters member-1,member-2 -w`

	// answerTimeout is how long a member may take for all of its events.
	answerTimeout = 30 * time.Second
	pageSize      = 500
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory
	members members.Flags
	members.Namespaces

	For       string
	Types     []string
	Watch     bool
	NoHeaders bool
	Output    cmdutil.Output

	printing sync.Mutex
	printer  *view.Printer
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "events",
		Short:   "Show the events of several members",
		Long:    long,
		Example: example,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.Run(cmd.Context()) },
	}
	o.members.AddFlags(f, cmd, members.All)
	o.AddNamespaces(f, cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.For, "for", "", "Only events of this object, TYPE/NAME.")
	flags.StringSliceVar(&o.Types, "types", nil, "Only events of these types: Normal, Warning.")
	flags.BoolVarP(&o.Watch, "watch", "w", false, "Go on with the events that come.")
	flags.BoolVar(&o.NoHeaders, "no-headers", false, "Do not print the line of headers.")
	o.Output.AddFlag(cmd, "Output format")
	_ = cmd.RegisterFlagCompletionFunc("types", cobra.FixedCompletions([]string{corev1.EventTypeNormal, corev1.EventTypeWarning}, cobra.ShellCompDirectiveNoFileComp))
	complete := members.CompleteTypeAndName(f, &o.Namespace)
	_ = cmd.RegisterFlagCompletionFunc("for", func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return complete(cmd, nil, word)
	})
	return cmd
}

// Run prints.
func (o *Options) Run(ctx context.Context) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	if o.For != "" && (strings.Count(o.For, "/") != 1 || strings.HasPrefix(o.For, "/") || strings.HasSuffix(o.For, "/")) {
		return fmt.Errorf("--for %q is not TYPE/NAME", o.For)
	}
	if err := o.ResolveNamespace(o.factory); err != nil {
		return err
	}
	o.printer = o.Output.Printer(o.factory)
	o.printer.NoHeaders, o.printer.Stream = o.NoHeaders, o.Watch
	reacher, err := o.members.NewReacher(ctx, o.factory)
	if err != nil {
		return err
	}
	reached, err := reacher.Reach(ctx)
	if err != nil {
		return err
	}
	lists := members.Each(ctx, reached, o.list)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var all []view.MemberEvent
	for _, l := range lists {
		all = append(all, l.events...)
	}
	view.SortEvents(all)
	if o.Watch {
		return o.watch(ctx, reacher, reached, lists, all)
	}
	missing := reached.Note(o.factory)
	if err := o.print(all); err != nil {
		return err
	}
	if missing {
		return members.ErrMissing
	}
	return nil
}

// print prints events; there may be none.
func (o *Options) print(events []view.MemberEvent) error {
	o.printing.Lock()
	defer o.printing.Unlock()
	switch {
	case o.Watch && !o.printer.ShowsTable():
		for i := range events {
			if err := o.printer.PrintDocument(events[i]); err != nil {
				return err
			}
		}
		return nil
	case !o.printer.ShowsTable():
		if events == nil {
			events = []view.MemberEvent{} // [], not null
		}
		return o.printer.PrintDocument(map[string]any{"items": events})
	case len(events) == 0 && !o.Watch:
		_, err := fmt.Fprintf(o.factory.ErrOut, "No events %s.\n", o.Where())
		return err
	}
	return o.printer.PrintTable(view.EventTable(events, o.AllNamespaces, time.Now()))
}

// listed are the events of a member, and where a watch goes on.
type listed struct {
	events  []view.MemberEvent
	order   []string // their UIDs
	version string
	// told are the versions of those that were told of, by their UIDs.
	told map[string]string
}

// list reads the events of a member that are asked for.
func (o *Options) list(ctx context.Context, m members.Member) (*listed, error) {
	ctx, cancel := context.WithTimeout(answers.WithPages(ctx, &answers.Pages{}), answerTimeout)
	defer cancel()
	c, err := kubernetes.NewForConfig(m.Config)
	if err != nil {
		return nil, err
	}
	meant, err := o.meant(m)
	if err != nil {
		return nil, err
	}
	found := &listed{told: map[string]string{}}
	options := metav1.ListOptions{Limit: pageSize, FieldSelector: meant.fields()}
	for {
		page, err := c.CoreV1().Events(o.Namespace).List(ctx, options)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			if e := &page.Items[i]; o.shows(e, meant) {
				found.events = append(found.events, view.EventOf(m.Name, e))
				found.order = append(found.order, string(e.UID))
				found.told[string(e.UID)] = e.ResourceVersion
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			found.version = page.ResourceVersion
			return found, nil
		}
	}
}

// object is the one whose events are asked for; its name is empty for all.
type object struct {
	schema.GroupKind
	name string
}

// meant finds out what --for means in a member.
func (o *Options) meant(m members.Member) (object, error) {
	if o.For == "" {
		return object{}, nil
	}
	word, name, _ := strings.Cut(o.For, "/")
	kind, err := members.KindOf(members.Getter(m.Config, o.Namespace), word)
	return object{kind, name}, err
}

func (o object) fields() string {
	if o.name == "" {
		return ""
	}
	return fields.AndSelectors(
		fields.OneTermEqualSelector("involvedObject.kind", o.Kind), fields.OneTermEqualSelector("involvedObject.name", o.name),
	).String()
}

// shows says whether an event is asked for.
func (o *Options) shows(e *corev1.Event, meant object) bool {
	if meant.name != "" {
		gv, err := schema.ParseGroupVersion(e.InvolvedObject.APIVersion)
		if err != nil || gv.Group != meant.Group || e.InvolvedObject.Kind != meant.Kind || e.InvolvedObject.Name != meant.name {
			return false
		}
	}
	return len(o.Types) == 0 || slices.ContainsFunc(o.Types, func(t string) bool { return strings.EqualFold(t, e.Type) })
}
