package fleetapi

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// everything is what an administrator may.
var anything = rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}

// administrator lets a user of the host do anything in all members.
func administrator(ctx context.Context, name string) *rest.Config {
	GinkgoHelper()
	letThrough(ctx, user(name), everyVerb)
	for _, member := range members {
		allow(ctx, member, "all-of-"+name, user(name), anything)
	}
	config := as(name)
	for _, member := range members {
		Eventually(ctx, func() error {
			return errOf(clientOf(through(config, member.Name)).CoreV1().Secrets("default").List(ctx, metav1.ListOptions{}))
		}).Should(Succeed())
	}
	return config
}

// running makes a pod in a member that runs until the spec ends.
func running(ctx context.Context, member *framework.Cluster, name string) {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}},
	}
	Expect(member.Create(ctx, pod)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(member.Delete(ctx, pod)).To(Succeed()) }, NodeTimeout(time.Minute))
	Eventually(ctx, func(g Gomega) {
		g.Expect(member.Get(ctx, keyOf(pod), pod)).To(Succeed())
		g.Expect(pod.Status.Phase).To(Equal(corev1.PodRunning))
	}).Should(Succeed())
}

// kubectl runs kubectl on a member through the host, as the user of the configuration.
func kubectl(ctx context.Context, config *rest.Config, member string, args ...string) (string, error) {
	GinkgoHelper()
	root, err := framework.Root()
	Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	to := through(config, member)
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["c"] = &clientcmdapi.Cluster{Server: to.Host, CertificateAuthorityData: to.CAData}
	kubeconfig.AuthInfos["c"] = &clientcmdapi.AuthInfo{ClientCertificateData: to.CertData, ClientKeyData: to.KeyData, Impersonate: to.Impersonate.UserName}
	kubeconfig.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "c"}
	kubeconfig.CurrentContext = "c"
	Expect(clientcmd.WriteToFile(*kubeconfig, file)).To(Succeed())
	command := exec.CommandContext(ctx, filepath.Join(root, "bin", "kubernetes"), append([]string{"kubectl", "--kubeconfig", file, "--cache-dir", filepath.Dir(file)}, args...)...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err = command.Run()
	return out.String(), err
}

