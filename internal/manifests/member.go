package manifests

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/join"
)

// MemberOptions say what members get beside the definitions of the backup API.
type MemberOptions struct {
	// Rights that whoever executes backups gets: none, save, restore (which is save
	// and restore); empty leaves them as they are.
	Rights string
	// Executor installs an executor of backups inside the member. The rights are
	// then its own.
	Executor bool
}

// What whoever executes backups in a member may do there.
const (
	RightsNone    = "none"
	RightsSave    = "save"
	RightsRestore = "restore"
)

const executorAccount = "fedctl-backup-executor"

// ForMember builds what members need: the definitions of targets that are not part of
// Kubernetes, and what the options add. Who the rights are bound to depends on the
// member, but for the executor's own.
func ForMember(options Options, member MemberOptions) ([]*unstructured.Unstructured, error) {
	all, err := Build(options)
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
	if member.Rights == "" || member.Rights == RightsNone {
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
		bound, _, err := BackupBindings(options.Namespace, executorAccount, member.Rights)
		if err != nil {
			return nil, err
		}
		out = append(out, bound...)
	}
	sortByRank(out)
	return out, nil
}

// BackupBindings are the bindings that give an account of the namespace the rights,
// and those that would give it more.
func BackupBindings(namespace, account, rights string) (wanted, excess []*unstructured.Unstructured, err error) {
	for _, object := range join.BackupBindings(namespace, account) {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, nil, err
		}
		role, _, _ := unstructured.NestedString(content, "roleRef", "name")
		if binding := (&unstructured.Unstructured{Object: content}); grants(rights, role) {
			wanted = append(wanted, binding)
		} else {
			excess = append(excess, binding)
		}
	}
	return wanted, excess, nil
}

// grants says whether the rights, save or restore, include what a role of
// config/backup-rights is for.
func grants(rights, role string) bool {
	return rights == RightsRestore || rights == RightsSave && role != join.BackupRestoreRole
}
