package member_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

var (
	config  *rest.Config
	cluster client.Client // somebody else, with all rights
)

func TestMember(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real API server")
	}
	RegisterFailHandler(Fail)
	logf.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	RunSpecs(t, "member")
}

var _ = BeforeSuite(func(ctx context.Context) {
	dir := GinkgoT().TempDir()
	fleet, err := localcluster.Up(ctx, localcluster.Options{
		Dir: dir, DieWithParent: true, Log: GinkgoWriter, HostNodes: localcluster.None,
		Without: []string{localcluster.ControllerManager, localcluster.Scheduler, localcluster.Kwok},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) { Expect(localcluster.Down(ctx, dir)).To(Succeed()) })
	config, err = fleet.Config("host")
	Expect(err).NotTo(HaveOccurred())
	config.WarningHandler = rest.NoWarnings{}
	cluster, err = client.New(config, client.Options{Scheme: scheme.Scheme})
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(8*time.Minute))

type (
	fields = map[string]any
	list   = []any
)

// resources are those that the specs write.
var resources = map[string]typeconfig.Resource{
	"ConfigMap":     resource("", "configmaps", "ConfigMap", true),
	"Secret":        resource("", "secrets", "Secret", true),
	"Service":       resource("", "services", "Service", true),
	"Namespace":     resource("", "namespaces", "Namespace", false),
	"Deployment":    resource("apps", "deployments", "Deployment", true),
	"StatefulSet":   resource("apps", "statefulsets", "StatefulSet", true),
	"Job":           resource("batch", "jobs", "Job", true),
	"NetworkPolicy": resource("networking.k8s.io", "networkpolicies", "NetworkPolicy", true),
	"Widget":        resource("member.test", "widgets", "Widget", true), // a custom resource, see widgets

	"ReplicationController": resource("", "replicationcontrollers", "ReplicationController", true),

	"ResourceQuota":       resource("", "resourcequotas", "ResourceQuota", true),
	"LimitRange":          resource("", "limitranges", "LimitRange", true),
	"Role":                resource("rbac.authorization.k8s.io", "roles", "Role", true),
	"RoleBinding":         resource("rbac.authorization.k8s.io", "rolebindings", "RoleBinding", true),
	"PodDisruptionBudget": resource("policy", "poddisruptionbudgets", "PodDisruptionBudget", true),
	"StorageClass":        resource("storage.k8s.io", "storageclasses", "StorageClass", false),
	"PriorityClass":       resource("scheduling.k8s.io", "priorityclasses", "PriorityClass", false),

	"ValidatingWebhookConfiguration": resource("admissionregistration.k8s.io", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", false),
	"HorizontalPodAutoscaler": {
		GVR:        schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
		GVK:        schema.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
		Namespaced: true,
	},
}

func resource(group, plural, kind string, namespaced bool) typeconfig.Resource {
	gv := schema.GroupVersion{Group: group, Version: "v1"}
	return typeconfig.Resource{GVR: gv.WithResource(plural), GVK: gv.WithKind(kind), Namespaced: namespaced}
}

// newRef names an object of a kind in a new namespace.
func newRef(ctx context.Context, kind string) member.Ref {
	GinkgoHelper()
	namespace := &corev1.Namespace{}
	namespace.GenerateName = "spec-"
	Expect(cluster.Create(ctx, namespace)).To(Succeed())
	return member.Ref{Resource: resources[kind], Key: types.NamespacedName{Namespace: namespace.Name, Name: "it"}}
}

// desired is what a federated object with this template makes of a member's object.
func desired(ref member.Ref, template fields, retainReplicas ...bool) member.Desired {
	GinkgoHelper()
	retain := len(retainReplicas) > 0
	fed, err := federate.Parse(&unstructured.Unstructured{Object: fields{
		"metadata": fields{"name": ref.Key.Name, "namespace": ref.Key.Namespace},
		"spec":     fields{"template": template, "retainReplicas": retain},
	}})
	Expect(err).NotTo(HaveOccurred())
	renderer, err := federate.NewRenderer(fed, federate.Target{GVK: ref.Resource.GVK, Namespaced: ref.Resource.Namespaced})
	Expect(err).NotTo(HaveOccurred())
	rendered, err := renderer.For("m")
	Expect(err).NotTo(HaveOccurred())
	return member.Desired{Ref: ref, Rendered: rendered, RetainReplicas: retain, Adopt: true}
}

func data(values fields) fields { return fields{"data": values} }

// workload is a Deployment's template.
func workload(replicas int, env ...any) fields {
	spec := fields{
		"selector": fields{"matchLabels": fields{"app": "a"}},
		"template": fields{
			"metadata": fields{"labels": fields{"app": "a"}},
			"spec":     fields{"containers": list{fields{"name": "c", "image": "registry.k8s.io/pause:3.10", "env": env}}},
		},
	}
	if replicas >= 0 {
		spec["replicas"] = int64(replicas)
	}
	return fields{"spec": spec}
}

// found reads an object as somebody else does.
func found(ctx context.Context, ref member.Ref) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(ref.Resource.GVK)
	Expect(cluster.Get(ctx, ref.Key, object)).To(Succeed())
	return object
}

func isGone(ctx context.Context, ref member.Ref) bool {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(ref.Resource.GVK)
	err := cluster.Get(ctx, ref.Key, object)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	return apierrors.IsNotFound(err)
}

// live is what a watch would tell of an object now.
func live(ctx context.Context, ref member.Ref) *member.Live {
	GinkgoHelper()
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(ref.Resource.GVK)
	Expect(cluster.Get(ctx, ref.Key, object)).To(Succeed())
	l := member.LiveOf(object)
	return &l
}

// plant has somebody else, of this name, create an object.
func plant(ctx context.Context, ref member.Ref, as string, labels map[string]string, content fields) *unstructured.Unstructured {
	GinkgoHelper()
	object := (&unstructured.Unstructured{Object: content}).DeepCopy()
	object.SetGroupVersionKind(ref.Resource.GVK)
	object.SetNamespace(ref.Key.Namespace)
	object.SetName(ref.Key.Name)
	object.SetLabels(labels)
	Expect(cluster.Create(ctx, object, client.FieldOwner(as))).To(Succeed())
	return object
}

// tamper has somebody else change an object.
func tamper(ctx context.Context, ref member.Ref, change func(object *unstructured.Unstructured)) *unstructured.Unstructured {
	GinkgoHelper()
	object := found(ctx, ref)
	change(object)
	Expect(cluster.Update(ctx, object, client.FieldOwner("somebody"))).To(Succeed())
	return object
}

func setData(key, value string) func(*unstructured.Unstructured) {
	return func(object *unstructured.Unstructured) {
		_ = unstructured.SetNestedField(object.Object, value, "data", key)
	}
}

func label(value string) func(*unstructured.Unstructured) {
	return func(object *unstructured.Unstructured) {
		object.SetLabels(map[string]string{federate.ManagedLabel: value})
	}
}

func at(object *unstructured.Unstructured, path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
	return value
}

// managers are the managers of an object's fields with their operations.
func managers(object *unstructured.Unstructured) []string {
	var names []string
	for _, entry := range object.GetManagedFields() {
		names = append(names, string(entry.Operation)+" "+entry.Manager)
	}
	return names
}

// bench is an applier with the requests that it has made.
type bench struct {
	*member.Applier

	metadata  metadata.Interface
	dynamic   dynamic.Interface
	discovery rest.Interface

	mu   sync.Mutex
	made []string
	// before and after are called around each request; an error is its answer.
	before func(request string)
	after  func(r *http.Request) error
}

// newBench returns an applier with all rights, or with those of a user.
func newBench(user ...string) *bench {
	GinkgoHelper()
	b := &bench{}
	c := rest.CopyConfig(config)
	if len(user) > 0 {
		c.Impersonate = rest.ImpersonationConfig{UserName: user[0]}
	}
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) { return b.roundTrip(next, r) })
	})
	connection, err := rest.HTTPClientFor(c)
	Expect(err).NotTo(HaveOccurred())
	b.metadata, err = metadata.NewForConfigAndClient(c, connection)
	Expect(err).NotTo(HaveOccurred())
	b.dynamic, err = dynamic.NewForConfigAndClient(c, connection)
	Expect(err).NotTo(HaveOccurred())
	disco, err := discovery.NewDiscoveryClientForConfigAndClient(c, connection)
	Expect(err).NotTo(HaveOccurred())
	b.discovery = disco.RESTClient()
	b.Applier = member.New(b.metadata, b.dynamic, b.discovery, 15*time.Second, nil)
	return b
}

