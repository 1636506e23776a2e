package top

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
)

const requestsHelp = `What pods ask for is only followed while somebody wants to know it. The command asks the
controller for that, for some minutes (spec.followRequestsUntil of the ClusterCapacity), and
waits up to 15 seconds for an answer; with --requests=false it shows what is known.`

const (
	// followed is for how long the controller is asked to follow pods, and renewed how much
	// of that has to be left: commands that follow each other do not write each time.
	followed, renewed = 10 * time.Minute, 5 * time.Minute
	// patience is how long an answer is waited for.
	patience = 15 * time.Second
)

// capacities reads the ClusterCapacities of members.
type capacities struct {
	factory *cmdutil.Factory

	Names    []string
	Requests bool
	Output   cmdutil.Output
}

func newCapacities(f *cmdutil.Factory) capacities {
	return capacities{factory: f, Output: cmdutil.NewOutput(view.Wide, view.JSON, view.YAML)}
}

func (o *capacities) addFlags(cmd *cobra.Command) {
	o.Output.AddFlag(cmd, "Output format")
	cmd.Flags().BoolVar(&o.Requests, "requests", true, "Have the controller find out what pods ask for, and so what is free. Needs the right to patch ClusterCapacities.")
}

// run reads and prints the rows of a command; none says that there are none.
func run[R any](ctx context.Context, o *capacities, rows func([]v1alpha1.ClusterCapacity) []R, table func([]R) *metav1.Table, none string) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	known, err := o.read(ctx)
	if err != nil {
		return err
	}
	found, printer := rows(known), o.Output.Printer(o.factory)
	switch {
	case !printer.ShowsTable():
		return printer.PrintDocument(map[string]any{"items": found})
	case len(found) == 0:
		_, err := fmt.Fprintln(o.factory.ErrOut, none)
		return err
	}
	return printer.PrintTable(table(found))
}

// read returns the ClusterCapacities that are asked for, with what pods ask for as far as
// that can be known. What cannot is told.
func (o *capacities) read(ctx context.Context) ([]v1alpha1.ClusterCapacity, error) {
	host, err := o.factory.HostClient()
	if err != nil {
		return nil, err
	}
	all, err := o.list(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, note := range notesOf(all) {
		o.note("%s", note)
	}
	leaderless := o.factory.NoteLeaderless(ctx, host) != nil
	if !o.Requests {
		return all, nil
	}
	if problem := o.ask(ctx, host, all); problem != nil {
		o.note("what pods ask for is not followed: %s", errtext.Stable(problem))
	} else if !leaderless {
		if all, err = o.await(ctx, host, all); err != nil {
			return nil, err
		}
		if late := undecidedOf(all); len(late) > 0 {
			o.note("what pods ask for is not known after %s in %s", patience, strings.Join(late, ", "))
		}
	}
	for i := range all {
		if c := meta.FindStatusCondition(all[i].Status.Conditions, v1alpha1.ConditionRequestsKnown); c != nil && c.Reason == v1alpha1.ReasonPodsUnreadable {
			o.note("cluster %s: %s", all[i].Name, c.Message)
		}
	}
	return all, nil
}

// notesOf clusters say what their rows do not: that they are of earlier, or that nodes offer
// less than they should, or in two ways.
func notesOf(all []v1alpha1.ClusterCapacity) (notes []string) {
	for i := range all {
		name, conditions := all[i].Name, all[i].Status.Conditions
		if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionKnown); c != nil && c.Status == metav1.ConditionFalse {
			notes = append(notes, "cluster "+name+": "+c.Message+"; what is shown is what was known last")
		}
		if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionPluginsRun); c != nil && (c.Status == metav1.ConditionFalse || c.Reason == v1alpha1.ReasonDivided) {
			notes = append(notes, "cluster "+name+": "+c.Message)
		}
	}
	return notes
}

