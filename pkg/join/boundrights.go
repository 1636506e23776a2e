package join

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

// errOneNamespace says that there is nothing to be limited.
var errOneNamespace = errors.New("--rbac=namespaces is for control planes of scope Cluster: this one has rights in a single namespace only; use --rbac=types")

// errPluginRights says that the controller would not be who the rights are bound to.
var errPluginRights = errors.New("--rbac=namespaces binds rights to the ServiceAccount of the cluster, and this one is used with a credential plugin: use --rbac=types")

// checkGranting refuses rights by namespace to types that grant rights, unless it is wanted:
// whoever may bind any role in one namespace may do so wherever the account can bind itself.
// What the account has been given so already it keeps.
func (s *side) checkGranting(ctx context.Context, plan memberRules, account string, o Options) error {
	what := granting(slices.Concat(plan.Cluster, plan.Bound))
	if o.AllowGranting || len(what) == 0 {
		return nil
	}
	var has []rbacv1.PolicyRule
	for _, name := range []string{namespaceRoleName(account), roleName(account)} {
		var role rbacv1.ClusterRole
		err := s.client.Get(ctx, client.ObjectKey{Name: name}, &role)
		switch {
		case apierrors.IsNotFound(err) && name == namespaceRoleName(account):
			return errGranting(s.name, what) // its rights were none by namespace
		case apierrors.IsForbidden(err), apierrors.IsNotFound(err): // checkRights says what is missing
		case err != nil:
			return fmt.Errorf("reading ClusterRole %s in %s: %w", name, s.name, err)
		}
		has = append(has, role.Rules...)
	}
	had := granting(has)
	if what = slices.DeleteFunc(what, func(one string) bool { return slices.Contains(had, one) }); len(what) > 0 {
		return errGranting(s.name, what)
	}
	return nil
}

func errGranting(member string, what []string) error {
	return fmt.Errorf("--rbac=namespaces would limit nothing in %s: enabled types need the right to grant any right (%s). Disable what is enabled of Roles, RoleBindings, ClusterRoles and ClusterRoleBindings "+
		"(such as: fedctl disable clusterroles.rbac.authorization.k8s.io), or give these rights all the same with --allow-granting", member, strings.Join(what, ", "))
}

// Grants says whether a type is one of those with which its writer can grant any right.
func Grants(config *fedcorev1beta1.FederatedTypeConfig) bool {
	return len(grantingRules([]groupResource{{config.Spec.TargetType.Group, pluralOf(*config)}})) > 0
}

// dropBoundRights removes the rights that the account had by namespace: what the controller
// has bound, and the role with its guard. Joining makes the guard first, so that an
// interrupted join may leave it without the role.
func (s steps) dropBoundRights(ctx context.Context, namespace, serviceAccount string) error {
	role := boundRole(serviceAccount, nil)
	err := s.client.Get(ctx, client.ObjectKeyFromObject(role), &rbacv1.ClusterRole{})
	if client.IgnoreNotFound(err) != nil {
		return s.fail("get", role, err)
	}
	bound := err == nil
	if bound {
		if err := s.dropBindings(ctx, role); err != nil {
			return err
		}
	}
	for _, object := range guardObjects(namespace, serviceAccount) {
		there, err := exists(ctx, s.client, object)
		if apierrors.IsForbidden(err) && !bound {
			continue // who may not read it has not made it
		} else if err != nil {
			return s.fail("get", object, err)
		}
		if !there {
			continue
		}
		if err := s.remove(ctx, object); err != nil {
			return err
		}
	}
	if !bound {
		return nil
	}
	return s.remove(ctx, role) // last: it says that there is more to remove
}

// dropBindings removes what the controller has bound by namespace.
func (s steps) dropBindings(ctx context.Context, role *rbacv1.ClusterRole) error {
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
	return nil
}

// exists says whether there is such an object; of a type that the cluster does not have
// there is none.
func exists(ctx context.Context, reader client.Reader, object client.Object) (bool, error) {
	probe, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return false, fmt.Errorf("unexpected type %T", object)
	}
	err := reader.Get(ctx, client.ObjectKeyFromObject(object), probe)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false, nil
	}
	return err == nil, err
}