// unanswered has every request arrive, and none be answered in time.
func (b *bench) unanswered() {
	b.Applier = member.New(b.metadata, b.dynamic, b.discovery, 250*time.Millisecond, nil)
	b.after = func(r *http.Request) error {
		<-r.Context().Done()
		return r.Context().Err()
	}
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func (b *bench) roundTrip(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	request := describe(r)
	b.mu.Lock()
	b.made = append(b.made, request)
	b.mu.Unlock()
	if b.before != nil {
		b.before(request)
	}
	if b.after == nil {
		return next.RoundTrip(r)
	}
	response, err := next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	if err != nil {
		return nil, err
	}
	if err := b.after(r); err != nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return nil, err
	}
	return response, nil
}

// describe is the kind of a request in a word or two.
func describe(r *http.Request) string {
	content := r.Header.Get("Content-Type")
	switch query := r.URL.Query(); {
	case r.URL.Path == "/openapi/v3":
		return "GET SCHEMAS"
	case r.Method != http.MethodPatch:
		return r.Method
	case strings.HasPrefix(content, "application/apply-patch"):
		verb := "APPLY"
		if query.Get("force") == "true" {
			verb = "FORCE"
		}
		if manager := query.Get("fieldManager"); manager != federate.FieldManager {
			verb += " " + manager
		}
		return verb
	default:
		return fmt.Sprintf("PATCH %s", strings.TrimSuffix(strings.TrimPrefix(content, "application/"), "-patch+json"))
	}
}

// requests are those made since the last look.
func (b *bench) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	made := b.made
	b.made = nil
	return made
}

// once calls do before the first request of a kind.
func (b *bench) once(request string, do func()) {
	done := false
	b.before = func(r string) {
		if r == request && !done {
			done = true
			do()
		}
	}
}

// held applies what is desired where nothing is known, and says what a watch tells then.
func (b *bench) held(ctx context.Context, want member.Desired) *member.Live {
	GinkgoHelper()
	Expect(b.Apply(ctx, want, member.Known{First: true}, member.Journal{})).To(BeAssignableToTypeOf(member.Applied{}))
	b.requests()
	return live(ctx, want.Ref)
}
