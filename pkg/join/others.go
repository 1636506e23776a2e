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
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// Accounts are the ServiceAccounts in a member that hosts use, each once: those that the
// ClusterRoleBindings of joining bind, KubeFed's too.
func Accounts(ctx context.Context, member client.Reader) ([]client.ObjectKey, error) {
	bindings, err := bindingsOfHosts(ctx, member)
	return accountsIn(bindings), err
}

// bindingsOfHosts are the ClusterRoleBindings of joining, and others that give its roles to somebody.
func bindingsOfHosts(ctx context.Context, member client.Reader) ([]rbacv1.ClusterRoleBinding, error) {
	var list rbacv1.ClusterRoleBindingList
	if err := member.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("looking for the accounts that joined: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(binding rbacv1.ClusterRoleBinding) bool {
		return !ofHost(binding.Name) && !ofHost(binding.RoleRef.Name)
	}), nil
}

func ofHost(name string) bool { return strings.HasPrefix(name, reach.RoleName("")) }

func accountsIn(bindings []rbacv1.ClusterRoleBinding) (accounts []client.ObjectKey) {
	for i := range bindings {
		if !ofHost(bindings[i].Name) {
			continue
		}
		for _, account := range accountsOf(&bindings[i]) {
			if !slices.Contains(accounts, account) {
				accounts = append(accounts, account)
			}
		}
	}
	return accounts
}

func accountsOf(binding *rbacv1.ClusterRoleBinding) (accounts []client.ObjectKey) {
	for _, subject := range binding.Subjects {
		if subject.Kind == rbacv1.ServiceAccountKind {
			accounts = append(accounts, client.ObjectKey{Namespace: subject.Namespace, Name: subject.Name})
		}
	}
	return accounts
}

// OthersAccounts are those in a namespace of the cluster that hosts use and that are not
// certainly the host's with this UID: what they may do in the cluster ends with the
// namespace. own are that host's KubeFedClusters.
func OthersAccounts(ctx context.Context, cluster client.Reader, namespace, hostUID string, own []fedcorev1beta1.KubeFedCluster) ([]client.ObjectKey, error) {
	accounts, err := Accounts(ctx, cluster)
	if err != nil {
		return nil, err
	}
	var others []client.ObjectKey
	for _, account := range accounts {
		if account.Namespace != namespace {
			continue
		}
		var found corev1.ServiceAccount
		err := cluster.Get(ctx, account, &found)
		if apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("reading ServiceAccount %s: %w", named(account), err)
		}
		known := ownerOf(&found, hostUID)
		noted := slices.ContainsFunc(own, func(kfc fedcorev1beta1.KubeFedCluster) bool {
			return reach.NotedUID(&kfc) == hostUID && kfc.Annotations[ServiceAccountAnnotation] == account.String()
		})
		if known == ownerOther || known == ownerUnknown && !noted {
			others = append(others, account)
		}
	}
	return others, nil
}

// longestAccount is more than a namespace and a name have: subjects may say anything.
const longestAccount = 400

// named is an account that a member tells, for messages.
func named(account client.ObjectKey) string { return errtext.Bounded(account.String(), longestAccount) }

