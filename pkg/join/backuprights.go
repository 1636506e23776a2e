package join

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The roles in a member for whoever executes backups there (config/backup-rights).
const (
	BackupSaveRole    = "fedctl-backup-save"
	BackupRestoreRole = "fedctl-backup-restore"
	BackupLeaseRole   = "fedctl-backup-lease" // in the KubeFed namespace
)

// BackupBindings give an account in a member's KubeFed namespace the rights of those
// roles, one for each. Joining does not make them, "fedctl install --member" does;
// they end with the membership. Several control planes may use the same name for
// their account in one member, so what is cluster-wide is called after the namespace, too.
func BackupBindings(namespace, account string) []client.Object {
	clusterWide := func(role string) client.Object {
		return &rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: role + ":" + namespace + ":" + account},
			Subjects:   subjects(namespace, account),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		}
	}
	return []client.Object{clusterWide(BackupSaveRole), &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: BackupLeaseRole + ":" + account},
		Subjects:   subjects(namespace, account),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: BackupLeaseRole},
	}, clusterWide(BackupRestoreRole)}
}
