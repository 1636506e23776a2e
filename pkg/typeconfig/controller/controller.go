package controller

import (
	"context"
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/eventnote"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/settings"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/finalizers"
)

// Options configure the controller.
type Options struct {
	settings.Types
	// Namespace is the namespace of the control plane, whose FederatedTypeConfigs count.
	Namespace string
	// Registrar starts and stops the propagation of types.
	Registrar typeconfig.Registrar
	// LimitedScope says that the control plane propagates one namespace only:
	// types whose target has no namespace do not run.
	LimitedScope bool
	// Rights tells of members that lack rights. Nil means that nobody does.
	Rights typeconfig.Rights
}

// Setup adds the FederatedTypeConfig controller to the manager of the
// host cluster, whose scheme must know FederatedTypeConfigs and
// CustomResourceDefinitions, and whose cache should have CacheByObject.
func Setup(mgr manager.Manager, options Options) error {
	r := &reconciler{
		Options:    options,
		client:     mgr.GetClient(),
		live:       mgr.GetAPIReader(),
		events:     eventnote.NewRecorder(mgr, "federatedtypeconfig"),
		registered: map[string]typeconfig.Type{},
		paused:     map[string]string{},

		conditions:  map[string][]metav1.Condition{},
		definitions: map[string]lookedAt{},
	}
	inNamespace := predicate.NewPredicateFuncs(func(obj client.Object) bool { return obj.GetNamespace() == options.Namespace })
	return ctrl.NewControllerManagedBy(mgr).
		Named("federatedtypeconfig").
		For(&fedcorev1beta1.FederatedTypeConfig{}, builder.WithPredicates(inNamespace)).
		Watches(&fedcorev1beta1.FederatedTypeConfig{}, handler.EnqueueRequestsFromMapFunc(r.namespacedTypes), builder.WithPredicates(inNamespace)).
		Watches(crdMetadata(), handler.EnqueueRequestsFromMapFunc(r.typesOfCRD)).
		WatchesRawSource(source.Func(r.followRights)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}). // the registered map has no lock
		Complete(r)
}

// CacheByObject is what the host manager's cache needs to hold for the controller,
// and no more.
func CacheByObject(namespace string) map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{
		&fedcorev1beta1.FederatedTypeConfig{}: {Namespaces: map[string]cache.Config{namespace: {}}},
		crdMetadata(): {Transform: func(obj any) (any, error) {
			if crd, ok := obj.(*metav1.PartialObjectMetadata); ok {
				// kubectl apply leaves the whole definition in an annotation.
				crd.Annotations, crd.ManagedFields = nil, nil
			}
			return obj, nil
		}},
	}
}

func crdMetadata() *metav1.PartialObjectMetadata {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	return crd
}

// reconciler makes the set of registered types follow the FederatedTypeConfigs.
type reconciler struct {
	Options
	client client.Client
	live   client.Reader
	events *eventnote.Recorder
	// registered holds what this process has registered, by name.
	registered map[string]typeconfig.Type
	// paused holds why this process has not registered a type, by name.
	paused map[string]string
	// conditions are those that each FederatedTypeConfig has, once they were read.
	conditions map[string][]metav1.Condition
	// definitions are what was found in CustomResourceDefinitions, by name.
	definitions map[string]lookedAt
}

// Reconcile starts or stops the propagation of one type, and reports which.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	config := &fedcorev1beta1.FederatedTypeConfig{}
	if err := r.client.Get(ctx, request.NamespacedName, config); apierrors.IsNotFound(err) {
		// Gone, perhaps without having waited for us.
		delete(r.paused, request.Name)
		delete(r.conditions, request.Name)
		return reconcile.Result{}, r.unregister(ctx, request.Name)
	} else if err != nil {
		return reconcile.Result{}, err
	}
	if config.DeletionTimestamp != nil {
		return r.retryForbidden(config, r.remove(ctx, config))
	}
	wanted, pause, err := r.plan(ctx, config)
	if err != nil {
		return reconcile.Result{}, err
	}
	if pause != nil && r.neverRan(config) {
		return r.wait(ctx, config, pause)
	}
	if pause == nil && controllerutil.AddFinalizer(config, typeconfig.Finalizer) {
		before := config.DeepCopy()
		controllerutil.RemoveFinalizer(before, typeconfig.Finalizer)
		if err := r.client.Patch(ctx, config, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			return reconcile.Result{}, fmt.Errorf("adding the finalizer to FederatedTypeConfig %s: %w", request, err)
		}
	}
	if pause == nil {
		return r.run(ctx, config, wanted)
	}
	if pause.Release {
		err = r.release(ctx, config)
	} else {
		err = r.stop(ctx, config.Name)
	}
	if err != nil {
		return r.retryForbidden(config, err)
	}
	if err := r.reportFaults(ctx, config, nil); err != nil {
		return reconcile.Result{}, err
	}
	return r.wait(ctx, config, pause)
}

