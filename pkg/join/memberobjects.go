package join

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// memberObjects are what a joined member holds, in the order of their creation.
func memberObjects(namespace, serviceAccount string, rules memberRules) []client.Object {
	objects := []client.Object{
		&corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: namespace},
		},
		&corev1.ServiceAccount{
			TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
			ObjectMeta:                   metav1.ObjectMeta{Namespace: namespace, Name: serviceAccount},
			AutomountServiceAccountToken: ptr.To(false),
		},
	}
	clusterRole := roleName(serviceAccount)
	if len(rules.Namespaced) > 0 {
		clusterRole = healthRoleName(serviceAccount, namespace)
	}
	objects = append(objects, clusterRoleAndBinding(clusterRole, namespace, serviceAccount, rules.Cluster)...)
	if len(rules.Namespaced) > 0 {
		objects = append(objects, roleAndBinding(roleName(serviceAccount), namespace, serviceAccount, rules.Namespaced)...)
	}
	return append(objects, tokenSecret(namespace, serviceAccount))
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

// accessObjects are what join may have created in a member in either scope, and the
// rights to execute backups, without the namespace, in the order of their deletion.
func accessObjects(namespace, serviceAccount string) []client.Object {
	full, health := roleName(serviceAccount), healthRoleName(serviceAccount, namespace)
	objects := BackupBindings(namespace, serviceAccount)
	for _, name := range []string{full, health} {
		pair := clusterRoleAndBinding(name, namespace, serviceAccount, nil)
		objects = append(objects, pair[1], pair[0])
	}
	pair := roleAndBinding(full, namespace, serviceAccount, nil)
	objects = append(objects, pair[1], pair[0], tokenSecret(namespace, serviceAccount))
	return append(objects, &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: serviceAccount},
	})
}
