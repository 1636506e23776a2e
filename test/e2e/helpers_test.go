package e2e

import (
	"context"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// managed is the label of what the control plane has put into a member.
const managed = "kubefed.io/managed"

// What other suites use as well, under the names of this one.
var (
	read        = kit.Read
	found       = kit.Found
	expectField = kit.ExpectField
	expectGone  = kit.ExpectGone
	at          = kit.At
	set         = kit.Set
	asJSON      = kit.AsJSON
	// tamper changes an object in a cluster behind the control plane's back.
	tamper = kit.Change
)

// create creates a federated object in the host.
func create(ctx context.Context, f *federated) *federated {
	GinkgoHelper()
	Expect(host.Create(ctx, f.Unstructured)).To(Succeed())
	if f.GetNamespace() != "" {
		usedKinds[f.GetKind()] = true
	}
	return f
}

// change reads a federated object, changes it and writes it, again on a conflict.
func change(ctx context.Context, f *federated, by func(f *federated)) {
	GinkgoHelper()
	Expect(retry.RetryOnConflict(kit.Conflicts, func() error {
		if err := host.Get(ctx, client.ObjectKeyFromObject(f), f.Unstructured); err != nil {
			return err
		}
		by(f)
		return host.Update(ctx, f.Unstructured)
	})).To(Succeed())
}

// remove deletes a federated object and waits until it is gone.
func remove(ctx context.Context, f *federated) {
	GinkgoHelper()
	Expect(host.Delete(ctx, f.Unstructured)).To(Succeed())
	expectGone(ctx, host, f.ref())
}

// ref names the federated object itself.
func (f *federated) ref() ref {
	return ref{GroupVersionKind: f.GroupVersionKind(), Namespace: f.GetNamespace(), Name: f.GetName()}
}

// expectMissing says that an object is not there.
func expectMissing(ctx context.Context, c *framework.Cluster, r ref) {
	GinkgoHelper()
	_, err := read(ctx, c, r)
	Expect(err).To(MatchError(apierrors.IsNotFound, "is not found"), "%s %s/%s in cluster %s", r.Kind, r.Namespace, r.Name, c.Name)
}

// expectManagedOnly says that the control plane's label is on an object and no other one.
func expectManagedOnly(u *unstructured.Unstructured) {
	GinkgoHelper()
	labels := maps.Clone(u.GetLabels())
	delete(labels, "kubernetes.io/metadata.name") // the API server's own, on namespaces
	Expect(labels).To(Equal(map[string]string{managed: "true"}))
}

// outcome is what a federated object's status says.
type outcome struct {
	Propagation, Reason string
	// Clusters are the clusters' words, empty when all is well.
	Clusters map[string]string
	// Messages are what the status says besides.
	Messages map[string]string
}

func outcomeOf(u *unstructured.Unstructured) outcome {
	o := outcome{Clusters: map[string]string{}, Messages: map[string]string{}}
	condition := conditionOf(u, "Propagation")
	o.Propagation, _ = condition["status"].(string)
	o.Reason, _ = condition["reason"].(string)
	clusters, _, _ := unstructured.NestedSlice(u.Object, "status", "clusters")
	for _, item := range clusters {
		c, _ := item.(fields)
		name, _ := c["name"].(string)
		o.Clusters[name], _ = c["status"].(string)
		o.Messages[name], _ = c["message"].(string)
	}
	return o
}

func conditionOf(u *unstructured.Unstructured, kind string) fields {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, item := range conditions {
		if c, ok := item.(fields); ok && c["type"] == kind {
			return c
		}
	}
	return fields{}
}

// expectSettled waits until the status of the present generation says that the
// object is in exactly these clusters, and that all is well.
func expectSettled(ctx context.Context, f *federated, clusters ...*framework.Cluster) {
	GinkgoHelper()
	fine := map[string]string{}
	for _, c := range clusters {
		fine[c.Name] = ""
	}
	expectStatus(ctx, f, "", fine)
}

// expectStatus waits until the status of the present generation has the reason
// (Propagation is True when it is empty) and exactly these clusters, with these words.
func expectStatus(ctx context.Context, f *federated, reason string, clusters map[string]string) outcome {
	GinkgoHelper()
	want := "True"
	if reason != "" {
		want = "False"
	}
	var o outcome
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, f.ref())
		g.Expect(err).NotTo(HaveOccurred())
		observed, _, _ := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
		g.Expect(observed).To(Equal(u.GetGeneration()), "observedGeneration of %s", u.Object["status"])
		o = outcomeOf(u)
		g.Expect(o.Clusters).To(Equal(clusters), "status is %s", u.Object["status"])
		g.Expect(o.Propagation).To(Equal(want), "status is %s", u.Object["status"])
		g.Expect(o.Reason).To(Equal(reason))
	}).Should(Succeed())
	return o
}

// expectEvent waits for an event on a federated object with the reason and all of the texts.
func expectEvent(ctx context.Context, f *federated, reason string, texts ...string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		notes := kit.Notes(ctx, host, f.GetKind(), f.GetNamespace(), f.GetName())
		g.Expect(slices.ContainsFunc(notes, func(note string) bool {
			return strings.HasPrefix(note, reason+":") && !slices.ContainsFunc(texts, func(t string) bool { return !strings.Contains(note, t) })
		})).To(BeTrue(), "an event %s with %q; there are %q", reason, texts, notes)
	}).Should(Succeed())
}

// requests counts all requests to a cluster up to now.
func requests(ctx context.Context, c *framework.Cluster) framework.Requests {
	GinkgoHelper()
	counts, err := framework.CountRequests(ctx, c)
	Expect(err).NotTo(HaveOccurred())
	return counts
}

// writes counts what the control plane writes to a resource of a member: applies
// and deletions, which nobody else makes of it one by one.
func writes(ctx context.Context, c *framework.Cluster, resource string) framework.Requests {
	GinkgoHelper()
	all := requests(ctx, c)
	maps.DeleteFunc(all, func(what string, _ int) bool { return what != "APPLY "+resource && what != "DELETE "+resource })
	return all
}
