package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/serverapply"
)

// MemberOptions say what members get beside the definitions of the backup API.
type MemberOptions struct {
	// Rights that whoever executes backups gets: none, save, restore (which is save
	// and restore); empty leaves them as they are.
	Rights string
	// Executor installs an executor of backups inside the member. The rights are
	// then its own, save by default.
	Executor bool
}

const (
	rightsNone    = "none"
	rightsSave    = "save"
	rightsRestore = "restore"

	executorAccount = "fedctl-backup-executor"
)

// complete checks the flags for members.
func (m *MemberOptions) complete(members []string) error {
	if !slices.Contains([]string{"", rightsNone, rightsSave, rightsRestore}, m.Rights) {
		return fmt.Errorf("--backup-rights takes none, save and restore, not %q", m.Rights)
	}
	if (m.Rights != "" || m.Executor) && len(members) == 0 {
		return fmt.Errorf("--backup-rights and --executor are for members: name one with --member CONTEXT")
	}
	if m.Executor && m.Rights == rightsNone {
		return fmt.Errorf("an executor without rights can do nothing: --backup-rights save or restore")
	}
	if m.Executor && m.Rights == "" {
		m.Rights = rightsSave
	}
	return nil
}

// MemberManifests builds what members need: the definitions of targets that are
// not part of Kubernetes, and what the options add. Who the rights are bound to
// depends on the member, but for the executor's own.
func MemberManifests(options ManifestOptions, member MemberOptions) ([]*unstructured.Unstructured, error) {
	all, err := Manifests(options)
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for _, object := range all {
		group, _, _ := unstructured.NestedString(object.Object, "spec", "group")
		isBackup := object.GetKind() == "CustomResourceDefinition" && group == backupv1alpha1.GroupVersion.Group
		if isBackup || (member.Executor && object.GetKind() == "Namespace") {
			out = append(out, object)
		}
	}
	if member.Rights == "" || member.Rights == rightsNone {
		return out, nil
	}
	folder := "backup-rights"
	if member.Executor {
		folder = "backup-executor"
	}
	added, err := build(options, folder)
	if err != nil {
		return nil, err
	}
	for _, object := range added {
		if grants(member.Rights, object.GetName()) {
			out = append(out, object)
		}
	}
	if member.Executor {
		bound, err := bindings(options.Namespace, executorAccount)
		if err != nil {
			return nil, err
		}
		for _, object := range bound {
			if grants(member.Rights, roleOf(object)) {
				out = append(out, object)
			}
		}
	}
	sortByRank(out)
	return out, nil
}

// grants says whether the rights, save or restore, include what a role of
// config/backup-rights is for.
func grants(rights, role string) bool {
	return rights == rightsRestore || rights == rightsSave && role != join.BackupRestoreRole
}

func roleOf(binding *unstructured.Unstructured) string {
	role, _, _ := unstructured.NestedString(binding.Object, "roleRef", "name")
	return role
}

// bindings are join.BackupBindings as they are applied.
func bindings(namespace, account string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, object := range join.BackupBindings(namespace, account) {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, err
		}
		out = append(out, &unstructured.Unstructured{Object: content})
	}
	return out, nil
}

// joinPrefix begins the name of the role bindings that join makes, KubeFed's.
const joinPrefix = "kubefed-controller-manager:"

// joined returns the accounts that hosts use in the member.
func (i *Installer) joined(ctx context.Context, namespace string) ([]string, error) {
	var list rbacv1.ClusterRoleBindingList
	if err := i.Client.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("looking for the accounts that joined: %w", err)
	}
	var accounts []string
	for _, candidate := range list.Items {
		if !strings.HasPrefix(candidate.Name, joinPrefix) {
			continue
		}
		for _, subject := range candidate.Subjects {
			if subject.Kind == rbacv1.ServiceAccountKind && subject.Namespace == namespace && !slices.Contains(accounts, subject.Name) {
				accounts = append(accounts, subject.Name)
			}
		}
	}
	return accounts, nil
}

// grant gives the accounts of hosts the rights, and takes away what exceeds them.
func (i *Installer) grant(ctx context.Context, namespace, rights string) error {
	accounts, err := i.joined(ctx, namespace)
	if err != nil {
		return err
	}
	if len(accounts) == 0 {
		return fmt.Errorf("no host has joined this cluster with the namespace %s: run \"fedctl join\" first, or use --executor", namespace)
	}
	for _, account := range accounts {
		all, err := bindings(namespace, account)
		if err != nil {
			return err
		}
		for _, object := range all {
			if grants(rights, roleOf(object)) {
				err = i.give(ctx, object)
			} else {
				err = i.take(ctx, object)
			}
			if err != nil {
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
