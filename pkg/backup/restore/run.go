package restore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// workers is how many objects of one resource are written at a time.
const workers = 8

// Run restores a snapshot. What could not be restored of it is in the result; the
// error is why the restore ended early, and the result then holds what it did
// until then.
func Run(ctx context.Context, params Params) (Result, error) {
	r, err := newRun(ctx, params)
	if err != nil {
		return Result{}, err
	}
	if params.Spec.Existing == existingFail {
		if err := r.refuseExisting(ctx); err != nil {
			return r.snapshot(), err
		}
	}
	return r.all(ctx)
}

// The choices for objects that exist.
const (
	existingSkip   = "Skip"
	existingUpdate = "Update"
	existingFail   = "Fail"
)

// run is one restore on its way.
type run struct {
	target
	spec       backupv1alpha1.RestoreSpec
	reader     *repository.Reader
	manifest   repository.Manifest
	same       bool // into the cluster that was saved
	transforms content.Transforms
	selector   labels.Selector
	namespaces *namespaces
	progress   func(Result)
	// verify compares instead of only writing; see Verify.
	verify *verification

	mu     sync.Mutex
	result Result
	// uids of restored and found objects, by the ones they were saved with.
	uids    map[string]string
	orphans []orphan
}

func newRun(ctx context.Context, params Params) (*run, error) {
	r := &run{spec: params.Spec, reader: params.Reader, manifest: params.Reader.Manifest(), progress: params.Progress, uids: map[string]string{}}
	var err error
	if r.transforms, err = content.CompileTransforms(r.spec.Transforms); err != nil {
		return nil, &Error{Reason: ReasonInvalid, Message: err.Error()}
	}
	if r.selector, err = metav1.LabelSelectorAsSelector(r.spec.LabelSelector); err != nil {
		return nil, &Error{Reason: ReasonInvalid, Message: "spec.labelSelector: " + err.Error()}
	}
	if r.spec.LabelSelector == nil {
		r.selector = labels.Everything()
	}
	for from, to := range r.spec.NamespaceMapping {
		if problems := validation.IsDNS1123Label(to); len(problems) > 0 {
			return nil, &Error{Reason: ReasonInvalid, Message: fmt.Sprintf("spec.namespaceMapping[%s]: %q cannot be the name of a namespace: %s", from, to, problems[0])}
		}
	}
	if r.target, err = newTarget(params.Config, r.spec.DryRun); err != nil {
		return nil, err
	}
	var system corev1.Namespace
	if err := r.retry(ctx, func(ctx context.Context) error {
		return r.client.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, &system)
	}); err != nil {
		return nil, r.fatal("cannot tell which cluster this is", err)
	}
	r.same = string(system.UID) == r.manifest.Cluster.UID
	r.namespaces = &namespaces{run: r, saved: map[string]map[string]any{}, ensured: map[string]*ensured{}}
	return r, nil
}

// all restores all resources, one after the other.
func (r *run) all(ctx context.Context) (Result, error) {
	if err := r.namespaces.load(ctx); err != nil {
		return r.snapshot(), err
	}
	for _, file := range r.files() {
		if err := r.resource(ctx, file); err != nil {
			return r.snapshot(), err
		}
	}
	err := r.adopt(ctx)
	return r.snapshot(), err
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

// wantsObject says whether an object of a wanted resource is restored.
func (r *run) wantsObject(resource content.Resource, object *saved) bool {
	namespace := object.namespace
	if resource.Name() == namespacesName {
		namespace = object.name
	}
	if len(r.spec.Namespaces) > 0 && namespace != "" && !slices.Contains(r.spec.Namespaces, namespace) {
		return false
	}
	return r.selector.Matches(labels.Set(object.labels()))
}

// resource restores all objects of one resource, several at a time.
func (r *run) resource(ctx context.Context, resource content.Resource) error {
	served, problem := r.serve(ctx, resource)
	if problem != "" {
		return r.each(ctx, resource, func(_ context.Context, object *saved) error {
			if r.count(func(c *backupv1alpha1.RestoreCounts) { c.Failed++ }); object.first {
				r.warn(resource.Name(), "", "", problem)
			}
			return nil
		})
	}
	err := r.each(ctx, resource, func(ctx context.Context, object *saved) error {
		return r.object(ctx, resource, served, object)
	})
	if err == nil && resource.Kind == "CustomResourceDefinition" && !r.dryRun && r.verify == nil {
		err = r.waitForTypes(ctx, resource)
	}
	return err
}

// each calls use for the objects of a resource that are wanted, from several
// goroutines. The first error ends it.
func (r *run) each(ctx context.Context, resource content.Resource, use func(ctx context.Context, object *saved) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lines := make(chan []byte)
	var wg sync.WaitGroup
	var first sync.Once
	for range workers {
		wg.Go(func() {
			for line := range lines {
				object, err := parse(line)
				if err != nil {
					r.count(func(c *backupv1alpha1.RestoreCounts) { c.Failed++ })
					r.warn(resource.Name(), "", "", "an object in the repository is no valid JSON: "+err.Error())
					continue
				}
				if !r.wantsObject(resource, object) {
					continue
				}
				first.Do(func() { object.first = true })
				if err := use(ctx, object); err != nil {
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

// count changes the counts, and tells about it.
func (r *run) count(change func(*backupv1alpha1.RestoreCounts)) {
	r.mu.Lock()
	change(&r.result.Counts)
	c := r.result.Counts
	tell := r.progress != nil && (c.Created+c.Updated+c.Skipped+c.Failed)%100 == 0
	r.mu.Unlock()
	if tell {
		r.progress(r.snapshot())
	}
}

func (r *run) warn(resource, namespace, name, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.result.Warnings) >= maxWarnings {
		r.result.MoreWarnings++
		return
	}
	const longest = 1000
	if len(message) > longest {
		message = strings.ToValidUTF8(message[:longest], "") + "…"
	}
	r.result.Warnings = append(r.result.Warnings, backupv1alpha1.ResourceWarning{Resource: resource, Namespace: namespace, Name: name, Message: message})
}

// snapshot is a copy of the result, which others may keep.
func (r *run) snapshot() Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.result
	out.Warnings = slices.Clone(out.Warnings)
	return out
}

// remember notes the UID that an object has now.
func (r *run) remember(old, now string) {
	if old == "" || now == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uids[old] = now
}

func (r *run) newUID(old string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, ok := r.uids[old]
	return now, ok
}

// savedClaims are the VolumeSnapshots of the run, by namespace and claim.
func (r *run) savedClaims() map[[2]string]string {
	return maps.Collect(func(yield func([2]string, string) bool) {
		for _, record := range r.manifest.VolumeSnapshots {
			if !yield([2]string{record.Namespace, record.Claim}, record.Snapshot) {
				return
			}
		}
	})
}
