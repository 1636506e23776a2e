package restore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

// facts are what the names in a spec were found to match.
type facts struct {
	mu sync.Mutex
	// namespaces that have objects of the wanted resources; used are those of which
	// something is restored, and those that references name.
	namespaces, used map[string]bool
	// inNamespaces counts what the resources and namespaces leave, chosen what the
	// labels leave of it.
	inNamespaces, chosen int64
	resources            map[string]content.Resource
	removed              map[content.Operation]bool
}

func newFacts() facts {
	return facts{namespaces: map[string]bool{}, used: map[string]bool{}, resources: map[string]content.Resource{}, removed: map[content.Operation]bool{}}
}

func (f *facts) saw(resource content.Resource, object *saved) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if namespace := namespaceOf(resource, object); namespace != "" {
		f.namespaces[namespace] = true
	}
	f.inNamespaces++
}

func (f *facts) selected(resource content.Resource, object *saved) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chosen++
	f.used[namespaceOf(resource, object)] = true
	f.resources[resource.Name()] = resource
}

func (f *facts) decided(r *run, resource content.Resource, step content.Step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, reference := range step.References {
		f.used[reference.From] = true
	}
	if step.Object == nil {
		return
	}
	r.transforms.Removals(func(operation content.Operation, _ string) {
		if r.transforms.Matches(operation.Transform, resource) && !slices.Contains(step.Ineffective, operation) {
			f.removed[operation] = true
		}
	})
}

// checkNames is an error for everything in the spec that matches nothing: what was
// meant by it would silently not be.
func (r *run) checkNames() error {
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	r.checkResources(add)
	f := &r.plan.facts
	known := slices.Sorted(maps.Keys(f.namespaces))
	for name := range r.namespaces.saved {
		known = append(known, name)
	}
	for _, name := range r.spec.Namespaces {
		if !f.namespaces[name] {
			add("spec.namespaces: nothing of namespace %s was saved%s", name, content.DidYouMean(content.Meant(name, known)))
		}
	}
	for _, from := range slices.Sorted(maps.Keys(r.spec.NamespaceMapping)) {
		if !f.used[from] {
			add("spec.namespaceMapping: nothing of namespace %s is restored%s", from, content.DidYouMean(content.Meant(from, known)))
		}
	}
	r.checkTransforms(add)
	switch {
	case len(problems) > 0:
	case f.inNamespaces == 0:
		add("the run %s holds no objects that can be restored", r.manifest.Source.Run)
	case f.chosen == 0:
		add("spec.labelSelector selects none of the %d objects", f.inNamespaces)
	}
	if len(problems) == 0 {
		return nil
	}
	return &Error{Reason: ReasonNothing, Message: "nothing was restored, since something in the spec matches nothing: " + strings.Join(problems, "; ")}
}

func (r *run) checkResources(add func(format string, args ...any)) {
	var saved []content.Resource
	for _, file := range r.manifest.Resources {
		if file.Objects > 0 {
			saved = append(saved, contentResource(file.Resource))
		}
	}
	for _, name := range r.spec.IncludedResources {
		if slices.ContainsFunc(saved, func(resource content.Resource) bool { return resource.Matches([]string{name}) }) {
			continue
		}
		add("spec.includedResources: no %s were saved%s", name, content.DidYouMean(content.MeantResource(name, saved)))
	}
}

func (r *run) checkTransforms(add func(format string, args ...any)) {
	restored := slices.Collect(maps.Values(r.plan.facts.resources))
	if len(restored) == 0 {
		return // said already
	}
	for i, transform := range r.spec.Transforms {
		if !slices.ContainsFunc(restored, func(resource content.Resource) bool { return r.transforms.Matches(i, resource) }) {
			add("spec.transforms[%d].resource: no %s are restored%s", i, transform.Resource, content.DidYouMean(content.MeantResource(transform.Resource, restored)))
		}
	}
	r.transforms.Removals(func(operation content.Operation, path string) {
		matches := slices.ContainsFunc(restored, func(resource content.Resource) bool { return r.transforms.Matches(operation.Transform, resource) })
		if matches && !r.plan.facts.removed[operation] {
			add("spec.transforms[%d].patch[%d]: no object that is restored has %s, so there is nothing to remove", operation.Transform, operation.Patch, path)
		}
	})
}
