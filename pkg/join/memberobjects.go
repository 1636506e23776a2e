package join

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// RBACAnnotation of the role in a member says which RBACMode its rules were computed
// for. It is there and not in the host, so that nobody who writes a KubeFedCluster
// chooses what the member's administrator grants when joining again.
const RBACAnnotation = "fedctl.io/rbac"

// memberObjects are what a joined member holds, in the order of their creation.
// hostUID is that of the host cluster, whose account it is; empty when it is not known.
func memberObjects(account client.ObjectKey, hostUID string, rules memberRules, tokenLifetime time.Duration) []client.Object {
	ours := serviceAccountObject(account.Namespace, account.Name)
	if hostUID != "" {
		ours.Annotations = map[string]string{HostUIDAnnotation: hostUID}
	}
	return slices.Concat([]client.Object{
		&corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: account.Namespace},
		},
		ours,
	}, roleObjects(account.Namespace, account.Name, rules), tokenObjects(account.Namespace, account.Name, tokenLifetime))
}

func serviceAccountObject(namespace, name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   metav1.ObjectMeta{Namespace: namespace, Name: name},
		AutomountServiceAccountToken: ptr.To(false),
	}
}

// roleObjects are the roles of the account and their bindings.
func roleObjects(namespace, serviceAccount string, rules memberRules) []client.Object {
	clusterRole := roleName(serviceAccount)
	if rules.inNamespace {
		clusterRole = healthRoleName(serviceAccount, namespace)
	}
	if rules.mode == RBACNamespaces {
		rules.Cluster = append(rules.Cluster, bindingRules(serviceAccount)...)
	}
	objects := clusterRoleAndBinding(clusterRole, namespace, serviceAccount, rules.Cluster)
	if rules.mode == RBACNamespaces {
		objects = append(objects, boundRole(serviceAccount, rules.Bound))
	}
	if rules.mode == RBACNamespaces && !rules.unguarded {
		objects = append(guardObjects(namespace, serviceAccount), objects...) // before there is anything to guard
	}
	if rules.inNamespace {
		objects = append(objects, roleAndBinding(roleName(serviceAccount), namespace, serviceAccount, rules.Namespaced)...)
	}
	for _, object := range objects {
		if isRole(object) && object.GetName() == roleName(serviceAccount) {
			object.SetAnnotations(map[string]string{RBACAnnotation: string(rules.mode)})
		}
	}
	return objects
}

// boundRole is what the controller binds by namespace.
func boundRole(serviceAccount string, rules []rbacv1.PolicyRule) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: namespaceRoleName(serviceAccount)},
		Rules:      rules,
	}
}

func isRole(object client.Object) bool {
	switch object.(type) {
	case *rbacv1.ClusterRole, *rbacv1.Role:
		return true
	default:
		return false
	}
}

// tokenSecret asks for a token that does not expire. API servers since 1.24 do
// not make one by themselves.
func tokenSecret(namespace, serviceAccount string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: serviceAccount,
			Annotations: map[string]string{corev1.ServiceAccountNameKey: serviceAccount},
		},
		Type: corev1.SecretTypeServiceAccountToken,
	}
}

func clusterRoleAndBinding(name, namespace, serviceAccount string, rules []rbacv1.PolicyRule) []client.Object {
	return []client.Object{
		&rbacv1.ClusterRole{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Rules:      rules,
		},
		&rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Subjects:   subjects(namespace, serviceAccount),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		},
	}
}

func roleAndBinding(name, namespace, serviceAccount string, rules []rbacv1.PolicyRule) []client.Object {
	return []client.Object{
		&rbacv1.Role{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Rules:      rules,
		},
		&rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Subjects:   subjects(namespace, serviceAccount),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		},
	}
}

func subjects(namespace, serviceAccount string) []rbacv1.Subject {
	return []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: serviceAccount}}
}

// accessObjects are what join may have created in a member in either scope, with what lets
// users of the host in, and the rights to execute backups, without the namespace, in the order of their deletion.
func accessObjects(namespace, serviceAccount string) []client.Object {
	full, health := roleName(serviceAccount), healthRoleName(serviceAccount, namespace)
	objects := append(BackupBindings(namespace, serviceAccount), fleetLeftovers(namespace, serviceAccount)...)
	for _, name := range []string{full, health} {
		pair := clusterRoleAndBinding(name, namespace, serviceAccount, nil)
		objects = append(objects, pair[1], pair[0])
	}
	for _, name := range []string{full, tokenRoleName(serviceAccount)} {
		pair := roleAndBinding(name, namespace, serviceAccount, nil)
		objects = append(objects, pair[1], pair[0])
	}
	return append(objects, tokenSecret(namespace, serviceAccount), serviceAccountObject(namespace, serviceAccount))
}
