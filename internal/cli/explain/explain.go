// Package explain is the command that says why a federated object is where it is, and as
// it is there. It reads the host cluster, or files alone, and no member.
package explain

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/previews"
	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/internal/view"
)

const long = `Say why a federated object is where it is, and as it is there.

For each cluster: whether the object is placed there and what decides it, what the
controller said last, how the object fares, and how many fields differ from the template; below, each of these
fields, its value, the template's, and what wrote it: an override of the object itself, or a
rule of a policy, and for what is derived the taints and nodes that it comes from. Items
of lists are named by what they are known by, as in containers[name=web].image. -o wide
adds how many pods the object asks for, over all its components, and the sentence that
belongs to the reason. What a later policy or override writes over is left out; --field
follows one field through all that changes it.

It says what the controller makes of the object as it is now, by the same rules; what
has come of it, "fedctl status" shows. Values of Secrets are not shown.`

const example = `  # Why is web where it is, and in what does it differ?
  fedctl explain deployment/web -n shop

  # Where do the replicas in oslo come from?
  fedctl explain deployment/web -n shop --cluster oslo --field spec.replicas

  # What would a file make of it?
  fedctl explain -f web.yaml`

// Options are the flags of explain.
type Options struct {
	factory *cmdutil.Factory
	objects *previews.Options

	Field  string
	Output cmdutil.Output
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, objects: previews.New(f), Output: cmdutil.NewOutput(view.Wide, view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "explain (TYPE NAME | TYPE/NAME | -f FILE)",
		Short:   "Say why a federated object is where it is, and as it is there",
		Long:    long,
		Example: example,
		RunE:    func(cmd *cobra.Command, args []string) error { return o.Run(cmd.Context(), args) },
	}
	o.objects.AddFlags(cmd)
	cmd.Flags().StringVar(&o.Field, "field", "", "Follow this field of the clusters' objects, such as spec.replicas.")
	o.Output.AddFlag(cmd, "Output format")
	return cmd
}

// explanation of one object, for programs.
type explanation struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Problem is why nothing is decided, or nothing sent anywhere.
	Problem  string                `json:"problem,omitempty"`
	Warnings []string              `json:"warnings,omitempty"`
	Clusters []view.ExplanationRow `json:"clusters"`
}

// Run prints the explanations. An object of which nothing can be decided is an error,
// with its explanation.
func (o *Options) Run(ctx context.Context, args []string) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	all, err := o.objects.Load(ctx, args)
	if err != nil {
		return err
	}
	explanations := make([]explanation, len(all))
	var errs []error
	for i, p := range all {
		explanations[i] = o.explain(p)
		if p.Problem != "" {
			errs = append(errs, fmt.Errorf("%s %s: %s", explanations[i].Kind, explanations[i].key(), p.Problem))
		}
	}
	if err := o.print(explanations); err != nil {
		return err
	}
	return errors.Join(errs...)
}

func (o *Options) explain(p *preview.Preview) explanation {
	e := explanation{
		Kind: p.Type.Federated.GVK.Kind, Namespace: p.Namespace, Name: p.Name,
		Problem: p.Problem, Warnings: p.Warnings, Clusters: []view.ExplanationRow{},
	}
	said := view.Object(p.Type.Name, p.Type.Federated.GVK, p.Source)
	for _, cluster := range o.objects.Shown(p) {
		row := view.ExplanationRow{
			Cluster: cluster.Cluster, Placed: cluster.Selected, Reason: string(cluster.Reason), Message: cluster.Message(),
			Status: said.In(cluster.Cluster).Status, Health: said.In(cluster.Cluster).Health,
		}
		switch {
		case cluster.Err != nil:
			row.Error = cluster.Err.Error()
		case cluster.Object != nil:
			row.Changes, row.Notes, row.Replicas = o.changes(p, cluster.Cluster), cluster.Notes, replicas(&cluster)
			row.Pods, row.ReplicasLeft = cluster.Pods, string(cluster.Autoscaling.Replicas)
		}
		e.Clusters = append(e.Clusters, row)
	}
	return e
}