// others looks at the other accounts in the member that have the rights of a federation. It
// notes those that this host has made by an earlier name of its own and that nothing uses
// any more, and those of hosts that are taken over from, and warns of the rest: what two hosts write in one member they tell apart by
// nothing, each takes its label off what the other has written. A user who may not list them
// learns nothing.
func (j *joining) others(ctx context.Context) error {
	bindings, err := bindingsOfHosts(ctx, j.member.client)
	switch {
	case apierrors.IsForbidden(err) && j.options.TakeOver:
		return fmt.Errorf("%s: %w; without that, nobody knows from which hosts to take over", j.member.name, err)
	case apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", j.member.name, err)
	}
	kfcs, err := j.host.others(ctx, j.options.ClusterName)
	if err != nil {
		return err
	}
	names := UnjoinOptions{ClusterName: j.options.ClusterName, DefaultHostClusterName: j.options.hostName(), KubeFedNamespace: j.options.KubeFedNamespace}
	j.warnOfUsers(bindings)
	for _, other := range accountsIn(bindings) {
		if other == j.key {
			continue
		}
		var found corev1.ServiceAccount
		err := j.member.client.Get(ctx, other, &found)
		if apierrors.IsNotFound(err) {
			continue
		} else if err != nil && !apierrors.IsForbidden(err) {
			return fmt.Errorf("reading ServiceAccount %s in %s: %w", named(other), j.member.name, err)
		}
		whose := ownerOf(&found, j.hostUID)
		if err := j.checkTaken(ctx, other, whose); err != nil {
			return err
		}
		switch {
		case whose == ownerThis && other.Namespace == j.key.Namespace && names.accountUser(j.existing, other, kfcs) == "":
			j.earlier = append(j.earlier, other)
		case whose == ownerOther && j.options.TakeOver:
			j.lost = append(j.lost, other)
		default:
			j.warnOf(other, whose)
		}
	}
	return nil
}

// checkTaken refuses to come back into a member that another host has taken over: this one's
// account is gone from there, and the other one has its own.
func (j *joining) checkTaken(ctx context.Context, other client.ObjectKey, whose owner) error {
	if whose != ownerOther || j.options.TakeOver || j.existing == nil {
		return nil
	}
	namespace, name, noted := strings.Cut(j.existing.Annotations[ServiceAccountAnnotation], "/")
	if !noted {
		return nil
	}
	there, err := j.member.has(ctx, client.ObjectKey{Namespace: namespace, Name: name})
	if err != nil || there {
		return err
	}
	o := j.options
	return fmt.Errorf("another host has taken %s over: ServiceAccount %s, with which this one had joined, is gone there, and the other one has %s. Two hosts would take each other's changes back there. "+
		"Let it have the cluster, and run \"fedctl unjoin %s --force\" here; or take it back with --take-over, which ends what the other one may do there",
		o.ClusterName, namespace+"/"+name, named(other), o.ClusterName)
}

func (j *joining) warnOf(other client.ObjectKey, whose owner) {
	name := named(other)
	say := func(who, what string) {
		j.options.Say(fmt.Sprintf("warning: the ServiceAccount %s in %s has the rights of a federation too: %s. "+
			"Two control planes take each other's objects there for their own, and take the label off them: %s", name, j.member.name, who, what))
	}
	switch whose {
	case ownerThis:
		say("it is this host's", "let one of its memberships end (fedctl unjoin, with --kubefed-namespace "+errtext.Argument(other.Namespace)+")")
	case ownerOther:
		say("another host has joined the cluster", "let one of the hosts end its membership (fedctl unjoin, with --host-cluster-context), or if that host is lost, join with --take-over")
	default:
		what := "let one of the hosts end its membership (fedctl unjoin, with --host-cluster-context)"
		if other.Namespace == j.key.Namespace && j.hostUID != "" {
			what += ". If it is this host's, say so, and run the command again, which removes it:\n  " + claimCommand(other, j.hostUID, j.options)
		}
		say("another host has joined the cluster, or this one has by another --host-cluster-name", what)
	}
}

