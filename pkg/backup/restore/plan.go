package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

// plan is what is to be done with all objects. content.Decide decides about each of
// them; kept is what is not simply created, since most are.
type plan struct {
	mu    sync.Mutex
	steps map[stepKey]planned
	facts facts
	// volumes are those that this restore makes, by their names.
	volumes map[string]map[string]any
	// defined are the resources that it defines, served or not.
	defined map[string]bool
	// groups are those of the APIServices that it makes.
	groups map[string]bool
	// served are the resources that the cluster serves, and as what.
	served map[string]servedAs
	// silent are resources, by namespace, of which the server cannot be asked: a webhook
	// that does not answer would have to be waited for with each object.
	silent    map[stepKey]bool
	conflicts []string
	conflict  int
	// unasked counts the objects of a dry run that the API server could not judge.
	unasked int64
}

type stepKey struct {
	resource string
	id       id
}

type planned struct {
	action content.Action
	why    string
}

func newPlan() *plan {
	return &plan{
		steps: map[stepKey]planned{}, volumes: map[string]map[string]any{}, defined: map[string]bool{}, groups: map[string]bool{},
		served: map[string]servedAs{}, silent: map[stepKey]bool{}, facts: newFacts(),
	}
}

func (p *plan) of(resource content.Resource, object *saved) planned {
	p.mu.Lock()
	defer p.mu.Unlock()
	if step, ok := p.steps[stepKey{resource.Name(), object.id()}]; ok {
		return step
	}
	return planned{action: content.Create}
}

// add adds a step.
func (p *plan) add(resource content.Resource, object *saved, step content.Step, into string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch step.Action {
	case content.Create:
		p.creates(resource, step.Object)
		return
	case content.Conflict:
		const most = 5
		if p.conflict++; len(p.conflicts) < most {
			text := strings.TrimPrefix(into+"/", "/") + object.name + " (" + resource.Name()
			if step.Why != "" {
				text += "; " + step.Why
			}
			p.conflicts = append(p.conflicts, text+")")
		}
	}
	p.steps[stepKey{resource.Name(), object.id()}] = planned{step.Action, step.Why}
}

// creates notes what other objects of the restore depend on.
func (p *plan) creates(resource content.Resource, object map[string]any) {
	switch resource.Name() {
	case "persistentvolumes":
		u := unstructured.Unstructured{Object: object}
		claim, _, _ := unstructured.NestedMap(object, "spec", "claimRef")
		p.volumes[u.GetName()] = claim
	case "customresourcedefinitions.apiextensions.k8s.io":
		group, _, _ := unstructured.NestedString(object, "spec", "group")
		plural, _, _ := unstructured.NestedString(object, "spec", "names", "plural")
		p.defined[plural+"."+group] = true
	case "apiservices.apiregistration.k8s.io":
		group, _, _ := unstructured.NestedString(object, "spec", "group")
		p.groups[group] = true
	}
}

// makePlan decides what is to be done with every object, before anything is written.
func (r *run) makePlan(ctx context.Context) error {
	if err := r.namespaces.load(ctx); err != nil {
		return err
	}
	for _, resource := range r.files() {
		err := r.stream(ctx, resource, func(ctx context.Context, line []byte) error { return r.planLine(ctx, resource, line) })
		if err != nil {
			return err
		}
	}
	r.waits("")
	if err := r.checkNames(); err != nil {
		return err
	}
	if r.plan.conflict == 0 {
		return nil
	}
	names := r.plan.conflicts
	slices.Sort(names)
	if r.plan.conflict > len(names) {
		names = append(names, fmt.Sprintf("and %d more", r.plan.conflict-len(names)))
	}
	return &Error{Reason: ReasonExists, Message: fmt.Sprintf("%d objects exist, so nothing was restored: %s. "+
		"Set existing to Skip or Update, or restore into another namespace", r.plan.conflict, strings.Join(names, ", "))}
}

