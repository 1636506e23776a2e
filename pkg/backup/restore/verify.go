package restore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// ScratchLabel is on the namespaces that a verification makes and removes; its
// value stands for the Backup.
const ScratchLabel = "backup.fedctl.io/scratch"

// Verify restores a snapshot into scratch namespaces of a cluster, one for each
// namespace in it, compares what is there with what was saved, and removes them.
// Counts.Failed are objects that could not be restored or differ; Warnings name
// their fields, without values.
//
// A copy must not do anything: kinds that only hold data are created, all others
// are sent as a dry run, in which the API server does everything but storing them.
func Verify(ctx context.Context, config *rest.Config, reader *repository.Reader) (result Result, err error) {
	r, err := newRun(ctx, Params{Config: config, Reader: reader})
	if err != nil {
		return Result{}, err
	}
	source := r.manifest.Source
	r.verify = &verification{label: hash(source.Namespace, source.Backup)}
	if r.spec.NamespaceMapping, err = r.scratchNames(ctx); err != nil {
		return Result{}, err
	}
	// What a verification that was killed has left.
	if err := r.clear(ctx); err != nil {
		return Result{}, r.fatal("cannot remove the scratch namespaces of an earlier verification", err)
	}
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		if failed := r.clear(cleanup); failed != nil {
			err = errors.Join(err, r.fatal("cannot remove the scratch namespaces; they have the label "+ScratchLabel, failed))
		}
	}()
	if err := r.namespaces.load(ctx); err != nil {
		return r.snapshot(), err
	}
	return r.all(ctx)
}

// verification makes of a restore one that compares.
type verification struct{ label string }

func (v *verification) mark(object map[string]any) {
	namespace := &unstructured.Unstructured{Object: object}
	labels := namespace.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[ScratchLabel] = v.label
	namespace.SetLabels(labels)
}

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "/")))
	return hex.EncodeToString(sum[:6])
}

// scratchNames maps every namespace of which the snapshot has objects.
func (r *run) scratchNames(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	add := func(namespace string) {
		if namespace != "" && out[namespace] == "" {
			out[namespace] = "fedctl-verify-" + hash(r.manifest.Source.Run, namespace)
		}
	}
	for _, file := range r.manifest.Resources {
		if !file.Namespaced {
			continue
		}
		for line, err := range r.reader.Objects(ctx, file.Resource) {
			if err != nil {
				return nil, err
			}
			var object metav1.PartialObjectMetadata
			if json.Unmarshal(line, &object) == nil {
				add(object.Namespace)
			}
		}
	}
	for line, err := range r.reader.Objects(ctx, repositoryResource(namespaceResource)) {
		if err != nil {
			return nil, err
		}
		if object, err := parse(line); err == nil {
			add(object.name)
		}
	}
	return out, nil
}

// check restores one object in the way of a verification and compares it.
func (r *run) check(ctx context.Context, resource content.Resource, s *saved) error {
	served := r.serve(ctx, resource)
	if served.problem != "" {
		return r.notServed(resource, served.problem)
	}
	_, step, err := r.decide(ctx, resource, s, &namespace{}, false)
	switch {
	case err != nil:
		return err
	case step.Action == content.Leave:
		r.leave(resource, s, step.Why)
		return nil
	case step.Action != content.Create:
		return errors.New(step.Why)
	}
	object := &unstructured.Unstructured{Object: step.Object}
	if resource.Namespaced && r.spec.NamespaceMapping[s.namespace] != object.GetNamespace() {
		return fmt.Errorf("would leave the scratch namespace") // never: no object may be written elsewhere
	}
	live := object.DeepCopy()
	options := []client.CreateOption{client.FieldOwner(FieldManager)}
	if !content.Passive(resource) {
		options = append(options, client.DryRunAll)
	}
	err = r.retry(ctx, func(ctx context.Context) error {
		live.Object = object.DeepCopy().Object
		return r.client.Create(ctx, live, options...)
	})
	switch {
	case apierrors.IsAlreadyExists(err) && resource.Namespaced && content.Passive(resource):
		// What a namespace gets from its cluster by itself.
		if err := r.retry(ctx, func(ctx context.Context) error { return r.apply(ctx, object) }); err != nil {
			return err
		}
		if err := r.retry(ctx, func(ctx context.Context) error { return r.client.Get(ctx, client.ObjectKeyFromObject(object), live) }); err != nil {
			return err
		}
	case apierrors.IsAlreadyExists(err):
		r.skipped(resource) // valid, and there
		return nil
	case apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "does not support dry run"):
		r.skipped(resource)
		r.warn(resource.Name(), s.namespace, s.name, "not compared: "+err.Error())
		return nil
	case err != nil:
		return err
	}
	if differences := content.Compare(resource, object.Object, live.Object, true); len(differences) > 0 {
		return fmt.Errorf("is not as it was saved: %s", content.Summary(differences))
	}
	r.written(resource, s, false)
	return nil
}

// apply makes the live object have the fields of object.
func (t *target) apply(ctx context.Context, object *unstructured.Unstructured) error {
	options := []client.ApplyOption{client.FieldOwner(FieldManager), client.ForceOwnership}
	return t.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), options...)
}

// clear deletes the scratch namespaces of this Backup and waits until they are gone.
func (r *run) clear(ctx context.Context) error {
	return wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		var left corev1.NamespaceList
		err := r.retry(ctx, func(ctx context.Context) error {
			return r.client.List(ctx, &left, client.MatchingLabels{ScratchLabel: r.verify.label})
		})
		if err != nil {
			return false, err
		}
		for i := range left.Items {
			if left.Items[i].DeletionTimestamp != nil {
				continue
			}
			if err := r.client.Delete(ctx, &left.Items[i], client.Preconditions{UID: &left.Items[i].UID}); client.IgnoreNotFound(err) != nil {
				return false, err
			}
		}
		return len(left.Items) == 0, nil
	})
}
