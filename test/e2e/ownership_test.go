package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

const ownership = "fedctl.io/ownership"

// addKey has somebody in a member add a key to a ConfigMap or a Secret.
func addKey(ctx context.Context, c *framework.Cluster, f *federated, key string) {
	GinkgoHelper()
	tamper(ctx, c, f.target, func(u *unstructured.Unstructured) { set(u.Object, "/data/"+key, "eA==") })
}

// expectSaid waits until the status says of a member what others have written; empty: nothing.
func expectSaid(ctx context.Context, f *federated, c *framework.Cluster, what string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, f.ref())
		g.Expect(err).NotTo(HaveOccurred())
		clusters, _, _ := unstructured.NestedSlice(u.Object, "status", "clusters")
		said := ""
		for _, item := range clusters {
			if cluster, _ := item.(fields); cluster["name"] == c.Name {
				said, _ = cluster["alsoWrittenBy"].(string)
			}
		}
		if what == "" {
			g.Expect(said).To(BeEmpty())
		} else {
			g.Expect(said).To(HaveSuffix(": " + what))
		}
	}).Should(Succeed())
}

var _ = Describe("What others add to an object in a member", func() {
	It("is taken back where it is Exact, and said where it is Shared", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		f := create(ctx, configMap(ns, "settings", fields{"a": "1"}).on(c, members[1]))
		secret := create(ctx, federate("Secret", ns, "secret", fields{"data": fields{"a": "eA=="}}).on(c))
		expectSettled(ctx, f, c, members[1])
		expectSettled(ctx, secret, c)
		addKey(ctx, c, f, "theirs")
		addKey(ctx, c, secret, "theirs")
		expectField(ctx, c, f.target, "/data", fields{"a": "1"})
		expectField(ctx, c, secret.target, "/data", fields{"a": "eA=="})
		expectSettled(ctx, f, c, members[1])

		By("saying that it is Shared, and waiting until that is known")
		change(ctx, f, func(f *federated) { set(f.annotate(ownership, "Shared").template(), "/data/a", "2") })
		expectSettled(ctx, f, c, members[1])
		addKey(ctx, c, f, "theirs")
		expectSaid(ctx, f, c, "data.theirs")
		expectSaid(ctx, f, members[1], "")
		expectField(ctx, c, f.target, "/data/theirs", "eA==")
		Expect(fedctl(ctx, "status", "configmaps/settings", "-n", ns, "-o", "wide")).To(MatchRegexp(c.Name + `: also written by .*: data\.theirs`))

		By("changing it")
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "3") })
		expectField(ctx, c, f.target, "/data", fields{"a": "3", "theirs": "eA=="})

		By("saying that it is Exact again")
		change(ctx, f, func(f *federated) { f.annotate(ownership, "Exact") })
		expectField(ctx, c, f.target, "/data", fields{"a": "3"})
		expectSaid(ctx, f, c, "")

		By("saying what nobody knows")
		bad := configMap(ns, "bad", fields{"a": "1"}).on(c)
		bad.annotate(ownership, "exact")
		Expect(host.Create(ctx, bad.Unstructured)).To(MatchError(ContainSubstring("must be Exact or Shared")))
	}, NodeTimeout(5*time.Minute))

	It("stays in a workload, until that is Exact", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		f := create(ctx, federate("Deployment", ns, "web", workload(fields{"replicas": 1})).on(c))
		expectSettled(ctx, f, c)
		name, _ := at(f.template(), "/spec/template/spec/containers/0/name").(string)
		const env = "/spec/template/spec/containers/0/env"
		tamper(ctx, c, f.target, func(u *unstructured.Unstructured) {
			set(u.Object, env, list{fields{"name": "THEIRS", "value": "x"}})
		})
		expectSaid(ctx, f, c, "spec.template.spec.containers["+name+"].env")
		expectField(ctx, c, f.target, env+"/0/name", "THEIRS")
		change(ctx, f, func(f *federated) { f.annotate(ownership, "Exact") })
		expectField(ctx, c, f.target, env, nil)
		expectSaid(ctx, f, c, "")
		expectSettled(ctx, f, c)
	}, NodeTimeout(5*time.Minute))

	It("is what its type says", Serial, func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		own := func(ctx context.Context, value string) {
			tamper(ctx, host, typeConfig("secrets"), func(u *unstructured.Unstructured) {
				annotations := u.GetAnnotations()
				if annotations == nil {
					annotations = map[string]string{}
				}
				if annotations[ownership] = value; value == "" {
					delete(annotations, ownership)
				}
				u.SetAnnotations(annotations)
			})
		}
		f := create(ctx, federate("Secret", ns, "secret", fields{"data": fields{"a": "eA=="}}).on(c))
		expectSettled(ctx, f, c)
		own(ctx, "Shared")
		DeferCleanup(func(ctx SpecContext) { own(ctx, "") })
		marker := create(ctx, federate("Secret", ns, "marker", fields{"data": fields{"a": "eA=="}}).on(c))
		Eventually(ctx, func(g Gomega) { // it is taken back until the type is known to be Shared
			addKey(ctx, c, f, "theirs")
			g.Consistently(ctx, func(g Gomega) {
				u, err := read(ctx, c, f.target)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(at(u.Object, "/data/theirs")).NotTo(BeNil())
			}).WithTimeout(2 * time.Second).Should(Succeed())
		}).Should(Succeed())
		expectSaid(ctx, f, c, "data.theirs")
		expectSettled(ctx, marker, c)
		expectField(ctx, c, f.target, "/data/theirs", "eA==")
		own(ctx, "")
		expectField(ctx, c, f.target, "/data", fields{"a": "eA=="})
		broken := found(ctx, host, typeConfig("secrets"))
		broken.SetAnnotations(map[string]string{ownership: "shared"})
		Expect(host.Update(ctx, broken)).To(MatchError(ContainSubstring("must be Exact or Shared")))
	}, NodeTimeout(5*time.Minute))

	It("while the controller is away is taken back when it comes, and nothing else is written", localOnly, Serial, func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		f := create(ctx, configMap(ns, "added-to", fields{"a": "1"}).on(c))
		other := create(ctx, configMap(ns, "other", fields{"a": "1"}).on(c))
		expectSettled(ctx, f, c)
		expectSettled(ctx, other, c)
		Expect(system.Controller.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			if !system.Controller.Running() {
				Expect(system.Controller.Start(ctx)).To(Succeed())
			}
		})
		addKey(ctx, c, f, "theirs")
		before, memberBefore := found(ctx, c, other.target), requests(ctx, c)
		Expect(system.Controller.Start(ctx)).To(Succeed())
		expectField(ctx, c, f.target, "/data", fields{"a": "1"})
		expectSettled(ctx, f, c)
		Expect(found(ctx, c, other.target).GetResourceVersion()).To(Equal(before.GetResourceVersion()))
		made := requests(ctx, c).Since(memberBefore)
		Expect(made.Sum(func(verb, resource string) bool {
			return (verb == "APPLY" || verb == "PATCH") && resource == "configmaps"
		})).To(BeNumerically("<=", 3), "%v", made)
	}, NodeTimeout(5*time.Minute))
})