func (r *run) planLine(ctx context.Context, resource content.Resource, line []byte) error {
	defer r.planned()
	object, err := parse(line)
	if err != nil {
		return nil // said when it is restored
	}
	r.plan.facts.saw(resource, object)
	if !r.wantsObject(resource, object) {
		return nil
	}
	r.plan.facts.selected(resource, object)
	into := &namespace{}
	if resource.Namespaced {
		// What is wrong with a namespace is dealt with when its objects are restored.
		if into, err = r.namespaces.look(ctx, object.namespace); err != nil {
			return r.planError(ctx, err)
		}
	}
	_, step, err := r.decide(ctx, resource, object, into, true)
	if err != nil {
		return r.planError(ctx, err)
	}
	r.plan.facts.decided(r, resource, step)
	r.plan.add(resource, object, step, r.namespaces.to(object.namespace))
	return nil
}

// planError ends the planning only if nothing can be restored at all, or nothing may
// exist and it is not known whether it does; other errors come again when the object is
// restored, and are dealt with then.
func (r *run) planError(ctx context.Context, err error) error {
	var fault *faultError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &fault):
		return nil
	case apierrors.IsUnauthorized(err), r.spec.Existing == content.ExistingFail:
		return r.fatal("cannot find out what exists", err)
	case lost(err) && !r.alive(ctx):
		return r.fatal("the cluster does not answer", err)
	}
	return nil
}

// decide decides about one object. Without look, it is taken for one that does not
// exist.
func (r *run) decide(ctx context.Context, resource content.Resource, object *saved, into *namespace, look bool) (*content.Situation, content.Step, error) {
	served := r.serve(ctx, resource)
	options := r.options()
	if resource.Name() == "persistentvolumeclaims" && r.verify == nil {
		if err := r.volume(ctx, object, &options); err != nil {
			return nil, content.Step{}, err
		}
	}
	situation := &content.Situation{
		Resource: resource, APIVersion: served.GVK().GroupVersion().String(), Saved: object.content,
		Options: options, Transforms: r.transforms, Existing: r.spec.Existing, Fresh: into.created,
	}
	step := content.Decide(*situation)
	if step.Action != content.Create || !look || into.missing || served.problem != "" {
		return situation, step, nil
	}
	wanted := &unstructured.Unstructured{Object: step.Object}
	live := newObject(served.Resource)
	err := r.retry(ctx, func(ctx context.Context) error { return r.client.Get(ctx, client.ObjectKeyFromObject(wanted), live) })
	switch {
	case apierrors.IsNotFound(err):
		return situation, step, nil
	case err != nil:
		return nil, content.Step{}, err
	}
	situation.Live = live.Object
	r.remember(object.uid, string(live.GetUID()))
	step = content.Decide(*situation)
	r.ask(ctx, situation, &step)
	return situation, step, nil
}

// ask has the server say what it would make of an object that differs. Where it refuses,
// what is known without it has to do.
func (r *run) ask(ctx context.Context, situation *content.Situation, step *content.Step) {
	silent := stepKey{situation.Resource.Name(), id{namespace: (&unstructured.Unstructured{Object: step.Object}).GetNamespace()}}
	r.plan.mu.Lock()
	known := r.plan.silent[silent]
	r.plan.mu.Unlock()
	if len(step.Differences) == 0 || known {
		return
	}
	answer := &unstructured.Unstructured{Object: step.Object}
	// A field that the server drops would be no difference in its answer.
	_, err := knownFields(situation.Resource, answer.GroupVersionKind().Version, func(validation client.FieldValidation) error {
		answer = answer.DeepCopy()
		return r.client.Update(ctx, answer, client.DryRunAll, client.FieldOwner(FieldManager), validation)
	})
	if err == nil {
		situation.Answered(step, answer.Object)
		return
	}
	if recognise(err) != nil {
		r.plan.mu.Lock()
		r.plan.silent[silent] = true
		r.plan.mu.Unlock()
	}
}
