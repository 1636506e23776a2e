package install

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/serverapply"
)

// completeMember checks the flags for members.
func completeMember(m *manifests.MemberOptions, members []string) error {
	if !slices.Contains([]string{"", manifests.RightsNone, manifests.RightsSave, manifests.RightsRestore}, m.Rights) {
		return fmt.Errorf("--backup-rights takes none, save and restore, not %q", m.Rights)
	}
	if (m.Rights != "" || m.Executor) && len(members) == 0 {
		return fmt.Errorf("--backup-rights and --executor are for members: name one with --member CONTEXT")
	}
	if m.Executor && m.Rights == manifests.RightsNone {
		return fmt.Errorf("an executor without rights can do nothing: --backup-rights save or restore")
	}
	if m.Executor && m.Rights == "" {
		m.Rights = manifests.RightsSave
	}
	return nil
}

// joined returns the accounts that hosts use in the member.
func (i *Installer) joined(ctx context.Context, namespace string) (accounts []string, err error) {
	all, err := join.Accounts(ctx, i.Client)
	for _, account := range all {
		if account.Namespace == namespace {
			accounts = append(accounts, account.Name)
		}
	}
	return accounts, err
}

// checkJoined returns an error if there is nobody to give rights to.
func (i *Installer) checkJoined(ctx context.Context, namespace, rights string) error {
	accounts, err := i.joined(ctx, namespace)
	if err != nil || len(accounts) > 0 || rights == manifests.RightsNone {
		return err
	}
	return fmt.Errorf("no host has joined this cluster with the namespace %s, so there is nobody to give the rights to, and nothing was installed: "+
		"run \"fedctl join\" first and then this command again; without --backup-rights it installs the definitions alone, and with --executor an executor inside the cluster", namespace)
}

// grant gives the accounts of hosts the rights, and takes away what exceeds them.
func (i *Installer) grant(ctx context.Context, namespace, rights string) error {
	accounts, err := i.joined(ctx, namespace)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		wanted, excess, err := manifests.BackupBindings(namespace, account, rights)
		if err != nil {
			return err
		}
		for _, object := range wanted {
			if err := i.give(ctx, object); err != nil {
				return err
			}
		}
		for _, object := range excess {
			if err := i.take(ctx, object); err != nil {
				return err
			}
		}
	}
	return nil
}

func (i *Installer) give(ctx context.Context, object *unstructured.Unstructured) error {
	what := serverapply.Describe(object)
	result, err := i.apply(ctx, object)
	if err != nil {
		return err
	}
	i.say("%s %s", what, result)
	return nil
}

func (i *Installer) take(ctx context.Context, object *unstructured.Unstructured) error {
	options := []client.DeleteOption{}
	if i.DryRun {
		options = append(options, &client.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
	}
	err := i.Client.Delete(ctx, object, options...)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", serverapply.Describe(object), err)
	}
	i.say("%s deleted", serverapply.Describe(object))
	return nil
}
