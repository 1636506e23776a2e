package restore

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// Run restores a snapshot. What could not be restored of it is in the result; the
// error is why the restore ended early, and the result then holds what it did
// until then. Nothing has been written if something in the spec matches nothing, or
// objects exist where none may.
func Run(ctx context.Context, params Params) (Result, error) {
	r, err := newRun(ctx, params)
	if err != nil {
		return Result{}, err
	}
	if err := r.makePlan(ctx); err != nil {
		return r.snapshot(), err
	}
	return r.all(ctx)
}

// run is one restore on its way.
type run struct {
	target
	tally
	spec       backupv1alpha1.RestoreSpec
	reader     *repository.Reader
	manifest   repository.Manifest
	same       bool // into the cluster that was saved
	transforms content.Transforms
	selector   labels.Selector
	originals  map[string]bool
	keys       map[[2]string]string
	namespaces *namespaces
	plan       *plan
	aside      aside
	// verify compares instead of only writing; see Verify.
	verify *verification
}

func newRun(ctx context.Context, params Params) (*run, error) {
	r := &run{spec: params.Spec, reader: params.Reader, manifest: params.Reader.Manifest(), plan: newPlan()}
	r.progress, r.uids, r.aside.patience = params.Progress, map[string]string{}, params.Patience
	if err := r.readSpec(); err != nil {
		return nil, err
	}
	var err error
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
	r.namespaces = &namespaces{run: r, saved: map[string]map[string]any{}, known: map[string]*namespace{}}
	if err := r.findKeys(ctx); err != nil {
		return nil, err
	}
	return r, r.findOriginals(ctx)
}

// findKeys finds the Secrets that BackupRepositories read.
func (r *run) findKeys(ctx context.Context) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(backupv1alpha1.GroupVersion.WithKind("BackupRepositoryList"))
	err := r.retry(ctx, func(ctx context.Context) error { return r.client.List(ctx, list) })
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return r.fatal("cannot find out which Secrets BackupRepositories read", err)
	}
	r.keys = map[[2]string]string{}
	for _, repository := range list.Items {
		spec, _, _ := unstructured.NestedMap(repository.Object, "spec")
		content.EachSecretOf(spec, func(secret string) { r.keys[[2]string{repository.GetNamespace(), secret}] = repository.GetName() })
	}
	return nil
}

// readSpec reads what can be wrong by itself.
func (r *run) readSpec() error {
	var err error
	if r.transforms, err = content.CompileTransforms(r.spec.Transforms); err != nil {
		return &Error{Reason: ReasonInvalid, Message: err.Error()}
	}
	r.selector = labels.Everything()
	if r.spec.LabelSelector != nil {
		if r.selector, err = metav1.LabelSelectorAsSelector(r.spec.LabelSelector); err != nil {
			return &Error{Reason: ReasonInvalid, Message: "spec.labelSelector: " + err.Error()}
		}
	}
	for from, to := range r.spec.NamespaceMapping {
		if problems := validation.IsDNS1123Label(to); len(problems) > 0 {
			return &Error{Reason: ReasonInvalid, Message: fmt.Sprintf("spec.namespaceMapping[%s]: %q cannot be the name of a namespace: %s", from, to, problems[0])}
		}
	}
	return nil
}

// findOriginals finds out beside which namespaces a copy is made.
func (r *run) findOriginals(ctx context.Context) error {
	r.originals = map[string]bool{}
	for from, to := range r.spec.NamespaceMapping {
		if from == to {
			continue
		}
		err := r.retry(ctx, func(ctx context.Context) error {
			return r.client.Get(ctx, client.ObjectKey{Name: from}, &corev1.Namespace{})
		})
		if err != nil && !apierrors.IsNotFound(err) {
			return r.fatal("cannot find out whether namespace "+from+" exists", err)
		}
		r.originals[from] = err == nil
	}
	return nil
}

// all carries out what is to be done with all objects, one resource after the other,
// and then with those that were put aside.
func (r *run) all(ctx context.Context) (Result, error) {
	for _, file := range r.files() {
		if err := r.resource(ctx, file); err != nil {
			return r.snapshot(), err
		}
	}
	err := r.again(ctx)
	if err == nil {
		err = r.adopt(ctx)
	}
	for _, resource := range r.files() {
		r.otherVersion(resource)
	}
	if n := r.plan.unasked; err == nil && n > 0 {
		r.warn("", "", "", fmt.Sprintf("the API server could not be asked about %d of the objects, since their namespaces or types are not there yet: it may refuse some of them", n))
	}
	return r.snapshot(), err
}

// resource restores all objects of one resource, several at a time.
func (r *run) resource(ctx context.Context, resource content.Resource) error {
	r.forgetServed(resource)
	err := r.each(ctx, resource, func(ctx context.Context, object *saved) error { return r.object(ctx, resource, object) })
	if err == nil && resource.Kind == "CustomResourceDefinition" && !r.dryRun && r.verify == nil {
		err = r.waitForTypes(ctx, resource)
	}
	return err
}

func (r *run) options() content.Options {
	return content.Options{
		NamespaceMapping: r.spec.NamespaceMapping, SameCluster: r.same, NewUID: r.newUID, Originals: r.originals, Keys: r.keys,
		KeepBackups: strings.EqualFold(r.spec.RestoredBackups, "Keep"), Scratch: r.verify != nil,
	}
}