// warnOfUsers says with --take-over what that cannot end: what a lost host may do as a user, of
// whom a credential plugin has its tokens. This host may well be known by the same.
func (j *joining) warnOfUsers(bindings []rbacv1.ClusterRoleBinding) {
	o := j.options
	if !o.TakeOver {
		return
	}
	const only = "--take-over removes ServiceAccounts alone, and their tokens"
	found := false
	for i := range bindings {
		for _, subject := range bindings[i].Subjects {
			if subject.Kind == rbacv1.ServiceAccountKind {
				continue
			}
			found = true
			o.Say(fmt.Sprintf("warning: ClusterRoleBinding %s in %s gives the rights of a federation to %s %q, as for a credential plugin. %s. If the lost host is known by that, and this one is not, end it: "+
				"kubectl --context %s delete clusterrolebinding %s. If both are, only whoever gives that identity out can take it from the lost one",
				errtext.Bounded(bindings[i].Name, longestAccount), j.member.name, errtext.Bounded(subject.Kind, 20), errtext.Bounded(subject.Name, longestAccount), only,
				o.context(), errtext.Argument(errtext.Bounded(bindings[i].Name, longestAccount))))
		}
	}
	if j.existing == nil || found {
		return
	}
	if plugin := j.existing.Annotations[reach.CredentialPluginAnnotation]; plugin != "" {
		o.Say(fmt.Sprintf("warning: the token for %s is that of the credential plugin %s. %s: if the lost host had its own so as well, take the rights of its user in %s away, or have whoever gives the identity out take it from that host",
			j.member.name, errtext.Bounded(plugin, longestAccount), only, j.member.name))
	}
}

// dropEarlier removes what this host has made in the member by an earlier name of its own,
// now that the host works with another account.
func (s steps) dropEarlier(ctx context.Context, member *side, accounts []client.ObjectKey) error {
	for _, account := range accounts {
		s.say(fmt.Sprintf("ServiceAccount %s in %s was this host's by an earlier name, and goes", named(account), s.where))
		var backups bool
		for _, object := range BackupBindings(account.Namespace, account.Name) {
			backups = backups || s.client.Get(ctx, client.ObjectKeyFromObject(object), object) == nil
		}
		if err := s.dropAccount(ctx, member, account); err != nil {
			return err
		}
		if backups {
			s.say(fmt.Sprintf("the right to execute backups in %s goes with it: give it to the new account with \"fedctl install --member CONTEXT --backup-rights save\", or restore", s.where))
		}
	}
	return nil
}

// dropLost ends what other hosts may do in the member: whoever has their tokens can do
// nothing with them any more.
func (s steps) dropLost(ctx context.Context, member *side, accounts []client.ObjectKey) error {
	for _, account := range accounts {
		s.say(fmt.Sprintf("ServiceAccount %s in %s was another host's, and goes with its tokens", named(account), s.where))
		if err := s.dropAccount(ctx, member, account); err != nil {
			return err
		}
	}
	return nil
}

// checkDrops asks for the rights to remove the accounts that are to go, each in its own
// namespace, before anything is written.
func (j *joining) checkDrops(ctx context.Context) error {
	going := slices.Concat(j.earlier, j.lost)
	if j.replaces {
		going = append(going, j.key)
	}
	for _, account := range going {
		if err := j.member.checkRemoval(ctx, account); err != nil {
			return fmt.Errorf("ServiceAccount %s is to be removed from %s: %w", named(account), j.member.name, err)
		}
	}
	return nil
}

// dropAccount removes an account, with all that join may have given it, and the rights to
// execute backups. What is cluster-wide is called after the account without its namespace:
// it stays where another account has it.
func (s steps) dropAccount(ctx context.Context, member *side, account client.ObjectKey) error {
	other, err := member.otherOfRole(ctx, account)
	if err != nil {
		return err
	}
	var errs []error
	if other == nil {
		errs = append(errs, s.dropBoundRights(ctx, account.Namespace, account.Name))
	} else {
		s.say(fmt.Sprintf("kept ClusterRole %s in %s: ServiceAccount %s has its rights by it", roleName(account.Name), s.where, named(*other)))
	}
	for _, object := range accessObjects(account.Namespace, account.Name) {
		if other != nil && object.GetNamespace() == "" && object.GetName() == roleName(account.Name) {
			continue
		}
		errs = append(errs, s.remove(ctx, object))
	}
	return errors.Join(errs...)
}
