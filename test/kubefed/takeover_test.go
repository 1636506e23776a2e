package kubefed

import (
	"context"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// The namespaces of the objects that are changed by and by, and of those that
// nobody touches while one controller follows the other.
const (
	busy  = "busy"
	quiet = "quiet"
)

var (
	busyObjects, quietObjects []object
	// doomed objects are deleted, each by another controller.
	doomed []object
	// kept are deleted with the orphan annotation.
	kept []object
	// scaled retains the members' replicas.
	scaled object
)

var _ = Describe("A federation that KubeFed v0.10.0 runs", Ordered, func() {
	var (
		kubeFed *kubeFedProcess
		before  map[string]*unstructured.Unstructured
		rolled  map[string]string
	)

	BeforeAll(func(ctx SpecContext) {
		startClusters(ctx)
		Expect(framework.InstallKubeFed(ctx, host, framework.KubeFedConfig)).To(Succeed())
		kubeFed = startKubeFed()
		for _, c := range members {
			kubefedctl(ctx, "join", c.Name, "--cluster-context", c.Name)
			Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		}
		listObjects()
	}, NodeTimeout(15*time.Minute))

	AfterEach(func() {
		if CurrentSpecReport().Failed() {
			kubeFed.report()
		}
	})

	It("propagates every default type", func(ctx SpecContext) {
		for _, o := range everything() {
			if o.kind == "Namespace" {
				createYAML(ctx, host, "{apiVersion: v1, kind: Namespace, metadata: {name: "+o.target.Name+"}}")
			}
			Expect(host.Create(ctx, o.manifest(members[1].Name))).To(Succeed())
		}
		change(ctx, host, scaled.federated, func(u *unstructured.Unstructured) { set(u, "/spec/retainReplicas", true) })
		for _, o := range everything() {
			expectField(ctx, members[0], o.target, o.field, o.values[0])
			expectField(ctx, members[0], o.target, "/metadata/labels/keep", "it")
			expectField(ctx, members[1], o.target, "/metadata/labels/keep", "overridden")
			expectPropagated(ctx, o.federated, members...)
			expectPods(ctx, o, o.values[0])
		}
		for _, c := range members {
			change(ctx, c, scaled.target, func(u *unstructured.Unstructured) { set(u, "/spec/replicas", int64(3)) })
			expectField(ctx, c, scaled.target, "/status/readyReplicas", 3)
			change(ctx, c, busyObjects[1].target, func(u *unstructured.Unstructured) { u.SetAnnotations(map[string]string{"example.com/members": "own"}) })
		}
		change(ctx, host, scaled.federated, func(u *unstructured.Unstructured) { set(u, "/spec/template/metadata/labels/step", "2") })
		expectField(ctx, members[0], scaled.target, "/metadata/labels/step", "2")
		expectField(ctx, members[0], scaled.target, "/spec/replicas", 3)
		Expect(versionRecords(ctx)).To(ContainElement("configmap-configmap"))
		for _, o := range everything() {
			expectKubeFedsVersions(ctx, o)
		}
	}, NodeTimeout(15*time.Minute))

	It("goes on under fedctl's controller as if nothing had happened", func(ctx SpecContext) {
		before, rolled = snapshot(ctx, everything()), rollouts(ctx)
		requests := requestsNow(ctx)
		kubeFed.stop()
		Expect(system.StartControlPlane(ctx)).To(Succeed())
		for _, o := range everything() {
			expectRecorded(ctx, o)
			expectPropagated(ctx, o.federated, members...)
		}
		expectSame(before, snapshot(ctx, everything()))
		Expect(rollouts(ctx)).To(Equal(rolled))
		expectFewWrites(ctx, requests)
	}, NodeTimeout(15*time.Minute))

	It("is fedctl's to change", func(ctx SpecContext) {
		updateAll(ctx, 1, "first")
		for _, o := range busyObjects {
			change(ctx, host, o.federated, func(u *unstructured.Unstructured) {
				set(u, "/spec/template"+o.extra, nil)
				set(u, "/spec/overrides", nil)
			})
		}
		for _, o := range busyObjects {
			for _, c := range members {
				expectExtraGone(ctx, c, o)
				expectField(ctx, c, o.target, "/metadata/labels/keep", "it")
			}
			expectPropagated(ctx, o.federated, members...)
		}
		for _, c := range members {
			expectField(ctx, c, busyObjects[1].target, "/metadata/annotations/example.com~1members", "own")
			expectField(ctx, c, scaled.target, "/spec/replicas", 3)
		}
		deleteAndOrphan(ctx, 0)
		Eventually(ctx, versionRecords).WithArguments(ctx).ShouldNot(ContainElement("configmap-"+doomed[0].target.Name),
			"KubeFed's record belongs to the federated object and goes with it")
		expectSame(before, snapshot(ctx, quietObjects))
	}, NodeTimeout(15*time.Minute))

	It("goes back to KubeFed as if nothing had happened", func(ctx SpecContext) {
		everyone := append(slices.Clone(busyObjects), scaled)
		was := snapshot(ctx, everyone)
		was2 := rollouts(ctx)
		Expect(system.Controller.Stop(ctx)).To(Succeed())
		kubeFed = startKubeFed()
		By("waiting until each type's controller has worked")
		marker := markers("back")
		for _, o := range marker {
			Expect(host.Create(ctx, o.manifest(members[1].Name))).To(Succeed())
		}
		for _, o := range marker {
			expectPropagated(ctx, o.federated, members...)
		}
		expectSame(was, snapshot(ctx, everyone))
		Expect(withoutMarkers(rollouts(ctx), was2)).To(Equal(was2))
		updateAll(ctx, 2, "second")
		By("having KubeFed write a field that is removed later, under fedctl")
		for _, o := range busyObjects {
			change(ctx, host, o.federated, func(u *unstructured.Unstructured) { set(u, "/spec/template/metadata/labels/third", "x") })
		}
		for _, o := range busyObjects {
			for _, c := range members {
				expectField(ctx, c, o.target, "/metadata/labels/third", "x")
			}
		}
		deleteAndOrphan(ctx, 1)
		expectSame(before, snapshot(ctx, quietObjects))
	}, NodeTimeout(15*time.Minute))

	It("and forth again", func(ctx SpecContext) {
		everyone := append(slices.Clone(busyObjects), scaled)
		for _, o := range everyone {
			expectPropagated(ctx, o.federated, members...)
		}
		was, was2 := snapshot(ctx, everyone), rollouts(ctx)
		requests := requestsNow(ctx)
		kubeFed.stop()
		Expect(system.StartControlPlane(ctx)).To(Succeed())
		for _, o := range append(slices.Clone(everyone), quietObjects...) {
			expectRecorded(ctx, o)
			expectPropagated(ctx, o.federated, members...)
		}
		expectSame(was, snapshot(ctx, everyone))
		expectSame(before, snapshot(ctx, quietObjects))
		Expect(rollouts(ctx)).To(Equal(was2))
		expectFewWrites(ctx, requests)

		updateAll(ctx, 3, "third")
		for _, o := range quietObjects {
			change(ctx, host, o.federated, func(u *unstructured.Unstructured) { set(u, "/spec/template"+o.field, o.values[3]) })
		}
		for _, o := range quietObjects {
			expectField(ctx, members[1], o.target, o.field, o.values[3])
			expectField(ctx, members[1], o.target, "/metadata/labels/keep", "overridden")
		}
		deleteAndOrphan(ctx, 2)
		By("deleting everything")
		for _, o := range append(markers("back"), append(quietObjects, append(busyObjects, scaled)...)...) {
			if o.kind == "Namespace" {
				continue // with what is in them, last
			}
			remove(ctx, o.federated)
			for _, c := range members {
				expectGone(ctx, c, o.target)
			}
		}
		Eventually(ctx, versionRecords).WithArguments(ctx).ShouldNot(ContainElement(ContainSubstring("configmap-")))
		for _, o := range []object{busyObjects[0], quietObjects[0]} {
			remove(ctx, o.federated)
			for _, c := range members {
				expectGone(ctx, c, o.target)
			}
			found(ctx, host, o.target)
		}
	}, NodeTimeout(15*time.Minute))

	It("loses a type with the old client, whose finalizer both controllers share", func(ctx SpecContext) {
		kubefedctl(ctx, "disable", "jobs.batch", "--delete-crd")
		expectGone(ctx, host, typeConfig("jobs.batch"))
	}, NodeTimeout(10*time.Minute))
})

// listObjects fills the lists above; Namespaces come first.
func listObjects() {
	busyObjects, quietObjects, doomed, kept = nil, nil, nil, nil
	for _, c := range typeCases {
		name := strings.ToLower(c.kind)
		busyObjects = append(busyObjects, c.named(busy, name))
		quietObjects = append(quietObjects, c.named(quiet, name))
		switch c.kind {
		case "ConfigMap":
			for _, by := range []string{"a", "b", "c"} {
				doomed = append(doomed, c.named(busy, "doomed-"+by))
				kept = append(kept, c.named(busy, "kept-"+by))
			}
		case "Deployment":
			scaled = c.named(busy, "scaled")
		}
	}
}

// markers are new objects, one of each type but Namespaces.
func markers(name string) []object {
	var list []object
	for _, c := range typeCases {
		if c.kind != "Namespace" {
			list = append(list, c.named(busy, name))
		}
	}
	return list
}

func everything() []object {
	return slices.Concat(busyObjects, quietObjects, doomed, kept, []object{scaled})
}

// updateAll gives every busy object its next value and takes a label away.
func updateAll(ctx context.Context, step int, label string) {
	GinkgoHelper()
	for _, o := range busyObjects {
		change(ctx, host, o.federated, func(u *unstructured.Unstructured) {
			set(u, "/spec/template"+o.field, o.values[step])
			set(u, "/spec/template/metadata/labels/"+label, nil)
		})
	}
	for _, o := range busyObjects {
		for _, c := range members {
			expectField(ctx, c, o.target, o.field, o.values[step])
			expectField(ctx, c, o.target, "/metadata/labels/"+label, nil)
		}
		if o.field == "/spec/replicas" {
			expectPods(ctx, o, o.values[step])
		}
	}
}

// deleteAndOrphan deletes two objects of the index, one of them orphaning what
// is in the members.
func deleteAndOrphan(ctx context.Context, i int) {
	GinkgoHelper()
	remove(ctx, doomed[i].federated)
	change(ctx, host, kept[i].federated, func(u *unstructured.Unstructured) {
		u.SetAnnotations(map[string]string{"kubefed.io/orphan": "true"})
	})
	was := found(ctx, members[0], kept[i].target)
	remove(ctx, kept[i].federated)
	for _, c := range members {
		expectGone(ctx, c, doomed[i].target)
		expectField(ctx, c, kept[i].target, "/metadata/labels/kubefed.io~1managed", nil)
	}
	Expect(found(ctx, members[0], kept[i].target).GetUID()).To(Equal(was.GetUID()))
}

// expectExtraGone waits until the field that has left the template has left the
// member, or has the API server's default.
func expectExtraGone(ctx context.Context, c *framework.Cluster, o object) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, c, o.target)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(at(u.Object, o.extra)).To(BeNil(), "%s of %s in cluster %s", o.extra, o.target, c.Name)
	}).Should(Succeed())
}

// expectRecorded waits until fedctl has recorded what it found in both members.
func expectRecorded(ctx context.Context, o object) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, o.federated)
		g.Expect(err).NotTo(HaveOccurred())
		clusters, _ := at(u.Object, "/status/clusters").(list)
		g.Expect(clusters).To(HaveLen(len(members)), "status is %v", u.Object["status"])
		for _, item := range clusters {
			g.Expect(at(item, "/version")).NotTo(BeNil(), "status is %v", u.Object["status"])
		}
	}).Should(Succeed(), "%s", o.federated)
}
