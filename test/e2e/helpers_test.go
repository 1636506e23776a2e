package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// managed is the label of what the control plane has put into a member.
const managed = "kubefed.io/managed"

// conflicts bounds the tries to write an object that others write as well.
var conflicts = wait.Backoff{Steps: 200, Duration: time.Millisecond, Factor: 1.1, Jitter: 0.5, Cap: 50 * time.Millisecond}

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
	Expect(retry.RetryOnConflict(conflicts, func() error {
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

// read returns an object of a cluster.
func read(ctx context.Context, c *framework.Cluster, r ref) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(r.GroupVersionKind)
	return u, c.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: r.Name}, u)
}

// found returns an object that must be there.
func found(ctx context.Context, c *framework.Cluster, r ref) *unstructured.Unstructured {
	GinkgoHelper()
	u, err := read(ctx, c, r)
	Expect(err).NotTo(HaveOccurred(), "%s %s/%s in cluster %s", r.Kind, r.Namespace, r.Name, c.Name)
	return u
}

// tamper changes an object in a cluster behind the control plane's back.
func tamper(ctx context.Context, c *framework.Cluster, r ref, by func(u *unstructured.Unstructured)) *unstructured.Unstructured {
	GinkgoHelper()
	var u *unstructured.Unstructured
	Expect(retry.RetryOnConflict(conflicts, func() error {
		var err error
		if u, err = read(ctx, c, r); err != nil {
			return err
		}
		by(u)
		return c.Update(ctx, u)
	})).To(Succeed())
	return u
}

// expectField waits until the field of an object has the value; nil: it is absent.
// pointer is a JSON pointer.
func expectField(ctx context.Context, c *framework.Cluster, r ref, pointer string, want any) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, c, r)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(asJSON(at(u.Object, pointer))).To(Equal(asJSON(want)), "%s of %s %s/%s in cluster %s", pointer, r.Kind, r.Namespace, r.Name, c.Name)
	}).Should(Succeed())
}

// at returns what a JSON pointer points to; nil if there is nothing.
func at(value any, pointer string) any {
	if pointer == "" {
		return value
	}
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch v := value.(type) {
		case fields:
			value = v[step]
		case list:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// set sets what a JSON pointer points to; nil removes it. The parent must exist.
func set(value fields, pointer string, to any) {
	GinkgoHelper()
	cut := strings.LastIndex(pointer, "/")
	parent, ok := at(value, pointer[:cut]).(fields)
	Expect(ok).To(BeTrue(), "%s has no parent", pointer)
	key := strings.ReplaceAll(strings.ReplaceAll(pointer[cut+1:], "~1", "/"), "~0", "~")
	if to == nil {
		delete(parent, key)
		return
	}
	parent[key] = plainValue(to)
}

func asJSON(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// expectGone waits until an object is not there.
func expectGone(ctx context.Context, c *framework.Cluster, r ref) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		_, err := read(ctx, c, r)
		return err
	}).Should(MatchError(apierrors.IsNotFound, "is not found"), "%s %s/%s in cluster %s", r.Kind, r.Namespace, r.Name, c.Name)
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
	namespace := f.GetNamespace()
	if namespace == "" {
		namespace = "default"
	}
	Eventually(ctx, func(g Gomega) {
		events := &eventsv1.EventList{}
		g.Expect(host.List(ctx, events, client.InNamespace(namespace))).To(Succeed())
		var notes []string
		for _, e := range events.Items {
			if e.Regarding.Kind == f.GetKind() && e.Regarding.Name == f.GetName() {
				notes = append(notes, fmt.Sprintf("%s: %s", e.Reason, e.Note))
			}
		}
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
