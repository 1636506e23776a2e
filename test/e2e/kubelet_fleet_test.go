package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// throughFleet is kubectl on a pod's namespace in a member, through the host.
func throughFleet(ctx context.Context, c *framework.Cluster, pod *corev1.Pod, args ...string) *exec.Cmd {
	args = append([]string{"kubectl", "--kubeconfig", system.Kubeconfig(), "--host-cluster-context", host.Name,
		"--cluster", c.Name, "--", "-n", pod.Namespace}, args...)
	return exec.CommandContext(ctx, system.Fedctl, args...)
}

// forward has a port of this machine be one of a pod's, until the spec ends.
func forward(ctx context.Context, c *framework.Cluster, pod *corev1.Pod, to string) (address string) {
	GinkgoHelper()
	address, err := framework.FreeAddress()
	Expect(err).NotTo(HaveOccurred())
	_, port, err := net.SplitHostPort(address)
	Expect(err).NotTo(HaveOccurred())
	running, end := context.WithCancel(ctx)
	command := throughFleet(running, c, pod, "port-forward", pod.Name, port+":"+to)
	command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
	Expect(command.Start()).To(Succeed())
	DeferCleanup(func() {
		end()
		_ = command.Wait() // it was killed
	})
	return address
}

// fetch returns what a server of this machine answers.
func fetch(ctx context.Context, g Gomega, url string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	g.Expect(err).NotTo(HaveOccurred())
	response, err := http.DefaultClient.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	return string(body)
}

var _ = Describe("The API of the fleet behind its Service", kubeletOnly, func() {
	It("passes logs, commands and ports of pods of real kubelets", func(ctx SpecContext) {
		c := members[0]
		template := workload(fields{"replicas": 1})
		set(template, "/spec/template", wholePod())
		f := create(ctx, federate("Deployment", federatedNamespace(ctx), "served", template).on(c))
		pod := podOf(ctx, c, f.GetNamespace(), map[string]string{"app": "e2e"})
		kubectl := func(args ...string) (string, error) {
			out, err := throughFleet(ctx, c, pod, args...).CombinedOutput()
			return string(out), err
		}

		out, err := kubectl("logs", pod.Name, "-c", "main")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(Equal("serving at :8080\n"))

		out, err = kubectl("exec", pod.Name, "-c", "sidecar", "--", "/pod", "append", "/shared/said", "through the fleet")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(ask(ctx, c, pod, 8081, "/file", map[string]string{"path": "/shared/said"})).To(Equal("prepared\nthrough the fleet\n"))
		out, err = kubectl("exec", pod.Name, "-c", "main", "--", "/pod", "fail", "no luck")
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring("pod: no luck"))

		address := forward(ctx, c, pod, "8080")
		Eventually(ctx, func(g Gomega) {
			g.Expect(fetch(ctx, g, "http://"+address+"/env?name=POD_NAME")).To(Equal(pod.Name))
		}).Should(Succeed())
	}, NodeTimeout(6*time.Minute))
})