func (o *capacities) note(format string, args ...any) {
	_, _ = fmt.Fprintf(o.factory.ErrOut, "note: "+format+"\n", args...)
}

func (o *capacities) list(ctx context.Context, host client.Client) ([]v1alpha1.ClusterCapacity, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClusterCapacityList"))
	err := host.List(ctx, list, client.InNamespace(o.factory.KubeFedNamespace))
	if meta.IsNoMatchError(err) {
		return nil, errors.New("the host cluster has no ClusterCapacities: run \"fedctl install\" again, which brings them")
	} else if err != nil {
		return nil, fmt.Errorf("listing ClusterCapacities: %w", err)
	}
	var found []v1alpha1.ClusterCapacity
	for i := range list.Items {
		read, err := accelerator.ReadCapacity(&list.Items[i])
		if err != nil {
			return nil, fmt.Errorf("ClusterCapacity %s: %w", list.Items[i].GetName(), err)
		}
		if len(o.Names) == 0 || slices.Contains(o.Names, read.Name) {
			found = append(found, *read)
		}
	}
	for _, name := range o.Names {
		if !slices.ContainsFunc(found, func(c v1alpha1.ClusterCapacity) bool { return c.Name == name }) {
			return nil, fmt.Errorf("nothing is known of the nodes of cluster %s; see \"fedctl get clusters\"", name)
		}
	}
	return found, nil
}

// ask has the controller follow the pods of the members for some minutes.
func (o *capacities) ask(ctx context.Context, host client.Client, all []v1alpha1.ClusterCapacity) error {
	now := time.Now()
	for i := range all {
		if until := all[i].Spec.FollowRequestsUntil; until != nil && until.After(now.Add(renewed)) {
			continue
		}
		body, err := json.Marshal(map[string]any{"spec": map[string]any{"followRequestsUntil": metav1.NewTime(now.Add(followed))}})
		if err != nil {
			return err
		}
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClusterCapacity"))
		object.SetNamespace(all[i].Namespace)
		object.SetName(all[i].Name)
		if err := host.Patch(ctx, object, client.RawPatch(types.MergePatchType, body)); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// await reads the ClusterCapacities until all of them say what pods ask for, or that this
// cannot be known; in the end as they are.
func (o *capacities) await(ctx context.Context, host client.Client, all []v1alpha1.ClusterCapacity) ([]v1alpha1.ClusterCapacity, error) {
	var waitsFor atomic.Pointer[string]
	waitsFor.Store(ptr.To(waitingFor(all)))
	defer o.factory.Tell(func() string { return *waitsFor.Load() })()
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, patience, false, func(ctx context.Context) (done bool, err error) {
		if !slices.ContainsFunc(all, undecided) {
			return true, nil
		}
		again, err := o.list(ctx, host)
		if err != nil {
			return false, err
		}
		all = again
		waitsFor.Store(ptr.To(waitingFor(all)))
		return !slices.ContainsFunc(all, undecided), nil
	})
	if err != nil && !wait.Interrupted(err) {
		return nil, err
	}
	return all, ctx.Err()
}

// waitingFor says whose answers are to be expected, for who waits.
func waitingFor(all []v1alpha1.ClusterCapacity) string {
	return "waiting for the controller to find out what pods ask for in " + strings.Join(undecidedOf(all), ", ")
}

// undecidedOf are the clusters whose answers are to be expected.
func undecidedOf(all []v1alpha1.ClusterCapacity) (names []string) {
	for i := range all {
		if undecided(all[i]) {
			names = append(names, all[i].Name)
		}
	}
	return names
}

// undecided says whether an answer is to be expected. None is of a cluster whose nodes
// cannot be read.
func undecided(c v1alpha1.ClusterCapacity) bool {
	if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionKnown) {
		return false
	}
	condition := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionRequestsKnown)
	return condition == nil || condition.Reason == v1alpha1.ReasonNotFollowed || condition.Reason == v1alpha1.ReasonListing
}
