package convergence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/convergence/pairs"
	"github.com/fedctl/fedctl/test/outcome"
)

// The two places of a pair's objects.
const (
	changed = "changed"
	created = "created"
)

// place names the namespace of a type's objects, and of a namespace itself.
func place(where string, s *pairs.Seed, p *pair) (namespace, name string) {
	namespace = where + "-" + strings.ToLower(s.Kind)
	switch {
	case s.Kind == "Namespace":
		namespace += "-" + p.id
		return namespace, namespace
	case s.Namespaced:
		return namespace, p.id
	}
	return "", namespace + "-" + p.id
}

// prepare starts the controller with the types, and makes the namespaces and what
// exists before.
func (w *world) prepare(t *testing.T, tried []*pair) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if err := w.system.StartControlPlane(ctx); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.types {
		if !s.Enabled {
			if _, err := w.system.Run(ctx, "enable", s.Resource); err != nil {
				t.Fatal(err)
			}
		}
	}
	// With all rights: some types may be written only by who may do what they allow.
	if _, err := w.system.Run(ctx, "join", w.member.Name, "--cluster-context", w.member.Name, "--rbac=admin"); err != nil {
		t.Fatal(err)
	}
	if err := w.system.WaitForMember(ctx, w.member.Name, true); err != nil {
		t.Fatal(err)
	}
	namespaces := map[string]bool{}
	for _, p := range tried {
		for _, where := range []string{changed, created} {
			if namespace, name := place(where, p.Seed, p); namespace != "" && !namespaces[namespace] {
				namespaces[namespace] = true
				if err := w.namespace(ctx, namespace, namespace == name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	err := each(ctx, tried, func(ctx context.Context, p *pair) error {
		if p.Existing == nil {
			return nil
		}
		namespace, name := place(changed, p.Seed, p)
		return w.member.Create(ctx, target(p.Seed, namespace, name, p.Existing), client.FieldOwner("somebody"))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// namespace makes a namespace in the host, and in the member where nobody federates it.
func (w *world) namespace(ctx context.Context, name string, federated bool) error {
	if err := w.host.Create(ctx, object("v1", "Namespace", "", name)); err != nil {
		return err
	}
	if federated {
		return nil
	}
	if err := w.member.Create(ctx, object("v1", "Namespace", "", name)); err != nil {
		return err
	}
	f := object("types.kubefed.io/v1beta1", "FederatedNamespace", name, name)
	f.Object["spec"] = map[string]any{"placement": everywhere()}
	return w.host.Create(ctx, f)
}

func everywhere() map[string]any { return map[string]any{"clusterSelector": map[string]any{}} }

// change federates T1 of every pair, changes it to T2, federates T2 beside it, and
// compares the two.
func (w *world) change(t *testing.T, tried []*pair) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	err := each(ctx, tried, func(ctx context.Context, p *pair) error { return w.federate(ctx, changed, p, p.From, p.FromOverrides) })
	if err == nil {
		err = w.settled(ctx, tried, changed)
	}
	if err == nil {
		err = each(ctx, tried, w.askWhetherFixed)
	}
	if err == nil {
		err = each(ctx, tried, func(ctx context.Context, p *pair) error {
			return errors.Join(w.federate(ctx, changed, p, p.To, p.ToOverrides), w.federate(ctx, created, p, p.To, p.ToOverrides))
		})
	}
	if err == nil {
		err = w.settled(ctx, tried, changed, created)
	}
	if err == nil {
		err = w.compareAll(ctx, tried)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// each does something with every pair, some at a time.
func each(ctx context.Context, tried []*pair, do func(ctx context.Context, p *pair) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, p := range tried {
		group.Go(func() error {
			if err := do(ctx, p); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

var conflicts = wait.Backoff{Steps: 50, Duration: 10 * time.Millisecond, Factor: 1.2, Jitter: 0.5, Cap: 300 * time.Millisecond}

// federate creates the federated object of a pair at a place, or changes it.
func (w *world) federate(ctx context.Context, where string, p *pair, template map[string]any, overrides []any) error {
	spec := map[string]any{"template": template, "placement": everywhere()}
	if len(overrides) > 0 {
		spec["overrides"] = []any{map[string]any{"clusterName": w.member.Name, "clusterOverrides": overrides}}
	}
	return retry.RetryOnConflict(conflicts, func() error {
		f := federated(where, p)
		err := w.host.Get(ctx, client.ObjectKeyFromObject(f), f)
		f.Object["spec"] = (&unstructured.Unstructured{Object: spec}).DeepCopy().Object
		switch {
		case apierrors.IsNotFound(err):
			return w.host.Create(ctx, f)
		case err != nil:
			return err
		}
		return w.host.Update(ctx, f)
	})
}

func federated(where string, p *pair) *unstructured.Unstructured {
	namespace, name := place(where, p.Seed, p)
	return object("types.kubefed.io/v1beta1", "Federated"+p.Seed.Kind, namespace, name)
}

// settled waits until the status of every pair's federated objects is of what they are.
func (w *world) settled(ctx context.Context, tried []*pair, places ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	waiting := map[*pairs.Seed]map[string]bool{}
	for _, p := range tried {
		for _, where := range places {
			if waiting[p.Seed] == nil {
				waiting[p.Seed] = map[string]bool{}
			}
			waiting[p.Seed][client.ObjectKeyFromObject(federated(where, p)).String()] = true
		}
	}
	for len(waiting) > 0 {
		for s, names := range waiting {
			list := &unstructured.UnstructuredList{}
			list.SetAPIVersion("types.kubefed.io/v1beta1")
			list.SetKind("Federated" + s.Kind + "List")
			if err := w.host.List(ctx, list); err != nil {
				return fmt.Errorf("%d objects of %s have not settled: %w", len(names), s.Resource, err)
			}
			for i := range list.Items {
				if word(&list.Items[i]) != "" {
					delete(names, client.ObjectKeyFromObject(&list.Items[i]).String())
				}
			}
			if len(names) == 0 {
				delete(waiting, s)
			}
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// word is what the status says of the member: OK, or one of KubeFed's words; empty if
// it does not say yet, of the object as it is.
func word(f *unstructured.Unstructured) string {
	generation, _, _ := unstructured.NestedInt64(f.Object, "status", "observedGeneration")
	clusters, _, _ := unstructured.NestedSlice(f.Object, "status", "clusters")
	if generation != f.GetGeneration() || len(clusters) == 0 {
		return ""
	}
	first, _ := clusters[0].(map[string]any)
	switch status, _ := first["status"].(string); status {
	case "":
		return "OK"
	default:
		message, _ := first["message"].(string)
		return strings.TrimSpace(status + " " + message)
	}
}

// firstWord is the word without the message, in which the objects are named.
func firstWord(told string) string {
	first, _, _ := strings.Cut(told, " ")
	return first
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(500 * time.Millisecond):
		return nil
	}
}

// askWhetherFixed tries to replace T1 by T2 in the member, without doing it.
func (w *world) askWhetherFixed(ctx context.Context, p *pair) error {
	if p.FromOverrides != nil || p.ToOverrides != nil {
		return nil // somebody has written it, and it can be done
	}
	namespace, name := place(changed, p.Seed, p)
	there := object(p.Seed.APIVersion, p.Seed.Kind, namespace, name)
	if err := w.member.Get(ctx, client.ObjectKeyFromObject(there), there); err != nil {
		return client.IgnoreNotFound(err) // the comparison will tell
	}
	next := target(p.Seed, namespace, name, p.To)
	next.SetResourceVersion(there.GetResourceVersion())
	err := w.member.Update(ctx, next, client.DryRunAll)
	if err != nil && !isVerdict(err) {
		return err
	}
	if err != nil {
		p.fixed = err.Error()
	}
	return nil
}

// compareAll compares every pair's two objects; those that differ although they should
// not are given some time.
func (w *world) compareAll(ctx context.Context, tried []*pair) error {
	deadline := time.Now().Add(2 * time.Minute)
	rest := tried
	for {
		if err := each(ctx, rest, w.compare); err != nil {
			return err
		}
		rest = slices.DeleteFunc(slices.Clone(rest), w.asExpected)
		if len(rest) == 0 || time.Now().After(deadline) {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// asExpected says whether a pair's objects differ in nothing, or only as a sheet says.
func (w *world) asExpected(p *pair) bool {
	return !slices.ContainsFunc(p.differences, func(d outcome.Difference) bool {
		return !w.meant.Covers(p.Name, d) && !w.known.Covers(p.Name, d)
	})
}

// compare says in what a pair's changed object differs from the one that was created.
// One that could not be changed may differ if the status says so.
func (w *world) compare(ctx context.Context, p *pair) error {
	var objects [2]any
	var words [2]string
	for i, where := range []string{created, changed} {
		namespace, name := place(where, p.Seed, p)
		u := object(p.Seed.APIVersion, p.Seed.Kind, namespace, name)
		switch err := w.member.Get(ctx, client.ObjectKeyFromObject(u), u); {
		case err == nil:
			objects[i] = any(w.table.Clean(u.Object))
		case !apierrors.IsNotFound(err):
			return err
		}
		f := federated(where, p)
		if err := w.host.Get(ctx, client.ObjectKeyFromObject(f), f); err != nil {
			return err
		}
		words[i] = word(f)
	}
	p.differences = outcome.Diff(objects[0], objects[1])
	told := words[1] != "OK" && words[1] != ""
	switch {
	case !p.Generated && words[0] != "OK":
		p.differences = []outcome.Difference{{Path: "/status", Left: "OK, for what the API server would take", Right: words[0]}}
	case len(p.differences) > 0 && told && (p.fixed != "" || strings.Contains(words[1], "which is not in the template")):
		p.differences = nil // it cannot be changed, though an update may seem to, and it is said
	case len(p.differences) > 0 && p.fixed != "":
		p.differences = append(p.differences, outcome.Difference{Path: "/status", Left: "not OK, because: " + p.fixed, Right: words[1]})
	case firstWord(words[0]) != firstWord(words[1]):
		p.differences = append(p.differences, outcome.Difference{Path: "/status", Left: words[0], Right: words[1]})
	}
	return nil
}
