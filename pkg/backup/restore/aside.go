package restore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

// aside holds the objects that met a fault which is not theirs. What comes after them
// and would meet it, too, joins them without being tried.
type aside struct {
	// patience, if set, is the most that a fault gets.
	patience time.Duration

	mu     sync.Mutex
	groups []*group
}

// group are the objects of one resource in one namespace that met the same fault.
type group struct {
	faultError
	resource  content.Resource
	namespace string // in the cluster
	ids       map[id]bool
}

// holds says whether a fault that was met holds for objects of a resource in a namespace.
func (g *group) holds(resource content.Resource, namespace string) bool {
	return !g.kind.single && g.namespace == namespace && (g.kind.whole || g.resource == resource)
}

// put puts an object aside.
func (a *aside) put(resource content.Resource, namespace string, object id, fault *faultError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.add(resource, namespace, object, *fault)
}

func (a *aside) add(resource content.Resource, namespace string, object id, fault faultError) {
	for _, g := range a.groups {
		if g.kind == fault.kind && g.subject == fault.subject && g.resource == resource && g.namespace == namespace {
			g.ids[object] = true
			return
		}
	}
	a.groups = append(a.groups, &group{faultError: fault, resource: resource, namespace: namespace, ids: map[id]bool{object: true}})
}

// joins puts an object aside if a fault is known that holds for it.
func (a *aside) joins(resource content.Resource, namespace string, object id) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.groups {
		if g.holds(resource, namespace) {
			a.add(resource, namespace, object, g.faultError)
			return true
		}
	}
	return false
}

func (a *aside) patienceWith(kind *faultKind) time.Duration {
	if a.patience > 0 {
		return min(a.patience, kind.patience)
	}
	return kind.patience
}

// take empties it, and divides what was in it into what is worth another try and what
// has had its time.
func (a *aside) take(waited time.Duration, dry bool) (more, over []*group) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.groups {
		if patience := a.patienceWith(g.kind); patience > 0 && waited <= patience && !dry {
			more = append(more, g)
		} else {
			over = append(over, g)
		}
	}
	a.groups = nil
	return more, over
}

// again tries what was put aside until all of it is restored, or has had its time. In a
// dry run nothing changes meanwhile.
func (r *run) again(ctx context.Context) error {
	began, delay := time.Now(), time.Second
	const longest = 10 * time.Second
	var given []*group
	for {
		more, over := r.aside.take(time.Since(began), r.dryRun || r.verify != nil)
		given = append(given, over...)
		if len(more) == 0 {
			break
		}
		before := r.snapshot().Counts.Deferred
		for _, g := range more {
			if err := r.tryGroup(ctx, g); err != nil {
				return err
			}
		}
		if r.snapshot().Counts.Deferred < before {
			delay = time.Second
			continue
		}
		r.waits(describe(more))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(delay):
		}
		delay = min(2*delay, longest)
	}
	r.waits("")
	r.giveUp(given)
	return nil
}

func (r *run) tryGroup(ctx context.Context, g *group) error {
	r.namespaces.forget(g.namespace)
	r.forgetServed(g.resource)
	return r.each(ctx, g.resource, func(ctx context.Context, object *saved) error {
		if !g.ids[object.id()] {
			return nil
		}
		r.deferred(g.resource, -1)
		return r.object(ctx, g.resource, object)
	})
}

// giveUp counts what could not be restored, and says it once for each fault.
func (r *run) giveUp(groups []*group) {
	for len(groups) > 0 {
		first := groups[0]
		same := func(g *group) bool {
			return g.kind == first.kind && g.subject == first.subject && (first.subject != "" || g.namespace == first.namespace)
		}
		var alike []*group
		for _, g := range groups {
			if same(g) {
				alike = append(alike, g)
			}
		}
		groups = slices.DeleteFunc(groups, same)
		for _, g := range alike {
			if r.dryRun && g.kind.patience > 0 {
				continue // the run would try them again
			}
			r.deferred(g.resource, -int64(len(g.ids)))
			r.failed(g.resource, int64(len(g.ids)))
		}
		r.warnAll(alike)
	}
}

func (r *run) warnAll(alike []*group) {
	first := alike[0]
	resource, namespace, name, total := first.resource.Name(), first.namespace, "", 0
	for _, g := range alike {
		total += len(g.ids)
		if g.resource != first.resource {
			resource = ""
		}
		if g.namespace != first.namespace {
			namespace = ""
		}
		for object := range g.ids {
			name = object.name
		}
	}
	if total > 1 {
		name = ""
	}
	verb := "not restored"
	if r.dryRun && first.kind.patience > 0 {
		verb = "would be put aside, and tried again after the rest"
	}
	text := fmt.Sprintf("%s %s: %s", counted(alike), verb, first.message)
	if first.kind.advice != "" {
		text += "; " + first.kind.advice
	}
	r.warn(resource, namespace, name, text)
}

// counted says how many objects of which resources there are.
func counted(groups []*group) string {
	var order []string
	counts := map[string]int{}
	for _, g := range groups {
		if counts[g.resource.Name()] == 0 {
			order = append(order, g.resource.Name())
		}
		counts[g.resource.Name()] += len(g.ids)
	}
	var parts []string
	for _, name := range order {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	const most = 5
	if len(parts) > most {
		parts = append(parts[:most], fmt.Sprintf("objects of %d more resources", len(parts)-most))
	}
	return strings.Join(parts, ", ")
}

// describe says for what objects wait.
func describe(groups []*group) string {
	first := groups[0]
	text := fmt.Sprintf("waits with %s: %s", counted(groups), first.message)
	others := map[string]bool{}
	for _, g := range groups[1:] {
		if g.kind != first.kind || g.subject != first.subject {
			others[g.kind.name+g.subject] = true
		}
	}
	if len(others) > 0 {
		text += fmt.Sprintf(", and for %d more", len(others))
	}
	return text
}
