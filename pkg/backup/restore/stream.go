package restore

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/json"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// workers is how many objects of one resource are written at a time.
const workers = 8

// saved is an object as the repository has it.
type saved struct {
	content              map[string]any
	namespace, name, uid string
	// size of its JSON.
	size int64
}

// id names an object of a resource by what it was saved as.
type id struct{ namespace, name string }

func (s *saved) id() id { return id{s.namespace, s.name} }

func parse(line []byte) (*saved, error) {
	s := &saved{size: int64(len(line))}
	if err := json.Unmarshal(line, &s.content); err != nil {
		return nil, err
	}
	if s.content == nil {
		return nil, fmt.Errorf("it is null")
	}
	object := unstructured.Unstructured{Object: s.content}
	s.namespace, s.name, s.uid = object.GetNamespace(), object.GetName(), string(object.GetUID())
	return s, nil
}

func (s *saved) labels() map[string]string {
	return (&unstructured.Unstructured{Object: s.content}).GetLabels()
}

// files are the resources to restore, in order.
func (r *run) files() []content.Resource {
	var out []content.Resource
	for _, file := range r.manifest.Resources {
		resource := contentResource(file.Resource)
		if file.Objects > 0 && r.wants(resource) {
			out = append(out, resource)
		}
	}
	content.Sort(out)
	return out
}

func contentResource(r repository.Resource) content.Resource {
	return content.Resource{Group: r.Group, Version: r.Version, Plural: r.Resource, Kind: r.Kind, Namespaced: r.Namespaced}
}

func repositoryResource(r content.Resource) repository.Resource {
	return repository.Resource{Group: r.Group, Version: r.Version, Resource: r.Plural, Kind: r.Kind, Namespaced: r.Namespaced}
}

const namespacesName = "namespaces"

// wants says whether objects of a resource are restored at all.
func (r *run) wants(resource content.Resource) bool {
	if _, never := content.OmitResource(resource.Group, resource.Plural); never {
		return false // saved by an older version, perhaps
	}
	if len(r.spec.IncludedResources) > 0 {
		return resource.Matches(r.spec.IncludedResources)
	}
	return len(r.spec.Namespaces) == 0 || resource.Namespaced || resource.Name() == namespacesName
}

// namespaceOf is the namespace that an object belongs to, or is.
func namespaceOf(resource content.Resource, object *saved) string {
	if resource.Name() == namespacesName {
		return object.name
	}
	return object.namespace
}

// wantsObject says whether an object of a wanted resource is restored.
func (r *run) wantsObject(resource content.Resource, object *saved) bool {
	namespace := namespaceOf(resource, object)
	if len(r.spec.Namespaces) > 0 && namespace != "" && !slices.Contains(r.spec.Namespaces, namespace) {
		return false
	}
	return r.selector.Matches(labels.Set(object.labels()))
}

// each calls use for the objects of a resource that are wanted, from several
// goroutines. The first error ends it.
func (r *run) each(ctx context.Context, resource content.Resource, use func(ctx context.Context, object *saved) error) error {
	return r.stream(ctx, resource, func(ctx context.Context, line []byte) error {
		object, err := parse(line)
		if err != nil {
			r.count(resource, func(c *backupv1alpha1.RestoreCounts) { c.Failed++ })
			r.warn(resource.Name(), "", "", "an object in the repository is no valid JSON: "+err.Error())
			return nil //nolint:nilerr // counted and named; the others go on
		}
		if !r.wantsObject(resource, object) {
			return nil
		}
		return use(ctx, object)
	})
}

// stream calls use for all lines of a resource, from several goroutines.
func (r *run) stream(ctx context.Context, resource content.Resource, use func(ctx context.Context, line []byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lines := make(chan []byte)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for line := range lines {
				if err := use(ctx, line); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := r.feed(ctx, resource, lines)
	close(lines)
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (r *run) feed(ctx context.Context, resource content.Resource, lines chan<- []byte) error {
	for line, err := range r.reader.Objects(ctx, repositoryResource(resource)) {
		if err != nil {
			return err
		}
		select {
		case lines <- slices.Clone(line):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
