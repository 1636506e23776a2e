package e2e

import (
	"context"
	"encoding/base64"
	"net/http"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// running is a federated Job whose pods run until they are ended; ttl is for how many
// seconds members keep it then, less than none for ever.
func running(namespace, name string, ttl int) *federated {
	template := jobTemplate()
	set(template, "/spec/suspend", nil)
	set(template, "/spec/backoffLimit", 0)
	set(template, "/spec/template/metadata/annotations", fields{localcluster.JobDurationAnnotation: "1h"})
	if ttl >= 0 {
		set(template, "/spec/ttlSecondsAfterFinished", ttl)
	}
	return federate("Job", namespace, name, template)
}

// end has the pods of a member's Job end in a phase: no kubelet does.
func end(ctx context.Context, c *framework.Cluster, job ref, phase string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		pods := &unstructured.UnstructuredList{}
		pods.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "PodList"})
		g.Expect(c.List(ctx, pods, client.InNamespace(job.Namespace), client.MatchingLabels{"batch.kubernetes.io/job-name": job.Name})).To(Succeed())
		g.Expect(pods.Items).NotTo(BeEmpty())
		for i := range pods.Items {
			endPod(ctx, g, c, &pods.Items[i], phase)
		}
	}).Should(Succeed())
}

func endPod(ctx context.Context, g Gomega, c *framework.Cluster, pod *unstructured.Unstructured, phase string) {
	now := time.Now().UTC().Format(time.RFC3339)
	status := asJSON(fields{"status": fields{"phase": phase, "containerStatuses": list{fields{
		"name": "main", "image": "x", "imageID": "x", "ready": false, "restartCount": 0,
		"state": fields{"terminated": fields{"exitCode": 0, "startedAt": now, "finishedAt": now}},
	}}}})
	g.Expect(c.Status().Patch(ctx, pod, client.RawPatch(types.MergePatchType, []byte(status)))).To(Succeed())
}

// versionOf is what the status of the host records of a federated object in a cluster.
func versionOf(ctx context.Context, f *federated, c *framework.Cluster) string {
	GinkgoHelper()
	clusters, _, _ := unstructured.NestedSlice(found(ctx, host, f.ref()).Object, "status", "clusters")
	for _, item := range clusters {
		if item.(fields)["name"] == c.Name { //nolint:forcetypeassert // as the API says
			version, _ := item.(fields)["version"].(string) //nolint:forcetypeassert // as the API says
			return version
		}
	}
	return ""
}

// expectDone waits until the status says that the object is done in the cluster, and then
// that it stays away from it.
func expectDone(ctx context.Context, f *federated, c *framework.Cluster, message string) {
	GinkgoHelper()
	o := expectStatus(ctx, f, "", map[string]string{c.Name: "Completed"})
	Expect(o.Messages[c.Name]).To(And(ContainSubstring(message), ContainSubstring("made again when its template changes")))
	expectGone(ctx, c, f.target) // it may still be on its way out
	Consistently(ctx, func(g Gomega) {
		_, err := read(ctx, c, f.target)
		g.Expect(client.IgnoreNotFound(err)).NotTo(HaveOccurred())
		g.Expect(err).To(HaveOccurred(), "%s is there again", f.target)
	}).Should(Succeed())
}

var _ = Describe("A Job that the member removes when it has ended", localOnly, func() {
	It("runs once in each cluster, and again when its template changes", func(ctx SpecContext) {
		f := create(ctx, running(federatedNamespace(ctx), "once", 1).on(members[0], members[1]))
		expectSettled(ctx, f, members[0], members[1])
		end(ctx, members[0], f.target, "Succeeded")
		expectGone(ctx, members[0], f.target)
		o := expectStatus(ctx, f, "", map[string]string{members[0].Name: "Completed", members[1].Name: ""})
		Expect(o.Messages[members[0].Name]).To(ContainSubstring("Succeeded"))
		Expect(found(ctx, host, f.ref()).Object).To(HaveKeyWithValue("status", HaveKeyWithValue("summary", "2/2")))
		end(ctx, members[1], f.target, "Failed")
		expectGone(ctx, members[1], f.target)
		o = expectStatus(ctx, f, "", map[string]string{members[0].Name: "Completed", members[1].Name: "Completed"})
		Expect(o.Messages[members[1].Name]).To(ContainSubstring("Failed"))
		Consistently(ctx, func() int { return writes(ctx, members[0], "jobs.batch").Sum(nil) }).
			Should(Equal(writes(ctx, members[0], "jobs.batch").Sum(nil)))
		Expect(fedctl(ctx, "status", "-n", f.GetNamespace())).To(MatchRegexp(`federatedjob/once +True +False:Degraded +Completed +Completed`))

		By("changing it for one cluster")
		change(ctx, f, func(f *federated) { f.override(members[0].Name, patch("replace", "/spec/activeDeadlineSeconds", 500)) })
		expectField(ctx, members[0], f.target, "/spec/activeDeadlineSeconds", 500)
		expectStatus(ctx, f, "", map[string]string{members[0].Name: "", members[1].Name: "Completed"})
		expectMissing(ctx, members[1], f.target)
		remove(ctx, f)
		expectMissing(ctx, members[0], f.target)
	}, NodeTimeout(5*time.Minute))

	It("is made anew if somebody deletes it before it has ended", func(ctx SpecContext) {
		f := create(ctx, running(federatedNamespace(ctx), "deleted", 600).on(members[0]))
		expectSettled(ctx, f, members[0])
		first := found(ctx, members[0], f.target)
		Expect(members[0].Delete(ctx, first, client.PropagationPolicy("Background"))).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, members[0], f.target)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(u.GetUID()).NotTo(Equal(first.GetUID()))
		}).Should(Succeed())
		expectSettled(ctx, f, members[0])

		By("letting it end, and deleting it before the member does")
		end(ctx, members[0], f.target, "Succeeded")
		expectField(ctx, members[0], f.target, "/status/succeeded", 1)
		expectSettled(ctx, f, members[0])
		Expect(members[0].Delete(ctx, found(ctx, members[0], f.target), client.PropagationPolicy("Background"))).To(Succeed())
		expectDone(ctx, f, members[0], "Succeeded")
	}, NodeTimeout(5*time.Minute))
})

