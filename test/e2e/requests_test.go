package e2e

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

const federatedConfigMaps = "federatedconfigmaps.types.kubefed.io"

// quiet waits until no namespace of an earlier spec is on its way out and no
// federated object is left to work on.
func quiet(ctx context.Context) {
	GinkgoHelper()
	for _, c := range append([]*framework.Cluster{host}, members...) {
		Eventually(ctx, func(g Gomega) {
			namespaces := &corev1.NamespaceList{}
			g.Expect(c.List(ctx, namespaces)).To(Succeed())
			for i := range namespaces.Items {
				g.Expect(namespaces.Items[i].DeletionTimestamp).To(BeNil(), "namespace %s of cluster %s", namespaces.Items[i].Name, c.Name)
			}
		}).WithTimeout(5 * time.Minute).Should(Succeed())
	}
}

// ofController says whether requests to the host can be the controller's: not
// those that a cluster's own programs make all the time, which have nothing to do
// with federation. Events and secrets count.
func ofController(_, resource string) bool {
	return strings.Contains(resource, "kubefed.io") || strings.HasPrefix(resource, "events") || resource == "secrets"
}

var _ = Describe("Requests", localOnly, Ordered, Serial, func() {
	var ns string
	var hostBefore framework.Requests
	memberBefore := map[string]framework.Requests{}
	look := func(ctx context.Context) {
		hostBefore = requests(ctx, host)
		for _, c := range members {
			memberBefore[c.Name] = requests(ctx, c)
		}
	}

	BeforeAll(func(ctx SpecContext) {
		ns = plainNamespace(ctx)
		namespace := create(ctx, federate("Namespace", ns, ns, nil).on(members...))
		expectSettled(ctx, namespace, members...)
		quiet(ctx)
	}, NodeTimeout(8*time.Minute))

	It("to create objects: one write each in a member, two in the host", func(ctx SpecContext) {
		look(ctx)
		createMany(ctx, ns, members...)
		lists := 0
		Eventually(ctx, func() int { lists++; return settledIn(ctx, ns, len(members)) }).WithPolling(250 * time.Millisecond).Should(Equal(many))

		for _, c := range members {
			made := requests(ctx, c).Since(memberBefore[c.Name])
			n := made.Sum(func(verb, resource string) bool { return framework.IsWrite(verb) && resource == "configmaps" })
			GinkgoWriter.Printf("%s: %v\n", c.Name, made)
			Expect(float64(n)/many).To(BeNumerically("<=", 1.05), "writes for each object in %s: %v", c.Name, made)
			Expect(made["GET configmaps"]).To(BeNumerically("<", many/20), "%v", made)
		}
		made := requests(ctx, host).Since(hostBefore)
		GinkgoWriter.Printf("%s: %v\n", host.Name, made)
		n := made.Sum(ofController) - many - lists // the suite's own
		Expect(float64(n)/many).To(BeNumerically("<=", 2.2), "requests for each object in the host: %v, of which the suite made %d creates and %d lists", made, many, lists)
	}, NodeTimeout(5*time.Minute))

	It("for objects that have not changed: none, after a restart either", func(ctx SpecContext) {
		look(ctx)
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		By("waiting until a change gets through, which means that all has been read")
		marker := create(ctx, federate("Secret", ns, "marker", fields{"data": fields{"a": "eA=="}}).on(members...))
		expectSettled(ctx, marker, members...)
		idle(ctx, memberBefore, hostBefore)
	}, NodeTimeout(5*time.Minute))

	It("for a change of one object: one write in each member, one in the host", func(ctx SpecContext) {
		look(ctx)
		f := configMap(ns, "n-7", nil)
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		for _, c := range members {
			expectField(ctx, c, f.target, "/data/a", "2")
		}
		expectSettled(ctx, f, members...)
		for _, c := range members {
			made := requests(ctx, c).Since(memberBefore[c.Name])
			Expect(made["APPLY configmaps"]).To(Equal(1), "%v", made)
		}
		made := requests(ctx, host).Since(hostBefore)
		Expect(made["PATCH "+federatedConfigMaps+"/status"]).To(Equal(1), "%v", made)
		Expect(made["PATCH "+federatedConfigMaps]).To(BeZero(), "%v", made)
	})

	It("when a cluster is relabelled without consequence: none", func(ctx SpecContext) {
		look(ctx)
		relabel(ctx, members[0], "e2e/nothing", "x")
		DeferCleanup(func(ctx SpecContext) { relabel(ctx, members[0], "e2e/nothing", "") })
		idle(ctx, memberBefore, hostBefore)
	})
})

// idle says that there were and are no requests about single ConfigMaps.
func idle(ctx context.Context, memberBefore map[string]framework.Requests, hostBefore framework.Requests) {
	GinkgoHelper()
	Consistently(ctx, func(g Gomega) {
		for _, c := range members {
			made := requests(ctx, c).Since(memberBefore[c.Name])
			g.Expect(made.Sum(func(verb, resource string) bool { return resource == "configmaps" && verb != "LIST" })).To(BeZero(), "%s: %v", c.Name, made)
		}
		made := requests(ctx, host).Since(hostBefore)
		g.Expect(made.Sum(func(verb, resource string) bool {
			return strings.HasPrefix(resource, federatedConfigMaps) && verb != "LIST"
		})).To(BeZero(), "%v", made)
	}).WithPolling(250 * time.Millisecond).Should(Succeed())
}
