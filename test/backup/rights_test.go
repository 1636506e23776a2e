package backup

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

var _ = Describe("The rights to restore", func() {
	It("are enough for objects of kinds that joining lets nobody write, those that exist included", func(ctx SpecContext) {
		c := clients[members[0].Name]
		ns := namespace(ctx, c)
		store(ctx, c, ns)
		named := metav1.ObjectMeta{Namespace: ns, Name: "example"}
		policy := &networkingv1.NetworkPolicy{ObjectMeta: named, Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}}
		role := &rbacv1.Role{ObjectMeta: named, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}}}
		limits := &corev1.LimitRange{ObjectMeta: named}
		for _, object := range []client.Object{policy, role, limits} {
			Expect(c.Create(ctx, object)).To(Succeed())
		}
		b := backup(ctx, c, ns, once)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)

		change(ctx, c, policy, func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}} })
		change(ctx, c, role, func(r *rbacv1.Role) { r.Rules[0].Verbs = []string{"*"} })
		Expect(c.Delete(ctx, limits)).To(Succeed())
		done := restored(ctx, c, ns, v1alpha1.RestoreSpec{Existing: "Update", From: v1alpha1.RestoreSource{
			RepositoryRef: v1alpha1.LocalReference{Name: "store"}, Backup: b.Name, Latest: true,
		}}).Status
		Expect(done.Phase).To(Equal(v1alpha1.RunSucceeded), "%v", done.Warnings)
		Expect([]int64{done.Counts.Updated, done.Counts.Created}).To(Equal([]int64{2, 1}))
		Expect(current(ctx, c, policy).Spec.Ingress).To(BeEmpty())
		Expect(current(ctx, c, role).Rules[0].Verbs).To(ConsistOf("get"))
	}, SpecTimeout(8*time.Minute))
})
