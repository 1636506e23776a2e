package e2e

import (
	"context"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// podImage is the program of hack/kind/pod, which hack/kind/e2e.sh puts on every node.
const podImage = "fedctl/pod:e2e"

// clientsetOf is a client of Kubernetes' types, for what only it has: proxies and logs.
func clientsetOf(c *framework.Cluster) *kubernetes.Clientset {
	GinkgoHelper()
	made, err := kubernetes.NewForConfig(c.Config)
	Expect(err).NotTo(HaveOccurred())
	return made
}

// podOf waits for the one pod that a label selects to be ready, and returns it.
func podOf(ctx context.Context, c *framework.Cluster, namespace string, labels map[string]string) *corev1.Pod {
	GinkgoHelper()
	pods := &corev1.PodList{}
	Eventually(ctx, func(g Gomega) {
		g.Expect(c.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels(labels))).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(1))
		g.Expect(pods.Items[0].Status.Conditions).To(ContainElement(And(
			HaveField("Type", corev1.PodReady), HaveField("Status", corev1.ConditionTrue))), "in cluster %s", c.Name)
	}).Should(Succeed())
	return &pods.Items[0]
}

// ask asks a pod that serves, through its cluster's API server.
func ask(ctx context.Context, c *framework.Cluster, pod *corev1.Pod, port int, path string, query map[string]string) string {
	GinkgoHelper()
	answer, err := clientsetOf(c).CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, strconv.Itoa(port), path, query).DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred(), "port %d of pod %s in cluster %s", port, pod.Name, c.Name)
	return string(answer)
}

// wholePod is a pod template with an init container, a sidecar, and what the Downward
// API gives; the containers are of the program of hack/kind/pod.
func wholePod() fields {
	field := func(path string) fields { return fields{"fieldRef": fields{"fieldPath": path}} }
	shared := list{fields{"name": "shared", "mountPath": "/shared"}}
	return fields{
		"metadata": fields{"labels": fields{"app": "e2e"}},
		"spec": fields{
			"volumes": list{
				fields{"name": "shared", "emptyDir": fields{}},
				fields{"name": "told", "downwardAPI": fields{"items": list{fields{"path": "labels", "fieldRef": fields{"fieldPath": "metadata.labels"}}}}},
			},
			"initContainers": list{
				fields{"name": "prepare", "image": podImage, "args": list{"append", "/shared/said", "prepared"}, "volumeMounts": shared},
				fields{"name": "sidecar", "image": podImage, "args": list{"serve", ":8081"}, "restartPolicy": "Always", "volumeMounts": shared},
			},
			"containers": list{fields{
				"name": "main", "image": podImage, "args": list{"serve", ":8080"},
				"env": list{
					fields{"name": "GREETING", "value": "of the template"},
					fields{"name": "POD_NAME", "valueFrom": field("metadata.name")},
					fields{"name": "NODE_NAME", "valueFrom": field("spec.nodeName")},
					fields{"name": "MEMORY", "valueFrom": fields{"resourceFieldRef": fields{"resource": "limits.memory"}}},
				},
				"resources":      fields{"limits": fields{"memory": "64Mi"}},
				"readinessProbe": fields{"httpGet": fields{"path": "/env", "port": 8080}, "periodSeconds": 1},
				"volumeMounts":   list{shared[0], fields{"name": "told", "mountPath": "/told"}},
			}},
		},
	}
}

var _ = Describe("Pods on real nodes", kubeletOnly, func() {
	It("run with their init container, their sidecar, the Downward API and each cluster's override", func(ctx SpecContext) {
		template := workload(fields{"replicas": 1})
		set(template, "/spec/template", wholePod())
		f := federate("Deployment", federatedNamespace(ctx), "whole", template).on(members[0], members[1])
		f.override(members[1].Name, patch("replace", "/spec/template/spec/containers/0/env/0/value", "of the second"))
		create(ctx, f)
		expectReady(ctx, f, "True", "Healthy")
		for c, greeting := range map[*framework.Cluster]string{members[0]: "of the template", members[1]: "of the second"} {
			pod := podOf(ctx, c, f.GetNamespace(), map[string]string{"app": "e2e"})
			env := func(name string) string { return ask(ctx, c, pod, 8080, "/env", map[string]string{"name": name}) }
			Expect(env("GREETING")).To(Equal(greeting))
			Expect(env("POD_NAME")).To(Equal(pod.Name))
			Expect(env("NODE_NAME")).To(Equal(pod.Spec.NodeName))
			Expect(env("MEMORY")).To(Equal(strconv.Itoa(64 << 20)))
			file := func(port int, path string) string {
				return ask(ctx, c, pod, port, "/file", map[string]string{"path": path})
			}
			Expect(file(8080, "/told/labels")).To(ContainSubstring(`app="e2e"`))
			Expect(file(8081, "/shared/said")).To(Equal("prepared\n"), "the sidecar sees what the init container has left")
		}
	}, NodeTimeout(6*time.Minute))

	It("that end badly are told, and those that end well are done", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		job := func(name string, args ...any) *federated {
			f := federate("Job", ns, name, jobTemplate()).on(members[0])
			set(f.template(), "/spec/suspend", false)
			set(f.template(), "/spec/backoffLimit", 0)
			set(f.template(), "/spec/template/spec/containers", list{fields{"name": "main", "image": podImage, "args": args}})
			return create(ctx, f)
		}
		good, bad := job("good", "append", "/dev/stdout", "done"), job("bad", "fail", "no luck")
		expectReady(ctx, good, "True", "Healthy")
		expectField(ctx, members[0], good.target, "/status/succeeded", 1)
		expectReady(ctx, bad, "False", "Degraded")
		expectField(ctx, members[0], bad.target, "/status/failed", 1)
	}, NodeTimeout(6*time.Minute))

	// Without a readiness probe a container is ready as soon as it runs: the rollout is over,
	// and the Deployment never says that it has failed.
	It("that crash again and again are told as long as they do, and not as healthy in between", func(ctx SpecContext) {
		template := workload(fields{"replicas": 1})
		crashing := func(yes bool) {
			args := list{}
			if yes {
				args = list{"fail", "no luck", "4s"}
			}
			set(template, "/spec/template/spec", fields{"containers": list{fields{"name": "main", "image": podImage, "args": args}}})
		}
		crashing(true)
		f := federate("Deployment", federatedNamespace(ctx), "crashing", template).on(members[0]).annotate("fedctl.io/progress-deadline", "40s")
		told := tell(ctx, f)
		create(ctx, f)
		u := expectReady(ctx, f, "False", "Degraded")
		Expect(conditionOf(u, "Ready")["message"]).To(ContainSubstring("healthy for moments only"))
		Expect(kstatusOf(u)).To(Equal("Failed"))
		Expect(told.words(members[0], 1)).To(ContainElement("Healthy"), "it was, for a moment")
		Consistently(ctx, func() string { return last(told.words(members[0], 1)) }).WithTimeout(time.Minute).WithPolling(time.Second).
			Should(Equal("Degraded"), "whether it has just been started again or not")

		crashing(false)
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/template", at(template, "/spec/template")) })
		expectReady(ctx, f, "True", "Healthy")
	}, NodeTimeout(8*time.Minute))
})
