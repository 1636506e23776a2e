package convergence

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/convergence/pairs"
	"github.com/fedctl/fedctl/test/outcome"
)

// pair is one that is tried.
type pair struct {
	*pairs.Pair

	// id is the name of its objects.
	id string
	// fixed is what the API server says when T1 is replaced by T2; empty: it may be.
	fixed string

	differences []outcome.Difference
}

// workers is how many requests are under way.
const workers = 16

// scratch is the namespace in the member in which templates are tried.
const scratch = "scratch"

// choose installs the control plane with the types, and returns the pairs to try:
// those whose templates the member's API server would create.
func (w *world) choose(t *testing.T) []*pair {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	// A Backup's definition is in the member only when fedctl has installed it there.
	for _, args := range [][]string{{"install", "--without-controller"}, {"install", "--member", w.member.Name}} {
		if _, err := w.system.Run(ctx, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.member.Create(ctx, object("v1", "Namespace", "", scratch)); err != nil {
		t.Fatal(err)
	}
	var candidates []*pairs.Pair
	for _, s := range w.seeds {
		of, err := w.of(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		if len(of) > 0 {
			w.types = append(w.types, s)
			candidates = append(candidates, of...)
		}
	}
	return w.valid(ctx, t, candidates)
}

// of returns the wanted pairs of a type.
func (w *world) of(ctx context.Context, s *pairs.Seed) ([]*pairs.Pair, error) {
	all, err := s.Manual()
	if err != nil {
		return nil, err
	}
	generated, err := w.generated(ctx, s)
	if err != nil {
		return nil, err
	}
	var chosen []*pairs.Pair
	for _, p := range append(all, generated...) {
		if wanted(p) {
			chosen = append(chosen, p)
		}
	}
	return chosen, nil
}

// generated returns pairs made from the seed and the schema. For types that are enabled
// by default there are more, and a few that "make test" tries.
func (w *world) generated(ctx context.Context, s *pairs.Seed) ([]*pairs.Pair, error) {
	short := !*full && *only == ""
	if short && !s.Enabled {
		return nil, nil
	}
	chance := rand.New(rand.NewPCG(*seed, uint64(len(s.Resource))))
	n := *many
	switch {
	case short:
		n = 1
	case s.Enabled:
		n *= 2
	}
	var known *pairs.Schema
	if !short {
		var err error
		if known, err = w.schema(ctx, s); err != nil {
			return nil, err
		}
	}
	all, err := s.Generate(known, chance, n)
	for _, p := range all {
		p.Short = short
	}
	return all, err
}

// schema reads a type's schema from the member.
func (w *world) schema(ctx context.Context, s *pairs.Seed) (*pairs.Schema, error) {
	clientset, err := kubernetes.NewForConfig(w.member.Config)
	if err != nil {
		return nil, err
	}
	gvk := schema.FromAPIVersionAndKind(s.APIVersion, s.Kind)
	path := "/openapi/v3/apis/" + s.APIVersion
	if gvk.Group == "" {
		path = "/openapi/v3/api/" + s.APIVersion
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		document := map[string]any{}
		raw, err := clientset.RESTClient().Get().AbsPath(path).DoRaw(ctx)
		if err == nil {
			err = json.Unmarshal(raw, &document)
		}
		if found := pairs.FindSchema(document, gvk.Group, gvk.Version, gvk.Kind); found != nil {
			return found, nil
		}
		if pause(ctx) != nil { // that of a definition is published some seconds after it
			return nil, fmt.Errorf("the member publishes no schema of %s: %w", s.Resource, err)
		}
	}
}

// valid leaves out what was generated and no API server would create. What somebody has
// written has to be valid.
func (w *world) valid(ctx context.Context, t *testing.T, candidates []*pairs.Pair) []*pair {
	t.Helper()
	var mu sync.Mutex
	refused := map[string]error{} // by the template and its type
	group, limited := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, p := range candidates {
		for _, template := range []map[string]any{p.From, p.To} {
			key := templateKey(p.Seed, template)
			mu.Lock()
			_, tried := refused[key]
			if !tried {
				refused[key] = nil
			}
			mu.Unlock()
			if tried {
				continue
			}
			group.Go(func() error {
				err := w.try(limited, target(p.Seed, scratch, "tried", template))
				if err != nil && !isVerdict(err) {
					return fmt.Errorf("%s: %w", p.Name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				refused[key] = err
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	var tried []*pair
	dropped := 0
	for _, p := range candidates {
		err := refused[templateKey(p.Seed, p.From)]
		if err == nil {
			err = refused[templateKey(p.Seed, p.To)]
		}
		switch {
		case err == nil:
			tried = append(tried, &pair{Pair: p, id: fmt.Sprintf("p%d", len(tried))})
		case p.Generated:
			dropped++
		default:
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	t.Logf("%d generated pairs are not valid", dropped)
	return tried
}

// try has the member's API server judge an object. A definition that has just been
// made may not be served yet.
func (w *world) try(ctx context.Context, u *unstructured.Unstructured) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := w.member.Create(ctx, u.DeepCopy(), client.DryRunAll, client.FieldValidation("Strict"))
		if !meta.IsNoMatchError(err) || pause(ctx) != nil {
			return err
		}
	}
}

func templateKey(s *pairs.Seed, template map[string]any) string {
	raw, err := json.Marshal(template)
	if err != nil {
		panic(fmt.Sprintf("a template is JSON: %v", err))
	}
	return s.Resource + string(raw)
}

// isVerdict says whether an API server has judged an object.
func isVerdict(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err) || apierrors.IsAlreadyExists(err) ||
		apierrors.IsInternalError(err) && strings.Contains(err.Error(), "admission")
}

// target is what a template gives in the member.
func target(s *pairs.Seed, namespace, name string, template map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	for key, value := range template {
		u.Object[key] = value
	}
	u = u.DeepCopy()
	u.SetAPIVersion(s.APIVersion)
	u.SetKind(s.Kind)
	u.SetName(name)
	if s.Namespaced {
		u.SetNamespace(namespace)
	}
	return u
}

func object(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}
