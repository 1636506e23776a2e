package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// account is all that a federated object's status has said of how it fares, in order.
type account struct {
	mu   sync.Mutex
	said []telling
}

// telling is one status, as far as it says how an object fares.
type telling struct {
	Observed      int64
	Ready, Reason string
	// In is the health in each cluster.
	In map[string]string
}

// tell follows a federated object from now on until the spec ends.
func tell(ctx SpecContext, f *federated) *account {
	GinkgoHelper()
	c, err := client.NewWithWatch(host.Config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(f.GroupVersionKind())
	watch, err := c.Watch(ctx, list, client.InNamespace(f.GetNamespace()), client.MatchingFields{"metadata.name": f.GetName()})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(watch.Stop)
	a := &account{}
	go func() {
		for event := range watch.ResultChan() {
			if u, ok := event.Object.(*unstructured.Unstructured); ok {
				a.note(tellingOf(u))
			}
		}
	}()
	return a
}

func tellingOf(u *unstructured.Unstructured) telling {
	ready := conditionOf(u, "Ready")
	t := telling{In: map[string]string{}}
	t.Observed, _, _ = unstructured.NestedInt64(u.Object, "status", "observedGeneration")
	t.Ready, _ = ready["status"].(string)
	t.Reason, _ = ready["reason"].(string)
	clusters, _, _ := unstructured.NestedSlice(u.Object, "status", "clusters")
	for _, item := range clusters {
		c, _ := item.(fields)
		name, _ := c["name"].(string)
		health, _ := c["health"].(fields)
		t.In[name], _ = health["status"].(string)
	}
	return t
}

func (a *account) note(t telling) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := len(a.said) - 1; last < 0 || a.said[last].Observed != t.Observed || a.said[last].Ready != t.Ready ||
		a.said[last].Reason != t.Reason || !maps.Equal(a.said[last].In, t.In) {
		a.said = append(a.said, t)
	}
}

func (a *account) all() []telling {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.said)
}

// words are what was said of a cluster from a generation on, each once in a row.
func (a *account) words(c *framework.Cluster, generation int64) []string {
	var words []string
	for _, t := range a.all() {
		if word := t.In[c.Name]; t.Observed >= generation && word != "" {
			words = append(words, word)
		}
	}
	return slices.Compact(words)
}

