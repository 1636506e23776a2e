package export

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/exported"
)

// empty is a host that has nothing.
type empty struct{ client.Client }

func (empty) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

func TestNothingIsNoExport(t *testing.T) {
	g := &gathering{factory: &cmdutil.Factory{KubeFedNamespace: "elsewhere"}, host: empty{}}
	if err := g.readTypes(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no FederatedTypeConfig in namespace elsewhere, and so nothing to export") {
		t.Errorf("%v", err)
	}
}

// federation are the objects of a host: of a control plane, and beside it of another one.
func federation(t *testing.T, more ...string) (objects []client.Object) {
	t.Helper()
	for _, text := range append([]string{
		"{apiVersion: v1, kind: Namespace, metadata: {name: kube-system, uid: host}}",
		"{apiVersion: v1, kind: Namespace, metadata: {name: kube-federation-system}}",
		"{apiVersion: v1, kind: Namespace, metadata: {name: shop}}",
		typeConfig("secrets", "", "Secret", "Namespaced"), definition("federatedsecrets", "FederatedSecret", "Namespaced"),
		typeConfig("configmaps", "", "ConfigMap", "Namespaced"), definition("federatedconfigmaps", "FederatedConfigMap", "Namespaced"),
		typeConfig("clusterroles.rbac.authorization.k8s.io", "rbac.authorization.k8s.io", "ClusterRole", "Cluster"), definition("federatedclusterroles", "FederatedClusterRole", "Cluster"),
		"{apiVersion: types.kubefed.io/v1beta1, kind: FederatedConfigMap, metadata: {name: settings, namespace: shop}}",
		"{apiVersion: types.kubefed.io/v1beta1, kind: FederatedConfigMap, metadata: {name: ours, namespace: kube-federation-system}}",
		"{apiVersion: types.kubefed.io/v1beta1, kind: FederatedClusterRole, metadata: {name: reader}}",
		"{apiVersion: policy.fedctl.io/v1alpha1, kind: ClusterOverridePolicy, metadata: {name: mirror}}",
	}, more...) {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, u)
	}
	return objects
}

func typeConfig(name, group, kind, scope string) string {
	plural, _, _ := strings.Cut(name, ".")
	return `{apiVersion: core.kubefed.io/v1beta1, kind: FederatedTypeConfig, metadata: {name: ` + name + `, namespace: kube-federation-system}, spec: {propagation: Enabled,
		targetType: {group: "` + group + `", version: v1, kind: ` + kind + `, pluralName: ` + plural + `, scope: ` + scope + `},
		federatedType: {group: types.kubefed.io, version: v1beta1, kind: Federated` + kind + `, pluralName: federated` + plural + `, scope: ` + scope + `}}}`
}

func definition(plural, kind, scope string) string {
	return `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: ` + plural + `.types.kubefed.io},
		spec: {group: types.kubefed.io, scope: ` + scope + `, names: {plural: ` + plural + `, kind: ` + kind + `}, versions: [{name: v1beta1, served: true, storage: true}]}}`
}

// hostOf serves objects, but for what before does in place of a list.
func hostOf(before func(kind string) error, objects ...client.Object) client.Client {
	scheme := runtime.NewScheme()
	for kind := range cmdutil.Scheme.AllKnownTypes() {
		if object, err := cmdutil.Scheme.New(kind); err == nil && kind.Group != exported.Definition.Group {
			scheme.AddKnownTypeWithName(kind, object)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if before != nil {
				if err := before(strings.TrimSuffix(list.GetObjectKind().GroupVersionKind().Kind, "List")); err != nil {
					return err
				}
			}
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
		},
	}).Build()
}

func gatheringOf(t *testing.T, objects ...client.Object) *gathering {
	t.Helper()
	return &gathering{factory: &cmdutil.Factory{KubeFedNamespace: cmdutil.DefaultKubeFedNamespace}, host: hostOf(nil, objects...), now: time.Now(), contents: exported.New("v1", time.Now())}
}

