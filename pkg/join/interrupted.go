package join

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

// A join or unjoin that was interrupted leaves either cluster with a part of what makes a
// membership, and perhaps without the KubeFedCluster, which says where the rest is.

// findAccount finds the account in the member, and why it is to stay.
func (u *unjoining) findAccount(ctx context.Context) (err error) {
	u.account = u.UnjoinOptions.account(u.kfc)
	if u.member == nil {
		return nil
	}
	if u.kfc == nil && u.HostClusterName == "" {
		if u.account, err = u.ownAccount(ctx); err != nil {
			return err
		}
	}
	if user := u.accountUser(u.kfc, u.account, u.others); user != "" {
		u.kept = fmt.Sprintf("KubeFedCluster %s uses them", user)
		return nil
	}
	u.kept, err = u.member.keepAccount(ctx, u.account, u.hostUID)
	return err
}

// account is the service account in the member.
func (o *UnjoinOptions) account(kfc *fedcorev1beta1.KubeFedCluster) client.ObjectKey {
	if o.HostClusterName != "" {
		kfc = nil // it was said
	}
	return o.accountOf(kfc, o.ClusterName)
}

// ownAccount looks in the member for the account that is this host's, where nothing in the
// host says how it is called, and for lack of one returns the one of the default name.
func (u *unjoining) ownAccount(ctx context.Context) (client.ObjectKey, error) {
	var accounts corev1.ServiceAccountList
	err := u.member.client.List(ctx, &accounts, client.InNamespace(u.KubeFedNamespace))
	if apierrors.IsForbidden(err) {
		return u.account, nil
	} else if err != nil {
		return u.account, fmt.Errorf("listing ServiceAccounts in %s: %w", u.ClusterName, err)
	}
	own := slices.DeleteFunc(accounts.Items, func(account corev1.ServiceAccount) bool {
		return !strings.HasPrefix(account.Name, u.ClusterName+"-") || ownerOf(&account, u.hostUID) != ownerThis
	})
	isDefault := func(account corev1.ServiceAccount) bool { return account.Name == u.account.Name }
	if len(own) == 0 || slices.ContainsFunc(own, isDefault) {
		return u.account, nil
	}
	return client.ObjectKeyFromObject(&own[0]), nil
}

// findLeftovers looks for what either cluster has of a membership without a KubeFedCluster,
// and fails where there is nothing.
func (u *unjoining) findLeftovers(ctx context.Context) (err error) {
	if u.left, err = u.host.leftOf(ctx, u.ClusterName, u.others); err != nil {
		return err
	}
	if len(u.left) > 0 {
		return nil
	}
	none := fmt.Errorf("cluster %s has not joined: there is no KubeFedCluster %s/%s in the host cluster", u.ClusterName, u.KubeFedNamespace, u.ClusterName)
	if u.member == nil {
		return none
	}
	there, err := u.member.holdsAny(ctx, u.account)
	switch {
	case err != nil:
		return err
	case !there:
		return fmt.Errorf("%w, and no account %s in the member", none, u.account)
	case u.kept != "":
		return fmt.Errorf("%w, and the account %s in the member is not to be removed: %s", none, u.account, u.kept)
	}
	return nil
}

// leftOf are what joining a cluster has made in the host beside the KubeFedCluster, and no
// other uses, in the order of their deletion.
func (h *hostSide) leftOf(ctx context.Context, cluster string, others []fedcorev1beta1.KubeFedCluster) (left []client.Object, err error) {
	var secrets corev1.SecretList
	if err := h.client.List(ctx, &secrets, client.InNamespace(h.namespace), client.MatchingLabels{reach.ClusterLabel: cluster}); err != nil {
		if apierrors.IsForbidden(err) {
			return nil, nil // told already, but for one who forces it
		}
		return nil, h.explain("listing Secrets", err)
	}
	for i := range secrets.Items {
		secret := &secrets.Items[i]
		if slices.ContainsFunc(others, func(other fedcorev1beta1.KubeFedCluster) bool { return other.Spec.SecretRef.Name == secret.Name }) {
			continue
		}
		if secret.Name == fleetAccessName(cluster) {
			role := roleAndBinding(secret.Name, h.namespace, "", nil)
			left = append(left, role[1], role[0])
		}
		left = append(left, &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: objectMetaOf(secret)})
	}
	return left, nil
}

func objectMetaOf(object client.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: object.GetName()}
}

// hostRights are what ending the membership takes in the host.
func (u *unjoining) hostRights() []right {
	in := u.KubeFedNamespace
	if u.kfc == nil {
		return []right{{"list", "", "secrets", in}, {"delete", "", "secrets", in}}
	}
	rights := []right{{"delete", fedcorev1beta1.SchemeGroupVersion.Group, "kubefedclusters", in}}
	if u.kfc.Spec.SecretRef.Name != "" {
		rights = append(rights, right{"get", "", "secrets", in}, right{"delete", "", "secrets", in})
	}
	if u.kfc.Annotations[reach.FleetAccessAnnotation] != "" {
		rights = append(rights, right{"delete", rbacv1.GroupName, "roles", in}, right{"delete", rbacv1.GroupName, "rolebindings", in})
	}
	return rights
}

// holdsAny says whether the member has anything that join makes for an account.
func (s *side) holdsAny(ctx context.Context, account client.ObjectKey) (bool, error) {
	other, err := s.otherOfRole(ctx, account)
	if err != nil {
		return false, err
	}
	objects := accessObjects(account.Namespace, account.Name)
	objects = append(objects, guardObjects(account.Namespace, account.Name)...)
	for _, object := range append(objects, boundRole(account.Name, nil)) {
		if other != nil && object.GetNamespace() == "" {
			continue // called the same, and another's
		}
		there, err := exists(ctx, s.client, object)
		if err != nil {
			return false, fmt.Errorf("reading %s in %s: %w", describeObject(object), s.name, err)
		} else if there {
			return true, nil
		}
	}
	return false, nil
}

// checkRemoval asks for the rights that cleaning up takes.
func (s *side) checkRemoval(ctx context.Context, account client.ObjectKey) error {
	objects := accessObjects(account.Namespace, account.Name)
	var more []right
	role := boundRole(account.Name, nil)
	bound, err := exists(ctx, s.client, role)
	switch {
	case apierrors.IsForbidden(err):
		more = append(more, right{"get", rbacv1.GroupName, "clusterroles", ""})
	case err != nil:
		return fmt.Errorf("reading %s in %s: %w", describeObject(role), s.name, err)
	case bound:
		more = append(more, right{"list", rbacv1.GroupName, "rolebindings", ""}, right{"delete", rbacv1.GroupName, "rolebindings", ""})
	}
	for _, object := range guardObjects(account.Namespace, account.Name) {
		if there, err := exists(ctx, s.client, object); there || bound && apierrors.IsForbidden(err) {
			objects = append(objects, object)
		}
	}
	rights, err := s.rightsTo(objects, "delete")
	return errors.Join(err, s.missing(ctx, append(rights, more...)))
}
