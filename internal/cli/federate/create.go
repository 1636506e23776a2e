package federate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/serverapply"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// An API server may need a moment until it serves a type that was just enabled.
const servedTimeout = 10 * time.Second

// create enables types where that was asked for and creates the objects. One
// that fails does not keep the others from being created.
func (s *source) create(ctx context.Context, batches []batch) error {
	s.warnUnknown(batches)
	for i := range batches {
		if err := s.enable(ctx, &batches[i]); err != nil {
			return err
		}
	}
	created, existing := 0, 0
	var errs []error
	for i := range batches {
		for _, u := range batches[i].objects {
			existed, err := s.createOne(ctx, &batches[i], u)
			switch {
			case err != nil:
				errs = append(errs, err)
			case existed:
				existing++
			default:
				created++
			}
		}
	}
	if s.opts.Contents {
		fmt.Fprintf(s.opts.factory.Out, "%d created, %d unchanged, %d failed%s\n", created, existing, len(errs), s.suffix())
	}
	if len(errs) == 0 {
		s.hints(ctx, batches)
	}
	return errors.Join(errs...)
}

// warnUnknown names the fields that the host does not know: members leave them out.
func (s *source) warnUnknown(batches []batch) {
	for i := range batches {
		gvk := batches[i].typ.Target.GVK
		definitions, err := enablement.FetchDefinitions(s.host.Discovery.OpenAPIV3(), gvk.GroupVersion())
		if err != nil {
			continue // it is a warning only
		}
		published := definition.PublishedOf(definitions, gvk)
		for _, u := range batches[i].objects {
			template, _, _ := unstructured.NestedMap(u.Object, "spec", "template")
			if fields := published.UnknownFields(template); len(fields) > 0 {
				s.opts.warn("%s: fields that the host does not know, and members of its version leave out: %s", serverapply.Describe(u), strings.Join(fields, ", "))
			}
		}
	}
}

// enable enables the type of a batch that is not enabled.
func (s *source) enable(ctx context.Context, b *batch) error {
	if b.enabled {
		return nil
	}
	prepared, err := s.host.Prepare(ctx, enablement.Directive{ObjectMeta: metav1.ObjectMeta{Name: b.typ.Name}, Spec: s.opts.Federated})
	if err != nil {
		return err
	}
	return s.host.Enable(ctx, prepared, s.opts.DryRun)
}

// createOne says whether the object existed, which is as good as created among
// the contents of a namespace and an error otherwise.
func (s *source) createOne(ctx context.Context, b *batch, u *unstructured.Unstructured) (existed bool, err error) {
	if s.opts.DryRun && !b.enabled {
		return false, s.say(u, "created") // the type is not there to ask about it
	}
	resource := s.dynamic.Resource(b.typ.Federated.GVR).Namespace(u.GetNamespace())
	options := metav1.CreateOptions{FieldManager: federate.FieldManager}
	if s.opts.DryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	// What counts is the last answer, also when time is up.
	_ = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, servedTimeout, true, func(ctx context.Context) (bool, error) {
		_, err = resource.Create(ctx, u, options)
		return b.enabled || !apierrors.IsNotFound(err), nil
	})
	switch {
	case err == nil:
		return false, s.say(u, "created")
	case apierrors.IsAlreadyExists(err) && s.opts.Contents:
		return true, s.say(u, "unchanged: exists already")
	case apierrors.IsAlreadyExists(err):
		return true, fmt.Errorf("%s exists already, so %q is federated: change that with kubectl edit, or compare it with what -o yaml prints", serverapply.Describe(u), u.GetName())
	case apierrors.IsNotFound(err):
		return false, fmt.Errorf("the host cluster does not serve %s: run \"fedctl enable %s\"", b.typ.CRDName(), b.typ.Name)
	}
	return false, fmt.Errorf("creating %s: %w", serverapply.Describe(u), err)
}

func (s *source) say(u *unstructured.Unstructured, what string) error {
	_, err := fmt.Fprintf(s.opts.factory.Out, "%s %s%s\n", serverapply.Describe(u), what, s.suffix())
	return err
}

func (s *source) suffix() string {
	if s.opts.DryRun {
		return " (dry run)"
	}
	return ""
}

// hints says what else is needed before the objects land in the members.
func (s *source) hints(ctx context.Context, batches []batch) {
	enabledNow := false
	for i := range batches {
		enabledNow = enabledNow || !batches[i].enabled
	}
	if enabledNow && !s.opts.DryRun {
		fmt.Fprintln(s.opts.factory.ErrOut, "Join each member joined earlier once more (fedctl join CLUSTER): that gives the rights to the types enabled just now.")
	}
	first := batches[0]
	switch {
	case first.typ.IsNamespace && s.opts.Name == "default":
		fmt.Fprintln(s.opts.factory.ErrOut, "Namespace default itself is not changed in the members; its FederatedNamespace says where its objects may go.")
	case first.typ.Target.Namespaced && !s.namespaceFederated(ctx, first.objects[0].GetNamespace()):
		fmt.Fprintf(s.opts.factory.ErrOut, "It is placed nowhere until its namespace is federated: fedctl federate namespaces %s\n", first.objects[0].GetNamespace())
	}
}

// namespaceFederated says whether there is a FederatedNamespace, or no telling.
func (s *source) namespaceFederated(ctx context.Context, namespace string) bool {
	for _, t := range s.types {
		if t.IsNamespace {
			_, err := s.dynamic.Resource(t.Federated.GVR).Namespace(namespace).Get(ctx, namespace, metav1.GetOptions{})
			return !apierrors.IsNotFound(err)
		}
	}
	return true
}
