package differential

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fedctl/fedctl/test/differential/cases"
	"github.com/fedctl/fedctl/test/outcome"
)

// How long things may take. None of them is asserted: what has not come by then is
// compared as it is.
const (
	poll = 300 * time.Millisecond
	// quiet is how long nothing may change before a step counts as dealt with.
	quiet = 2500 * time.Millisecond
	// reaction is how long KubeFed, and fedctl, may take for a step: KubeFed tries
	// again 5 s after a failure, then ever later.
	reaction = 40 * time.Second
	slow     = 2 * time.Minute
	// patience is how long fedctl may take after that to arrive where KubeFed has.
	patience = 15 * time.Second
)

// run is one case on both fleets.
type run struct {
	*cases.Case

	suite *cases.Suite
	both  [2]*fleet
	shown *verdicts
	table outcome.Table
	// refused are the steps that an API server of the host did not accept, by fleet.
	refused [2]map[string]any
}

// verdict is what a case has shown.
type verdict struct {
	complete    bool // all steps were done
	differences []found
}

// found is a difference, the step after which it was there first, and what it is.
type found struct {
	outcome.Difference

	step int
	kind string // meant, known, or unexpected
}

func (r *run) do(t *testing.T) {
	ctx := t.Context()
	v := &verdict{}
	r.shown.mu.Lock()
	r.shown.all[r.Name] = v
	r.shown.mu.Unlock()

	var err error
	if r.table, err = outcome.Members(); err != nil {
		t.Fatal(err)
	}
	r.refused = [2]map[string]any{{}, {}}
	if err := inBoth(r.both, func(f *fleet) error { return f.prepare(ctx, r.Case) }); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i := range r.Steps {
		differences, err := r.step(ctx, i)
		if err != nil {
			t.Fatalf("step %d: %v", i+1, err)
		}
		for _, d := range differences {
			if !seen[d.Path] {
				seen[d.Path] = true
				v.differences = append(v.differences, found{d, i + 1, r.sort(d)})
			}
		}
	}
	v.complete = true
	for _, d := range v.differences {
		if d.kind == unexpected {
			t.Errorf("after step %d (KubeFed | fedctl) %s", d.step, d.Difference)
		}
	}
}

const unexpected = "unexpected"

// sort says what a difference is.
func (r *run) sort(d outcome.Difference) string {
	r.shown.mu.Lock()
	defer r.shown.mu.Unlock()
	meant, known := r.suite.Meant.Expects(r.Name, d), r.suite.Known.Expects(r.Name, d)
	switch {
	case meant:
		return "meant"
	case known:
		return "known"
	}
	return unexpected
}