// replicas are what is asked of a cluster; nil where they are the member's.
func replicas(cluster *preview.Cluster) *int64 {
	n, found, err := unstructured.NestedInt64(cluster.Object.Object, "spec", "replicas")
	if !found || err != nil || cluster.Rendered.LeavesReplicas {
		return nil
	}
	return &n
}

// changes in a cluster that count in the end; with --field, all those of the field and of what is
// in it or around it.
func (o *Options) changes(p *preview.Preview, cluster string) []view.FieldChange {
	var changes []view.FieldChange
	for _, change := range p.Changes(cluster) {
		if o.Field == "" || within(change.Field, o.Field) || within(o.Field, change.Field) {
			changes = append(changes, view.FieldChange(change))
		}
	}
	if o.Field == "" {
		changes = view.InEffect(changes)
	}
	if p.Type.Target.GVK.Kind == "Secret" && p.Type.Target.GVK.Group == "" {
		for i := range changes {
			changes[i].Before, changes[i].After = hide(changes[i].Before), hide(changes[i].After)
		}
	}
	return changes
}

func hide(v any) any {
	if v == nil {
		return nil
	}
	return view.Hidden
}

// within says whether a field is another one or in it. An item of a list that is known by
// a key may be meant by its place as well, which may be that of any.
func within(field, outer string) bool {
	inner, outers := segments.FindAllString(field, -1), segments.FindAllString(outer, -1)
	if len(inner) < len(outers) {
		return false
	}
	for i := range outers {
		if inner[i] != outers[i] && !meansItem(inner[i], outers[i]) && !meansItem(outers[i], inner[i]) {
			return false
		}
	}
	return true
}

// segments are the parts of a field's path, place is an item of a list by its place.
var (
	segments = regexp.MustCompile(`\[[^\]]*\]|[^.\[\]]+`)
	place    = regexp.MustCompile(`^\[\d+\]$`)
)

func meansItem(by, key string) bool {
	return place.MatchString(by) && strings.HasPrefix(key, "[") && strings.Contains(key, "=")
}

func (e explanation) key() string {
	if e.Namespace == "" {
		return e.Name
	}
	return e.Namespace + "/" + e.Name
}

func (o *Options) print(explanations []explanation) error {
	if o.Output.Format == view.JSON || o.Output.Format == view.YAML {
		return o.Output.Printer(o.factory).PrintDocument(map[string]any{"items": explanations})
	}
	for i, e := range explanations {
		if i > 0 {
			_, _ = fmt.Fprintln(o.factory.Out)
		}
		if err := o.printOne(e); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) printOne(e explanation) error {
	_, _ = fmt.Fprintf(o.factory.Out, "%s %s\n", e.Kind, e.key())
	for _, warning := range e.Warnings {
		_, _ = fmt.Fprintf(o.factory.Out, "warning: %s\n", warning)
	}
	if err := o.Output.Printer(o.factory).PrintTable(view.ExplanationTable(e.Clusters)); err != nil {
		return err
	}
	for i := range e.Clusters {
		if err := o.printCluster(&e.Clusters[i]); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) printCluster(row *view.ExplanationRow) error {
	if row.Health != nil && row.Health.Message != "" {
		_, _ = fmt.Fprintf(o.factory.Out, "\n%s: %s: %s\n", row.Cluster, row.Health.Status, row.Health.Message)
	}
	for _, note := range row.Notes {
		_, _ = fmt.Fprintf(o.factory.Out, "\n%s: %s\n", row.Cluster, note)
	}
	switch {
	case row.Error != "":
		_, err := fmt.Fprintf(o.factory.Out, "\n%s: nothing can be sent: %s\n", row.Cluster, row.Error)
		return err
	case len(row.Changes) > 0:
		_, _ = fmt.Fprintf(o.factory.Out, "\n%s differs from the template:\n", row.Cluster)
		return o.Output.Printer(o.factory).PrintTable(view.ChangeTable(row.Changes))
	case o.Field != "" && row.Placed:
		_, err := fmt.Fprintf(o.factory.Out, "\n%s: %s is as in the template\n", row.Cluster, o.Field)
		return err
	}
	return nil
}
