// Package diff is the command that says what would change in the member clusters. It asks
// them by dry runs, and writes nothing.
package diff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubectldiff "k8s.io/kubectl/pkg/cmd/diff"
	"k8s.io/utils/exec"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/previews"
	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

const long = `Show what would change in the member clusters: how an object is there, and how it would
be after the controller has written what the federated object says now, or a file says.
With policies in the files, also what they change of the objects that are in the host.

The members' API servers say it, by dry runs with the controller's own credentials, which
must be readable in the host. Nothing is written. Where a cluster refuses the object, or
does not answer, an error says so. What other managers have added to an object and the
controller takes back (see "Ownership" in the reference) is named on standard error.

The format is that of "kubectl diff", and KUBECTL_EXTERNAL_DIFF chooses the program. Exit
codes: 0 nothing would change, 1 something would, 2 it cannot be told everywhere. Values
of Secrets are not shown.`

const example = `  # What would a file change, and where?
  fedctl diff -f web.yaml

  # What is not yet as the federated object says?
  fedctl diff deployment/web -n shop

  # What would a policy change of everything that is federated?
  fedctl diff -f policy.yaml`

// Exit codes beside 0, those of kubectl diff.
const (
	exitDiffers = 1
	exitUnknown = 2
)

// Options are the flags of diff.
type Options struct {
	factory *cmdutil.Factory
	objects *previews.Options

	ShowManagedFields bool
	// ProtectedKeys are what the controller's setting of that name is; nil asks its Deployment.
	ProtectedKeys []string
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, objects: previews.New(f)}
	o.objects.Affected = true
	cmd := &cobra.Command{
		Use:     "diff (TYPE NAME | TYPE/NAME | -f FILE)",
		Short:   "Show what would change in the member clusters",
		Long:    long,
		Example: example,
		RunE:    func(cmd *cobra.Command, args []string) error { return o.Run(cmd.Context(), args) },
	}
	o.objects.AddFlags(cmd)
	cmd.Flags().StringSliceVar(&o.ProtectedKeys, "protected-keys", nil, "The controller's setting of that name; by default what its Deployment in the host says, or its default.")
	cmd.Flags().BoolVar(&o.ShowManagedFields, "show-managed-fields", false, "Show metadata.managedFields as well.")
	return cmd
}

// change is an object in a member cluster, before and after.
type change struct {
	name          string
	before, after *unstructured.Unstructured
	// note is what is not seen by comparing the two.
	note string
	err  error
}

// Run shows all changes, and says in the end what it could not find out.
func (o *Options) Run(ctx context.Context, args []string) error {
	all, err := o.objects.Load(ctx, args)
	if err != nil {
		return unknown(err)
	}
	if len(all) == 0 {
		_, _ = fmt.Fprintln(o.factory.ErrOut, "The policies change no object that is federated.")
		return nil
	}
	members, err := newMembers(ctx, o.factory, o.ProtectedKeys)
	if err != nil {
		return unknown(err)
	}
	changes, err := o.changes(ctx, members, all)
	if err != nil {
		return unknown(err)
	}
	return o.show(changes)
}

func unknown(err error) error { return cmdutil.ExitError{Code: exitUnknown, Err: err} }

// mostAtOnce are the clusters that are asked at once, each one thing after the other.
const mostAtOnce = 8

// changes asks the clusters. Those of an object follow each other.
func (o *Options) changes(ctx context.Context, members *members, all []*preview.Preview) ([]*change, error) {
	var changes []*change
	of := map[string][]func(){} // what is to be asked of each cluster
	for _, p := range all {
		name := p.Type.Federated.GVK.Kind + " " + strings.TrimPrefix(p.Namespace+"/"+p.Name, "/")
		for _, warning := range p.Warnings {
			_, _ = fmt.Fprintf(o.factory.ErrOut, "warning: %s: %s\n", name, warning)
		}
		if p.Problem != "" {
			changes = append(changes, &change{name: name, err: errors.New(p.Problem)})
			continue
		}
		o.sayNowhere(p, name)
		for _, cluster := range o.objects.Shown(p) {
			c := &change{name: name + ": cluster " + cluster.Cluster}
			switch {
			case cluster.Err != nil:
				c.name, c.err = name, cluster.Err // which names the cluster
			case cluster.Selected:
				of[cluster.Cluster] = append(of[cluster.Cluster], func() { members.apply(ctx, p, &cluster, c) })
			case p.Holds(cluster.Cluster):
				of[cluster.Cluster] = append(of[cluster.Cluster], func() { members.remove(ctx, p, cluster.Cluster, c) })
			default:
				continue
			}
			changes = append(changes, c)
		}
	}
	asked, questions := atomic.Int32{}, 0
	for _, list := range of {
		questions += len(list)
	}
	defer o.factory.Tell(func() string {
		return fmt.Sprintf("asking the members: %d of %d objects", asked.Load(), questions)
	})()
	group := errgroup.Group{}
	group.SetLimit(mostAtOnce)
	for _, list := range of {
		group.Go(func() error {
			for _, ask := range list {
				ask()
				asked.Add(1)
			}
			return ctx.Err()
		})
	}
	return changes, group.Wait()
}

