// Package tree is the command that shows a federated object with all that came of it: the
// object in each member, what that owns there, down to pods, how each fares, and the last
// event of what does not.
//
//   - tree.go: the command and its flags; the federated object
//   - member.go: what came of it in one member
//   - kinds.go: what is looked at there; pages.go: how far
package tree

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/workload"
)

const (
	long = `Show a federated object with what came of it: for each cluster where it is placed what the
controller said last, the object there, what that owns, and what this owns in turn, down to
pods. HEALTH is judged as the controller does; of what is not healthy MESSAGE says why, with the
last event.

What is looked for in a member are the kinds of workloads, pods, volume claims, endpoints
and the like in the object's namespace, and the kinds of the object's own group, by their owner
references; up to 500 objects in each member. The exit code is 1 if a member could not be
read.

` + members.WaysHelp

	example = `  # What became of web, and what is wrong with it?
  fedctl tree deployment/web -n shop

  # In one member, for a program
  fedctl tree deployment/web -n shop --clusters member-1 -o json`
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory
	members members.Flags

	Namespace string
	Output    cmdutil.Output
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "tree (TYPE NAME | TYPE/NAME)",
		Short:   "Show a federated object with what came of it in members, down to pods",
		Long:    long,
		Example: example,
		Args:    cobra.RangeArgs(1, 2),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.Run(cmd.Context(), args) },
		ValidArgsFunction: fedtypes.CompleteTypeAndName(f, func() fedtypes.Names {
			return fedtypes.Names{Namespace: o.Namespace}
		}),
	}
	o.members.AddFlags(f, cmd, members.All)
	cmd.Flags().StringVarP(&o.Namespace, "namespace", "n", "", "The object's namespace; by default that of the context.")
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(f))
	o.Output.AddFlag(cmd, "Output format")
	return cmd
}

// Run reads and prints.
func (o *Options) Run(ctx context.Context, args []string) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	typ, object, err := o.find(ctx, args)
	if err != nil {
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
	root, missing := o.grow(ctx, typ, object, reached)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	printer := o.Output.Printer(o.factory)
	if printer.ShowsTable() {
		err = printer.PrintTable(view.TreeTable(root, time.Now()))
	} else {
		err = printer.PrintDocument(root)
	}
	if err == nil && missing {
		return members.ErrMissing
	}
	return err
}

// find reads the federated object that is meant.
func (o *Options) find(ctx context.Context, args []string) (typ typeconfig.Type, object *unstructured.Unstructured, err error) {
	word, name, err := fedtypes.ParseTypeAndName(args)
	if err != nil {
		return typ, nil, err
	}
	config, err := o.factory.HostConfig()
	if err != nil {
		return typ, nil, err
	}
	host, err := o.factory.HostClient()
	if err != nil {
		return typ, nil, err
	}
	types, err := fedtypes.Read(ctx, host, o.factory)
	if err != nil {
		return typ, nil, err
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return typ, nil, err
	}
	typ, err = fedtypes.Resolver{Types: types, ShortNames: fedtypes.DiscoveredShortNames(discoverer)}.Resolve(word)
	if err != nil {
		return typ, nil, err
	}
	reader, err := dynamic.NewForConfig(config)
	if err != nil {
		return typ, nil, err
	}
	namespace := o.Namespace
	switch {
	case !typ.Federated.Namespaced:
		namespace = ""
	case typ.IsNamespace && namespace == "":
		namespace = name // it is in the namespace that it is named after
	case namespace == "":
		if namespace, err = fedtypes.ContextNamespace(o.factory); err != nil {
			return typ, nil, err
		}
	}
	object, err = reader.Resource(typ.Federated.GVR).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return typ, nil, fmt.Errorf("there is no %s %s in namespace %q of the host", typ.Federated.GVK.Kind, name, namespace)
	}
	return typ, object, err
}

// grow makes the tree. Members that are meant and where the object is placed are asked; those
// that cannot be are said and stay without what is in them.
func (o *Options) grow(ctx context.Context, typ typeconfig.Type, object *unstructured.Unstructured, reached *members.Reached) (root *view.Tree, missing bool) {
	row := view.Object(typ.Name, typ.Federated.GVK, object)
	root = &view.Tree{Kind: row.Kind, Namespace: row.Namespace, Name: row.Name, Message: row.Message}
	if row.Ready != "" && row.ReadyMessage != "" {
		root.Message = row.ReadyMessage
	}
	clusters := map[string]*view.Tree{}
	for _, c := range row.Clusters {
		node := &view.Tree{Kind: "Cluster", Name: c.Name, Health: c.Status, Message: c.Message}
		clusters[c.Name] = node
	}
	placed := &members.Reached{Way: reached.Way}
	for _, m := range reached.Members {
		if clusters[m.Name] != nil {
			placed.Members = append(placed.Members, m)
		}
	}
	for _, m := range reached.Missing {
		if clusters[m.Cluster] != nil || m.Reason == union.NotFound {
			placed.Missing = append(placed.Missing, m)
		}
	}
	kinds := o.kinds(ctx)
	found := members.Each(ctx, placed, func(ctx context.Context, m members.Member) (*view.Tree, error) {
		return (&gathering{member: m, typ: typ, kinds: kinds, errOut: o.factory.ErrOut}).gather(ctx, object)
	})
	for _, c := range row.Clusters {
		if tree := found[c.Name]; tree != nil {
			clusters[c.Name].Children = []*view.Tree{tree}
		}
		for _, m := range placed.Missing {
			if m.Cluster == c.Name {
				clusters[c.Name].Message = m.Reason + ": " + m.Message
			}
		}
		_, got := found[c.Name]
		if got || isMissing(placed, c.Name) {
			root.Children = append(root.Children, clusters[c.Name])
		}
	}
	return root, placed.Note(o.factory)
}

func isMissing(r *members.Reached, name string) bool {
	for _, m := range r.Missing {
		if m.Cluster == name {
			return true
		}
	}
	return false
}

// kinds are those that the controller knows: the table, and the host's WorkloadKinds.
func (o *Options) kinds(ctx context.Context) *workload.Kinds {
	custom, err := readKinds(ctx, o.factory)
	if err != nil {
		_, _ = fmt.Fprintf(o.factory.ErrOut, "note: WorkloadKinds cannot be read, so the health of custom kinds is judged without them: %v\n", err)
	}
	return workload.Builtin().With(custom...)
}