// neverRan says of a type that does not run that it has not run before either: then
// nothing of it is to be cleaned up, for which the controller may lack the rights.
func (r *reconciler) neverRan(config *fedcorev1beta1.FederatedTypeConfig) bool {
	_, running := r.registered[config.Name]
	return !running && !controllerutil.ContainsFinalizer(config, typeconfig.Finalizer)
}

// run registers the type of config and writes what came of it.
func (r *reconciler) run(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, wanted typeconfig.Type) (reconcile.Result, error) {
	if err := r.register(ctx, wanted); err != nil {
		r.warn(config, "RegistrationFailed", err.Error())
		if statusErr := r.report(ctx, config, false, false); statusErr != nil {
			return reconcile.Result{}, statusErr
		}
		return reconcile.Result{}, err
	}
	delete(r.paused, config.Name)
	if err := r.report(ctx, config, true, wanted.CollectsStatus()); err != nil {
		return reconcile.Result{}, err
	}
	faults, err := r.faults(ctx, wanted)
	if err != nil {
		return reconcile.Result{}, err
	}
	result := reconcile.Result{}
	if slices.ContainsFunc(faults, func(c metav1.Condition) bool { return c.Type == conditionRights }) {
		result.RequeueAfter = lookAgain
	}
	return result, r.reportFaults(ctx, config, faults)
}

// followRights queues the FederatedTypeConfig of a type whose rights in members have changed.
func (r *reconciler) followRights(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	if r.Rights != nil {
		r.Rights.OnChange(func(name string) {
			queue.Add(reconcile.Request{NamespacedName: client.ObjectKey{Namespace: r.Namespace, Name: name}})
		})
	}
	return nil
}

// wait says that the type does not run, and why, once: a process that has just
// started repeats nothing.
func (r *reconciler) wait(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, pause *pause) (reconcile.Result, error) {
	why := pause.Reason + ": " + pause.Message
	before, known := r.paused[config.Name]
	if pause.Warn && why != before && (known || !stopped(config)) {
		r.warn(config, pause.Reason, pause.Message)
	}
	r.paused[config.Name] = why
	result := reconcile.Result{}
	if pause.Powerless {
		result.RequeueAfter = lookForRights
	}
	return result, r.report(ctx, config, false, false)
}

// retryForbidden says that finalizers cannot be removed for lack of rights: the
// controller has had them once, or KubeFed's has.
func (r *reconciler) retryForbidden(config *fedcorev1beta1.FederatedTypeConfig, err error) (reconcile.Result, error) {
	if !apierrors.IsForbidden(err) {
		return reconcile.Result{}, err
	}
	t, invalid := typeconfig.FromFederatedTypeConfig(config)
	if invalid != nil {
		return reconcile.Result{}, err
	}
	r.warn(config, forbidden, fmt.Sprintf("the finalizers %s cannot be removed: %v: %s", federate.Finalizer, err, r.howToGrant(t)))
	return reconcile.Result{RequeueAfter: lookForRights}, nil
}

// register tells the registrar of a type, unless it already runs as it is.
func (r *reconciler) register(ctx context.Context, wanted typeconfig.Type) error {
	if running, ok := r.registered[wanted.Name]; ok && running == wanted {
		return nil
	}
	if err := r.Registrar.Register(ctx, wanted); err != nil {
		return fmt.Errorf("starting the propagation of %s: %w", wanted.Name, err)
	}
	r.registered[wanted.Name] = wanted
	return nil
}