// last is the word that was said last; empty if there is none.
func last(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// expectReady waits until the status of the present generation says so, and returns the object.
func expectReady(ctx context.Context, f *federated, ready, reason string) *unstructured.Unstructured {
	GinkgoHelper()
	var u *unstructured.Unstructured
	Eventually(ctx, func(g Gomega) {
		var err error
		u, err = read(ctx, host, f.ref())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(at(u.Object, "/status/observedGeneration")).To(BeEquivalentTo(u.GetGeneration()))
		g.Expect(conditionOf(u, "Ready")).To(And(HaveKeyWithValue("status", ready), HaveKeyWithValue("reason", reason)))
	}).Should(Succeed())
	return u
}

// kstatusOf is what Flux and Helm make of an object.
func kstatusOf(u *unstructured.Unstructured) string {
	GinkgoHelper()
	result, err := status.Compute(u)
	Expect(err).NotTo(HaveOccurred())
	return result.Status.String()
}

// breakPods has the pods of a template run and never become ready, or become ready again:
// without kubelets by the annotation, and with them by a probe that nobody answers.
func breakPods(template fields, broken bool) {
	annotations, container := any(nil), podContainer()
	if broken {
		annotations = fields{localcluster.ReadyAnnotation: "false"}
		container["readinessProbe"] = fields{"tcpSocket": fields{"port": 9}, "periodSeconds": 1}
	}
	set(template, "/spec/template/metadata/annotations", annotations)
	set(template, "/spec/template/spec/containers", list{container})
}

var _ = Describe("How objects fare", Ordered, func() {
	added := []string{"statefulsets.apps", "daemonsets.apps"}

	BeforeAll(func(ctx SpecContext) {
		kinds["StatefulSet"], kinds["DaemonSet"] = schema.GroupVersion{Group: "apps", Version: "v1"}, schema.GroupVersion{Group: "apps", Version: "v1"}
		for _, name := range added {
			fedctl(ctx, "enable", name, "--join")
			DeferCleanup(func(ctx SpecContext) { fedctl(ctx, "disable", name, "--delete-crd") }, NodeTimeout(time.Minute))
		}
		for _, kind := range []string{"FederatedStatefulSet", "FederatedDaemonSet"} {
			knows(ctx, host, schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: kind})
		}
	}, NodeTimeout(2*time.Minute))

	DescribeTable("says when a rollout runs, has failed, and has ended", func(ctx SpecContext, kind string, spec fields) {
		c := members[0]
		f := federate(kind, federatedNamespace(ctx), "web", workload(spec)).on(c).annotate("fedctl.io/progress-deadline", "5s")
		told := tell(ctx, f)
		create(ctx, f)
		u := expectReady(ctx, f, "True", "Healthy")
		Expect(kstatusOf(u)).To(Equal("Current"))

		By("rolling out what does not become ready")
		change(ctx, f, func(f *federated) { breakPods(f.template(), true) })
		broken := f.GetGeneration()
		u = expectReady(ctx, f, "False", "Degraded")
		Expect(kstatusOf(u)).To(Equal("Failed"))
		Expect(conditionOf(u, "Stalled")).To(HaveKeyWithValue("status", "True"))
		Expect(conditionOf(u, "Propagation")).To(HaveKeyWithValue("status", "True"), "it was applied all the same")
		Eventually(ctx, func() []string { return told.words(c, broken) }).Should(Equal([]string{"Progressing", "Degraded"}), "by a watch, which may be later")
		for _, t := range told.all() {
			Expect(t.Observed == broken && t.Ready == "True").To(BeFalse(), "ready before it was: %+v", t)
		}

		By("mending it")
		change(ctx, f, func(f *federated) { breakPods(f.template(), false) })
		expectReady(ctx, f, "True", "Healthy")
		Eventually(ctx, func() []string { return told.words(c, f.GetGeneration()) }).Should(HaveExactElements("Progressing", "Healthy"))
	},
		Entry("of a Deployment", "Deployment", fields{"replicas": 2, "progressDeadlineSeconds": 5}, NodeTimeout(5*time.Minute)),
		Entry("of a StatefulSet", "StatefulSet", fields{"replicas": 1, "podManagementPolicy": "Parallel"}, NodeTimeout(5*time.Minute)),
		Entry("of a DaemonSet", "DaemonSet", fields{}, NodeTimeout(5*time.Minute)),
	)

	// The rollout is over when the pod has been ready once: a Deployment says nothing of what
	// becomes of it then.
	It("says that a Deployment is never healthy for long", localOnly, func(ctx SpecContext) {
		c := members[0]
		f := federate("Deployment", federatedNamespace(ctx), "crashing", workload(fields{"replicas": 1})).on(c).annotate("fedctl.io/progress-deadline", "20s")
		told := tell(ctx, f)
		create(ctx, f)
		expectReady(ctx, f, "True", "Healthy")
		pods := &unstructured.UnstructuredList{}
		pods.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "PodList"})
		Expect(c.List(ctx, pods, client.InNamespace(f.GetNamespace()))).To(Succeed())
		Expect(pods.Items).To(HaveLen(1))
		// flip has the pod be ready for a moment, as often as it is started again, or not.
		flip := func(ready string) {
			status := asJSON(fields{"status": fields{"conditions": list{fields{"type": "Ready", "status": ready}}}})
			Expect(c.Status().Patch(ctx, &pods.Items[0], client.RawPatch(types.StrategicMergePatchType, []byte(status)))).To(Succeed())
			want := map[string]string{"True": "1", "False": "0"}[ready]
			Eventually(ctx, func(g Gomega) {
				g.Expect(fmt.Sprint(cmp.Or(at(found(ctx, c, f.target).Object, "/status/availableReplicas"), any(0)))).To(Equal(want))
			}).Should(Succeed())
			time.Sleep(2 * time.Second)
		}
		for last(told.words(c, 1)) != "Degraded" {
			flip("False")
			flip("True")
		}
		u := expectReady(ctx, f, "False", "Degraded")
		Expect(conditionOf(u, "Ready")["message"]).To(ContainSubstring("healthy for moments only"))
		Expect(told.words(c, 1)).To(ContainElement("Healthy"), "it was, again and again")

		By("leaving the pod ready")
		flip("True")
		expectReady(ctx, f, "True", "Healthy")
	}, NodeTimeout(5*time.Minute))

	It("says that a Job runs, waits, is complete, has failed", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, running(ns, "good", -1).on(members[0], members[1]))
		u := expectReady(ctx, f, "False", "Progressing")
		Expect(kstatusOf(u)).To(Equal("InProgress"))
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/suspend", true) })
		expectReady(ctx, f, "True", "Suspended")
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/suspend", nil) })
		expectReady(ctx, f, "False", "Progressing")
		end(ctx, members[0], f.target, "Succeeded")
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, f.ref())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(tellingOf(u).In).To(Equal(map[string]string{members[0].Name: "Healthy", members[1].Name: "Progressing"}))
		}).Should(Succeed())
		expectReady(ctx, f, "False", "Progressing")
		end(ctx, members[1], f.target, "Succeeded")
		Expect(kstatusOf(expectReady(ctx, f, "True", "Healthy"))).To(Equal("Current"))

		bad := create(ctx, running(ns, "bad", -1).on(members[0]))
		end(ctx, members[0], bad.target, "Failed")
		u = expectReady(ctx, bad, "False", "Degraded")
		Expect(conditionOf(u, "Ready")["message"]).To(ContainSubstring("BackoffLimitExceeded"))
		Expect(kstatusOf(u)).To(Equal("Failed"))
	}, NodeTimeout(5*time.Minute))

	It("has a Job that has failed and is gone stay failed", localOnly, func(ctx SpecContext) {
		f := create(ctx, running(federatedNamespace(ctx), "gone", 1).on(members[0]))
		expectSettled(ctx, f, members[0])
		end(ctx, members[0], f.target, "Failed")
		expectGone(ctx, members[0], f.target)
		expectStatus(ctx, f, "", map[string]string{members[0].Name: "Completed"})
		expectReady(ctx, f, "False", "Degraded")
	}, NodeTimeout(5*time.Minute))

	It("says that what is nothing but there is there", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "settings", fields{"a": "1"}).on(members[0]))
		u := expectReady(ctx, f, "True", "Propagated")
		Expect(at(u.Object, "/status/clusters/0")).NotTo(HaveKey("health"))
		change(ctx, f, func(f *federated) { f.on() })
		Expect(kstatusOf(expectReady(ctx, f, "False", "NoClusters"))).To(Equal("InProgress"))
	}, NodeTimeout(5*time.Minute))

	It("lets kubectl wait for it", localOnly, func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		wait := func(name, timeout string) (string, error) {
			return kubectl(ctx, "-n", ns, "wait", "--for=condition=Ready", "--timeout="+timeout, "federateddeployment/"+name)
		}
		good := create(ctx, federate("Deployment", ns, "good", workload(fields{"replicas": 1})).on(members[0], members[1]))
		out, err := wait("good", "2m")
		Expect(err).NotTo(HaveOccurred(), out)
		By(out)
		Expect(out).To(ContainSubstring("condition met"))
		expectReady(ctx, good, "True", "Healthy")

		change(ctx, good, func(f *federated) { breakPods(f.template(), true) })
		out, err = wait("good", "3s")
		Expect(err).To(HaveOccurred(), "the generation before this one was ready: %s", out)
		By(out)
		Expect(out).To(ContainSubstring("timed out"))

		By("looking why")
		table := fedctl(ctx, "status", "deployments", "-n", ns, "-o", "wide")
		By(table)
		Expect(table).To(MatchRegexp(`federateddeployment/good +True +False:Progressing +Progressing +Progressing`))
		explained := fedctl(ctx, "explain", "deployment/good", "-n", ns, "-o", "wide")
		By(explained)
		Expect(explained).To(MatchRegexp(members[0].Name + ` +Yes +Named +1 +OK +Progressing +0 +1 `))
	}, NodeTimeout(5*time.Minute))
})