// step does a step in both fleets, waits until both have dealt with it, and returns in
// what they differ.
func (r *run) step(ctx context.Context, i int) ([]outcome.Difference, error) {
	step := &r.Steps[i]
	err := inBoth(r.both, func(f *fleet) error {
		refused := r.refused[slices.Index(r.both[:], f)]
		err := f.carryOut(ctx, r.Case, step)
		// What was not created cannot be changed either.
		if step.In == "" && (isRefusal(err) || apierrors.IsNotFound(err) && len(refused) > 0) {
			refused[fmt.Sprintf("step-%d", i+1)] = true
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := inBoth(r.both, func(f *fleet) error { return r.settle(ctx, f, step) }); err != nil {
		return nil, err
	}
	return r.compare(ctx)
}

// settle waits until a fleet has dealt with a step: the host's objects are observed,
// what KubeFed is known to do has been done, and nothing changes any more.
func (r *run) settle(ctx context.Context, f *fleet, step *cases.Step) error {
	limit := reaction
	if step.Slow {
		limit = slow
	}
	deadline := time.Now().Add(limit)
	var last map[string]any
	var since time.Time
	for {
		view, err := f.look(ctx, r.Case, r.table)
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(view, last) {
			last, since = view, time.Now()
		}
		missing := ""
		if f == r.both[0] {
			if missing, err = f.missing(ctx, r.Case, step); err != nil {
				return err
			}
		}
		if missing == "" && dealtWith(view) && time.Since(since) >= quiet {
			return nil
		}
		if time.Now().After(deadline) {
			if missing != "" {
				return fmt.Errorf("the case expects of %s what has not come after %s: %s", f.name, limit, missing)
			}
			return nil // that it has not settled is part of what is compared
		}
		if err := errors.Join(f.ended(), pause(ctx)); err != nil {
			return err
		}
	}
}

// dealtWith says whether the statuses are of the objects as they are, and nothing in them
// says that more is to come. Something may hold up what is to come for good: then it is
// waited for in vain.
func dealtWith(view map[string]any) bool {
	hosted, _ := view["host"].(map[string]any)
	for _, item := range hosted {
		fields, ok := item.(map[string]any)
		if !ok {
			continue
		}
		clusters, _ := fields["clusters"].(map[string]any)
		for _, word := range clusters {
			if word == "WaitingForRemoval" {
				return false
			}
		}
		if fields["observed"] == false {
			return false
		}
	}
	return true
}

// compare returns in what the fleets differ when fedctl has had the time to arrive
// where KubeFed has.
func (r *run) compare(ctx context.Context) ([]outcome.Difference, error) {
	deadline := time.Now().Add(patience)
	for {
		var views [2]map[string]any
		for i, f := range r.both {
			view, err := f.look(ctx, r.Case, r.table)
			if err != nil {
				return nil, err
			}
			view["refused"] = r.refused[i]
			views[i] = view
		}
		differences := outcome.Diff(views[0], views[1])
		allMeant := !slices.ContainsFunc(differences, func(d outcome.Difference) bool { return !r.suite.Meant.Covers(r.Name, d) })
		if allMeant || time.Now().After(deadline) {
			return differences, nil
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(poll):
		return nil
	}
}

// missing names the first thing that a step is to come to and has not.
func (f *fleet) missing(ctx context.Context, c *cases.Case, step *cases.Step) (string, error) {
	for _, e := range step.Until {
		ref, err := c.Find(e.Of)
		if err != nil {
			return "", err
		}
		for _, where := range f.clusters(e.In) {
			u, err := where.find(ctx, ref, c.Namespace())
			if err != nil {
				return "", err
			}
			var is any
			if u != nil && e.Path == "" {
				is = true
			} else if u != nil {
				is, _ = outcome.At(u.Object, e.Path)
			}
			if len(outcome.Diff(is, e.Is)) > 0 {
				return fmt.Sprintf("%s%s in cluster %s is %v, not %v", e.Of, e.Path, where.Name, is, e.Is), nil
			}
		}
	}
	return "", nil
}

// clusters are those that a step or an expectation is for.
func (f *fleet) clusters(in string) []*cluster {
	switch in {
	case "":
		return []*cluster{f.host}
	case "members":
		return f.members
	}
	return slices.DeleteFunc(slices.Clone(f.members), func(c *cluster) bool { return c.Name != in })
}

// prepare makes the case's namespace, federated unless the steps see to that, and what
// exists in the members before.
func (f *fleet) prepare(ctx context.Context, c *cases.Case) error {
	if err := f.write(ctx, f.host, object("v1", "Namespace", "", c.Namespace()), owner); err != nil {
		return err
	}
	if !c.Unfederated {
		federated := object("types.kubefed.io/v1beta1", "FederatedNamespace", c.Namespace(), c.Namespace())
		federated.Object["spec"] = map[string]any{"placement": map[string]any{"clusterSelector": map[string]any{}}}
		if err := f.write(ctx, f.host, federated, owner); err != nil {
			return err
		}
		if err := f.awaitNamespace(ctx, c); err != nil {
			return err
		}
	}
	for _, m := range f.members {
		if c.Unfederated && len(c.Existing) > 0 {
			if err := f.write(ctx, m, object("v1", "Namespace", "", c.Namespace()), owner); err != nil {
				return err
			}
		}
		for _, o := range c.Existing {
			if err := f.write(ctx, m, unstructuredOf(o), "somebody"); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitNamespace waits until the case's namespace is in every member and its status
// says so.
func (f *fleet) awaitNamespace(ctx context.Context, c *cases.Case) error {
	ctx, cancel := context.WithTimeout(ctx, slow)
	defer cancel()
	for {
		u, err := f.host.find(ctx, c.Hosted()[0], c.Namespace())
		if err != nil {
			return err
		}
		if u != nil && observed(u) && len(items(u, "status", "clusters")) == len(f.members) {
			if spread, err := f.everywhere(ctx, c.Spread()[0], c.Namespace()); err != nil || spread {
				return err
			}
		}
		if err := errors.Join(f.ended(), pause(ctx)); err != nil {
			return fmt.Errorf("the namespace %s has not arrived in the members: %w", c.Namespace(), err)
		}
	}
}

func (f *fleet) everywhere(ctx context.Context, ref cases.Ref, namespace string) (bool, error) {
	for _, m := range f.members {
		if u, err := m.find(ctx, ref, namespace); err != nil || u == nil {
			return false, err
		}
	}
	return true, nil
}

// carryOut does a step.
func (f *fleet) carryOut(ctx context.Context, c *cases.Case, step *cases.Step) error {
	for _, where := range f.clusters(step.In) {
		if err := f.carryOutIn(ctx, where, c, step); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) carryOutIn(ctx context.Context, where *cluster, c *cases.Case, step *cases.Step) error {
	manager := owner
	if step.In != "" {
		manager = "kubectl-edit"
	}
	for _, o := range step.Apply {
		if err := f.write(ctx, where, unstructuredOf(o), manager); err != nil {
			return err
		}
	}
	for _, p := range step.Patch {
		ref, err := c.Find(p.Of)
		if err == nil {
			err = f.patch(ctx, where, newObject(ref, c.Namespace()), p.Merge, manager)
		}
		if err != nil {
			return err
		}
	}
	var errs []error
	for _, named := range step.Delete {
		ref, err := c.Find(named)
		if err == nil {
			err = f.remove(ctx, where, newObject(ref, c.Namespace()))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
