package checkup

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// looked are the kinds that nobody changes but an installation.
var looked = []string{"CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}

// shipped compares what is installed with what this fedctl would install.
func (g *gatherer) shipped(ctx context.Context) {
	objects, err := brought(g.namespace, g.scope)
	if err != nil {
		g.unreadable("manifests", "", err)
		return
	}
	for _, want := range objects {
		if slices.Contains(looked, want.GetKind()) && !g.isUnused(want) {
			g.compare(ctx, want)
		}
	}
}

// brought is what an installation brings; where its scope is not known, what every scope
// brings alike: nothing can be said of the rest.
func brought(namespace, scope string) ([]*unstructured.Unstructured, error) {
	if scope != "" {
		return manifests.Build(manifests.Options{Namespace: namespace, Scope: scope})
	}
	var alike []*unstructured.Unstructured
	for i, scope := range manifests.Scopes {
		objects, err := manifests.Build(manifests.Options{Namespace: namespace, Scope: scope})
		if err != nil {
			return nil, err
		}
		if i == 0 {
			alike = objects
			continue
		}
		alike = slices.DeleteFunc(alike, func(one *unstructured.Unstructured) bool {
			return !slices.ContainsFunc(objects, func(other *unstructured.Unstructured) bool { return equality.Semantic.DeepEqual(one, other) })
		})
	}
	return alike, nil
}

// isUnused says that a shipped definition is that of a federated type which is not
// enabled: it may have been deleted with it.
func (g *gatherer) isUnused(want *unstructured.Unstructured) bool {
	group, _, _ := unstructured.NestedString(want.Object, "spec", "group")
	return group == typeconfig.DefaultFederatedGroup &&
		!slices.ContainsFunc(g.in.Types, func(t diagnosis.Type) bool { return t.Definition == want.GetName() })
}

func (g *gatherer) compare(ctx context.Context, want *unstructured.Unstructured) {
	row := diagnosis.Shipped{Kind: want.GetKind(), Name: want.GetName()}
	have := &unstructured.Unstructured{}
	have.SetGroupVersionKind(want.GroupVersionKind())
	err := g.host.Get(ctx, client.ObjectKeyFromObject(want), have)
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		row.Missing = true
	case err != nil:
		g.unreadable(want.GetKind(), want.GetName(), err)
		return
	default:
		for _, field := range []string{"spec", "rules", "roleRef", "subjects"} {
			row.Differs = row.Differs || !holds(have.Object[field], want.Object[field])
		}
	}
	g.in.Shipped = append(g.in.Shipped, row)
}

// holds says whether have is want, or want with more in its maps: API servers fill in
// defaults.
func holds(have, want any) bool {
	switch want := want.(type) {
	case nil:
		return true
	case map[string]any:
		have, ok := have.(map[string]any)
		if !ok {
			return len(want) == 0
		}
		for key, value := range want {
			if !holds(have[key], value) {
				return false
			}
		}
		return true
	case []any:
		have, _ := have.([]any)
		if len(have) != len(want) {
			return false
		}
		for i := range want {
			if !holds(have[i], want[i]) {
				return false
			}
		}
		return true
	}
	return fmt.Sprint(have) == fmt.Sprint(want)
}
