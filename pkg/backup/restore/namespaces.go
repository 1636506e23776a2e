package restore

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
)

var namespaceResource = content.Resource{Version: "v1", Plural: namespacesName, Kind: "Namespace"}

// terminationPatience is how long a namespace of the same name may take to go.
const terminationPatience = 5 * time.Minute

// namespaces makes the namespaces that objects need, each once.
type namespaces struct {
	run *run
	// saved Namespaces, by name.
	saved map[string]map[string]any

	mu      sync.Mutex
	ensured map[string]*ensured
}

// ensured is a namespace in the target.
type ensured struct {
	once sync.Once
	// created says that this restore made it; missing that it does not exist, in a
	// dry run.
	created, missing bool
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

// ensure makes sure that the namespace exists that objects of a saved one go to.
func (n *namespaces) ensure(ctx context.Context, from string) *ensured {
	to := n.to(from)
	n.mu.Lock()
	e := n.ensured[to]
	if e == nil {
		e = &ensured{}
		n.ensured[to] = e
	}
	n.mu.Unlock()
	e.once.Do(func() { e.err = n.make(ctx, from, to, e) })
	return e
}

func (n *namespaces) to(from string) string {
	if to := n.run.spec.NamespaceMapping[from]; to != "" {
		return to
	}
	return from
}

// make creates the namespace, waiting for an old one to go. What is wrong with
// the saved one (a transform, an admission rule) is an error for all its objects.
func (n *namespaces) make(ctx context.Context, from, to string, e *ensured) error {
	var live corev1.Namespace
	err := wait.PollUntilContextTimeout(ctx, time.Second, terminationPatience, true, func(ctx context.Context) (bool, error) {
		err := n.run.retry(ctx, func(ctx context.Context) error {
			return n.run.client.Get(ctx, client.ObjectKey{Name: to}, &live)
		})
		if err == nil && live.DeletionTimestamp != nil && !n.run.dryRun {
			return false, nil
		}
		return true, err
	})
	switch {
	case err == nil:
		return n.existing(ctx, from, &live)
	case wait.Interrupted(err) && ctx.Err() == nil:
		return fmt.Errorf("namespace %s is still being deleted after %s", to, terminationPatience)
	case !apierrors.IsNotFound(err):
		return err
	case n.run.dryRun:
		e.missing = true
		n.run.count(func(c *backupv1alpha1.RestoreCounts) { c.Created++ })
		return nil
	}
	object, old, err := n.prepared(from, to)
	if err != nil {
		return err
	}
	err = n.run.retry(ctx, func(ctx context.Context) error {
		return n.run.client.Create(ctx, object, client.FieldOwner(FieldManager))
	})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	e.created = true
	n.run.remember(old, string(object.GetUID()))
	n.run.count(func(c *backupv1alpha1.RestoreCounts) { c.Created++ })
	return nil
}

// existing deals with a namespace that is there: its labels and annotations are
// restored with Update, otherwise nothing is.
func (n *namespaces) existing(ctx context.Context, from string, live *corev1.Namespace) error {
	saved := n.saved[from]
	if saved == nil {
		return nil
	}
	n.run.remember(uidOf(saved), string(live.UID))
	if n.run.spec.Existing != existingUpdate || n.run.verify != nil {
		return nil
	}
	object, _, err := n.prepared(from, live.Name)
	if err != nil {
		return err
	}
	if err := n.run.retry(ctx, func(ctx context.Context) error { return n.run.apply(ctx, object) }); err != nil {
		return err
	}
	n.run.count(func(c *backupv1alpha1.RestoreCounts) { c.Updated++ })
	return nil
}

// prepared is the Namespace to create, and the UID that it was saved with.
func (n *namespaces) prepared(from, to string) (object *unstructured.Unstructured, old string, err error) {
	object = newObject(namespaceResource)
	if saved := n.saved[from]; saved != nil {
		old = uidOf(saved)
		object.Object = runtime.DeepCopyJSON(saved)
		content.Prepare(namespaceResource, object.Object, content.Options{NamespaceMapping: n.run.spec.NamespaceMapping, SameCluster: n.run.same})
		if err := n.run.transforms.Apply(namespaceResource, object.Object); err != nil {
			return nil, "", err
		}
	}
	object.SetName(to)
	if n.run.verify != nil {
		n.run.verify.mark(object)
	}
	return object, old, nil
}
