package backup

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// connectProxy is an HTTP proxy that counts the connections made through it.
func connectProxy() (address string, tunnels *atomic.Int32) {
	tunnels = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		to, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		// The answer comes after the connection is taken over: the server must not read
		// what the client sends as soon as it has it.
		from, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, err = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
		}
		if err != nil {
			_ = to.Close()
			return
		}
		tunnels.Add(1)
		go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
		go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
	}))
	DeferCleanup(server.Close)
	return server.URL, tunnels
}

// pausing makes a pod whose hook waits until it is told to go on, so that a run can
// be met in the middle.
func pausing(ctx context.Context, c client.Client, namespace string) *pausingPod {
	GinkgoHelper()
	databasePod(ctx, c, namespace)
	return &pausingPod{begun: filepath.Join(dir, "begun-"+namespace), gone: filepath.Join(dir, "gone-"+namespace)}
}

// pausingPod has files that its hook makes and waits for.
type pausingPod struct{ begun, gone string }

func (p *pausingPod) hook() v1alpha1.Hook {
	return v1alpha1.Hook{
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "database"}}, Timeout: &metav1.Duration{Duration: 2 * time.Minute},
		Command: []string{"sh", "-c", `touch "$1"; until test -e "$2"; do sleep 0.1; done`, "hook", p.begun, p.gone},
	}
}

// waitForIt waits until the hook runs.
func (p *pausingPod) waitForIt(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func() string { return p.begun }).Should(BeAnExistingFile())
}

func (p *pausingPod) goOn() {
	GinkgoHelper()
	Expect(os.WriteFile(p.gone, nil, 0o600)).To(Succeed())
}

// pause makes the next hook wait.
func (p *pausingPod) pause() {
	GinkgoHelper()
	Expect(os.Remove(p.begun)).To(Succeed())
	Expect(os.Remove(p.gone)).To(Succeed())
}

// databasePod makes a pod and waits until it runs.
func databasePod(ctx context.Context, c client.Client, namespace string) {
	GinkgoHelper()
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "database", Image: "database"}}}}
	pod.Namespace, pod.Name, pod.Labels = namespace, "database", map[string]string{"app": "database"}
	// A namespace's service account comes a moment after it.
	Eventually(ctx, func() error { return c.Create(ctx, pod.DeepCopy()) }).Should(Succeed())
	Eventually(ctx, func() corev1.PodPhase { return current(ctx, c, pod).Status.Phase }).Should(Equal(corev1.PodRunning))
}

