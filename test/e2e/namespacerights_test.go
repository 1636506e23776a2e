package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// rightsIn names the RoleBinding by which the controller may write in a namespace of a member.
func rightsIn(c *framework.Cluster, namespace string) ref {
	name := "kubefed-controller-manager:" + c.Name + "-" + host.Name + ":namespaces"
	return ref{GroupVersionKind: rbacv1.SchemeGroupVersion.WithKind("RoleBinding"), Namespace: namespace, Name: name}
}

// asController is a client of a member with the token of the host's controller.
func asController(ctx context.Context, c *framework.Cluster) client.Client {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(host.Get(ctx, client.ObjectKey{Namespace: framework.KubeFedNamespace, Name: c.Name + "-credentials"}, secret)).To(Succeed())
	config := rest.AnonymousClientConfig(c.Config)
	config.BearerToken = string(secret.Data["token"])
	as, err := client.New(config, client.Options{Scheme: host.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return as
}

// mayWrite asks the member, by writing, whether its controller's token may write ConfigMaps in a namespace.
func mayWrite(ctx context.Context, c *framework.Cluster, namespace string) error {
	GinkgoHelper()
	probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}}
	return asController(ctx, c).Create(ctx, probe, client.DryRunAll)
}

func beForbidden() OmegaMatcher { return MatchError(apierrors.IsForbidden, "is forbidden") }

