// Package render is the command that prints what each member cluster gets of a federated
// object. It reads the host cluster, or files alone, and no member.
package render

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/previews"
	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/federate"
)

const long = `Print what each member cluster gets of a federated object: its template, changed by
the overrides of the cluster, as the controller sends it. Clusters in which it is not
placed get nothing.

With -f the object need not be in the host yet, and with --facts no cluster is asked at
all: what decides beside the object is read from a file then, so that a pipeline can
check what a change does.`

const example = `  # What the clusters get of a deployment
  fedctl render deployment/web -n shop

  # ... and one cluster of what a file would make of it
  fedctl render -f web.yaml --cluster oslo

  # Without a cluster, in a pipeline
  fedctl get facts -o yaml > facts.yaml
  fedctl render -f web.yaml --facts facts.yaml`

// Options are the flags of render.
type Options struct {
	factory *cmdutil.Factory
	objects *previews.Options
	Output  cmdutil.Output
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, objects: previews.New(f), Output: cmdutil.NewOutput(view.YAML, view.JSON, view.Name)}
	cmd := &cobra.Command{
		Use:     "render (TYPE NAME | TYPE/NAME | -f FILE)",
		Short:   "Print what each member cluster gets of a federated object",
		Long:    long,
		Example: example,
		RunE:    func(cmd *cobra.Command, args []string) error { return o.Run(cmd.Context(), args) },
	}
	o.objects.AddFlags(cmd)
	o.Output.AddFlag(cmd, "Output format, yaml by default")
	return cmd
}

// item is what one cluster gets, for programs.
type item struct {
	Cluster string         `json:"cluster"`
	Object  map[string]any `json:"object,omitempty"`
	Error   string         `json:"error,omitempty"`
}

// Run prints what there is to print, also when something cannot be rendered: the error
// tells of that in the end.
func (o *Options) Run(ctx context.Context, args []string) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	all, err := o.objects.Load(ctx, args)
	if err != nil {
		return err
	}
	items := []item{}
	var errs []error
	for _, p := range all {
		made, err := o.items(p)
		items = append(items, made...)
		errs = append(errs, err)
	}
	if err := o.print(items); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// items of one object. The error names each cluster that cannot get it.
func (o *Options) items(p *preview.Preview) ([]item, error) {
	name := fmt.Sprintf("%s %s", p.Type.Federated.GVK.Kind, key(p))
	for _, warning := range p.Warnings {
		_, _ = fmt.Fprintf(o.factory.ErrOut, "warning: %s: %s\n", name, warning)
	}
	if p.Problem != "" {
		return nil, fmt.Errorf("%s: %s", name, p.Problem)
	}
	var items []item
	var errs []error
	for _, cluster := range o.objects.Shown(p) {
		switch {
		case !cluster.Selected:
			if cluster.Asked() {
				_, _ = fmt.Fprintf(o.factory.ErrOut, "%s: nothing for %s: %s\n", name, cluster.Cluster, cluster.Message())
			}
		case cluster.Err != nil:
			items = append(items, item{Cluster: cluster.Cluster, Error: cluster.Err.Error()})
			errs = append(errs, fmt.Errorf("%s: %w", name, named(cluster)))
		default:
			if says := cluster.Autoscaling.Says(); says != "" {
				_, _ = fmt.Fprintf(o.factory.ErrOut, "%s: cluster %s: %s\n", name, cluster.Cluster, says)
			}
			items = append(items, item{Cluster: cluster.Cluster, Object: cluster.Object.Object})
		}
	}
	if len(items) == 0 {
		_, _ = fmt.Fprintf(o.factory.ErrOut, "%s is placed in no cluster that is shown; see \"fedctl explain\".\n", name)
	}
	return items, errors.Join(errs...)
}

// named is the error of a cluster with its name.
func named(c preview.Cluster) error {
	var bad *federate.RenderError
	if errors.As(c.Err, &bad) && bad.Cluster != "" { // it says it
		return c.Err
	}
	return fmt.Errorf("cluster %s: %w", c.Cluster, c.Err)
}

func key(p *preview.Preview) string {
	if p.Namespace == "" {
		return p.Name
	}
	return p.Namespace + "/" + p.Name
}

func (o *Options) print(items []item) error {
	printer := o.Output.Printer(o.factory)
	switch o.Output.Format {
	case view.JSON:
		return printer.PrintDocument(map[string]any{"items": items})
	case view.Name:
		for _, i := range items {
			if i.Object == nil {
				continue
			}
			object := unstructured.Unstructured{Object: i.Object}
			if _, err := fmt.Fprintf(o.factory.Out, "%s/%s/%s\n", i.Cluster, object.GetKind(), object.GetName()); err != nil {
				return err
			}
		}
		return nil
	}
	printer.Format = view.YAML
	return o.printYAML(printer, items)
}

// printYAML prints documents that kubectl takes, each under the name of its cluster.
func (o *Options) printYAML(printer *view.Printer, items []item) error {
	for _, i := range items {
		if i.Object == nil {
			continue
		}
		if _, err := io.WriteString(o.factory.Out, "---\n# cluster: "+i.Cluster+"\n"); err != nil {
			return err
		}
		if err := printer.PrintDocument(i.Object); err != nil {
			return err
		}
	}
	return nil
}