// Commands in pods run on this machine: kwok, which plays the kubelets, runs them.
var _ = Describe("Hooks", func() {
	var (
		member *framework.Cluster
		c      client.Client
		ns     string
		// said is the file that the commands write to.
		said string
	)
	BeforeEach(func(ctx SpecContext) {
		member = members[0]
		c = clients[member.Name]
		ns = namespace(ctx, c)
		said = filepath.Join(dir, "said-"+ns)
		databasePod(ctx, c, ns)
		store(ctx, c, ns)
	}, NodeTimeout(5*time.Minute))

	shell := func(script string) v1alpha1.Hook {
		return v1alpha1.Hook{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "database"}},
			Command:     []string{"sh", "-c", script, "hook", said}, OnError: "Fail",
		}
	}
	lines := func() []string {
		content, err := os.ReadFile(said)
		Expect(err).NotTo(HaveOccurred())
		return strings.Fields(string(content))
	}
	holder := func(ctx context.Context) string {
		lease := &coordinationv1.Lease{}
		Expect(c.Get(ctx, client.ObjectKey{Namespace: framework.KubeFedNamespace, Name: v1alpha1.ExecutorLease}, lease)).To(Succeed())
		return ptr.Deref(lease.Spec.HolderIdentity, "")
	}
	// connect changes how the control plane reaches the member, and waits until the
	// executor works that way.
	connect := func(ctx context.Context, fields map[string]any) {
		GinkgoHelper()
		before := holder(ctx)
		Eventually(ctx, func(g Gomega) {
			joined, err := system.Member(ctx, member.Name)
			g.Expect(err).NotTo(HaveOccurred())
			for _, field := range []string{"disabledTLSValidations", "proxyURL"} {
				unstructured.RemoveNestedField(joined.Object, "spec", field)
			}
			for field, value := range fields {
				g.Expect(unstructured.SetNestedField(joined.Object, value, "spec", field)).To(Succeed())
			}
			g.Expect(host.Update(ctx, joined)).To(Succeed())
		}).Should(Succeed())
		Eventually(ctx, func() string { return holder(ctx) }).ShouldNot(Or(Equal(before), BeEmpty()))
	}

	It("run in pods before and after a run, however the member is reached", func(ctx SpecContext) {
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Hooks = &v1alpha1.Hooks{Pre: []v1alpha1.Hook{shell(`echo freeze >>"$1"`)}, Post: []v1alpha1.Hook{shell(`echo thaw >>"$1"`)}}
		})
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(run.Status.Warnings).NotTo(ContainElement(HaveField("Message", HavePrefix("spec.hooks"))))
		want := []string{"freeze", "thaw"}
		Expect(lines()).To(Equal(want))

		proxy, tunnels := connectProxy()
		DeferCleanup(func(ctx SpecContext) { connect(ctx, nil) }, NodeTimeout(5*time.Minute))
		for _, fields := range []map[string]any{
			{"disabledTLSValidations": []any{"SubjectName"}},
			{"disabledTLSValidations": []any{"*"}},
			{"proxyURL": proxy},
		} {
			connect(ctx, fields)
			before := tunnels.Load()
			expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
			want = append(want, "freeze", "thaw")
			Expect(lines()).To(Equal(want), "%v", fields)
			if fields["proxyURL"] != nil {
				Expect(tunnels.Load()).To(BeNumerically(">=", before+2), "each command has a connection of its own")
			}
		}
	}, SpecTimeout(12*time.Minute))

	It("that fail end the run with what the command said, and post hooks run all the same", func(ctx SpecContext) {
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			once(s)
			s.Hooks = &v1alpha1.Hooks{Pre: []v1alpha1.Hook{shell(`echo no such database >&2; exit 3`)}, Post: []v1alpha1.Hook{shell(`echo thaw >>"$1"`)}}
		})
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed)
		Expect(run.Status.Reason).To(Equal("HookFailed"))
		Expect(run.Status.Message).To(And(ContainSubstring("spec.hooks.pre[0]"), ContainSubstring("pod "+ns+"/database"), MatchRegexp("exit (code|status) 3"), ContainSubstring("no such database")))
		Expect(lines()).To(Equal([]string{"thaw"}))
		Expect(snapshots(ctx, ns)).To(BeEmpty())

		change(ctx, c, b, func(b *v1alpha1.Backup) {
			b.Spec.Hooks.Pre[0].OnError = "Continue"
			b.Spec.Hooks.Post = append(b.Spec.Hooks.Post, shell("exit 4"))
		})
		run = expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunPartiallyFailed)
		Expect(run.Status.Warnings).To(ContainElements(
			HaveField("Message", And(HavePrefix("spec.hooks.pre[0]"), ContainSubstring("no such database"))),
			HaveField("Message", And(HavePrefix("spec.hooks.post[1]"), MatchRegexp("exit (code|status) 4")))))
		Expect(lines()).To(Equal([]string{"thaw", "thaw"}))
	}, SpecTimeout(8*time.Minute))

	It("that say much are heard to their end, from both streams", func(ctx SpecContext) {
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			once(s)
			s.Hooks = &v1alpha1.Hooks{Pre: []v1alpha1.Hook{shell(`head -c 50000000 /dev/zero | tr "\0" x; printf "the last %s" words >&2; exit 3`)}}
		})
		for range 3 {
			run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed)
			Expect(run.Status.Message).To(ContainSubstring("the last words"))
			Expect(len(run.Status.Message)).To(BeNumerically("<", 1500))
		}
	}, SpecTimeout(8*time.Minute))

	It("that do not end are given up after their time-out", func(ctx SpecContext) {
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			once(s)
			slow := shell(`sleep 20`)
			slow.Timeout = &metav1.Duration{Duration: 2 * time.Second}
			s.Hooks = &v1alpha1.Hooks{Pre: []v1alpha1.Hook{slow}}
		})
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed)
		Expect(run.Status.Reason).To(Equal("HookFailed"))
		Expect(run.Status.Message).To(ContainSubstring("did not end within 2s"))
	}, SpecTimeout(8*time.Minute))
})
