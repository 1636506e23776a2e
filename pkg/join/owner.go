package join

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// HostUIDAnnotation of a ServiceAccount in a member is the UID of the host cluster whose
// account it is: that of the host's namespace kube-system. Its name does not tell: two
// hosts may be called the same, and contexts often are.
const HostUIDAnnotation = "fedctl.io/host-cluster-uid"

// owner says whose account in a member a ServiceAccount is.
type owner int

const (
	ownerUnknown owner = iota // KubeFed and earlier versions did not note it
	ownerThis
	ownerOther
)

// ownerOf asks an account for its host; hostUID is this host's, empty when it is not known.
func ownerOf(account *corev1.ServiceAccount, hostUID string) owner {
	switch noted := account.Annotations[HostUIDAnnotation]; {
	case noted == "" || hostUID == "":
		return ownerUnknown
	case noted == hostUID:
		return ownerThis
	default:
		return ownerOther
	}
}

// OthersOf are the accounts, by name, that say that they are another host's than the one
// with this UID.
func OthersOf(accounts []corev1.ServiceAccount, hostUID string) (names []string) {
	for i := range accounts {
		if ownerOf(&accounts[i], hostUID) == ownerOther {
			names = append(names, named(client.ObjectKeyFromObject(&accounts[i])))
		}
	}
	return names
}

// checkAccount refuses an account that another host uses, or may use: the two would share
// its rights and tokens, and the first to leave would take them from the other. Where that
// host is lost, it is foreign, and is to be made anew.
func (s *side) checkAccount(ctx context.Context, account client.ObjectKey, existing *fedcorev1beta1.KubeFedCluster, hostUID string, o Options) (foreign bool, err error) {
	var found corev1.ServiceAccount
	err = s.client.Get(ctx, account, &found)
	switch {
	case apierrors.IsForbidden(err): // checkRights says so
		return false, nil
	case apierrors.IsNotFound(err):
		return false, s.checkRole(ctx, account)
	case err != nil:
		return false, fmt.Errorf("reading ServiceAccount %s in %s: %w", account, s.name, err)
	}
	whose := ownerOf(&found, hostUID)
	foreign = whose == ownerOther || whose == ownerUnknown && !notes(existing, account)
	switch {
	case foreign && o.TakeOver && hostUID != "":
		return true, s.checkRole(ctx, account)
	case whose == ownerOther:
		return true, s.refuseAccount(account, "is that of another host cluster of the same name", hostUID, o)
	case foreign:
		return true, s.refuseAccount(account, "is there already, and nothing says that it is this host's", hostUID, o)
	}
	return false, s.checkRole(ctx, account)
}

// notes says whether a KubeFedCluster works with an account. KubeFed's does not say which.
func notes(existing *fedcorev1beta1.KubeFedCluster, account client.ObjectKey) bool {
	return existing != nil && cmp.Or(existing.Annotations[ServiceAccountAnnotation], account.String()) == account.String()
}

func (s *side) refuseAccount(account client.ObjectKey, why, hostUID string, o Options) error {
	err := fmt.Errorf("ServiceAccount %s in %s %s: join with another --host-cluster-name", account, s.name, why)
	if hostUID == "" {
		return err
	}
	return fmt.Errorf("%w. If that host is lost, run the command again with --take-over, which ends what it may do there. If no other host uses the account, give it to this one, and run the command again:\n  %s", err, claimCommand(account, hostUID, o))
}

// claimCommand says to the member whose an account is.
func claimCommand(account client.ObjectKey, hostUID string, o Options) string {
	return fmt.Sprintf("kubectl --context %s --namespace %s annotate --overwrite serviceaccount %s %s=%s",
		o.context(), account.Namespace, errtext.Argument(account.Name), HostUIDAnnotation, hostUID)
}

// checkRole refuses a name whose cluster role serves an account in another namespace.
func (s *side) checkRole(ctx context.Context, account client.ObjectKey) error {
	other, err := s.otherOfRole(ctx, account)
	if err != nil || other == nil {
		return err
	}
	return fmt.Errorf("ClusterRoleBinding %s in %s gives its rights to ServiceAccount %s, with which another control plane has joined the cluster: join with another --host-cluster-name",
		roleName(account.Name), s.name, named(*other))
}

// otherOfRole is an account that there is and that has rights by the cluster role which is
// called after account: its name does not tell the namespace. Nil is none.
func (s *side) otherOfRole(ctx context.Context, account client.ObjectKey) (*client.ObjectKey, error) {
	var binding rbacv1.ClusterRoleBinding
	err := s.client.Get(ctx, client.ObjectKey{Name: roleName(account.Name)}, &binding)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil, nil //nolint:nilnil // none is an answer
	} else if err != nil {
		return nil, fmt.Errorf("reading ClusterRoleBinding %s in %s: %w", roleName(account.Name), s.name, err)
	}
	for _, other := range accountsOf(&binding) {
		if other == account {
			continue
		}
		if there, err := s.has(ctx, other); there || err != nil {
			return &other, err
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}

// keepAccount says why an account is not this host's to remove, or "".
func (s *side) keepAccount(ctx context.Context, account client.ObjectKey, hostUID string) (string, error) {
	var found corev1.ServiceAccount
	err := s.client.Get(ctx, account, &found)
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("reading ServiceAccount %s in %s: %w", account, s.name, err)
	case ownerOf(&found, hostUID) == ownerOther:
		return "it is that of another host cluster of the same name", nil
	case hostUID == "" && found.Annotations[HostUIDAnnotation] != "":
		return "the namespace kube-system of the host may not be read, so nothing says that it is this host's", nil
	}
	return "", nil
}
