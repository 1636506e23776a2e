package importing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/exported"
)

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// export is one of these objects, in this order.
func export(t *testing.T, manifests ...string) (string, *exported.Contents) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "federation")
	folder, err := exported.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	contents := exported.New("test", time.Now())
	contents.Namespace = plane
	sheet, err := folder.Sheet("objects.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range manifests {
		if err := sheet.Put(parsed(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sheet.Close(); err != nil {
		t.Fatal(err)
	}
	contents.Add(sheet.File)
	if err := folder.Finish(contents); err != nil {
		t.Fatal(err)
	}
	return dir, contents
}

const (
	typeConfig = `{apiVersion: core.kubefed.io/v1beta1, kind: FederatedTypeConfig, metadata: {name: configmaps, namespace: kube-federation-system}, spec: {propagation: Enabled,
		targetType: {version: v1, kind: ConfigMap, pluralName: configmaps, scope: Namespaced},
		federatedType: {group: types.kubefed.io, version: v1beta1, kind: FederatedConfigMap, pluralName: federatedconfigmaps, scope: Namespaced}}}`
	clusterType = `{apiVersion: core.kubefed.io/v1beta1, kind: FederatedTypeConfig, metadata: {name: namespaces, namespace: kube-federation-system}, spec: {propagation: Enabled,
		targetType: {version: v1, kind: Namespace, pluralName: namespaces, scope: Cluster},
		federatedType: {group: types.example.com, version: v1beta1, kind: FederatedNamespace, pluralName: federatednamespaces, scope: Namespaced}}}`
)

func federated(namespace, name string) string {
	return fmt.Sprintf("{apiVersion: types.kubefed.io/v1beta1, kind: FederatedConfigMap, metadata: {name: %s, namespace: %s}, spec: {template: {data: {a: b}}}}", name, namespace)
}

// host is a control plane without a controller, and more objects.
func host(funcs interceptor.Funcs, more ...client.Object) client.Client {
	scheme := runtime.NewScheme()
	for kind := range cmdutil.Scheme.AllKnownTypes() {
		if object, err := cmdutil.Scheme.New(kind); err == nil {
			scheme.AddKnownTypeWithName(kind, object)
		}
	}
	of := schema.GroupVersion{Group: "types.kubefed.io", Version: "v1beta1"}
	scheme.AddKnownTypeWithName(of.WithKind("FederatedConfigMap"), &unstructured.Unstructured{})
	scheme.AddKnownTypeWithName(of.WithKind("FederatedConfigMapList"), &unstructured.UnstructuredList{})
	if funcs.List == nil {
		funcs.List = listMetadata
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(more, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: plane}})...).WithInterceptorFuncs(funcs).Build()
}

// listMetadata lists what the fake client has no typed objects of.
func listMetadata(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	partial, ok := list.(*metav1.PartialObjectMetadataList)
	if !ok {
		return c.List(ctx, list, options...)
	}
	whole := &unstructured.UnstructuredList{}
	whole.SetGroupVersionKind(list.GetObjectKind().GroupVersionKind())
	err := c.List(ctx, whole, options...)
	for i := range whole.Items {
		partial.Items = append(partial.Items, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: whole.Items[i].GetNamespace(), Name: whole.Items[i].GetName()}})
	}
	return err
}

func importOf(t *testing.T, on client.Client, change func(*Options), manifests ...string) *importing {
	t.Helper()
	dir, contents := export(t, manifests...)
	o := &Options{factory: cmdutil.NewFactory(genericiooptions.NewTestIOStreamsDiscard())}
	if change != nil {
		change(o)
	}
	return newImporting(o, dir, on, contents)
}

func (i *importing) planAndRefuse(ctx context.Context) error {
	if err := i.plan(ctx); err != nil {
		return err
	}
	return i.refusal()
}

