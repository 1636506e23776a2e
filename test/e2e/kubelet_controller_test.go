package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// controllerName is that of the controller's Deployment, of its label and its Lease.
const controllerName = "fedctl-controller"

// rolled is how many objects are changed while the controller's Pods are replaced.
const rolled = 500

// deploymentRef names a Deployment of the control plane.
func deploymentRef(name string) ref {
	return kit.Named("apps/v1", "Deployment", framework.KubeFedNamespace, name)
}

// controllerImage is the image that the host runs.
func controllerImage(ctx context.Context) string {
	GinkgoHelper()
	image, _ := at(found(ctx, host, deploymentRef(controllerName)).Object, "/spec/template/spec/containers/0/image").(string)
	return image
}

// controllerPods are the controller's Pods.
func controllerPods(ctx context.Context, g Gomega) []corev1.Pod {
	pods := &corev1.PodList{}
	g.Expect(host.List(ctx, pods, client.InNamespace(framework.KubeFedNamespace), client.MatchingLabels{"app.kubernetes.io/name": controllerName})).To(Succeed())
	return pods.Items
}

// expectControllers waits until the controller's Deployment has two Pods of its present
// template, both ready, and one of them leads.
func expectControllers(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		d := &appsv1.Deployment{}
		g.Expect(host.Get(ctx, client.ObjectKey{Namespace: framework.KubeFedNamespace, Name: controllerName}, d)).To(Succeed())
		g.Expect(d.Status.ObservedGeneration).To(Equal(d.Generation))
		g.Expect([]int32{d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas}).To(HaveEach(ptr.Deref(d.Spec.Replicas, 0)))
		pods := controllerPods(ctx, g)
		g.Expect(pods).To(HaveLen(int(d.Status.Replicas)), "those that end count as well")
		leader, _, _ := strings.Cut(holderOf(ctx, host, controllerName), "_")
		g.Expect(pods).To(ContainElement(HaveField("Name", leader)), "the leader is one of them")
	}).WithTimeout(5 * time.Minute).Should(Succeed())
}

// failOver does something to the leader, waits until another process leads and has
// carried a change out in a member, and reports how long that has taken.
func failOver(ctx context.Context, ns, how string, do func(pod string) error) {
	GinkgoHelper()
	By("having the leader " + how)
	before, pod := leaderPod(ctx)
	begun := time.Now()
	Expect(do(pod)).To(Succeed())
	Eventually(ctx, func() string { return holderOf(ctx, host, controllerName) }).ShouldNot(BeElementOf("", before))
	f := create(ctx, configMap(ns, "after-"+how, fields{"a": "1"}).on(members[0]))
	expectField(ctx, members[0], f.target, "/data/a", "1")
	AddReportEntry("fail-over", fmt.Sprintf("leader %s: the next one has written to a member after %s", how, time.Since(begun).Round(100*time.Millisecond)), ReportEntryVisibilityAlways)
}

// podNamed is a reference to a Pod of the controller, for deletions and evictions.
func podNamed(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: framework.KubeFedNamespace, Name: name}}
}

// leaderPod is who leads, as the Lease has it, and the name of its Pod.
func leaderPod(ctx context.Context) (identity, pod string) {
	GinkgoHelper()
	identity = holderOf(ctx, host, controllerName)
	pod, _, separated := strings.Cut(identity, "_")
	Expect(separated).To(BeTrue(), identity)
	return identity, pod
}

const (
	// eachController goes over the controller's processes on a node.
	eachController = `for process in /proc/[0-9]*; do
  tr "\0" " " <"$process/cmdline" | grep -q "^/controller --kubefed" || continue
  pod=$(tr "\0" "\n" <"$process/environ" | sed -n s/^HOSTNAME=//p)
`
	// killLeader ends that of one Pod with SIGKILL.
	killLeader = eachController + `  if [ "$pod" = "$1" ]; then kill -9 "${process#/proc/}"; exit; fi
done 2>/dev/null; exit 1`
)

