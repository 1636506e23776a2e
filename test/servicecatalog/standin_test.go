package servicecatalog

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

const (
	group      = "servicecatalog.k8s.io"
	apiVersion = group + "/v1beta1"
	// finalizer is Service Catalog's.
	finalizer = "kubernetes-incubator/service-catalog"
	// again is when the stand-in looks again at what waits for something else.
	again = 200 * time.Millisecond
)

// standIn stands in for Service Catalog's controller in a member, as far as these specs need
// it. Like that, it writes what it has chosen into the spec, and the rest into the status; it
// asks brokers again until they answer; and its finalizer holds an instance while bindings use
// it. It differs in that it has no objects for classes and plans, and knows nothing that takes
// long.
type standIn struct {
	client.Client
	reader client.Reader
}

// start runs the stand-in for a member until the suite ends.
func start(c *framework.Cluster) {
	GinkgoHelper()
	manager, err := ctrl.NewManager(c.Config, ctrl.Options{
		Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	s := &standIn{Client: manager.GetClient(), reader: manager.GetAPIReader()}
	for kind, reconciler := range map[string]func(context.Context, *unstructured.Unstructured) (ctrl.Result, error){
		"ClusterServiceBroker": s.broker, "ServiceInstance": s.instance, "ServiceBinding": s.binding,
	} {
		ref := kit.Named(apiVersion, kind, "", "")
		Expect(ctrl.NewControllerManagedBy(manager).Named(kind).For(ref.Empty()).Complete(
			reconcile.Func(func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
				object := ref.Empty()
				if err := s.reader.Get(ctx, request.NamespacedName, object); err != nil {
					return ctrl.Result{}, client.IgnoreNotFound(err)
				}
				return reconciler(ctx, object)
			}))).To(Succeed())
	}
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(running) }()
	DeferCleanup(func() { stop(); Expect(<-ended).To(Succeed()) })
}

// broker says of a broker whether its catalog could be read.
func (s *standIn) broker(ctx context.Context, broker *unstructured.Unstructured) (ctrl.Result, error) {
	_, err := ask(ctx, http.MethodGet, textAt(broker, "/spec/url")+"/v2/catalog", nil)
	return s.say(ctx, broker, cmp.Or(reasonOf(err), "FetchedCatalog"), err, nil)
}

// choice is where an instance is provisioned, and as what.
type choice struct{ url, service, plan string }

// choose finds what an instance asks for in the catalogs of the cluster's brokers.
func (s *standIn) choose(ctx context.Context, instance *unstructured.Unstructured) (choice, error) {
	brokers := &unstructured.UnstructuredList{}
	brokers.SetGroupVersionKind(kit.Named(apiVersion, "ClusterServiceBrokerList", "", "").GroupVersionKind)
	if err := s.reader.List(ctx, brokers); err != nil {
		return choice{}, err
	}
	class, plan := textAt(instance, "/spec/clusterServiceClassExternalName"), textAt(instance, "/spec/clusterServicePlanExternalName")
	for i := range brokers.Items {
		address := textAt(&brokers.Items[i], "/spec/url")
		catalog, err := ask(ctx, http.MethodGet, address+"/v2/catalog", nil)
		if err != nil {
			return choice{}, err
		}
		if service := named(catalog["services"], class); service != nil {
			if found := named(service["plans"], plan); found != nil {
				return choice{url: address, service: fmt.Sprint(service["id"]), plan: fmt.Sprint(found["id"])}, nil
			}
		}
	}
	return choice{}, fmt.Errorf("no broker has plan %q of class %q", plan, class)
}