var _ = Describe("A member that gives rights by namespace", Serial, Ordered, func() {
	var c, other *framework.Cluster

	BeforeAll(func(ctx SpecContext) {
		c, other = members[0], members[1]
		out := fedctl(ctx, "join", c.Name, "--cluster-context", c.Name, "--rbac=namespaces", "--allow-granting") // ClusterRoles are enabled
		Expect(out).To(ContainSubstring("created ClusterRole " + rightsIn(c, "").Name))
		DeferCleanup(func(ctx SpecContext) {
			out := fedctl(ctx, "join", c.Name, "--cluster-context", c.Name, "--rbac=types")
			Expect(out).To(ContainSubstring("deleted ClusterRole " + rightsIn(c, "").Name))
			left := &rbacv1.RoleBindingList{}
			Expect(c.List(ctx, left, client.MatchingFields{"metadata.name": rightsIn(c, "").Name})).To(Succeed())
			Expect(left.Items).To(BeEmpty())
		}, NodeTimeout(time.Minute))
	}, NodeTimeout(time.Minute))

	It("is written to in the namespaces that are federated to it, and in no other", func(ctx SpecContext) {
		name, foreign := plainNamespace(ctx), plainNamespace(ctx)
		theirs := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: foreign}}
		Expect(c.Create(ctx, theirs)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(c.Delete(ctx, theirs)).To(Succeed()) }, NodeTimeout(time.Minute))

		f := create(ctx, configMap(name, "with", fields{"a": "1"}).on(c, other))
		ns := create(ctx, federate("Namespace", name, name, nil).on(c, other))
		expectSettled(ctx, ns, c, other)
		expectSettled(ctx, f, c, other)
		Expect(found(ctx, c, rightsIn(c, name)).Object["subjects"]).To(HaveLen(1))
		expectMissing(ctx, other, rightsIn(other, name))
		Expect(mayWrite(ctx, c, name)).To(Succeed())
		for _, namespace := range []string{foreign, "default", "kube-system", framework.KubeFedNamespace} {
			Expect(mayWrite(ctx, c, namespace)).To(beForbidden(), namespace)
			expectMissing(ctx, c, rightsIn(c, namespace))
		}
		Expect(mayWrite(ctx, other, foreign)).NotTo(beForbidden(), "it gives rights by type")

		By("what is taken back is bound again")
		Expect(c.Delete(ctx, found(ctx, c, rightsIn(c, name)))).To(Succeed())
		expectField(ctx, c, rightsIn(c, name), "/roleRef/name", rightsIn(c, name).Name)
		change(ctx, f, func(f *federated) { set(f.Object, "/spec/template/data/a", "2") })
		expectField(ctx, c, f.target, "/data/a", "2")

		By("a namespace that leaves the member")
		change(ctx, ns, func(ns *federated) { ns.on(other) })
		expectGone(ctx, c, f.target)
		expectGone(ctx, c, rightsIn(c, name))
		expectSettled(ctx, f, other)
	}, NodeTimeout(2*time.Minute))

	It("is written to in a namespace that it had before, until it leaves the placement", func(ctx SpecContext) {
		name := plainNamespace(ctx)
		theirs := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		Expect(c.Create(ctx, theirs)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(c.Delete(ctx, theirs)).To(Succeed()) }, NodeTimeout(time.Minute))
		Expect(mayWrite(ctx, c, name)).To(beForbidden())

		ns := create(ctx, federate("Namespace", name, name, nil).on(c))
		f := create(ctx, configMap(name, "adopted", fields{"a": "1"}).on(c))
		expectSettled(ctx, f, c)
		change(ctx, ns, func(ns *federated) { ns.on(other) })
		expectGone(ctx, c, f.target)
		expectGone(ctx, c, rightsIn(c, name))
		Expect(found(ctx, c, ns.target).GetUID()).To(Equal(theirs.UID))
		Eventually(ctx, func() error { return mayWrite(ctx, c, name) }).Should(beForbidden())
	}, NodeTimeout(2*time.Minute))

	It("finds its way whatever is done to the namespace, or to the rights in it", func(ctx SpecContext) {
		name := plainNamespace(ctx)
		By("somebody has another RoleBinding of that name")
		theirs := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		Expect(c.Create(ctx, theirs)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(c.Delete(ctx, theirs))).To(Succeed()) }, NodeTimeout(time.Minute))
		Expect(c.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: rightsIn(c, name).Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		})).To(Succeed())
		ns := create(ctx, federate("Namespace", name, name, nil).on(c))
		f := create(ctx, configMap(name, "first", fields{"a": "1"}).on(c))
		expectSettled(ctx, f, c)
		expectField(ctx, c, rightsIn(c, name), "/roleRef/name", rightsIn(c, name).Name)

		By("the namespace is deleted in the member")
		Expect(c.Delete(ctx, theirs)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, c, f.target)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(u.GetDeletionTimestamp()).To(BeNil())
			g.Expect(found(ctx, c, ns.target).GetUID()).NotTo(Equal(theirs.UID))
		}).Should(Succeed())
		expectSettled(ctx, f, c)

		By("the placement goes back and forth")
		for range 10 {
			change(ctx, ns, func(ns *federated) { ns.on(other) })
			change(ctx, ns, func(ns *federated) { ns.on(c) })
		}
		expectSettled(ctx, ns, c)
		change(ctx, f, func(f *federated) { set(f.Object, "/spec/template/data/a", "2") })
		expectField(ctx, c, f.target, "/data/a", "2")
		expectSettled(ctx, f, c)

		By("all is left to the member")
		for _, object := range []*federated{f, ns} {
			change(ctx, object, func(f *federated) { f.SetAnnotations(map[string]string{"kubefed.io/orphan": "true"}) })
			remove(ctx, object)
		}
		expectGone(ctx, c, rightsIn(c, name))
		Expect(found(ctx, c, f.target).GetLabels()).NotTo(HaveKey(managed))
		Expect(c.Delete(ctx, found(ctx, c, ns.target))).To(Succeed())
	}, NodeTimeout(3*time.Minute))

	It("never gives them where Kubernetes itself runs", func(ctx SpecContext) {
		ns := create(ctx, federate("Namespace", "kube-system", "kube-system", nil).on(c, other))
		DeferCleanup(func(ctx SpecContext) { remove(ctx, ns) }, NodeTimeout(time.Minute))
		f := create(ctx, configMap("kube-system", "barred", fields{"a": "1"}).on(c, other))
		o := expectStatus(ctx, f, "CheckClusters", map[string]string{c.Name: "WaitingForRights", other.Name: ""})
		Expect(o.Messages[c.Name]).To(ContainSubstring("never in kube-system"))
		expectMissing(ctx, c, rightsIn(c, "kube-system"))
		remove(ctx, f)

		By("saying everywhere that such a namespace is never federated itself")
		const why = "the Namespace kube-system is never federated itself"
		Eventually(ctx, func() map[string]any { return conditionOf(found(ctx, host, ns.ref()), "Propagation") }).Should(And(
			HaveKeyWithValue("status", "False"), HaveKeyWithValue("reason", "ComputePlacementFailed"), HaveKeyWithValue("message", ContainSubstring(why))))
		said, err := system.Run(ctx, "explain", "federatednamespace/kube-system", "-n", "kube-system")
		Expect(err).To(MatchError(ContainSubstring(why)))
		Expect(said).NotTo(ContainSubstring(c.Name))
		Expect(found(ctx, c, ns.target).GetLabels()).NotTo(HaveKey(managed))
	}, NodeTimeout(2*time.Minute))

	It("is left, and entered, by many namespaces while it is away and the controller dies", localOnly, func(ctx SpecContext) {
		const each = 10
		var leaving, staying, coming [each]*federated
		place := func(of *framework.Cluster) (namespace, content *federated) {
			name := plainNamespace(ctx)
			return create(ctx, federate("Namespace", name, name, nil).on(of)), create(ctx, configMap(name, "in", fields{"a": "1"}).on(c, other))
		}
		var spaces [each]*federated
		for i := range each {
			spaces[i], leaving[i] = place(c)
			_, staying[i] = place(c)
		}
		for i := range each {
			expectSettled(ctx, leaving[i], c)
			expectSettled(ctx, staying[i], c)
		}
		stop(ctx, c)
		for i := range each {
			change(ctx, spaces[i], func(ns *federated) { ns.on(other) })
			_, coming[i] = place(c)
		}
		Expect(system.Controller.Kill(ctx)).To(Succeed())
		Expect(system.Faults().StartMember(ctx, c.Name)).To(Succeed())
		Expect(system.Controller.Start(ctx)).To(Succeed())
		for i := range each {
			expectSettled(ctx, coming[i], c)
			expectSettled(ctx, leaving[i], other)
			expectGone(ctx, c, leaving[i].target)
			expectGone(ctx, c, rightsIn(c, leaving[i].GetNamespace()))
			expectSettled(ctx, staying[i], c)
			Expect(mayWrite(ctx, c, staying[i].GetNamespace())).To(Succeed())
		}
	}, NodeTimeout(3*time.Minute))

	It("stays so when it joins again, and when the controller starts anew", localOnly, func(ctx SpecContext) {
		name := plainNamespace(ctx)
		ns := create(ctx, federate("Namespace", name, name, nil).on(c))
		f := create(ctx, configMap(name, "before", fields{"a": "1"}).on(c))
		expectSettled(ctx, f, c)
		bound := found(ctx, c, rightsIn(c, name))
		Expect(fedctl(ctx, "join", c.Name, "--cluster-context", c.Name)).To(And(
			ContainSubstring("kept the rights in "+c.Name+" to the namespaces"), ContainSubstring("unchanged KubeFedCluster")))

		Expect(system.Controller.Stop(ctx)).To(Succeed())
		change(ctx, ns, func(ns *federated) { ns.on(other) })
		later := plainNamespace(ctx)
		create(ctx, federate("Namespace", later, later, nil).on(c))
		g := create(ctx, configMap(later, "after", fields{"a": "1"}).on(c))
		Expect(found(ctx, c, rightsIn(c, name)).GetUID()).To(Equal(bound.GetUID()))
		Expect(system.Controller.Start(ctx)).To(Succeed())
		expectSettled(ctx, g, c)
		expectGone(ctx, c, f.target)
		expectGone(ctx, c, rightsIn(c, name))
	}, NodeTimeout(2*time.Minute))
})
