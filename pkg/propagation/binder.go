package propagation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/reach"
)

// binder keeps the RoleBindings of one member.
type binder struct {
	*bindings

	cluster string
	client  *memberClient
	log     logr.Logger
	news    chan struct{} // holds one
	// failures are how often in a row something was refused.
	failures int

	mu      sync.Mutex
	account types.NamespacedName
	watch   *fleet.Watch[binding]
	// refused is why a namespace could not be bound the last time.
	refused map[string]string
}

// binding is what is kept of a RoleBinding.
type binding struct {
	uid types.UID
	// right says that it binds what it is to bind, to whom it is to.
	right bool
}

func (b *binder) wake() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

func (b *binder) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.news:
			timer.Reset(bindingSettle)
		case <-timer.C:
			if again := b.keep(ctx); again > 0 {
				timer.Reset(again)
			}
		}
	}
}

// keep does what is to be done by now, and returns when to look again; 0 for when there are news.
func (b *binder) keep(ctx context.Context) (again time.Duration) {
	info, joined := b.inventory.Info(b.cluster)
	watch := b.follow(ctx, info.NamespaceRights)
	if !joined || !info.Ready || watch == nil || !watch.Synced() {
		return 0
	}
	placed, unknown, known := b.placedIn(b.cluster)
	if !known {
		return 0
	}
	in := bindingInput{
		placed: placed, unknown: unknown, bound: map[string]bool{}, there: b.there(info),
		mayBind: func(namespace string) bool { return reach.MayBind(info.NamespaceRights, namespace) },
	}
	for _, key := range watch.Keys("") {
		if bound := watch.Get(key); bound != nil {
			in.bound[key.Namespace] = bound.right
		}
	}
	in.used, in.owed, in.usedKnown = b.usedIn(b.cluster)
	plan := planBindings(in)
	err := errors.Join(b.unbind(ctx, info.NamespaceRights, watch, plan.unbind), b.bind(ctx, info.NamespaceRights, plan.bind))
	if err == nil {
		b.failures = 0
		if plan.leaving {
			return leavingInterval
		}
		return 0
	}
	again = min(bindingRetry<<min(b.failures, 10), bindingRetryMax)
	b.failures++
	b.log.V(1).Info("Could not bind the right to write in namespaces; trying again", "error", errtext.Stable(err), "after", again)
	return again
}

// follow follows the RoleBindings for an account; nil without one.
func (b *binder) follow(ctx context.Context, account types.NamespacedName) *fleet.Watch[binding] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.account == account || ctx.Err() != nil {
		return b.watch
	}
	if b.watch != nil {
		b.watch.Stop()
	}
	b.account, b.watch, b.refused = account, nil, map[string]string{}
	if account == (types.NamespacedName{}) {
		return nil
	}
	source := bindingSource(b.client, reach.NamespaceRole(account.Name))
	source.Name, source.Log, source.OnTrouble = "member "+b.cluster+": rights", b.log, b.wake
	b.watch = fleet.Follow(ctx, source, fleet.NewTable(fleet.Rules[binding]{
		Read: func(obj metav1.Object) (*binding, error) { return readBinding(obj, account) },
		Same: func(before, after *binding) bool { return *before == *after },
		OnChange: func(key types.NamespacedName, _, after *binding) {
			if after != nil && after.right {
				b.onBound(b.cluster, key.Namespace)
			}
			b.wake()
		},
		OnSynced: b.wake,
	}))
	return b.watch
}

func readBinding(obj metav1.Object, account types.NamespacedName) (*binding, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("a RoleBinding is a %T", obj)
	}
	want := roleBinding(account, obj.GetNamespace())
	return &binding{
		uid: obj.GetUID(),
		right: equality.Semantic.DeepEqual(u.Object["roleRef"], want.Object["roleRef"]) &&
			equality.Semantic.DeepEqual(u.Object["subjects"], want.Object["subjects"]),
	}, nil
}

// lacking says why we may not write in a namespace yet; empty if it is bound, or nobody knows.
func (b *binder) lacking(namespace string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watch == nil {
		return ""
	}
	name := reach.NamespaceRole(b.account.Name)
	if bound := b.watch.Get(types.NamespacedName{Namespace: namespace, Name: name}); bound != nil && bound.right {
		return ""
	}
	why := "the right to write in the namespace is not bound in the cluster yet"
	if problem := b.watch.Problem(); problem != nil {
		return why + ": " + errtext.InMember(problem, b.cluster)
	}
	if refused := b.refused[namespace]; refused != "" {
		return why + ": " + refused
	}
	return why
}

// bind makes RoleBindings.
func (b *binder) bind(ctx context.Context, account types.NamespacedName, namespaces []string) error {
	refused := map[string]string{}
	var errs []error
	for _, namespace := range namespaces {
		if err := b.request(ctx, func(ctx context.Context) error {
			object := roleBinding(account, namespace)
			// To create it takes the right to create any; to apply it, that to this name.
			_, err := b.client.dynamic.Resource(roleBindings.GVR).Namespace(namespace).Apply(ctx, object.GetName(), object,
				metav1.ApplyOptions{FieldManager: federate.FieldManager, Force: true})
			return err
		}); err != nil {
			refused[namespace] = errtext.InMember(err, b.cluster)
			errs = append(errs, err)
			if !answered(err) {
				break // the others would take as long
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = refused
	return errors.Join(errs...)
}

// unbind removes RoleBindings, as they are known.
func (b *binder) unbind(ctx context.Context, account types.NamespacedName, watch *fleet.Watch[binding], namespaces []string) error {
	var errs []error
	name := reach.NamespaceRole(account.Name)
	for _, namespace := range namespaces {
		known := watch.Get(types.NamespacedName{Namespace: namespace, Name: name})
		if known == nil {
			continue
		}
		err := b.request(ctx, func(ctx context.Context) error {
			return b.client.dynamic.Resource(roleBindings.GVR).Namespace(namespace).Delete(ctx, name,
				metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &known.uid}})
		})
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, err)
			if !answered(err) {
				break
			}
		}
	}
	return errors.Join(errs...)
}

// answered says whether an error is what the member has answered.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

func (b *binder) request(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return do(ctx)
}