func (s *standIn) instance(ctx context.Context, instance *unstructured.Unstructured) (ctrl.Result, error) {
	if instance.GetDeletionTimestamp() != nil {
		return s.deprovision(ctx, instance)
	}
	chosen, err := s.choose(ctx, instance)
	if err != nil {
		return s.say(ctx, instance, "ReferencesNonexistentServicePlan", err, nil)
	}
	if textAt(instance, "/spec/clusterServiceClassRef/name") != chosen.service || textAt(instance, "/spec/clusterServicePlanRef/name") != chosen.plan {
		kit.Set(instance.Object, "/spec/clusterServiceClassRef", kit.Fields{"name": chosen.service})
		kit.Set(instance.Object, "/spec/clusterServicePlanRef", kit.Fields{"name": chosen.plan})
		return ctrl.Result{}, s.Update(ctx, instance) // its news comes back here
	}
	method, known := http.MethodPut, kit.At(instance.Object, "/status/externalProperties")
	wanted := kit.Fields{"clusterServicePlanExternalID": chosen.plan, "parameters": kit.At(instance.Object, "/spec/parameters")}
	if known != nil {
		method = http.MethodPatch
	}
	if !reflect.DeepEqual(known, wanted) {
		_, err = ask(ctx, method, instanceURL(chosen.url, instance), kit.Fields{
			"service_id": chosen.service, "plan_id": chosen.plan, "parameters": wanted["parameters"], "organization_guid": "cluster", "space_guid": instance.GetNamespace(),
		})
	}
	return s.say(ctx, instance, cmp.Or(reasonOf(err), "ProvisionedSuccessfully"), err, kit.Fields{
		"externalProperties": wanted, "provisionStatus": "Provisioned", "deprovisionStatus": "Required", "observedGeneration": instance.GetGeneration(),
	})
}

// deprovision waits for the bindings that use the instance.
func (s *standIn) deprovision(ctx context.Context, instance *unstructured.Unstructured) (ctrl.Result, error) {
	bindings := &unstructured.UnstructuredList{}
	bindings.SetGroupVersionKind(kit.Named(apiVersion, "ServiceBindingList", "", "").GroupVersionKind)
	if err := s.reader.List(ctx, bindings, client.InNamespace(instance.GetNamespace())); err != nil {
		return ctrl.Result{}, err
	}
	for i := range bindings.Items {
		if textAt(&bindings.Items[i], "/spec/instanceRef/name") == instance.GetName() {
			return s.say(ctx, instance, "DeprovisionBlockedByExistingCredentials", fmt.Errorf("all ServiceBindings must be removed first: %s", bindings.Items[i].GetName()), nil)
		}
	}
	if kit.At(instance.Object, "/status/externalProperties") != nil {
		chosen, err := s.choose(ctx, instance)
		if err == nil {
			_, err = ask(ctx, http.MethodDelete, instanceURL(chosen.url, instance)+chosen.query(), nil)
		}
		if err != nil {
			return s.say(ctx, instance, "DeprovisionCallFailed", err, nil)
		}
	}
	return s.letGo(ctx, instance)
}

func (s *standIn) binding(ctx context.Context, binding *unstructured.Unstructured) (ctrl.Result, error) {
	instance := kit.Named(apiVersion, "ServiceInstance", "", "").Empty()
	key := client.ObjectKey{Namespace: binding.GetNamespace(), Name: textAt(binding, "/spec/instanceRef/name")}
	var chosen choice
	err := s.reader.Get(ctx, key, instance)
	if err == nil {
		chosen, err = s.choose(ctx, instance)
	}
	bound := kit.At(binding.Object, "/status/externalProperties") != nil
	address := instanceURL(chosen.url, instance) + "/service_bindings/" + textAt(binding, "/spec/externalID")
	switch {
	case binding.GetDeletionTimestamp() != nil && !bound:
		return s.letGo(ctx, binding)
	case err != nil:
		return s.say(ctx, binding, "ReferencesNonexistentInstance", err, nil)
	case binding.GetDeletionTimestamp() != nil:
		return s.unbind(ctx, binding, address+chosen.query())
	case !isReady(instance) || instance.GetDeletionTimestamp() != nil:
		return s.say(ctx, binding, "ErrorInstanceNotReady", fmt.Errorf("ServiceInstance %s is not ready", instance.GetName()), nil)
	case bound:
		return s.say(ctx, binding, "InjectedBindResult", nil, nil)
	}
	answer, err := ask(ctx, http.MethodPut, address, kit.Fields{"service_id": chosen.service, "plan_id": chosen.plan, "bind_resource": kit.Fields{}})
	if err == nil {
		err = s.inject(ctx, binding, answer["credentials"])
	}
	return s.say(ctx, binding, cmp.Or(reasonOf(err), "InjectedBindResult"), err, kit.Fields{"externalProperties": kit.Fields{}, "unbindStatus": "Required"})
}

