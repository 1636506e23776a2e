package join

import (
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/reach"
)

// Who may bind a role in one namespace by RBAC may do so in all: only admission can tell
// namespaces apart. The policy holds the account, whoever has its token, to what
// reach.MayBind says, and to itself.

// guardObjects are the policy and its binding. Defaults are spelled out, so that what is
// stored is what is asked for.
func guardObjects(namespace, serviceAccount string) []client.Object {
	name := "fedctl-namespace-rights." + serviceAccount
	metadata := metav1.ObjectMeta{Name: name}
	version := admissionv1.SchemeGroupVersion.String()
	role := namespaceRoleName(serviceAccount)
	return []client.Object{
		&admissionv1.ValidatingAdmissionPolicy{
			TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "ValidatingAdmissionPolicy"}, ObjectMeta: metadata,
			Spec: admissionv1.ValidatingAdmissionPolicySpec{
				FailurePolicy: ptr.To(admissionv1.Fail),
				MatchConstraints: &admissionv1.MatchResources{
					NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{}, MatchPolicy: ptr.To(admissionv1.Equivalent),
					ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
						Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
						Rule: admissionv1.Rule{
							APIGroups: []string{rbacv1.GroupName}, APIVersions: []string{rbacv1.SchemeGroupVersion.Version}, Resources: []string{"rolebindings"},
							Scope: ptr.To(admissionv1.AllScopes),
						},
					}}},
				},
				MatchConditions: []admissionv1.MatchCondition{
					{Name: "the-account", Expression: fmt.Sprintf("request.userInfo.username == 'system:serviceaccount:%s:%s'", namespace, serviceAccount)},
					{Name: "its-binding", Expression: fmt.Sprintf("object.metadata.name == '%s' || object.roleRef.name == '%s'", role, role)},
				},
				Validations: []admissionv1.Validation{
					{
						// RBAC lets everybody give away what he has, such as the right to bind, and
						// others are not held to this policy.
						Expression: fmt.Sprintf("object.roleRef.kind == 'ClusterRole' && object.roleRef.name == '%s'", role),
						Message:    "the federation binds no other role by this name",
						Reason:     ptr.To(metav1.StatusReasonForbidden),
					},
					{
						Expression: fmt.Sprintf("!request.namespace.startsWith('%s') && request.namespace != '%s'", reach.KubernetesPrefix, namespace),
						Message:    fmt.Sprintf("the federation gets no rights in namespaces that begin with %s, nor in %s", reach.KubernetesPrefix, namespace),
						Reason:     ptr.To(metav1.StatusReasonForbidden),
					},
					{
						Expression: fmt.Sprintf("object.?subjects.orValue([]).all(s, s.kind == '%s' && s.namespace == '%s' && s.name == '%s')", rbacv1.ServiceAccountKind, namespace, serviceAccount),
						Message:    "the federation gives its rights to nobody else",
						Reason:     ptr.To(metav1.StatusReasonForbidden),
					},
				},
			},
		},
		&admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "ValidatingAdmissionPolicyBinding"}, ObjectMeta: metadata,
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
		},
	}
}

// guards says whether the cluster knows such policies; those before Kubernetes 1.30 do not.
func (s *side) guards() (bool, error) {
	_, err := s.client.RESTMapper().RESTMapping(admissionv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicy").GroupKind(), admissionv1.SchemeGroupVersion.Version)
	if meta.IsNoMatchError(err) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("asking %s about ValidatingAdmissionPolicies: %w", s.name, err)
	}
	return true, nil
}
