package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// patience is how long replicas may take to be scheduled and to run.
const patience = 3 * time.Minute

var preferenceKind = schema.GroupVersionKind{Group: "scheduling.kubefed.io", Version: "v1alpha1", Kind: "ReplicaSchedulingPreference"}

// prefer creates the ReplicaSchedulingPreference of a federated object.
func prefer(ctx context.Context, f *federated, spec fields) ref {
	GinkgoHelper()
	r := ref{GroupVersionKind: preferenceKind, Namespace: f.GetNamespace(), Name: f.GetName()}
	u := &unstructured.Unstructured{Object: fields{"spec": plain(spec)}}
	u.SetGroupVersionKind(preferenceKind)
	u.SetNamespace(r.Namespace)
	u.SetName(r.Name)
	if at(u.Object, "/spec/targetKind") == nil {
		set(u.Object, "/spec/targetKind", f.GetKind())
	}
	Expect(host.Create(ctx, u)).To(Succeed())
	return r
}

// preferOther changes fields of a preference's spec; nil removes one.
func preferOther(ctx context.Context, r ref, spec fields) {
	GinkgoHelper()
	tamper(ctx, host, r, func(u *unstructured.Unstructured) {
		for field, value := range spec {
			set(u.Object, "/spec/"+field, value)
		}
	})
}

// expectScheduled waits until a federated object is placed in exactly the clusters,
// by name, with an override of the replicas each, a number, and no others.
func expectScheduled(ctx context.Context, f *federated, want map[string]int) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, f.ref())
		g.Expect(err).NotTo(HaveOccurred())
		clusters, _, _ := unstructured.NestedSlice(u.Object, "spec", "placement", "clusters")
		placed := map[string]int{}
		for _, c := range clusters {
			name, _ := at(c, "/name").(string)
			placed[name] = want[name]
		}
		g.Expect(placed).To(Equal(want), "placement is %v", clusters)
		g.Expect(clusters).To(HaveLen(len(want)))
		g.Expect(replicaOverrides(u)).To(Equal(want))
	}).WithTimeout(patience).Should(Succeed())
}

// replicaOverrides returns the overrides of the replicas that are numbers; others count as -1.
func replicaOverrides(u *unstructured.Unstructured) map[string]int {
	found := map[string]int{}
	overrides, _, _ := unstructured.NestedSlice(u.Object, "spec", "overrides")
	for _, item := range overrides {
		name, _ := at(item, "/clusterName").(string)
		patches, _ := at(item, "/clusterOverrides").(list)
		for _, p := range patches {
			if at(p, "/path") != "/spec/replicas" {
				continue
			}
			found[name] = -1
			if replicas, ok := at(p, "/value").(int64); ok {
				found[name] = int(replicas)
			}
		}
	}
	return found
}

// expectRunning waits until the replicas of the members are ready.
func expectRunning(ctx context.Context, f *federated, want map[string]int) {
	GinkgoHelper()
	for _, c := range members {
		replicas, placed := want[c.Name]
		if !placed {
			continue
		}
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, c, f.target)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(at(u.Object, "/spec/replicas")).To(BeEquivalentTo(replicas))
			ready := at(u.Object, "/status/readyReplicas")
			if replicas == 0 {
				g.Expect(ready).To(BeNil())
			} else {
				g.Expect(ready).To(BeEquivalentTo(replicas))
			}
		}).WithTimeout(patience).Should(Succeed(), "in cluster %s", c.Name)
	}
}

// expectReason waits until the condition Scheduled of the present generation has
// the reason and a message with the texts.
func expectReason(ctx context.Context, r ref, status, reason string, texts ...string) *unstructured.Unstructured {
	GinkgoHelper()
	var u *unstructured.Unstructured
	Eventually(ctx, func(g Gomega) {
		var err error
		u, err = read(ctx, host, r)
		g.Expect(err).NotTo(HaveOccurred())
		condition := conditionOf(u, "Scheduled")
		g.Expect(condition).To(HaveKeyWithValue("reason", reason), "status is %v", u.Object["status"])
		g.Expect(condition).To(HaveKeyWithValue("status", status))
		g.Expect(at(u.Object, "/status/observedGeneration")).To(Equal(u.GetGeneration()))
		for _, text := range texts {
			g.Expect(condition).To(HaveKeyWithValue("message", ContainSubstring(text)))
		}
	}).WithTimeout(patience).Should(Succeed())
	return u
}

// weights are preferences of one cluster after the other.
func weights(weights ...int) fields {
	clusters := fields{}
	for i, weight := range weights {
		clusters[members[i].Name] = fields{"weight": weight}
	}
	return clusters
}

// replicas gives the members one number after the other; -1 leaves one out.
func replicas(counts ...int) map[string]int {
	want := map[string]int{}
	for i, n := range counts {
		if n >= 0 {
			want[members[i].Name] = n
		}
	}
	return want
}

func deployment(namespace, name string) *federated {
	return federate("Deployment", namespace, name, workload(fields{"replicas": 1}))
}

// namespaceIn makes a namespace that is federated to some members.
func namespaceIn(ctx context.Context, clusters ...*framework.Cluster) string {
	GinkgoHelper()
	name := plainNamespace(ctx)
	create(ctx, federate("Namespace", name, name, nil).on(clusters...))
	return name
}

// expectPreferenceEvent waits for an event on a preference.
func expectPreferenceEvent(ctx context.Context, r ref, reason string) {
	GinkgoHelper()
	Eventually(ctx, func() []string { return kit.Notes(ctx, host, r.Kind, r.Namespace, r.Name) }).
		WithTimeout(patience).Should(ContainElement(HavePrefix(reason + ": ")))
}