// gather runs an export, and returns the names of what it holds, by kind.
func gather(t *testing.T, g *gathering) (map[string][]string, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "federation")
	err := g.begin(t.Context())
	if err == nil {
		g.folder, err = exported.Create(dir)
	}
	if err == nil {
		err = g.write(t.Context())
	}
	if err == nil {
		err = g.folder.Finish(g.contents)
	}
	if err != nil {
		return nil, err
	}
	held := map[string][]string{}
	for i := range g.contents.Files {
		err := g.contents.Files[i].Each(dir, func(u *unstructured.Unstructured) error {
			held[u.GetKind()] = append(held[u.GetKind()], u.GetName())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return held, nil
}

const secret = "{apiVersion: types.kubefed.io/v1beta1, kind: FederatedSecret, metadata: {name: password, namespace: shop}, spec: {template: {stringData: {a: planted}}}}"

// Who has not said what is to become of Secrets, as there were none, has not said so of one
// that comes while the export runs.
func TestASecretThatComesMeanwhileIsInTheExportOnlyIfThatWasSaid(t *testing.T) {
	for said, want := range map[string]string{"": exported.Omitted, omit: exported.Omitted, include: exported.Included} {
		g := gatheringOf(t)
		var host client.Client
		host = hostOf(func(kind string) error {
			if kind == "KubeFedCluster" { // begun
				return host.Create(t.Context(), federation(t, secret)[len(federation(t))])
			}
			return nil
		}, federation(t)...)
		g.host, g.secrets = host, said
		held, err := gather(t, g)
		if err != nil {
			t.Fatal(err)
		}
		if included := len(held["FederatedSecret"]) == 1; included != (said == include) || g.contents.Secrets != want {
			t.Errorf("--secrets=%s: %v, said to be %s", said, held["FederatedSecret"], g.contents.Secrets)
		}
		if notes := strings.Join(g.contents.Notes, "\n"); strings.Contains(notes, "FederatedSecret objects were written while the export ran, such as shop/password, and were left out") != (said == "") {
			t.Errorf("--secrets=%s: the notes are %q", said, notes)
		}
	}
	if _, err := gather(t, gatheringOf(t, federation(t, secret)...)); err == nil || !strings.Contains(err.Error(), "there are FederatedSecret objects, such as shop/password") {
		t.Errorf("one that was there before: %v", err)
	}
}

// Who may not read federated Secrets has an export without them, if he says so.
func TestWhoMayNotReadSecretsOmitsThem(t *testing.T) {
	for said, good := range map[string]bool{omit: true, include: false, "": false} {
		g := gatheringOf(t)
		g.secrets = said
		g.host = hostOf(func(kind string) error {
			if kind == "FederatedSecret" {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "federatedsecrets"}, "", nil)
			}
			return nil
		}, federation(t, secret)...)
		_, err := gather(t, g)
		if (err == nil) != good || good && g.contents.Secrets != exported.Omitted || !good && !apierrors.IsForbidden(err) {
			t.Errorf("--secrets=%s: %v, said to be %s", said, err, g.contents.Secrets)
		}
	}
}

// A server that has restarted, or one of several, answers for a moment that it does not know
// a type that it has the definition of: an export without its objects would look whole.
func TestATypeThatIsDefinedAndNotServedIsNotNone(t *testing.T) {
	notFound := apierrors.NewGenericServerResponse(404, "list", schema.GroupResource{}, "", "the server could not find the requested resource", 0, true)
	for name, answer := range map[string]error{"not found": notFound, "no match": &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "X"}}} {
		for _, of := range []string{"FederatedConfigMap", "FederatedSecret", "CustomResourceDefinition"} {
			g := gatheringOf(t)
			g.host = hostOf(func(kind string) error {
				if kind == of {
					return answer
				}
				return nil
			}, federation(t)...)
			_, err := gather(t, g)
			if err == nil || !strings.Contains(err.Error(), "reading "+of+" objects, which the host has a definition of and does not serve") {
				t.Errorf("%s %s: %v", of, name, err)
			}
		}
		// Of a kind that the host has no definition of there is nothing.
		g := gatheringOf(t)
		g.host = hostOf(func(kind string) error {
			if kind == "WorkloadKind" {
				return answer
			}
			return nil
		}, federation(t)...)
		if held, err := gather(t, g); err != nil || len(held["FederatedConfigMap"]) != 2 {
			t.Errorf("%s: %v, %v", name, held, err)
		}
	}
}

func TestAnExportHoldsWhatIsTheControlPlanes(t *testing.T) {
	for scope, want := range map[string]map[string][]string{
		"Cluster":    {"FederatedConfigMap": {"ours", "settings"}, "FederatedClusterRole": {"reader"}, "ClusterOverridePolicy": {"mirror"}, "Namespace": {"shop"}},
		"Namespaced": {"FederatedConfigMap": {"ours"}},
	} {
		config := "{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedConfig, metadata: {name: kubefed, namespace: kube-federation-system}, spec: {scope: " + scope + "}}"
		held, err := gather(t, gatheringOf(t, federation(t, config)...))
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"FederatedConfigMap", "FederatedClusterRole", "ClusterOverridePolicy", "Namespace"} {
			if !slices.Equal(held[kind], want[kind]) {
				t.Errorf("scope %s: %s %v, want %v", scope, kind, held[kind], want[kind])
			}
		}
		if len(held["CustomResourceDefinition"]) != 3 || len(held["FederatedTypeConfig"]) != 3 {
			t.Errorf("scope %s: %v", scope, slices.Sorted(maps.Keys(held)))
		}
	}
}