var _ = Describe("A Job that ends", localOnly, Serial, func() {
	BeforeEach(func() {
		DeferCleanup(func(ctx SpecContext) {
			if !system.Controller.Running() {
				Expect(system.Controller.Start(ctx)).To(Succeed())
			}
		})
	})

	It("is not run again by another controller", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		gone := create(ctx, running(ns, "gone", 0).on(members[0]))
		removed := create(ctx, running(ns, "removed", -1).on(members[0]))
		unseen := create(ctx, running(ns, "unseen", 1).on(members[0]))
		deleted := create(ctx, running(ns, "deleted", -1).on(members[0]))
		waiting := running(ns, "suspended", 0)
		set(waiting.Object, "/spec/template/spec/suspend", true)
		suspended := create(ctx, waiting.on(members[0])) // it does not end, so nothing removes it
		for _, f := range []*federated{gone, removed, unseen, deleted, suspended} {
			expectSettled(ctx, f, members[0])
		}
		end(ctx, members[0], gone.target, "Succeeded")
		expectDone(ctx, gone, members[0], "Succeeded")
		before := versionOf(ctx, removed, members[0])
		end(ctx, members[0], removed.target, "Failed")
		Eventually(ctx, func() string { return versionOf(ctx, removed, members[0]) }).ShouldNot(Equal(before))
		expectSettled(ctx, removed, members[0])

		Expect(system.Controller.Kill(ctx)).To(Succeed())
		before, beforeSuspended := versionOf(ctx, deleted, members[0]), versionOf(ctx, suspended, members[0])
		for _, f := range []*federated{removed, deleted, suspended} {
			Expect(members[0].Delete(ctx, found(ctx, members[0], f.target), client.PropagationPolicy("Background"))).To(Succeed())
		}
		end(ctx, members[0], unseen.target, "Succeeded")
		for _, f := range []*federated{removed, unseen, deleted, suspended} {
			expectGone(ctx, members[0], f.target)
		}
		Expect(system.Controller.Start(ctx)).To(Succeed())
		expectDone(ctx, unseen, members[0], "was not seen")
		expectDone(ctx, removed, members[0], "Failed")
		expectDone(ctx, gone, members[0], "Succeeded")
		Eventually(ctx, func() string { return versionOf(ctx, deleted, members[0]) }).ShouldNot(Equal(before), "it is made again, and that is noted")
		Eventually(ctx, func() string { return versionOf(ctx, suspended, members[0]) }).ShouldNot(Equal(beforeSuspended), "so is this one")
		for _, f := range []*federated{deleted, suspended} {
			expectSettled(ctx, f, members[0])
			found(ctx, members[0], f.target)
		}

		By("starting yet another one, which has nothing to write")
		quiet(ctx)                    // namespaces of earlier specs take their Jobs with them
		versions := func() []string { // of those that are done; what runs may have news at any time
			var versions []string
			for _, f := range []*federated{gone, removed, unseen} {
				versions = append(versions, found(ctx, host, f.ref()).GetResourceVersion())
			}
			return versions
		}
		versionsBefore, memberBefore := versions(), requests(ctx, members[0])
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		for _, f := range []*federated{gone, removed, unseen} {
			expectDone(ctx, f, members[0], "")
		}
		jobs := func(verb, resource string) bool { return framework.IsWrite(verb) && resource == "jobs.batch" }
		Expect(requests(ctx, members[0]).Since(memberBefore).Sum(jobs)).To(BeZero())
		Expect(versions()).To(Equal(versionsBefore))
	}, NodeTimeout(8*time.Minute))

	It("while its member cannot be reached, is not run again when it can", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		cut := throughProxy(ctx, members[0])
		f := create(ctx, running(ns, "offline", 1).on(members[0]))
		deleted := create(ctx, running(ns, "deleted", -1).on(members[0]))
		expectSettled(ctx, f, members[0])
		expectSettled(ctx, deleted, members[0])
		restore := cut(ctx)
		expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "ClusterNotReady"})
		end(ctx, members[0], f.target, "Succeeded")
		expectGone(ctx, members[0], f.target)
		Expect(members[0].Delete(ctx, found(ctx, members[0], deleted.target), client.PropagationPolicy("Background"))).To(Succeed())
		expectGone(ctx, members[0], deleted.target)
		restore(ctx)
		expectDone(ctx, f, members[0], "was not seen")
		expectSettled(ctx, deleted, members[0])
		found(ctx, members[0], deleted.target)
	}, NodeTimeout(8*time.Minute))
})

