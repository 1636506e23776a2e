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

// findAccount finds the account in the member, and why it is to stay. With Force what the
// member does not tell is a reason to leave it alone there, and none to fail.
func (u *unjoining) findAccount(ctx context.Context) (err error) {
	u.account = u.UnjoinOptions.account(u.kfc)
	if u.member == nil {
		return nil
	}
	if u.kfc == nil && u.HostClusterName == "" {
		if u.account, err = u.ownAccount(ctx); err != nil && !u.Force {
			return err
		}
	}
	if user := u.accountUser(u.kfc, u.account, u.others); user != "" {
		u.kept = fmt.Sprintf("KubeFedCluster %s uses them", user)
		return nil
	}
	u.kept, err = u.member.keepAccount(ctx, u.account, u.hostUID)
	switch {
	case err == nil:
		return nil
	case u.Force:
		u.kept = fmt.Sprintf("nothing says whose they are (%v)", err)
		return nil
	}
	return fmt.Errorf("%w; %s stays as it is (--force removes it from the host cluster, and leaves its account where it is)", err, u.ClusterName)
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

// findLeftovers fails where neither cluster has anything of a membership without a
// KubeFedCluster.
func (u *unjoining) findLeftovers(ctx context.Context) error {
	if u.kfc != nil || len(u.left) > 0 {
		return nil
	}
	none := fmt.Errorf("cluster %s has not joined: there is no KubeFedCluster %s/%s in the host cluster", u.ClusterName, u.KubeFedNamespace, u.ClusterName)
	if u.member == nil {
		return none
	}
	there, err := u.member.holdsAny(ctx, u.account)
	if err == nil && !there {
		there, err = u.leftNamespace(ctx)
	}
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

// leftNamespace says whether the member has the control plane's namespace with nothing in it,
// which is all that is there when joining is interrupted at its first step.
func (u *unjoining) leftNamespace(ctx context.Context) (bool, error) {
	hostNamespace := u.host.namespaceUID(ctx)
	namespace := &corev1.Namespace{}
	err := u.member.client.Get(ctx, client.ObjectKey{Name: u.account.Namespace}, namespace)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || err == nil && (hostNamespace == "" || !namespace.DeletionTimestamp.IsZero()) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("reading Namespace %s in %s: %w", u.account.Namespace, u.ClusterName, err)
	}
	why, err := u.member.keepNamespace(ctx, namespace, u.account.Name, hostNamespace)
	return why == "", err
}

// leftOf are what joining a cluster has made in the host beside the KubeFedCluster, where that
// is gone, and no other uses, in the order of their deletion.
func (h *hostSide) leftOf(ctx context.Context, cluster string, others []fedcorev1beta1.KubeFedCluster) (left []client.Object, err error) {
	var secrets corev1.SecretList
	if err := h.client.List(ctx, &secrets, client.InNamespace(h.namespace), client.MatchingLabels{reach.ClusterLabel: cluster}); err != nil {
		if apierrors.IsForbidden(err) {
			return nil, nil // told already, but for one who forces it
		}
		return nil, h.explain("listing Secrets", err)
	}
	for i := range secrets.Items {
		if !namesSecret(others, secrets.Items[i].Name) {
			left = append(left, madeWith(&secrets.Items[i])...)
		}
	}
	return left, nil
}

// madeWith are a Secret that joining a cluster has made, and what it has made with it.
func madeWith(secret *corev1.Secret) []client.Object {
	if cluster := secret.Labels[reach.ClusterLabel]; cluster != "" && secret.Name == fleetAccessName(cluster) {
		return fleetHostLeftovers(secret.Namespace, cluster)
	}
	return []client.Object{secretNamed(secret.Namespace, secret.Name)}
}

func namesSecret(clusters []fedcorev1beta1.KubeFedCluster, name string) bool {
	return slices.ContainsFunc(clusters, func(kfc fedcorev1beta1.KubeFedCluster) bool { return kfc.Spec.SecretRef.Name == name })
}

// fleetLeftOf are what the host has by which users of it get into a member: what its
// KubeFedCluster notes, or what was not removed when they were to be let in no more.
func (h *hostSide) fleetLeftOf(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster) ([]client.Object, error) {
	left := fleetHostLeftovers(h.namespace, kfc.Name)
	noted := kfc.Annotations[reach.FleetAccessAnnotation] != ""
	secret := &corev1.Secret{}
	err := h.client.Get(ctx, client.ObjectKeyFromObject(left[len(left)-1]), secret)
	switch ours := secret.Labels[reach.ClusterLabel] == kfc.Name; {
	case apierrors.IsNotFound(err) || apierrors.IsForbidden(err): // whose it is does not matter to who may not delete it either
		if !noted {
			return nil, nil
		}
		return left, nil
	case err != nil:
		return nil, h.explain("reading Secret "+h.namespace+"/"+fleetAccessName(kfc.Name), err)
	case ours:
		return left, nil
	case noted:
		return left[:len(left)-1], nil // of another use
	}
	return nil, nil
}

// HostObjects are what joining has made in the host beside the KubeFedClusters of a control
// plane, in the order of their deletion. KubeFed's Secrets do not say whose they are. What an
// account of another host has its token in is none of them, whatever names it.
func HostObjects(ctx context.Context, host client.Reader, namespace string, joined []fedcorev1beta1.KubeFedCluster) ([]client.Object, error) {
	var secrets corev1.SecretList
	if err := host.List(ctx, &secrets, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing the Secrets in namespace %s: %w", namespace, err)
	}
	var objects []client.Object
	for i := range secrets.Items {
		secret := &secrets.Items[i]
		if secret.Labels[reach.ClusterLabel] != "" || namesSecret(joined, secret.Name) && secret.Type != corev1.SecretTypeServiceAccountToken {
			objects = append(objects, madeWith(secret)...)
		}
	}
	return objects, nil
}

func secretNamed(namespace, name string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}
}

// findHostLeftovers finds what the host has of the membership beside the KubeFedCluster, and
// refuses what may not be removed.
func (u *unjoining) findHostLeftovers(ctx context.Context) (err error) {
	var rights []right
	if u.kfc == nil {
		// Which there are is not known yet.
		rights = []right{{"list", "", "secrets", u.KubeFedNamespace}, {"delete", "", "secrets", u.KubeFedNamespace}}
		if err := u.checkHost(ctx, rights); err != nil {
			return err
		}
		u.left, err = u.host.leftOf(ctx, u.ClusterName, u.others)
	} else {
		rights = append(rights, right{"delete", fedcorev1beta1.SchemeGroupVersion.Group, "kubefedclusters", u.KubeFedNamespace})
		if u.kfc.Spec.SecretRef.Name != "" {
			rights = append(rights, right{"get", "", "secrets", u.KubeFedNamespace}, right{"delete", "", "secrets", u.KubeFedNamespace})
		}
		u.left, err = u.host.fleetLeftOf(ctx, u.kfc)
	}
	if err != nil {
		return err
	}
	more, err := u.host.rightsTo(u.left, "delete")
	if err != nil {
		return err
	}
	for _, one := range more {
		if !slices.Contains(rights, one) {
			rights = append(rights, one)
		}
	}
	return u.checkHost(ctx, rights)
}

// checkHost refuses to begin what the user may not do in the host; with Force it goes as far as it can.
func (u *unjoining) checkHost(ctx context.Context, rights []right) error {
	if err := u.host.missing(ctx, rights); err != nil && !u.Force {
		return fmt.Errorf("%w; %s stays as it is", err, u.ClusterName)
	}
	return nil
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

// checkRemoval asks for the rights that cleaning up takes, in the account's own namespace.
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
