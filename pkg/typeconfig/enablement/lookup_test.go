package enablement

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// served is what an API server lists.
type served struct {
	preferred, all []*metav1.APIResourceList
	err            error
}

func (s served) ServerPreferredResources() ([]*metav1.APIResourceList, error) {
	return s.preferred, s.err
}

func (s served) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	return nil, s.all, s.err
}

var everyVerb = metav1.Verbs{"create", "delete", "get", "list", "patch", "update", "watch"}

func resources(groupVersion string, in ...metav1.APIResource) *metav1.APIResourceList {
	for i := range in {
		if in[i].Verbs == nil {
			in[i].Verbs = everyVerb
		}
	}
	return &metav1.APIResourceList{GroupVersion: groupVersion, APIResources: in}
}

func TestLookupTarget(t *testing.T) {
	preferred := []*metav1.APIResourceList{
		resources("v1",
			metav1.APIResource{Name: "pods", SingularName: "pod", Kind: "Pod", ShortNames: []string{"po"}},
			metav1.APIResource{Name: "nodes", SingularName: "node", Kind: "Node"},
			metav1.APIResource{Name: "services", SingularName: "service", Kind: "Service", ShortNames: []string{"svc"}},
			metav1.APIResource{Name: "bindings", SingularName: "binding", Kind: "Binding", Verbs: metav1.Verbs{"create"}},
		),
		resources("extensions/v1beta1",
			metav1.APIResource{Name: "deployments", SingularName: "deployment", Kind: "Deployment", ShortNames: []string{"deploy"}},
			metav1.APIResource{Name: "ingresses", SingularName: "ingress", Kind: "Ingress", ShortNames: []string{"ing"}},
		),
		resources("apps/v1",
			metav1.APIResource{Name: "deployments", SingularName: "deployment", Kind: "Deployment", ShortNames: []string{"deploy"}},
			metav1.APIResource{Name: "deployments/scale", Kind: "Scale"},
		),
		resources("networking.k8s.io/v1", metav1.APIResource{Name: "ingresses", SingularName: "ingress", Kind: "Ingress", ShortNames: []string{"ing"}}),
		resources("serving.knative.dev/v1", metav1.APIResource{Name: "services", SingularName: "service", Kind: "Service"}),
		resources("types.kubefed.io/v1beta1",
			metav1.APIResource{Name: "federatedservices", SingularName: "federatedservice", Kind: "FederatedService"},
			metav1.APIResource{Name: "gizmos", SingularName: "gizmo", Kind: "Gizmo"}),
		resources("core.kubefed.io/v1beta1", metav1.APIResource{Name: "kubefedclusters", SingularName: "kubefedcluster", Kind: "KubeFedCluster"}),
		resources("a.example.com/v1", metav1.APIResource{Name: "widgets", SingularName: "widget", Kind: "Widget"}),
		resources("b.example.com/v1", metav1.APIResource{Name: "widgets", SingularName: "widget", Kind: "Widget"}),
	}
	server := served{preferred: preferred, all: append(preferred,
		resources("a.example.com/v2", metav1.APIResource{Name: "widgets", SingularName: "widget", Kind: "Widget"}))}
	for _, test := range []struct {
		name, lookup, version string
		want, problem         string
	}{
		{name: "plural and group", lookup: "deployments.apps", want: "deployments.apps/v1"},
		{name: "short name", lookup: "deploy", want: "deployments.apps/v1"},
		{name: "kind in any case", lookup: "DePloyment", want: "deployments.apps/v1"},
		{name: "moved to a newer group", lookup: "ingress", want: "ingresses.networking.k8s.io/v1"},
		{name: "older group by its full name", lookup: "ingresses.extensions", want: "ingresses.extensions/v1beta1"},
		{name: "the core group first", lookup: "services", want: "services/v1"},
		{name: "another group by its full name", lookup: "services.serving.knative.dev", want: "services.serving.knative.dev/v1"},
		{name: "pods", lookup: "po", want: "pods/v1"},
		{name: "a version", lookup: "widgets.a.example.com", version: "v2", want: "widgets.a.example.com/v2"},
		{name: "a version there is not", lookup: "widgets.b.example.com", version: "v2", problem: "has no type"},
		{name: "ambiguous", lookup: "widgets", problem: `"widgets" may mean widgets.a.example.com or widgets.b.example.com`},
		{name: "unknown", lookup: "gadgets", problem: `the host cluster has no type "gadgets"`},
		{name: "subresource", lookup: "deployments/scale", problem: "is a subresource"},
		{name: "a federated type", lookup: "federatedservices", problem: "federatedservices.types.kubefed.io cannot be federated: it is a federated type itself"},
		{name: "another type in its group", lookup: "gizmos", want: "gizmos.types.kubefed.io/v1beta1"},
		{name: "the control plane's", lookup: "kubefedclusters", problem: "belong to the control plane"},
		{name: "nodes", lookup: "nodes", problem: "nodes cannot be federated: a node belongs to the cluster"},
		{name: "no verbs", lookup: "bindings", problem: "bindings cannot be federated: its API has no get, list, watch, patch, delete"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := LookupTarget(server, test.lookup, test.version)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("got error %v, want %q", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if name := typeconfig.QualifiedName(got.Name, got.Group) + "/" + got.Version; name != test.want {
				t.Errorf("got %s, want %s", name, test.want)
			}
		})
	}
}

func TestLookupTargetWithIncompleteDiscovery(t *testing.T) {
	server := served{
		preferred: []*metav1.APIResourceList{resources("v1", metav1.APIResource{Name: "secrets", Kind: "Secret"})},
		err:       errors.New("metrics.k8s.io/v1: the server is currently unable to handle the request"),
	}
	if _, err := LookupTarget(server, "secrets", ""); err != nil {
		t.Errorf("one unavailable group must not matter to another one: %v", err)
	}
	if _, err := LookupTarget(server, "widgets", ""); err == nil || !strings.Contains(err.Error(), "metrics.k8s.io") {
		t.Errorf("what could not be listed may be why it is not found, got %v", err)
	}
}

func TestFederable(t *testing.T) {
	got := Federable([]*metav1.APIResourceList{
		resources("v1", metav1.APIResource{Name: "pods"}, metav1.APIResource{Name: "pods/log"}, metav1.APIResource{Name: "nodes"}),
		resources("apps/v1", metav1.APIResource{Name: "deployments"}),
		resources("authentication.k8s.io/v1", metav1.APIResource{Name: "tokenreviews", Verbs: metav1.Verbs{"create"}}),
		resources("types.kubefed.io/v1beta1", metav1.APIResource{Name: "federatedpods", Kind: "FederatedPod"}),
		{GroupVersion: "a/b/c", APIResources: []metav1.APIResource{{Name: "x", Verbs: everyVerb}}},
	})
	if want := "pods deployments.apps"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
