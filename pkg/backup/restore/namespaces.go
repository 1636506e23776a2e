package restore

import (
	"context"
	"errors"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

var namespaceResource = content.Resource{Version: "v1", Plural: namespacesName, Kind: "Namespace"}

// namespaces makes the namespaces that objects need, each once.
type namespaces struct {
	run *run
	// saved Namespaces, by name.
	saved map[string]map[string]any

	mu sync.Mutex
	// known namespaces, by their names in the cluster.
	known map[string]*namespace
}

// namespace is one in the cluster.
type namespace struct {
	mu sync.Mutex
	// looked says that what follows is known, ensured that it is as it is to be.
	looked, ensured bool
	// created says that this restore made it; missing that it does not exist.
	created, missing bool
	live             *unstructured.Unstructured
	err              error
}

// load reads the saved Namespaces; there are few beside other objects.
func (n *namespaces) load(ctx context.Context) error {
	for line, err := range n.run.reader.Objects(ctx, repositoryResource(namespaceResource)) {
		if err != nil {
			return err
		}
		if object, err := parse(line); err == nil {
			n.saved[object.name] = object.content
		}
	}
	return nil
}

func (n *namespaces) to(from string) string {
	if to := n.run.spec.NamespaceMapping[from]; to != "" {
		return to
	}
	return from
}

func (n *namespaces) get(from string) *namespace {
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.to(from)
	if n.known[to] == nil {
		n.known[to] = &namespace{}
	}
	return n.known[to]
}

// forget has a namespace be looked at again, unless it is there as it should be.
func (n *namespaces) forget(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if known := n.known[name]; known != nil && !known.ensured {
		delete(n.known, name)
	}
}

// look finds out what there is of the namespace that objects of a saved one go to. The
// error is that nothing can be written into it.
func (n *namespaces) look(ctx context.Context, from string) (*namespace, error) {
	it := n.get(from)
	it.mu.Lock()
	defer it.mu.Unlock()
	return it, n.lookLocked(ctx, n.to(from), it)
}

func (n *namespaces) lookLocked(ctx context.Context, name string, it *namespace) error {
	if it.looked {
		return it.err
	}
	live := newObject(namespaceResource)
	err := n.run.retry(ctx, func(ctx context.Context) error { return n.run.client.Get(ctx, client.ObjectKey{Name: name}, live) })
	switch {
	case apierrors.IsNotFound(err):
		it.missing = true
	case err != nil:
		return err
	case live.GetDeletionTimestamp() != nil:
		it.live, it.err = live, &faultError{kind: faultTerminating, subject: name, message: "namespace " + name + " is being deleted" + remains(live)}
	default:
		it.live = live
	}
	it.looked = true
	return it.err
}

// remains says what keeps a namespace from going.
func remains(live *unstructured.Unstructured) string {
	var parts []string
	for _, condition := range conditions(live.Object) {
		kind, _ := condition["type"].(string)
		message, _ := condition["message"].(string)
		if condition["status"] == "True" && strings.HasPrefix(kind, "Namespace") && message != "" {
			parts = append(parts, message)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ")
}

// ensure makes sure that the namespace exists that objects of a saved one go to.
func (n *namespaces) ensure(ctx context.Context, from string) (*namespace, error) {
	it := n.get(from)
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.ensured {
		return it, it.err
	}
	name := n.to(from)
	if err := n.lookLocked(ctx, name, it); err != nil {
		return it, err
	}
	err := n.carryOut(ctx, from, it)
	if err != nil && (recognise(err) != nil || lost(err)) {
		it.looked = false
		return it, err // it may be tried again
	}
	it.ensured, it.err = true, err
	return it, err
}

// carryOut creates the namespace, or does with one that exists what the Restore says,
// if Namespaces are to be restored at all.
func (n *namespaces) carryOut(ctx context.Context, from string, it *namespace) error {
	r := n.run
	object := &saved{name: from, content: n.saved[from]}
	asked := object.content != nil
	if !asked {
		object.content = map[string]any{"metadata": map[string]any{"name": from}}
	}
	object.uid = uidOf(object.content)
	situation := &content.Situation{
		Resource: namespaceResource, APIVersion: "v1", Saved: object.content, Options: r.options(), Transforms: r.transforms, Existing: r.spec.Existing,
	}
	if it.live != nil {
		r.remember(object.uid, string(it.live.GetUID()))
		if !asked || r.verify != nil || !r.wants(namespaceResource) || !r.wantsObject(namespaceResource, object) {
			return nil
		}
		situation.Live = it.live.Object
	}
	step := content.Decide(*situation)
	if r.verify != nil {
		r.verify.mark(step.Object)
	}
	if situation.Live != nil {
		r.ask(ctx, situation, &step)
	}
	if it.missing && r.dryRun {
		r.notes(namespaceResource, object, step.Notes)
		r.written(namespaceResource, object, false)
		return nil
	}
	if step.Action == content.Refuse {
		return errors.New(step.Why)
	}
	err := r.carryOut(ctx, namespaceResource, object, it, situation, step)
	if err == nil && it.missing {
		it.created, it.missing = true, false
	}
	return err
}