// throughProxy has the control plane reach a member through a proxy until the end of the
// spec. cut ends it, and waits until the member counts as broken; restore goes without it.
func throughProxy(ctx context.Context, c *framework.Cluster) (cut func(ctx context.Context) (restore func(ctx context.Context))) {
	GinkgoHelper()
	var watches atomic.Int64
	proxy, err := framework.StartProxy(c, func(r *http.Response) error {
		if r.Request.URL.Query().Get("watch") != "" {
			watches.Add(1)
		}
		return nil
	})
	Expect(err).NotTo(HaveOccurred())
	member := ref{GroupVersionKind: framework.KubeFedCluster, Namespace: framework.KubeFedNamespace, Name: c.Name}
	spec, _ := found(ctx, host, member).Object["spec"].(fields)
	connect := func(ctx context.Context, endpoint, caBundle any) {
		GinkgoHelper()
		tamper(ctx, host, member, func(u *unstructured.Unstructured) {
			set(u.Object, "/spec/apiEndpoint", endpoint)
			set(u.Object, "/spec/caBundle", caBundle)
		})
	}
	restore := func(ctx context.Context) {
		GinkgoHelper()
		connect(ctx, spec["apiEndpoint"], spec["caBundle"])
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
	}
	DeferCleanup(func(ctx SpecContext) {
		restore(ctx)
		proxy.Close()
	}, NodeTimeout(3*time.Minute))
	connect(ctx, proxy.Endpoint(), base64.StdEncoding.EncodeToString(proxy.CABundle()))
	// Before that a proxy that ends is an address that never worked: the old connection stays.
	Eventually(ctx, watches.Load).Should(BeNumerically(">", 0), "the control plane goes through the proxy")
	return func(ctx context.Context) func(ctx context.Context) {
		GinkgoHelper()
		proxy.Close()
		Expect(system.WaitForMember(ctx, c.Name, false)).To(Succeed())
		return restore
	}
}

var _ = Describe("An object that something in the member consumes", localOnly, func() {
	const consumed = "fedctl.io/consumed"

	It("is not made again if its federated object says so", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "order", fields{"a": "1"}).on(members[0]).annotate(consumed, "true"))
		expectSettled(ctx, f, members[0])
		tamper(ctx, members[0], f.target, func(u *unstructured.Unstructured) { set(u.Object, "/data/a", "drifted") })
		expectField(ctx, members[0], f.target, "/data/a", "1")
		Expect(members[0].Delete(ctx, found(ctx, members[0], f.target))).To(Succeed())
		expectDone(ctx, f, members[0], "consumed")
		expectEvent(ctx, f, "Completed", members[0].Name)

		By("wanting another one")
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		expectField(ctx, members[0], f.target, "/data/a", "2")
		expectSettled(ctx, f, members[0])
		Expect(members[0].Delete(ctx, found(ctx, members[0], f.target))).To(Succeed())
		expectDone(ctx, f, members[0], "consumed")

		By("saying nothing of it any more")
		change(ctx, f, func(f *federated) { f.SetAnnotations(nil) })
		expectField(ctx, members[0], f.target, "/data/a", "2")
		expectSettled(ctx, f, members[0])
		remove(ctx, f)
	}, NodeTimeout(3*time.Minute))

	It("is made again if the federated object says so, though it has ended", func(ctx SpecContext) {
		f := create(ctx, running(federatedNamespace(ctx), "again", -1).on(members[0]).annotate(consumed, "false"))
		expectSettled(ctx, f, members[0])
		first := found(ctx, members[0], f.target)
		end(ctx, members[0], f.target, "Succeeded")
		expectField(ctx, members[0], f.target, "/status/succeeded", 1)
		Expect(members[0].Delete(ctx, first, client.PropagationPolicy("Background"))).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, members[0], f.target)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(u.GetUID()).NotTo(Equal(first.GetUID()))
		}).Should(Succeed())
	}, NodeTimeout(3*time.Minute))

	It("is treated as ever where the annotation says something else", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "yes", fields{"a": "1"}).on(members[0]).annotate(consumed, "yes"))
		expectSettled(ctx, f, members[0])
		Expect(conditionOf(found(ctx, host, f.ref()), "Accepted")).To(And(HaveKeyWithValue("reason", "InvalidConsumption"),
			HaveKeyWithValue("message", ContainSubstring(`must be "true" or "false", is "yes"`))))
		Expect(members[0].Delete(ctx, found(ctx, members[0], f.target))).To(Succeed())
		expectField(ctx, members[0], f.target, "/data/a", "1")
	}, NodeTimeout(3*time.Minute))
})
