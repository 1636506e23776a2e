package e2e

import (
	"cmp"
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// claim is a federated PersistentVolumeClaim, of a type that is not enabled by default.
func claim(namespace, name string) *federated {
	return federateKind(schema.GroupVersionKind{Version: "v1", Kind: "PersistentVolumeClaim"}, namespace, name, fields{"spec": fields{
		"accessModes": list{"ReadWriteOnce"}, "storageClassName": "", "resources": fields{"requests": fields{"storage": "1Gi"}},
	}})
}

// kept are objects of one cluster that must stay the ones they are.
type kept map[*federated]*unstructured.Unstructured

func keep(ctx context.Context, c *framework.Cluster, objects ...*federated) kept {
	GinkgoHelper()
	k := kept{}
	for _, f := range objects {
		k[f] = found(ctx, c, f.target)
	}
	return k
}

// expect says that the objects are still those, and that nobody deletes them.
func (k kept) expect(ctx context.Context, c *framework.Cluster) {
	GinkgoHelper()
	for f, before := range k {
		u := found(ctx, c, f.target)
		Expect(u.GetUID()).To(Equal(before.GetUID()), f.target.String())
		Expect(u.GetDeletionTimestamp()).To(BeNil(), f.target.String())
	}
}

var _ = Describe("What holds data", localOnly, Serial, Ordered, func() {
	const label, elsewhere, claims = "e2e-data", "e2e-elsewhere", "persistentvolumeclaims"
	var (
		c       *framework.Cluster
		objects []*federated
	)

	expectAll := func(ctx context.Context, clusters map[string]string) {
		GinkgoHelper()
		for _, f := range objects {
			expectStatus(ctx, f, "", clusters)
		}
	}

	BeforeAll(func(ctx SpecContext) {
		c = members[1]
		fedctl(ctx, "enable", claims, "--join")
		DeferCleanup(func(ctx SpecContext) { fedctl(ctx, "disable", claims, "--delete-crd") }, NodeTimeout(time.Minute))
		knows(ctx, host, schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedPersistentVolumeClaim"})
	}, NodeTimeout(time.Minute))

	BeforeEach(func(ctx SpecContext) {
		relabel(ctx, c, label, "yes")
		ns := plainNamespace(ctx)
		objects = nil
		for _, f := range []*federated{federate("Namespace", ns, ns, nil), claim(ns, "data"), configMap(ns, "settings", fields{"a": "1"})} {
			objects = append(objects, create(ctx, f.onLabelled(fields{label: "yes"})))
		}
		expectAll(ctx, map[string]string{c.Name: ""})
		DeferCleanup(func(ctx SpecContext) {
			_, _ = system.Run(ctx, "unjoin", elsewhere, "--cluster-context", c.Name) // it need not have joined
			Expect(system.Join(ctx, c.Name)).To(Succeed())
			Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
			relabel(ctx, c, label, "")
		}, NodeTimeout(time.Minute))
	}, NodeTimeout(time.Minute))

	DescribeTable("outlives an unjoin and a join that has lost the labels", func(ctx SpecContext, name string, meanwhile func(ctx context.Context)) {
		name = cmp.Or(name, c.Name)
		there := keep(ctx, c, objects...)
		fedctl(ctx, "unjoin", c.Name)
		expectAll(ctx, map[string]string{})
		there.expect(ctx, c)
		meanwhile(ctx)
		fedctl(ctx, "join", name, "--cluster-context", c.Name, "--forget-labels")
		Expect(system.WaitForMember(ctx, name, true)).To(Succeed())
		expectAll(ctx, map[string]string{name: "NotSelected"})
		meanwhile(ctx)
		there.expect(ctx, c)

		By("selecting it: everything is taken up as it is")
		relabel(ctx, &framework.Cluster{Name: name}, label, "yes")
		expectAll(ctx, map[string]string{name: ""})
		there.expect(ctx, c)
	},
		Entry("under its name", "", func(context.Context) {}, NodeTimeout(3*time.Minute)),
		Entry("under another name", elsewhere, func(context.Context) {}, NodeTimeout(3*time.Minute)),
		Entry("under another name, with the controller restarted", elsewhere, func(ctx context.Context) {
			Expect(system.Controller.Restart(ctx)).To(Succeed())
		}, NodeTimeout(3*time.Minute)),
	)

	DescribeTable("outlives that its type is disabled and enabled again", func(ctx SpecContext, meanwhile func(ctx context.Context), word string) {
		there := keep(ctx, c, objects...)
		configure(ctx, claims, "propagation", "Disabled")
		expectField(ctx, host, typeConfig(claims), "/status/propagationController", "NotRunning")
		meanwhile(ctx)
		configure(ctx, claims, "propagation", "Enabled")
		expectField(ctx, host, typeConfig(claims), "/status/propagationController", "Running")
		fedctl(ctx, "enable", claims, "--join") // who joins meanwhile grants no rights for it
		expectAll(ctx, map[string]string{c.Name: word})
		there.expect(ctx, c)
	},
		Entry("while nothing else happens", func(context.Context) {}, "", NodeTimeout(2*time.Minute)),
		Entry("while the controller is restarted", func(ctx context.Context) {
			Expect(system.Controller.Restart(ctx)).To(Succeed())
		}, "", NodeTimeout(2*time.Minute)),
		Entry("while the cluster is unjoined and joined without its labels", func(ctx context.Context) {
			fedctl(ctx, "unjoin", c.Name)
			fedctl(ctx, "join", c.Name, "--forget-labels")
			Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		}, "NotSelected", NodeTimeout(2*time.Minute)),
	)

	It("outlives that its type is taken out and enabled anew", func(ctx SpecContext) {
		there := keep(ctx, c, objects...)
		fedctl(ctx, "disable", claims)
		expectGone(ctx, host, typeConfig(claims))
		fedctl(ctx, "unjoin", c.Name)
		fedctl(ctx, "enable", claims)
		fedctl(ctx, "join", c.Name, "--forget-labels")
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		for _, f := range objects {
			if f.GetKind() != "FederatedPersistentVolumeClaim" {
				expectStatus(ctx, f, "", map[string]string{c.Name: "NotSelected"})
			}
		}
		there.expect(ctx, c)

		By("selecting it")
		relabel(ctx, c, label, "yes")
		expectAll(ctx, map[string]string{c.Name: ""})
		there.expect(ctx, c)
	}, NodeTimeout(2*time.Minute))

	It("outlives that the host is put back to what it was before", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, claim(ns, "data").on(members[0]))
		expectSettled(ctx, f, members[0])
		before := found(ctx, host, f.ref())
		change(ctx, f, func(f *federated) { f.on(members[0], c) })
		expectSettled(ctx, f, members[0], c)
		there := keep(ctx, c, f)

		Expect(system.Controller.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Controller.Restart(ctx)).To(Succeed()) })
		u := found(ctx, host, f.ref())
		u.Object["spec"] = before.Object["spec"]
		Expect(host.Update(ctx, u)).To(Succeed())
		u.Object["status"] = before.Object["status"]
		Expect(host.Status().Update(ctx, u)).To(Succeed())
		Expect(system.Controller.Start(ctx)).To(Succeed())
		expectStatus(ctx, f, "", map[string]string{members[0].Name: "", c.Name: "NotSelected"})
		there.expect(ctx, c)
	}, NodeTimeout(2*time.Minute))
})