// A controller whose Lease is nobody's runs all the same, or is about to.
func TestNothingIsImportedWhereAControllerRunsOrIsTo(t *testing.T) {
	deployment := func(wanted *int32, there int32) client.Object {
		return &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: plane, Name: "fedctl-controller"}, Spec: appsv1.DeploymentSpec{Replicas: wanted}, Status: appsv1.DeploymentStatus{Replicas: there},
		}
	}
	lease := func(holder string, age time.Duration) client.Object {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: plane, Name: "fedctl-controller"}, Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &holder, RenewTime: &metav1.MicroTime{Time: time.Now().Add(-age)}, LeaseDurationSeconds: ptr.To(int32(15)),
		}}
	}
	elsewhere := deployment(ptr.To(int32(2)), 2)
	elsewhere.SetNamespace("another-plane")
	const stop = "stop it, and start it again when the members have joined:\n  kubectl -n kube-federation-system scale deployment fedctl-controller --replicas 0"
	for name, test := range map[string]struct {
		objects []client.Object
		want    string
	}{
		"nothing":                              {nil, ""},
		"stopped":                              {[]client.Object{deployment(ptr.To(int32(0)), 0), lease("", time.Second)}, ""},
		"another control plane's":              {[]client.Object{elsewhere}, ""},
		"about to run":                         {[]client.Object{deployment(ptr.To(int32(2)), 0)}, stop},
		"the number is the default":            {[]client.Object{deployment(nil, 0)}, stop},
		"it runs, and has just lost its Lease": {[]client.Object{deployment(ptr.To(int32(2)), 2), lease("", time.Second)}, stop},
		"it has just been stopped":             {[]client.Object{deployment(ptr.To(int32(0)), 1), lease("", time.Second)}, "has 1 Pod(s) yet: wait until they are gone"},
		"one that runs elsewhere leads":        {[]client.Object{lease("laptop", 0)}, "the controller of this host is at work, as its Lease was renewed a moment ago, and would take what it does not find yet for deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			err := importOf(t, host(interceptor.Funcs{}, test.objects...), nil, typeConfig).checkHost(t.Context())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	forbidden := host(interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
		if _, ok := into.(*appsv1.Deployment); ok {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, key.Name, errors.New("no"))
		}
		return c.Get(ctx, key, into, options...)
	}})
	if err := importOf(t, forbidden, nil, typeConfig).checkHost(t.Context()); !apierrors.IsForbidden(err) {
		t.Errorf("who may not look is told %v", err)
	}

	// Looking takes its time.
	on := host(interceptor.Funcs{})
	i := importOf(t, on, nil, typeConfig, federated("shop", "a"))
	if err := i.planAndRefuse(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := on.Create(t.Context(), deployment(ptr.To(int32(1)), 0)); err != nil {
		t.Fatal(err)
	}
	if err := i.carryOut(t.Context()); err == nil || !strings.Contains(err.Error(), stop) {
		t.Errorf("one that was begun meanwhile: %v", err)
	}
}

// What is elsewhere than a control plane of scope Namespaced is others', and need not be
// readable for who has rights in one namespace.
func TestOthersOfAHostAreThoseOfTheControlPlane(t *testing.T) {
	config := func(scope string) string {
		return "{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedConfig, metadata: {name: kubefed, namespace: kube-federation-system}, spec: {scope: " + scope + "}}"
	}
	objects := func(scope string) (all []client.Object) {
		for _, text := range []string{
			config(scope), federated("shop", "a"), "{apiVersion: policy.fedctl.io/v1alpha1, kind: ClusterOverridePolicy, metadata: {name: mirror}}",
			"{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedCluster, metadata: {name: theirs, namespace: another-plane}}",
		} {
			all = append(all, parsed(t, text))
		}
		return all
	}
	var mu sync.Mutex
	asked := map[string]bool{}
	funcs := interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		o := client.ListOptions{}
		o.ApplyOptions(options)
		mu.Lock()
		defer mu.Unlock()
		if o.Namespace != plane {
			asked[list.GetObjectKind().GroupVersionKind().Kind] = true
		}
		return listMetadata(ctx, c, list, options...)
	}}
	i := importOf(t, host(funcs, objects("Namespaced")...), nil, config("Namespaced"), typeConfig, federated(plane, "a"))
	if err := i.planAndRefuse(t.Context()); err != nil || i.begun || len(asked) > 0 {
		t.Errorf("scope Namespaced: %v, begun %v, %v were listed everywhere", err, i.begun, asked)
	}
	i = importOf(t, host(interceptor.Funcs{}, objects("Cluster")...), nil, config("Cluster"), typeConfig, federated(plane, "a"))
	if err := i.planAndRefuse(t.Context()); err == nil || !strings.Contains(err.Error(), "2 object(s) that are not in the export: ClusterOverridePolicy mirror, FederatedConfigMap shop/a.") {
		t.Errorf("scope Cluster: %v", err)
	}
}

// full is a standard output on a device that has no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestWhatCannotBePrintedHidesNothing(t *testing.T) {
	why := errors.New("the host is not reachable")
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, "all was imported, and only what was done could not be printed: no space left on device"},
		{why, "the host is not reachable\nthe report could not be printed: no space left on device"},
	} {
		i := importOf(t, host(interceptor.Funcs{}), func(o *Options) {
			o.factory = cmdutil.NewFactory(genericiooptions.IOStreams{Out: full{}, ErrOut: &bytes.Buffer{}})
		}, typeConfig)
		i.report.count("FederatedTypeConfig", created)
		if err := i.report.end(i.options, test.err); err == nil || err.Error() != test.want {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
}
