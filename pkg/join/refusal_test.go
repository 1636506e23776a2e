package join_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

const time30 = 30 * time.Second

// refuseKubeFedClusters has the host refuse KubeFedClusters that a user creates.
func refuseKubeFedClusters(ctx context.Context, user string) {
	GinkgoHelper()
	rule := admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"core.kubefed.io"}, APIVersions: []string{"*"}, Resources: []string{"kubefedclusters"}},
	}}
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: objectMeta("", "refuse-joiner")}
	policy.Spec.MatchConstraints = &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{rule}}
	policy.Spec.Validations = []admissionregistrationv1.Validation{{Expression: "request.userInfo.username != '" + user + "'", Message: "not this one"}}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: objectMeta("", "refuse-joiner")}
	binding.Spec.PolicyName = policy.Name
	binding.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
	Expect(host.Create(ctx, policy)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, policy)).To(Succeed()) })
	Expect(host.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, binding)).To(Succeed()) })
}