var _ = Describe("How objects fare, with nothing else under way,", localOnly, Serial, func() {
	It("costs no write for each pod", func(ctx SpecContext) {
		const pods = 30
		f := create(ctx, federate("Deployment", federatedNamespace(ctx), "many", workload(fields{"replicas": pods})).on(members[0], members[1]))
		expectReady(ctx, f, "True", "Healthy")
		before := statusWrites(ctx)
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/template/metadata/annotations", fields{"round": "two"}) })
		expectReady(ctx, f, "True", "Healthy")
		Expect(statusWrites(ctx) - before).To(BeNumerically("<", pods/2))
	}, NodeTimeout(5*time.Minute))

	It("is unknown while a cluster is away", func(ctx SpecContext) {
		f := create(ctx, federate("Deployment", federatedNamespace(ctx), "away", workload(fields{"replicas": 1})).on(members[0], members[1]))
		expectReady(ctx, f, "True", "Healthy")
		stop(ctx, members[1])
		u := expectReady(ctx, f, "Unknown", "ClusterNotReady")
		Expect(tellingOf(u).In).To(Equal(map[string]string{members[0].Name: "Healthy", members[1].Name: "Unknown"}))
		Expect(kstatusOf(u)).To(Equal("InProgress"))
		start(ctx, members[1])
		expectReady(ctx, f, "True", "Healthy")
	}, NodeTimeout(8*time.Minute))
})

// kubectl runs the clusters' own kubectl on the host.
func kubectl(ctx context.Context, args ...string) (out string, err error) {
	GinkgoHelper()
	kubernetes, err := localcluster.FindBinary("")
	Expect(err).NotTo(HaveOccurred())
	args = append([]string{"kubectl", "--kubeconfig", system.Kubeconfig(), "--context", host.Name}, args...)
	printed, err := exec.CommandContext(ctx, kubernetes, args...).CombinedOutput()
	return string(printed), err
}

// statusWrites counts what the control plane has written of statuses of FederatedDeployments.
func statusWrites(ctx context.Context) int {
	GinkgoHelper()
	total := 0
	for what, n := range requests(ctx, host) {
		if strings.Contains(what, "federateddeployments") && strings.HasSuffix(what, "/status") {
			total += n
		}
	}
	return total
}