// inject puts credentials into the binding's Secret.
func (s *standIn) inject(ctx context.Context, binding *unstructured.Unstructured, credentials any) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: binding.GetNamespace(), Name: textAt(binding, "/spec/secretName")}, StringData: map[string]string{}}
	secret.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(binding, binding.GroupVersionKind())}
	fields, _ := credentials.(kit.Fields)
	for key, value := range fields {
		secret.StringData[key] = fmt.Sprint(value)
	}
	return client.IgnoreAlreadyExists(s.Create(ctx, secret))
}

func (s *standIn) unbind(ctx context.Context, binding *unstructured.Unstructured, address string) (ctrl.Result, error) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: binding.GetNamespace(), Name: textAt(binding, "/spec/secretName")}}
	if err := client.IgnoreNotFound(s.Delete(ctx, secret)); err != nil {
		return ctrl.Result{}, err
	}
	if _, err := ask(ctx, http.MethodDelete, address, nil); err != nil {
		return s.say(ctx, binding, "UnbindCallFailed", err, nil)
	}
	return s.letGo(ctx, binding)
}

func (s *standIn) letGo(ctx context.Context, object *unstructured.Unstructured) (ctrl.Result, error) {
	if !controllerutil.RemoveFinalizer(object, finalizer) {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(s.Update(ctx, object))
}

// say writes the condition Ready, and where all is well the rest of the status as well; where
// not, the object is looked at again.
func (s *standIn) say(ctx context.Context, object *unstructured.Unstructured, reason string, failure error, also kit.Fields) (result ctrl.Result, err error) {
	status, _ := kit.At(object.Object, "/status").(kit.Fields)
	next := kit.Fields{}
	for key, value := range status {
		next[key] = value
	}
	ready, message := "True", ""
	if failure != nil {
		ready, message, result.RequeueAfter = "False", failure.Error(), again
	} else {
		for key, value := range also {
			next[key] = value
		}
	}
	next["lastConditionState"] = reason
	next["conditions"] = kit.Values{kit.Fields{"type": "Ready", "status": ready, "reason": reason, "message": message}}
	if reflect.DeepEqual(status, next) {
		return result, nil
	}
	object.Object["status"] = next
	return result, s.Status().Update(ctx, object)
}

func (c choice) query() string {
	return "?" + url.Values{"service_id": {c.service}, "plan_id": {c.plan}}.Encode()
}

func instanceURL(address string, instance *unstructured.Unstructured) string {
	return address + "/v2/service_instances/" + textAt(instance, "/spec/externalID")
}

// named is the entry of a list of a catalog that has a name.
func named(list any, name string) kit.Fields {
	items, _ := list.(kit.Values)
	for _, item := range items {
		if fields, _ := item.(kit.Fields); fields["name"] == name {
			return fields
		}
	}
	return nil
}

func textAt(u *unstructured.Unstructured, pointer string) string {
	text, _ := kit.At(u.Object, pointer).(string)
	return text
}

func isReady(u *unstructured.Unstructured) bool {
	return kit.At(u.Object, "/status/conditions/0/status") == "True"
}

func reasonOf(err error) string {
	if err != nil {
		return "ErrorCallingBroker"
	}
	return ""
}