var _ = Describe("Two controller Pods", kubeletOnly, Serial, func() {
	var ns string
	BeforeEach(func(ctx SpecContext) {
		expectControllers(ctx)
		ns = federatedNamespace(ctx)
		expectField(ctx, members[0], ref{GroupVersionKind: kinds["Namespace"].WithKind("Namespace"), Name: ns}, "/metadata/labels/kubefed.io~1managed", "true")
	}, NodeTimeout(6*time.Minute))

	It("take over from one another, however the leader goes", func(ctx SpecContext) {
		failOver(ctx, ns, "deleted", func(pod string) error { return host.Delete(ctx, podNamed(pod)) })
		expectControllers(ctx)
		failOver(ctx, ns, "forced", func(pod string) error { return host.Delete(ctx, podNamed(pod), client.GracePeriodSeconds(0)) })
		expectControllers(ctx)
		failOver(ctx, ns, "killed", func(pod string) error {
			_, err := nodes().Shell(ctx, host.Name, killLeader, pod)
			return err
		})
		expectControllers(ctx)
	}, NodeTimeout(15*time.Minute))

	It("lose nothing and write nothing twice when they are rolled in the middle of a rollout", func(ctx SpecContext) {
		createSome(ctx, ns, 0, rolled, members...)
		Eventually(ctx, func() int { return settledIn(ctx, ns, len(members)) }).WithTimeout(5 * time.Minute).Should(Equal(rolled))
		var seen []*changes
		for _, c := range members {
			seen = append(seen, watchConfigMaps(ctx, c, ns))
		}
		memory(ctx, "before")

		By("changing all of them, and rolling the controller after a third")
		for i := range rolled {
			if i == rolled/3 {
				tamper(ctx, host, deploymentRef(controllerName), func(u *unstructured.Unstructured) {
					set(u.Object, "/spec/template/metadata/annotations/e2e.example.com~1rolled", ns)
				})
			}
			change(ctx, configMap(ns, fmt.Sprintf("n-%d", i), nil), func(f *federated) { set(f.template(), "/data/a", "2") })
		}
		expectControllers(ctx)
		Eventually(ctx, func() int { return settledIn(ctx, ns, len(members)) }).WithTimeout(5 * time.Minute).Should(Equal(rolled))
		memory(ctx, "after")
		for i, c := range members {
			Eventually(ctx, seen[i].changed).Should(HaveLen(rolled), "in cluster %s", c.Name)
			Consistently(ctx, seen[i].changed).WithTimeout(5*time.Second).Should(HaveEach(1), "each is written once in cluster %s", c.Name)
		}
	}, NodeTimeout(20*time.Minute))

	It("keep one when a node is drained, and the other one takes over", func(ctx SpecContext) {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: controllerPods(ctx, Default)[0].Spec.NodeName}}
		cordon := func(ctx context.Context, on bool) {
			GinkgoHelper()
			Expect(host.Patch(ctx, node, client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, on)))).To(Succeed())
		}
		cordon(ctx, true)
		DeferCleanup(func(ctx SpecContext) {
			cordon(ctx, false)
			expectControllers(ctx)
		}, NodeTimeout(6*time.Minute))
		evict := func(pod string) error {
			return host.SubResource("eviction").Create(ctx, podNamed(pod), &policyv1.Eviction{})
		}
		_, pod := leaderPod(ctx)
		failOver(ctx, ns, "evicted", evict)
		_, other := leaderPod(ctx)
		Expect(other).NotTo(Equal(pod))
		Expect(evict(other)).To(MatchError(apierrors.IsTooManyRequests, "the PodDisruptionBudget keeps it"))
	}, NodeTimeout(8*time.Minute))

	It("write every line of their logs as JSON, also what Go's own packages say", func(ctx SpecContext) {
		pods := controllerPods(ctx, Default)
		Expect(pods).NotTo(BeEmpty())
		logs := clientsetOf(host).CoreV1().Pods(framework.KubeFedNamespace)
		// A request in plain text to a port that speaks TLS is one of the things that
		// net/http logs itself.
		_, err := logs.ProxyGet("http", pods[0].Name, "8443", "/", nil).DoRaw(ctx)
		Expect(err).To(HaveOccurred())
		handshake := 0
		Eventually(ctx, func(g Gomega) {
			handshake = 0
			for _, pod := range pods {
				log, err := logs.GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
				g.Expect(err).NotTo(HaveOccurred())
				for lines := bufio.NewScanner(bytes.NewReader(log)); lines.Scan(); {
					Expect(json.Valid(lines.Bytes())).To(BeTrue(), lines.Text())
					if strings.Contains(lines.Text(), "TLS handshake error") {
						handshake++
					}
				}
			}
			g.Expect(handshake).To(BeNumerically(">", 0))
		}).Should(Succeed())
	}, NodeTimeout(3*time.Minute))
})

// changes counts how often the ConfigMaps of a namespace have changed.
type changes struct {
	mu    sync.Mutex
	count map[string]int
}

// changed is how often each of them has, those that have not left out.
func (c *changes) changed() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.count)
}

// watchConfigMaps counts the changes of a namespace's managed ConfigMaps in a cluster,
// until the spec ends.
func watchConfigMaps(ctx SpecContext, c *framework.Cluster, ns string) *changes {
	GinkgoHelper()
	configMaps := clientsetOf(c).CoreV1().ConfigMaps(ns)
	options := metav1.ListOptions{LabelSelector: managed + "=true"}
	before, err := configMaps.List(ctx, options)
	Expect(err).NotTo(HaveOccurred())
	options.ResourceVersion = before.ResourceVersion
	events, err := configMaps.Watch(ctx, options)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(events.Stop)
	seen := &changes{count: map[string]int{}}
	go func() {
		defer GinkgoRecover()
		for event := range events.ResultChan() {
			if event.Type != watch.Modified {
				continue
			}
			if configMap, ok := event.Object.(*corev1.ConfigMap); ok {
				seen.mu.Lock()
				seen.count[configMap.Name]++
				seen.mu.Unlock()
			}
		}
	}()
	return seen
}

// memory reports what the controller's processes take.
func memory(ctx context.Context, when string) {
	GinkgoHelper()
	taken, err := nodes().Shell(ctx, host.Name, eachController+`awk -v pod="$pod" '$1 == "VmRSS:" { printf "%s: %d MiB\n", pod, $2 / 1024 }' "$process/status"; done 2>/dev/null`)
	Expect(err).NotTo(HaveOccurred())
	AddReportEntry("memory "+when, taken, ReportEntryVisibilityAlways)
}

// nodes are the nodes of the clusters, which are containers.
func nodes() *framework.Containers {
	GinkgoHelper()
	containers, known := system.Faults().(*framework.Containers)
	Expect(known).To(BeTrue(), "$"+framework.ContainersEnv+" names the nodes' containers")
	return containers
}
