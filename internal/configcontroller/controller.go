// Package configcontroller looks after stored KubeFedConfigs while the controllers
// run: it gives them KubeFed's defaults, and tells their owner by events what has no effect and what takes a restart. It runs in
// the leader and changes no setting of the running controllers.
package configcontroller

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/eventnote"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// Options configure the controller.
type Options struct {
	// Namespace of the control plane and Name of the KubeFedConfig that counts.
	Namespace, Name string
	// Used is what the controllers have read when they started; nil if there was no
	// KubeFedConfig in the host cluster.
	Used *fedcorev1beta1.KubeFedConfig
	// FromFile says that the controllers read a file instead: the stored object is
	// defaulted, but has no effect as a whole.
	FromFile bool
}

// CacheByObject is what the manager's cache needs to hold for the controller.
func CacheByObject(namespace string) map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{
		&fedcorev1beta1.KubeFedConfig{}: {Namespaces: map[string]cache.Config{namespace: {}}},
	}
}

// Setup adds the controller to the manager of the host cluster, whose cache should
// have CacheByObject.
func Setup(mgr manager.Manager, o Options) error {
	r := &reconciler{Options: o, client: mgr.GetClient(), events: eventnote.NewRecorder(mgr, "kubefedconfig"), told: map[types.UID]int64{}}
	return ctrl.NewControllerManagedBy(mgr).Named("kubefedconfig").For(&fedcorev1beta1.KubeFedConfig{}).Complete(r)
}

type reconciler struct {
	Options
	client client.Client
	events *eventnote.Recorder
	// told holds the generation that the events were about; one worker uses it.
	told map[types.UID]int64
}

// Reconcile looks at one KubeFedConfig of the namespace.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	config := &fedcorev1beta1.KubeFedConfig{}
	if err := r.client.Get(ctx, request.NamespacedName, config); apierrors.IsNotFound(err) {
		return reconcile.Result{}, nil
	} else if err != nil {
		return reconcile.Result{}, err
	}
	if config.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	if err := r.setDefaults(ctx, config); err != nil {
		return reconcile.Result{}, err
	}
	if r.told[config.UID] != config.Generation {
		r.told[config.UID] = config.Generation
		r.tell(config)
	}
	return reconcile.Result{}, nil
}

// setDefaults writes what config leaves out into the stored object.
func (r *reconciler) setDefaults(ctx context.Context, config *fedcorev1beta1.KubeFedConfig) error {
	before := config.DeepCopy()
	kubefedconfig.Default(&config.Spec)
	if reflect.DeepEqual(before.Spec, config.Spec) {
		return nil
	}
	err := r.client.Patch(ctx, config, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
		// Stored before the rules held; trying again does not mend it.
		r.warn(before, "NotDefaulted", "The object lacks defaults, and the API server refuses it with them: "+err.Error())
		before.DeepCopyInto(config)
		return nil
	}
	return client.IgnoreNotFound(err)
}

// tell says in events what the owner may not expect.
func (r *reconciler) tell(config *fedcorev1beta1.KubeFedConfig) {
	if config.Name != r.Name {
		r.warn(config, "NotUsed", fmt.Sprintf("Only the KubeFedConfig called %s counts.", r.Name))
		return
	}
	if r.FromFile {
		r.warn(config, "NotUsed", "The controllers were started with a file (--kubefed-config); this object has no effect.")
		return
	}
	for _, note := range kubefedconfig.WithoutEffect(config.Spec) {
		if note.Chosen {
			r.warn(config, "WithoutEffect", note.String())
		}
	}
	used := fedcorev1beta1.KubeFedConfigSpec{Scope: "Cluster"}
	if r.Used != nil {
		used = r.Used.Spec
	}
	if fields := kubefedconfig.RestartFor(used, config.Spec); len(fields) > 0 {
		r.warn(config, "RestartNeeded", fmt.Sprintf(
			"Controllers read settings when they start. Restart them for: %s (kubectl -n %s rollout restart deployment fedctl-controller)",
			strings.Join(fields, ", "), config.Namespace))
	}
}

func (r *reconciler) warn(config *fedcorev1beta1.KubeFedConfig, reason, message string) {
	r.events.Eventf(config, nil, corev1.EventTypeWarning, reason, "Configure", "%s", message)
}