// stop ends the propagation of a type that this process has registered.
func (r *reconciler) stop(ctx context.Context, name string) error {
	if _, ok := r.registered[name]; !ok {
		return nil
	}
	if err := r.Registrar.Unregister(ctx, name); err != nil {
		return fmt.Errorf("stopping the propagation of %s: %w", name, err)
	}
	delete(r.registered, name)
	return nil
}

// unregister ends the propagation of a type whose config is gone.
func (r *reconciler) unregister(ctx context.Context, name string) error {
	running, ok := r.registered[name]
	if !ok {
		return nil
	}
	if err := r.Registrar.Unregister(ctx, name); err != nil {
		return fmt.Errorf("stopping the propagation of %s: %w", name, err)
	}
	if err := finalizers.Remove(ctx, r.live, r.client, running.Federated); err != nil {
		return err // the type stays registered here, so that this is tried again
	}
	delete(r.registered, name)
	return nil
}

// remove ends the propagation of a type that is being deleted and lets it go.
func (r *reconciler) remove(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig) error {
	if !controllerutil.ContainsFinalizer(config, typeconfig.Finalizer) {
		return r.unregister(ctx, config.Name)
	}
	if err := r.release(ctx, config); err != nil {
		return err
	}
	before := config.DeepCopy()
	controllerutil.RemoveFinalizer(config, typeconfig.Finalizer)
	err := r.client.Patch(ctx, config, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	return client.IgnoreNotFound(err)
}

// report writes the status of config if it is another one than it has.
func (r *reconciler) report(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, propagating, collecting bool) error {
	word := func(running bool) fedcorev1beta1.ControllerStatus {
		if running {
			return fedcorev1beta1.ControllerStatusRunning
		}
		return fedcorev1beta1.ControllerStatusNotRunning
	}
	collection := word(collecting)
	status := fedcorev1beta1.FederatedTypeConfigStatus{
		ObservedGeneration:    config.Generation,
		PropagationController: word(propagating),
		StatusController:      &collection,
	}
	old := config.Status
	if old.ObservedGeneration == status.ObservedGeneration && old.PropagationController == status.PropagationController &&
		old.StatusController != nil && *old.StatusController == collection {
		return nil
	}
	before := config.DeepCopy()
	config.Status = status
	if err := r.client.Status().Patch(ctx, config, client.MergeFrom(before)); err != nil {
		return client.IgnoreNotFound(err)
	}
	return nil
}

// namespacedTypes maps the FederatedTypeConfig of namespaces to those of all types
// in namespaces, which cannot run without it.
func (r *reconciler) namespacedTypes(ctx context.Context, changed client.Object) []reconcile.Request {
	if changed.GetName() != fedcommon.NamespaceName {
		return nil
	}
	return r.requests(ctx, func(config *fedcorev1beta1.FederatedTypeConfig) bool {
		return config.Name != fedcommon.NamespaceName && config.GetNamespaced()
	})
}

// typesOfCRD maps a CustomResourceDefinition to the types it is the federated type
// or the status type of.
func (r *reconciler) typesOfCRD(ctx context.Context, crd client.Object) []reconcile.Request {
	return r.requests(ctx, func(config *fedcorev1beta1.FederatedTypeConfig) bool {
		spec := typeconfig.WithDefaults(config).Spec
		return typeconfig.ResourceOf(spec.FederatedType).CRDName() == crd.GetName() ||
			spec.StatusType != nil && typeconfig.ResourceOf(*spec.StatusType).CRDName() == crd.GetName()
	})
}

func (r *reconciler) requests(ctx context.Context, match func(*fedcorev1beta1.FederatedTypeConfig) bool) []reconcile.Request {
	var configs fedcorev1beta1.FederatedTypeConfigList
	if err := r.client.List(ctx, &configs, client.InNamespace(r.Namespace)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing FederatedTypeConfigs") // a cache read; it fails only while stopping
		return nil
	}
	var out []reconcile.Request
	for i := range configs.Items {
		if match(&configs.Items[i]) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&configs.Items[i])})
		}
	}
	return out
}