// sayNowhere says why nothing is shown of an object, or of a cluster that was asked for.
func (o *Options) sayNowhere(p *preview.Preview, name string) {
	var none []preview.Cluster
	for _, cluster := range o.objects.Shown(p) {
		if cluster.Selected || cluster.Err != nil || p.Holds(cluster.Cluster) {
			continue
		}
		none = append(none, cluster)
	}
	switch {
	case len(o.objects.Clusters) > 0:
		for _, cluster := range none {
			_, _ = fmt.Fprintf(o.factory.ErrOut, "%s: cluster %s: %s\n", name, cluster.Cluster, cluster.Message())
		}
	case len(none) == len(o.objects.Shown(p)):
		_, _ = fmt.Fprintf(o.factory.ErrOut, "%s: it is placed in no cluster, see: fedctl explain\n", name)
	}
}

// show hands the objects to the program that compares them.
func (o *Options) show(changes []*change) error {
	differ, err := kubectldiff.NewDiffer("LIVE", "MERGED")
	if err != nil {
		return unknown(err)
	}
	defer differ.TearDown()
	var errs []error
	for _, c := range changes {
		if c.note != "" {
			_, _ = fmt.Fprintf(o.factory.ErrOut, "%s: %s\n", c.name, c.note)
		}
		if c.err == nil {
			c.err = o.print(differ, c)
		}
		if c.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, c.err))
		}
	}
	err = differ.Run(&kubectldiff.DiffProgram{Exec: exec.New(), IOStreams: o.factory.IOStreams})
	var exited exec.ExitError
	switch {
	case err != nil && (!errors.As(err, &exited) || exited.ExitStatus() > exitDiffers):
		errs = append(errs, fmt.Errorf("comparing: %w", err))
	case err != nil && len(errs) == 0:
		return cmdutil.ExitError{Code: exitDiffers, Err: cmdutil.ErrSaid}
	}
	if len(errs) > 0 {
		return unknown(errors.Join(errs...))
	}
	return nil
}

// print writes the object as it is and as it would be for the program to find.
func (o *Options) print(differ *kubectldiff.Differ, c *change) error {
	switch {
	case c.after != nil:
		return differ.Diff(c, kubectldiff.Printer{}, o.ShowManagedFields, false)
	case c.before == nil:
		return nil
	}
	if !o.ShowManagedFields {
		c.before.SetManagedFields(nil)
	}
	if isSecret(c.before) {
		masker, err := kubectldiff.NewMasker(c.before, c.before)
		if err != nil {
			return err
		}
		return differ.From.Print(c.Name(), masker.From(), kubectldiff.Printer{})
	}
	return differ.From.Print(c.Name(), c.before, kubectldiff.Printer{})
}

// Live implements the interface of kubectl's Differ.
func (c *change) Live() runtime.Object {
	if c.before == nil {
		return nil // and not an interface that holds nil
	}
	return c.before
}

// Merged implements the interface of kubectl's Differ.
func (c *change) Merged() (runtime.Object, error) { return c.after, nil }

// Name implements the interface of kubectl's Differ: that of a file.
func (c *change) Name() string {
	name := slices.Clone([]byte(c.name))
	for i, b := range name {
		if b == ' ' || b == '/' || b == ':' {
			name[i] = '.'
		}
	}
	return string(name)
}

func isSecret(object *unstructured.Unstructured) bool {
	return object.GroupVersionKind().GroupKind() == schema.GroupKind{Kind: "Secret"}
}

// withoutNoise is an object without what every write changes, and without values of a Secret
// that nothing would hide.
func withoutNoise(object *unstructured.Unstructured) *unstructured.Unstructured {
	if object == nil {
		return nil
	}
	object = object.DeepCopy()
	if isSecret(object) { // what is masked is data alone
		unstructured.RemoveNestedField(object.Object, "metadata", "annotations", corev1.LastAppliedConfigAnnotation)
	}
	for _, field := range []string{"resourceVersion", "generation"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	return object
}

// reasonOf says why a dry run has come to nothing; nil if it has not.
func reasonOf(outcome member.ApplyResult) error {
	switch outcome.(type) {
	case member.Applied, member.Updated, member.TakenOver, member.Stripped:
		return nil
	case member.Deleting:
		return errors.New("the object is being deleted there; it would be created when it is gone")
	}
	return member.Err(outcome)
}
