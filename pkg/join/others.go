package join

import (
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// Accounts are the ServiceAccounts in a member that hosts use, each once: those that the
// ClusterRoleBindings of joining bind, KubeFed's too.
func Accounts(ctx context.Context, member client.Reader) ([]client.ObjectKey, error) {
	var list rbacv1.ClusterRoleBindingList
	if err := member.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("looking for the accounts that joined: %w", err)
	}
	var accounts []client.ObjectKey
	for i := range list.Items {
		if !strings.HasPrefix(list.Items[i].Name, reach.RoleName("")) {
			continue
		}
		for _, subject := range list.Items[i].Subjects {
			account := client.ObjectKey{Namespace: subject.Namespace, Name: subject.Name}
			if subject.Kind == rbacv1.ServiceAccountKind && !slices.Contains(accounts, account) {
				accounts = append(accounts, account)
			}
		}
	}
	return accounts, nil
}

// warnOfOthers says which other accounts in the member have the rights of a federation: those
// of another host, or of this one by an earlier name. What two hosts write in one member they
// tell apart by nothing: each takes its label off what the other has written. A user who may
// not list them learns nothing.
func (s *side) warnOfOthers(ctx context.Context, account client.ObjectKey, say func(line string)) error {
	accounts, err := Accounts(ctx, s.client)
	if apierrors.IsForbidden(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	for _, other := range accounts {
		if other != account {
			say(fmt.Sprintf("warning: the ServiceAccount %s in %s has the rights of a federation too: another host has joined the cluster, or this one has by another --host-cluster-name. "+
				"Two hosts take each other's objects there for their own, and take the label off them: let one leave (fedctl unjoin, with its --host-cluster-name)", errtext.Bounded(other.String(), longestAccount), s.name))
		}
	}
	return nil
}

// longestAccount is more than a namespace and a name have: subjects may say anything.
const longestAccount = 400