var _ = Describe("Through to a member", func() {
	It("does what kubectl does: apply, get, patch, label, scale, wait, delete, explain", func(ctx SpecContext) {
		admin := administrator(ctx, "frida")
		run := func(args ...string) string {
			GinkgoHelper()
			out, err := kubectl(ctx, admin, "member-1", args...)
			Expect(err).NotTo(HaveOccurred(), "kubectl %v: %s", args, out)
			return out
		}
		run("create", "namespace", "verbs")
		DeferCleanup(func(ctx SpecContext) {
			Expect(members[0].Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "verbs"}})).To(Succeed())
		}, NodeTimeout(time.Minute))
		run("-n", "verbs", "create", "deployment", "web", "--image=none", "--replicas=1")
		run("-n", "verbs", "wait", "--for=condition=Available", "deployment/web", "--timeout=60s")
		run("-n", "verbs", "scale", "deployment/web", "--replicas=2")
		run("-n", "verbs", "label", "deployment/web", "team=shop")
		run("-n", "verbs", "patch", "deployment/web", "-p", `{"spec":{"minReadySeconds":1}}`)
		Expect(run("-n", "verbs", "get", "deployment", "web", "--show-labels")).To(ContainSubstring("team=shop"))
		Expect(run("-n", "verbs", "get", "pods", "-o", "wide")).To(ContainSubstring("Running"))
		Expect(run("explain", "deployment.spec.minReadySeconds")).To(ContainSubstring("minReadySeconds"))
		Expect(run("api-resources")).To(ContainSubstring("deployments"))
		Expect(run("auth", "whoami")).To(ContainSubstring("frida"))
		run("-n", "verbs", "delete", "deployment", "web")
		out, err := kubectl(ctx, admin, "member-1", "-n", "verbs", "get", "deployment", "web")
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring(`deployments.apps "web" not found`))
	}, NodeTimeout(5*time.Minute))

	It("runs commands, by WebSocket and by SPDY, follows logs and forwards ports", func(ctx SpecContext) {
		admin := administrator(ctx, "gina")
		running(ctx, members[1], "shell")
		for _, websockets := range []string{"true", "false"} {
			GinkgoT().Setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)
			Eventually(ctx, func() (string, error) {
				return kubectl(ctx, admin, "member-2", "exec", "shell", "--", "sh", "-c", "echo one; echo two >&2")
			}).Should(And(ContainSubstring("one"), ContainSubstring("two")), "websockets: "+websockets)
			failing := []string{"exec", "shell", "--", "sh", "-c", "exit 7"}
			_, err := kubectl(ctx, admin, "member-2", failing...)
			_, directly := kubectlOf(ctx, append([]string{"--kubeconfig", system.Kubeconfig(), "--context", "member-2"}, failing...)...)
			Expect(directly).To(HaveOccurred())
			Expect(err).To(MatchError(directly.Error()), "the exit code is that of the command, as the member tells it")
		}
		By("following the log, which commands write here")
		writeLog(ctx, admin, "member-2", "shell", "the first line")
		follow, err := clientOf(through(admin, "member-2")).CoreV1().Pods("default").GetLogs("shell", &corev1.PodLogOptions{Follow: true}).Stream(ctx)
		Expect(err).NotTo(HaveOccurred())
		defer follow.Close() //nolint:errcheck // only read
		lines := bufio.NewReader(follow)
		Expect(lines.ReadString('\n')).To(Equal("the first line\n"))
		writeLog(ctx, admin, "member-2", "shell", "the second line")
		Expect(lines.ReadString('\n')).To(Equal("the second line\n"))

		By("forwarding a port")
		forwarded(ctx, through(admin, "member-2"), "shell")
	}, NodeTimeout(5*time.Minute))

	It("watches: an informer sees what happens in the member, and a client that goes ends the watch there", func(ctx SpecContext) {
		admin := administrator(ctx, "hans")
		c := clientOf(through(admin, "member-1"))
		factory := informers.NewSharedInformerFactoryWithOptions(c, 0, informers.WithNamespace("default"))
		lister := factory.Core().V1().ConfigMaps().Lister()
		informer := factory.Core().V1().ConfigMaps().Informer()
		ended, end := context.WithCancel(ctx)
		defer end()
		factory.Start(ended.Done())
		Eventually(ctx, informer.HasSynced).Should(BeTrue())
		for _, value := range []string{"a", "b"} {
			object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "watched"}, Data: map[string]string{"v": value}}
			if value == "a" {
				Expect(members[0].Create(ctx, object)).To(Succeed())
			} else {
				Expect(members[0].Update(ctx, object)).To(Succeed())
			}
			Eventually(ctx, func(g Gomega) {
				seen, err := lister.ConfigMaps("default").Get("watched")
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(seen.Data).To(HaveKeyWithValue("v", value))
			}).Should(Succeed())
		}
		Expect(members[0].Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "watched"}})).To(Succeed())
		Eventually(ctx, func() bool {
			_, err := lister.ConfigMaps("default").Get("watched")
			return apierrors.IsNotFound(err)
		}).Should(BeTrue())
	}, NodeTimeout(3*time.Minute))

	It("applies, patches and pages as the member does", func(ctx SpecContext) {
		admin := administrator(ctx, "ida")
		c := clientOf(through(admin, "member-1")).CoreV1().ConfigMaps("default")
		for _, name := range []string{"p1", "p2", "p3"} {
			_, err := c.Patch(ctx, name, types.ApplyPatchType, []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"`+name+`","labels":{"paged":"yes"}}}`),
				metav1.PatchOptions{FieldManager: "ida"})
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func(ctx SpecContext) {
				Expect(members[0].Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}})).To(Succeed())
			}, NodeTimeout(time.Minute))
		}
		var names []string
		options := metav1.ListOptions{LabelSelector: "paged=yes", Limit: 2}
		for {
			page, err := c.List(ctx, options)
			Expect(err).NotTo(HaveOccurred())
			for i := range page.Items {
				names = append(names, page.Items[i].Name)
			}
			if options.Continue = page.Continue; options.Continue == "" {
				break
			}
		}
		Expect(names).To(Equal([]string{"p1", "p2", "p3"}))
	}, NodeTimeout(3*time.Minute))
})

// forwarded sends something to a port of a pod, which comes back.
func forwarded(ctx context.Context, config *rest.Config, pod string) {
	GinkgoHelper()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	Expect(err).NotTo(HaveOccurred())
	c, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	to := c.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name(pod).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, to)
	stop, ready := make(chan struct{}), make(chan struct{})
	defer close(stop)
	forwarder, err := portforward.New(dialer, []string{":80"}, stop, ready, GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-failed:
		Expect(err).NotTo(HaveOccurred())
	case <-ctx.Done():
		Fail("the port is not forwarded")
	}
	ports, err := forwarder.GetPorts()
	Expect(err).NotTo(HaveOccurred())
	connection, err := dial(ctx, int(ports[0].Local))
	Expect(err).NotTo(HaveOccurred())
	defer connection.Close() //nolint:errcheck // only read
	_, err = connection.Write([]byte("there and back\n"))
	Expect(err).NotTo(HaveOccurred())
	line, err := bufio.NewReader(connection).ReadString('\n')
	Expect(err).NotTo(HaveOccurred())
	Expect(strings.TrimSpace(line)).To(Equal("there and back"))
}
