package join

import (
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/reach"
)

// warnOfOthers says which other accounts in the member have the rights of a federation: those
// of another host, or of this one by an earlier name. What two hosts write in one member they
// tell apart by nothing: each takes its label off what the other has written.
func (s *side) warnOfOthers(ctx context.Context, account client.ObjectKey, say func(line string)) error {
	others, err := s.otherAccounts(ctx, account)
	for _, other := range others {
		say(fmt.Sprintf("warning: the ServiceAccount %s in %s has the rights of a federation too: another host has joined the cluster, or this one has by another --host-cluster-name. "+
			"Two hosts take each other's objects there for their own, and take the label off them: let one leave (fedctl unjoin, with its --host-cluster-name)", other, s.name))
	}
	return err
}

// otherAccounts are those that ClusterRoleBindings of federations bind, as namespace/name. A
// user who may not list these learns nothing.
func (s *side) otherAccounts(ctx context.Context, account client.ObjectKey) ([]string, error) {
	var list rbacv1.ClusterRoleBindingList
	if err := s.client.List(ctx, &list); apierrors.IsForbidden(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("listing ClusterRoleBindings in %s: %w", s.name, err)
	}
	var others []string
	for i := range list.Items {
		if !strings.HasPrefix(list.Items[i].Name, reach.RoleName("")) {
			continue
		}
		for _, subject := range list.Items[i].Subjects {
			other := client.ObjectKey{Namespace: subject.Namespace, Name: subject.Name}
			if subject.Kind == rbacv1.ServiceAccountKind && other != account && !slices.Contains(others, other.String()) {
				others = append(others, other.String())
			}
		}
	}
	return others, nil
}
