package join

import (
	"context"
	"errors"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errOneNamespace says that there is nothing to be limited.
var errOneNamespace = errors.New("--rbac=namespaces is for control planes of scope Cluster: this one has rights in a single namespace only; use --rbac=types")

// errPluginRights says that the controller would not be who the rights are bound to.
var errPluginRights = errors.New("--rbac=namespaces binds rights to the ServiceAccount of the cluster, and this one is used with a credential plugin: use --rbac=types")

// dropBoundRights removes the rights that the account had by namespace: what the controller
// has bound, and the role with its guard.
func (s steps) dropBoundRights(ctx context.Context, namespace, serviceAccount string) error {
	role := boundRole(serviceAccount, nil)
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(role), &rbacv1.ClusterRole{}); apierrors.IsNotFound(err) {
		return nil // it goes last
	} else if err != nil {
		return s.fail("get", role, err)
	}
	var bindings rbacv1.RoleBindingList
	if err := s.client.List(ctx, &bindings, client.MatchingFields{"metadata.name": role.Name}); err != nil {
		return fmt.Errorf("cannot list RoleBindings %s in %s: %w", role.Name, s.where, err)
	}
	for i := range bindings.Items {
		binding := &bindings.Items[i]
		if binding.RoleRef.Kind != role.Kind || binding.RoleRef.Name != role.Name {
			continue // somebody else's
		}
		binding.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("RoleBinding"))
		if err := s.remove(ctx, binding); err != nil {
			return err
		}
	}
	for _, object := range guardObjects(namespace, serviceAccount) {
		if err := s.remove(ctx, object); err != nil && !meta.IsNoMatchError(err) {
			return err
		}
	}
	return s.remove(ctx, role)
}
