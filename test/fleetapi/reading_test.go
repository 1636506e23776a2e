package fleetapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// reader runs fedctl as a user has it: the program, with a kubeconfig of its own.
type reader struct{ kubeconfig string }

// administrating lets the administrators of the host do anything in the members until the
// spec ends.
func administrating(ctx context.Context, name string) reader {
	GinkgoHelper()
	administrator(ctx, name)
	allow(ctx, host, "list-by-"+name, user(name), clusterLister)
	return readerAs(name)
}

// readerAs is a user of the host, by the context host.
func readerAs(name string) reader {
	GinkgoHelper()
	config := clientcmdapi.NewConfig()
	config.Clusters["host"] = &clientcmdapi.Cluster{Server: host.Config.Host, CertificateAuthorityData: host.Config.CAData}
	config.AuthInfos["host"] = &clientcmdapi.AuthInfo{ClientCertificateData: host.Config.CertData, ClientKeyData: host.Config.KeyData, Impersonate: name}
	config.Contexts["host"] = &clientcmdapi.Context{Cluster: "host", AuthInfo: "host"}
	config.CurrentContext = "host"
	file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, file)).To(Succeed())
	return reader{file}
}

// command has a home of its own: kubectl's code keeps there what is served.
func (r reader) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, system.Fedctl, append([]string{"--kubeconfig", r.kubeconfig}, args...)...)
	command.Env = append(os.Environ(), "HOME="+filepath.Dir(r.kubeconfig))
	return command
}

// result is what a command has printed, and its exit code.
type result struct {
	Out, ErrOut string
	Code        int
}

func (r reader) run(ctx context.Context, args ...string) result {
	GinkgoHelper()
	var out, errOut bytes.Buffer
	command := r.command(ctx, args...)
	command.Stdout, command.Stderr = &out, &errOut
	err := command.Run()
	var exit *exec.ExitError
	Expect(err == nil || errors.As(err, &exit)).To(BeTrue(), "%v", err)
	got := result{out.String(), errOut.String(), command.ProcessState.ExitCode()}
	GinkgoWriter.Printf("fedctl %v: %d\n%s%s", args, got.Code, got.Out, got.ErrOut)
	return got
}

// start runs a command that lasts, until the spec ends.
func (r reader) start(ctx context.Context, args ...string) *gexec.Session {
	GinkgoHelper()
	session, err := gexec.Start(r.command(context.WithoutCancel(ctx), args...), GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) {
		session.Kill()
		Eventually(ctx, session).Should(gexec.Exit())
	}, NodeTimeout(time.Minute))
	return session
}

// deployed makes a Deployment in members, one of whose pods runs in each.
func deployed(ctx context.Context, name string, in ...*framework.Cluster) {
	GinkgoHelper()
	labels := map[string]string{"app": name}
	for _, member := range in {
		deployment := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Spec: appsv1.DeploymentSpec{
				Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}},
				},
			},
		}
		Expect(member.Create(ctx, deployment)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(member.Delete(ctx, deployment))).To(Succeed()) }, NodeTimeout(time.Minute))
	}
	for _, member := range in {
		Eventually(ctx, podsRunning).WithArguments(ctx, member, name).Should(Equal(1))
	}
}

func podsRunning(ctx context.Context, member *framework.Cluster, app string) (running int, err error) {
	pods := &corev1.PodList{}
	err = member.List(ctx, pods, client.InNamespace("default"), client.MatchingLabels{"app": app})
	for i := range pods.Items {
		if pods.Items[i].Status.Phase == corev1.PodRunning {
			running++
		}
	}
	return running, err
}

// talk writes a line into the log that all pods of a member have, at a second of a minute
// that is over.
func (r reader) talk(ctx context.Context, member, app string, second int, text string) {
	GinkgoHelper()
	r.write(ctx, "logs/pods.log", member, app, second, text)
}

func (r reader) write(ctx context.Context, file, member, app string, second int, text string) {
	GinkgoHelper()
	line := fmt.Sprintf("2026-01-01T10:00:%02d.000000000Z stdout F %s", second, text)
	Eventually(ctx, func() int {
		return r.run(ctx, "exec", "deployment/"+app, "-n", "default", "--clusters", member, "--", "sh", "-c", `printf '%s\n' "$1" >>"$2"`, "talk", line, file).Code
	}).Should(BeZero())
}

// stop stops a member until the spec ends, or it is started again.
func stop(ctx context.Context, member string) {
	GinkgoHelper()
	Expect(system.Faults().StopMember(ctx, member)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(system.Faults().StartMember(ctx, member)).To(Succeed())
		Expect(system.WaitForMember(ctx, member, true)).To(Succeed())
	}, NodeTimeout(4*time.Minute))
}

// lose stops member-2, which ends a watch that requires all, and is named by another one.
func lose(ctx context.Context, strict, lenient *gexec.Session) {
	GinkgoHelper()
	stop(ctx, "member-2")
	Eventually(ctx, strict).Should(gexec.Exit(1))
	Expect(strict.Err).To(gbytes.Say("the watch has ended: cluster member-2 is missing"))
	Eventually(ctx, lenient.Err).Should(gbytes.Say("Warning: cluster member-2 is missing"))
}

// clusterLister may know which members there are.
var clusterLister = rbacv1.PolicyRule{APIGroups: []string{fleetv1alpha1.GroupVersion.Group}, Resources: []string{fleetv1alpha1.ClustersResource}, Verbs: []string{"list"}}

var logReader = rbacv1.PolicyRule{APIGroups: []string{"", "apps"}, Resources: []string{"pods", "pods/log", "deployments"}, Verbs: []string{"get", "list", "watch"}}

var _ = Describe("fedctl logs", func() {
	It("prints whole lines of all members by their times, names who is missing, and follows", func(ctx SpecContext) {
		admin := administrating(ctx, "logs-admin")
		deployed(ctx, "talk", members...)
		admin.talk(ctx, "member-1", "talk", 1, "the first")
		admin.talk(ctx, "member-2", "talk", 2, "the second")
		admin.talk(ctx, "member-1", "talk", 3, "the third \x1b[2J")

		got := admin.run(ctx, "logs", "deployment/talk", "-n", "default")
		Expect(got.Code).To(BeZero())
		Expect(got.Out).To(MatchRegexp(`(?s)\[member-1/talk-[^\]]*\] the first\n.*\[member-2/talk-[^\]]*\] the second\n.*\[member-1/talk-[^\]]*\] the third \x1b\[2J\n`))
		Expect(got.ErrOut).To(ContainSubstring("through the API of the fleet in host"))
		got = admin.run(ctx, "logs", "-l", "app=talk", "-n", "default", "--clusters", "member-1,nosuch", "--tail", "1", "--timestamps")
		Expect(got.Code).To(Equal(1))
		Expect(got.Out).To(MatchRegexp(`^\[member-1/talk-[^\]]*\] 2026-01-01T10:00:03Z the third \x1b\[2J\n$`))
		Expect(got.ErrOut).To(ContainSubstring("Warning: cluster nosuch is missing (NotFound)"))
		Expect(admin.run(ctx, "logs", "deployment/nosuch", "-n", "default").Code).To(Equal(1))

		By("following: lines that come, pods that come, and an interrupt")
		follow := admin.start(ctx, "logs", "deployment/talk", "-n", "default", "-f")
		Eventually(ctx, follow.Out).Should(gbytes.Say(`the second`))
		admin.talk(ctx, "member-2", "talk", 4, "one that comes")
		Eventually(ctx, follow.Out).Should(gbytes.Say(`\[member-2/talk-[^\]]*\] one that comes\n`))
		kit.Change(ctx, members[1], kit.Named("apps/v1", "Deployment", "default", "talk"), func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/replicas", int64(2)) })
		Eventually(ctx, podsRunning).WithArguments(ctx, members[1], "talk").Should(Equal(2))
		pods := &corev1.PodList{}
		Expect(members[1].List(ctx, pods, client.InNamespace("default"), client.MatchingLabels{"app": "talk"})).To(Succeed())
		for i := range pods.Items {
			Eventually(ctx, func() []byte { return follow.Out.Contents() }).Should(ContainSubstring("[member-2/" + pods.Items[i].Name + "] one that comes\n"))
		}
		follow.Interrupt()
		Eventually(ctx, follow).Should(gexec.Exit(130))
	}, NodeTimeout(5*time.Minute))

	It("prints those of the Jobs that a CronJob owns, and of no other", func(ctx SpecContext) {
		admin := administrating(ctx, "logs-cron")
		deployed(ctx, "cron-talk", members[0])
		spec := batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main", Image: "none"}}}}}
		cronJob := &batchv1.CronJob{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "yearly"},
			Spec:       batchv1.CronJobSpec{Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: spec}},
		}
		Expect(members[0].Create(ctx, cronJob)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(members[0].Delete(ctx, cronJob)).To(Succeed()) }, NodeTimeout(time.Minute))
		got := admin.run(ctx, "logs", "cronjob/yearly", "-n", "default")
		Expect(got.Code).To(Equal(1))
		Expect(got.ErrOut).To(ContainSubstring("there are no logs of cronjob/yearly"))
		follow := admin.start(ctx, "logs", "cj/yearly", "-n", "default", "--clusters", "member-1", "-f")
		for _, name := range []string{"yearly-1", "yearly-2", "by-hand"} {
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: spec}
			if name != "by-hand" {
				Expect(controllerutil.SetControllerReference(cronJob, job, host.Scheme())).To(Succeed())
			}
			Expect(members[0].Create(ctx, job)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) {
				Expect(client.IgnoreNotFound(members[0].Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground)))).To(Succeed())
			}, NodeTimeout(time.Minute))
		}
		admin.talk(ctx, "member-1", "cron-talk", 9, "of a year")
		Eventually(ctx, func() string { return admin.run(ctx, "logs", "cronjob/yearly", "-n", "default").Out }).Should(And(
			MatchRegexp(`\[member-1/yearly-1-[^\]]*\] of a year`), MatchRegexp(`\[member-1/yearly-2-[^\]]*\] of a year`), Not(ContainSubstring("by-hand")), Not(ContainSubstring("cron-talk")),
		))
		Eventually(ctx, func() []byte { return follow.Out.Contents() }).Should(And(MatchRegexp(`\[member-1/yearly-1-[^\]]*\] of a year`), MatchRegexp(`\[member-1/yearly-2-[^\]]*\] of a year`)))
	}, NodeTimeout(5*time.Minute))

	It("prints those of the containers before a restart, and names pods that have none", func(ctx SpecContext) {
		admin := administrating(ctx, "logs-previous")
		deployed(ctx, "again", members...)
		admin.talk(ctx, "member-1", "again", 11, "after the restart")
		admin.write(ctx, "logs/previous.log", "member-1", "again", 10, "why it has ended")
		DeferCleanup(func(ctx SpecContext) {
			admin.run(ctx, "exec", "deployment/again", "-n", "default", "--clusters", "member-1", "--", "rm", "logs/previous.log")
		}, NodeTimeout(time.Minute))
		got := admin.run(ctx, "logs", "deployment/again", "-n", "default", "--previous")
		Expect(got.Out).To(MatchRegexp(`^\[member-1/again-[^\]]*\] why it has ended\n$`))
		Expect(got.ErrOut).To(MatchRegexp(`Warning: the log of member-2/again-\S+: \S+`))
		Expect(got.Code).To(Equal(1))
		got = admin.run(ctx, "logs", "deployment/again", "-n", "default", "-p", "--clusters", "member-1")
		Expect(got.Out).To(MatchRegexp(`^\[member-1/again-[^\]]*\] why it has ended\n$`))
		Expect(got.Code).To(BeZero())
		got = admin.run(ctx, "logs", "deployment/again", "-n", "default", "-p", "-f")
		Expect(got.Code).To(Equal(1))
		Expect(got.ErrOut).To(ContainSubstring("--previous and --follow exclude each other"))
	}, NodeTimeout(5*time.Minute))

	It("ends when the pod that it follows is gone", func(ctx SpecContext) {
		admin := administrating(ctx, "logs-vanish")
		deployed(ctx, "vanish", members[0])
		pods := &corev1.PodList{}
		Expect(members[0].List(ctx, pods, client.InNamespace("default"), client.MatchingLabels{"app": "vanish"})).To(Succeed())
		admin.talk(ctx, "member-1", "vanish", 5, "before it goes")
		follow := admin.start(ctx, "logs", pods.Items[0].Name, "-n", "default", "-f")
		Eventually(ctx, follow.Out).Should(gbytes.Say("before it goes"))
		Expect(members[0].Delete(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "vanish"}}, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		Eventually(ctx, func() bool { return apierrors.IsNotFound(members[0].Get(ctx, keyOf(&pods.Items[0]), &corev1.Pod{})) }).Should(BeTrue())
		Eventually(ctx, follow).Should(gexec.Exit(0))
	}, NodeTimeout(5*time.Minute))

	It("names a member that does not let the user read, and prints the others", func(ctx SpecContext) {
		admin := administrating(ctx, "logs-half-admin")
		deployed(ctx, "half", members...)
		admin.talk(ctx, "member-1", "half", 6, "for everybody")
		letThrough(ctx, user("logs-half"), everyVerb)
		allow(ctx, members[0], "logs-half", user("logs-half"), logReader)
		allow(ctx, host, "logs-half-list", user("logs-half"), clusterLister)
		half := readerAs("logs-half")
		var got result
		Eventually(ctx, func() string {
			got = half.run(ctx, "logs", "deployment/half", "-n", "default")
			return got.Out
		}).Should(MatchRegexp(`\[member-1/half-[^\]]*\] for everybody`))
		Expect(got.Code).To(Equal(1))
		Expect(got.ErrOut).To(ContainSubstring("cluster member-2 is missing (Forbidden): deployments.apps \"half\" is forbidden"))
	}, NodeTimeout(5*time.Minute))

	It("goes on without a member that is down, and takes it up when it is back", Serial, func(ctx SpecContext) {
		admin := administrating(ctx, "logs-down")
		deployed(ctx, "down", members...)
		admin.talk(ctx, "member-1", "down", 7, "before")
		follow := admin.start(ctx, "logs", "deployment/down", "-n", "default", "-f", "--tail", "1")
		Eventually(ctx, follow.Out).Should(gbytes.Say(`\[member-1/down-[^\]]*\] before`))
		stop(ctx, "member-2")
		Eventually(ctx, follow.Err).Should(gbytes.Say("Warning: cluster member-2 is missing"))
		Expect(system.WaitForMember(ctx, "member-2", false)).To(Succeed())
		got := admin.run(ctx, "logs", "deployment/down", "-n", "default", "--tail", "1")
		Expect(got.Code).To(Equal(1))
		Expect(got.Out).To(MatchRegexp(`\[member-1/down-[^\]]*\] before`))
		Expect(got.ErrOut).To(ContainSubstring("cluster member-2 is missing (NotReady)"))
		Expect(system.Faults().StartMember(ctx, "member-2")).To(Succeed())
		Eventually(ctx, follow.Err).Should(gbytes.Say("cluster member-2 is back"))
		Expect(system.WaitForMember(ctx, "member-2", true)).To(Succeed())
		admin.talk(ctx, "member-2", "down", 8, "after")
		Eventually(ctx, follow.Out).Should(gbytes.Say(`\[member-2/down-[^\]]*\] after`))
	}, NodeTimeout(8*time.Minute))
})

var _ = Describe("fedctl exec", func() {
	It("runs a command in one member, or in several with whose each line is", func(ctx SpecContext) {
		admin := administrating(ctx, "exec-admin")
		deployed(ctx, "shell", members...)
		var got result
		Eventually(ctx, func() int {
			got = admin.run(ctx, "exec", "deployment/shell", "-n", "default", "--cluster", "member-1", "-q", "--", "sh", "-c", "echo out; echo err >&2")
			return got.Code
		}).Should(BeZero())
		Expect(got).To(Equal(result{Out: "out\n", ErrOut: "err\n"}))
		got = admin.run(ctx, "exec", "deployment/shell", "-n", "default", "--cluster", "member-1", "--", "sh", "-c", "exit 7")
		Expect(got.Code).To(Equal(1), "the code of local clusters for any failure")
		Expect(got.ErrOut).To(ContainSubstring("exit status 7"))
		GinkgoT().Setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false")
		Expect(admin.run(ctx, "exec", "deployment/shell", "-n", "default", "--cluster", "member-1", "--", "echo", "by SPDY").Out).To(Equal("by SPDY\n"))

		By("in several")
		Eventually(ctx, func() string {
			got = admin.run(ctx, "exec", "deployment/shell", "-n", "default", "--clusters", "all", "--", "sh", "-c", "echo one; echo two; exit 3")
			return got.Out
		}).Should(And(
			MatchRegexp(`(?m)^\[member-1/shell-\S+\] one$`), MatchRegexp(`(?m)^\[member-1/shell-\S+\] two$`),
			MatchRegexp(`(?m)^\[member-2/shell-\S+\] one$`), MatchRegexp(`(?m)^\[member-2/shell-\S+\] two$`),
		))
		Expect(got.ErrOut).To(MatchRegexp(`(?m)^\[member-2/shell-\S+\] .*exit status 3`))
		Expect(got.Code).To(Equal(1))
		got = admin.run(ctx, "exec", "deployment/shell", "-n", "default", "--clusters", "member-1,nosuch", "--", "true")
		Expect(got.Code).To(Equal(1))
		Expect(got.ErrOut).To(ContainSubstring("cluster nosuch is missing (NotFound)"))
		got = admin.run(ctx, "exec", "deployment/shell", "-n", "default", "--clusters", "all", "-i", "--", "cat")
		Expect(got.Code).To(Equal(1))
		Expect(got.ErrOut).To(ContainSubstring("cannot be that of 2 clusters"))

		By("with input, and interrupted")
		command := admin.command(ctx, "exec", "deployment/shell", "-n", "default", "--cluster", "member-2", "-q", "-i", "--", "sh", "-c", `read -r line; echo "$line"`)
		command.Stdin = bytes.NewBufferString("there and back\n")
		out, err := command.Output()
		Expect(err).NotTo(HaveOccurred())
		Expect(string(out)).To(Equal("there and back\n"))
		lasting := admin.start(ctx, "exec", "deployment/shell", "-n", "default", "--clusters", "all", "--", "sh", "-c", "echo begun; exec sleep 300")
		Eventually(ctx, lasting.Out).Should(gbytes.Say("begun"))
		lasting.Interrupt()
		Eventually(ctx, lasting).Should(gexec.Exit(130))
	}, NodeTimeout(5*time.Minute))
})

// happened makes an event in a member until the spec ends.
func happened(ctx context.Context, member *framework.Cluster, name, kind string, minutesAgo int, object corev1.ObjectReference, message string) {
	GinkgoHelper()
	at := metav1.NewTime(time.Now().Add(-time.Duration(minutesAgo) * time.Minute))
	object.Namespace = "default"
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, InvolvedObject: object,
		Type: kind, Reason: "Tried", Message: message, FirstTimestamp: at, LastTimestamp: at, Count: 1,
	}
	Expect(member.Create(ctx, event)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(member.Delete(ctx, event)).To(Succeed()) }, NodeTimeout(time.Minute))
}

var _ = Describe("fedctl events", func() {
	It("shows those of all members by their last times, and those that come", func(ctx SpecContext) {
		admin := administrating(ctx, "events-admin")
		web := corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "evented"}
		other := corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Name: "evented"}
		happened(ctx, members[0], "e1", "Warning", 30, web, "the oldest \x1b[2J")
		happened(ctx, members[1], "e2", "Normal", 20, web, "the one between")
		happened(ctx, members[0], "e3", "Warning", 10, web, "the latest")
		happened(ctx, members[1], "e4", "Warning", 5, other, "of a pod")
		got := admin.run(ctx, "events", "-n", "default", "--for", "deployment/evented")
		Expect(got.Code).To(BeZero())
		Expect(got.Out).To(MatchRegexp(`(?s)^CLUSTER +LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\nmember-1 +30m +Warning +Tried +Deployment/evented +the oldest \[2J\nmember-2 +20m +Normal .*the one between\nmember-1 +10m .*the latest\n$`))
		got = admin.run(ctx, "events", "-A", "--types", "Warning", "-o", "json", "--clusters", "member-2,nosuch")
		Expect(got.Code).To(Equal(1))
		Expect(got.Out).To(And(ContainSubstring(`"message": "of a pod"`), Not(ContainSubstring("the one between"))))
		Expect(got.ErrOut).To(ContainSubstring("cluster nosuch is missing (NotFound)"))

		By("watching")
		watch := admin.start(ctx, "events", "-n", "default", "--for", "deploy/evented", "-w")
		Eventually(ctx, watch.Out).Should(gbytes.Say("the latest"))
		happened(ctx, members[1], "e5", "Normal", 0, web, "one that comes")
		Eventually(ctx, watch.Out).Should(gbytes.Say(`member-2 .*one that comes\n`))
		watch.Interrupt()
		Eventually(ctx, watch).Should(gexec.Exit(130))
	}, NodeTimeout(3*time.Minute))
})

var _ = Describe("fedctl top pods", func() {
	It("names members that have no metrics API", func(ctx SpecContext) {
		got := administrating(ctx, "top-admin").run(ctx, "top", "pods", "-A")
		Expect(got.Code).To(Equal(1))
		for _, member := range members {
			Expect(got.ErrOut).To(ContainSubstring("cluster " + member.Name + " is missing (NotServed): it has no metrics API"))
		}
	}, NodeTimeout(2*time.Minute))

	It("names a member that is down with the reason that its way has for it", Serial, func(ctx SpecContext) {
		admin, own := administrating(ctx, "top-down"), reader{copyOf(system.Kubeconfig())}
		stop(ctx, "member-2")
		contexts := own.run(ctx, "--context", "host", "top", "pods", "-n", "default", "--via", "contexts")
		Expect(contexts.ErrOut).To(ContainSubstring("cluster member-2 is missing (NoContext): context member-2 does not lead there now: "))
		Expect(system.WaitForMember(ctx, "member-2", false)).To(Succeed())
		through := admin.run(ctx, "top", "pods", "-n", "default")
		Expect(through.ErrOut).To(ContainSubstring("cluster member-2 is missing (NotReady): ClusterNotReachable"))
		for _, got := range []result{contexts, through} {
			Expect(got.ErrOut).To(And(ContainSubstring("cluster member-1 is missing (NotServed): it has no metrics API"), ContainSubstring("No metrics of pods in namespace default of the members.")))
			Expect(got.Code).To(Equal(1))
		}
	}, NodeTimeout(8*time.Minute))
})

var _ = Describe("fedctl get --clusters -w", func() {
	It("ends with the error that the watch is ended by, and when it is interrupted", Serial, func(ctx SpecContext) {
		admin := administrating(ctx, "get-watch")
		labelled(ctx, members[0], "watched", "a")
		labelled(ctx, members[1], "watched", "b")
		args := []string{"get", "configmaps", "-n", "default", "-l", "all=watched", "--clusters", "all", "-w"}
		strict, lenient := admin.start(ctx, append(args, "--require-all")...), admin.start(ctx, args...)
		for _, w := range []*gexec.Session{strict, lenient} {
			Eventually(ctx, w.Out).Should(gbytes.Say(`member-2 +b `))
		}
		labelled(ctx, members[0], "watched", "c")
		for _, w := range []*gexec.Session{strict, lenient} {
			Eventually(ctx, w.Out).Should(gbytes.Say(`member-1 +c `))
		}
		lose(ctx, strict, lenient)
		labelled(ctx, members[0], "watched", "d")
		Eventually(ctx, lenient.Out).Should(gbytes.Say(`member-1 +d `))
		lenient.Interrupt()
		Eventually(ctx, lenient).Should(gexec.Exit(130))
	}, NodeTimeout(6*time.Minute))

	It("is taken up again where the server has ended it", Serial, func(ctx SpecContext) {
		admin := administrating(ctx, "get-again")
		labelled(ctx, members[0], "again", "a")
		w := admin.start(ctx, "get", "configmaps", "-n", "default", "-l", "all=again", "--clusters", "all", "-w", "-o", "name")
		Eventually(ctx, w.Out).Should(gbytes.Say("configmap/a\n"))
		Expect(server.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			if !server.Running() {
				Expect(server.Launch()).To(Succeed())
			}
			Expect(server.WaitServed(ctx)).To(Succeed())
		}, NodeTimeout(2*time.Minute))
		Expect(server.Launch()).To(Succeed())
		labelled(ctx, members[1], "again", "b")
		Eventually(ctx, w.Out).Should(gbytes.Say("configmap/b\n"))
		Expect(bytes.Count(w.Out.Contents(), []byte("configmap/a\n"))).To(Equal(1))
	}, NodeTimeout(3*time.Minute))
})

var _ = Describe("By contexts of the user's kubeconfig", func() {
	It("members are read where the same cluster answers as has joined, and no other", func(ctx SpecContext) {
		deployed(ctx, "direct", members...)
		own := reader{copyOf(system.Kubeconfig())}
		got := own.run(ctx, "--context", "host", "logs", "deployment/direct", "-n", "default", "--via", "contexts", "--tail", "1")
		Expect(got.ErrOut).To(ContainSubstring("Reading members by contexts of your kubeconfig.\n"))
		Expect(got.Code).To(BeZero())
		get := []string{"--context", "host", "get", "pods", "-n", "default", "-l", "app=direct", "--clusters", "all", "--via", "contexts"}
		Expect(own.run(ctx, get...).Out).To(MatchRegexp(`(?s)^CLUSTER +NAME .*\nmember-1 +direct-.*\nmember-2 +direct-`))
		Expect(own.run(ctx, append(get, "-o", "name")...).Out).To(MatchRegexp(`^pod/direct-\S+\npod/direct-\S+\n$`))

		By("with contexts that are called as members and lead elsewhere")
		config, err := clientcmd.LoadFromFile(own.kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		config.Contexts["member-1"].Cluster, config.Contexts["member-1"].AuthInfo = config.Contexts["member-2"].Cluster, config.Contexts["member-2"].AuthInfo
		delete(config.Contexts, "member-2")
		Expect(clientcmd.WriteToFile(*config, own.kubeconfig)).To(Succeed())
		got = own.run(ctx, "--context", "host", "exec", "deployment/direct", "-n", "default", "--via", "contexts", "--clusters", "all", "--", "true")
		Expect(got.Code).To(Equal(1))
		Expect(got.ErrOut).To(And(
			ContainSubstring("cluster member-1 is missing (NoContext): context member-1 leads to another cluster"),
			Not(ContainSubstring("cluster member-2 is missing")),
		), "member-2 is found by its address")
		delete(config.Contexts, "member-1")
		Expect(clientcmd.WriteToFile(*config, own.kubeconfig)).To(Succeed())
		got = own.run(ctx, "--context", "host", "events", "-A", "--via", "contexts")
		Expect(got.Code).To(Equal(1))
		Expect(got.ErrOut).To(ContainSubstring("cluster member-2 is missing (NoContext): no context of your kubeconfig is called member-2 or leads to " + members[1].Config.Host))
	}, NodeTimeout(3*time.Minute))
})

var _ = Describe("fedctl get --clusters -w by contexts", func() {
	It("tells what changes in each, names a member that is lost, and takes it up", Serial, func(ctx SpecContext) {
		own := reader{copyOf(system.Kubeconfig())}
		labelled(ctx, members[0], "direct", "d1")
		labelled(ctx, members[1], "direct", "d2")
		args := []string{"--context", "host", "get", "configmaps", "-n", "default", "-l", "all=direct", "--clusters", "all", "--via", "contexts", "-w"}
		table, names, strict := own.start(ctx, append(args, "--output-watch-events")...), own.start(ctx, append(args, "-o", "name")...), own.start(ctx, append(args, "--require-all")...)
		Eventually(ctx, table.Out).Should(gbytes.Say(`(?s)EVENT +CLUSTER +NAME .*\nADDED +member-1 +d1 .*\nADDED +member-2 +d2 `))
		Eventually(ctx, names.Out).Should(gbytes.Say("configmap/d1\nconfigmap/d2\n"))
		Eventually(ctx, strict.Out).Should(gbytes.Say("d2"))
		labelled(ctx, members[1], "direct", "d3")
		Eventually(ctx, table.Out).Should(gbytes.Say(`ADDED +member-2 +d3 `))
		Eventually(ctx, names.Out).Should(gbytes.Say("configmap/d3\n"))
		lose(ctx, strict, table)
		labelled(ctx, members[0], "direct", "d4")
		Eventually(ctx, table.Out).Should(gbytes.Say(`ADDED +member-1 +d4 `))
		late := own.start(ctx, append(args, "-o", "name")...)
		Eventually(ctx, late.Err).Should(gbytes.Say("cluster member-2 is missing"))
		Eventually(ctx, late.Out).Should(gbytes.Say("configmap/d4\n"))

		Expect(system.Faults().StartMember(ctx, "member-2")).To(Succeed())
		for _, w := range []*gexec.Session{table, late} {
			Eventually(ctx, w.Err).Should(gbytes.Say("cluster member-2 is back"))
		}
		Expect(members[1].Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "d3"}})).To(Succeed())
		Eventually(ctx, table.Out).Should(gbytes.Say(`DELETED +member-2 +d3 `))
		Eventually(ctx, func() []byte { return late.Out.Contents() }).Should(ContainSubstring("configmap/d2\n"), "as it was missing in the list")
		Expect(bytes.Count(names.Out.Contents(), []byte("configmap/d1\n"))).To(Equal(1))
		table.Interrupt()
		Eventually(ctx, table).Should(gexec.Exit(130))
	}, NodeTimeout(8*time.Minute))
})

var _ = Describe("fedctl get TYPE NAME --clusters -w", func() {
	It("begins although the object has not changed for longer than its cluster remembers", Serial, func(ctx SpecContext) {
		admin := administrating(ctx, "get-old")
		// A restarted API server remembers nothing that was before.
		stop(ctx, "member-2")
		Expect(system.WaitForMember(ctx, "member-2", false)).To(Succeed())
		Expect(system.Faults().StartMember(ctx, "member-2")).To(Succeed())
		Expect(system.WaitForMember(ctx, "member-2", true)).To(Succeed())
		watches := []*gexec.Session{
			admin.start(ctx, "get", "namespace", "default", "--clusters", "member-2", "-w", "-o", "name"),
			admin.start(ctx, "get", "namespaces/default", "--clusters", "member-2", "-w", "--output-watch-events"),
			reader{copyOf(system.Kubeconfig())}.start(ctx, "--context", "host", "get", "ns", "default", "--clusters", "member-2", "--via", "contexts", "-w", "-o", "name"),
		}
		for _, w := range watches {
			Eventually(ctx, w.Out).Should(gbytes.Say("default"))
		}
		kit.Change(ctx, members[1], kit.Named("v1", "Namespace", "", "default"), func(u *unstructured.Unstructured) { u.SetAnnotations(map[string]string{"watched": "yes"}) })
		Eventually(ctx, watches[1].Out).Should(gbytes.Say(`MODIFIED +member-2 +default`))
		for _, w := range watches {
			Eventually(ctx, func() int { return bytes.Count(w.Out.Contents(), []byte("default")) }).Should(Equal(2))
			Expect(w).NotTo(gexec.Exit())
		}
		Expect(admin.run(ctx, "get", "namespace", "nosuch", "--clusters", "all", "-w", "--ignore-not-found").Code).To(BeZero())
		Expect(admin.run(ctx, "get", "namespace", "nosuch", "--clusters", "all", "-w").Code).To(Equal(1))
	}, NodeTimeout(6*time.Minute))
})

var _ = Describe("fedctl tree", func() {
	It("shows what came of a federated object, down to pods, and what is wrong", func(ctx SpecContext) {
		admin := administrating(ctx, "tree-admin")
		allow(ctx, host, "tree-admin-host", user("tree-admin"), anything)
		for _, manifest := range []string{
			`{apiVersion: v1, kind: Namespace, metadata: {name: grown}}`,
			`{apiVersion: types.kubefed.io/v1beta1, kind: FederatedNamespace, metadata: {name: grown, namespace: grown}, spec: {placement: {clusterSelector: {}}}}`,
			`{apiVersion: types.kubefed.io/v1beta1, kind: FederatedDeployment, metadata: {name: web, namespace: grown}, spec: {placement: {clusterSelector: {}}, template: {spec: {
				replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}, annotations: {local.fedctl.io/ready: "false"}}, spec: {containers: [{name: main, image: none}]}}}}}}`,
		} {
			object := kit.Parse(manifest)
			Expect(host.Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, object))).To(Succeed()) }, NodeTimeout(2*time.Minute))
		}
		var got result
		Eventually(ctx, func() string {
			got = admin.run(ctx, "tree", "deploy/web", "-n", "grown")
			return got.Out
		}).Should(MatchRegexp(`(?s)FederatedDeployment/web .*─ Cluster/member-1 +OK.*─ Deployment/web +Progressing.*─ ReplicaSet/web-\w+ .*─ Pod/web-\S+ +Progressing.*─ Cluster/member-2 +OK.*─ Pod/web-`))
		Expect(got.Code).To(BeZero())
		pods := &corev1.PodList{}
		Expect(members[0].List(ctx, pods, client.InNamespace("grown"))).To(Succeed())
		Expect(pods.Items).To(HaveLen(1))
		event := &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "grown", Name: "unready"}, Type: "Warning", Reason: "Unhealthy", Message: "it does not answer", LastTimestamp: metav1.Now(),
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "grown", Name: pods.Items[0].Name, UID: pods.Items[0].UID},
		}
		Expect(members[0].Create(ctx, event)).To(Succeed())
		got = admin.run(ctx, "tree", "FederatedDeployment", "web", "-n", "grown", "--clusters", "member-1")
		Expect(got.Out).To(And(MatchRegexp(`Pod/web-\S+ .*Unhealthy \S+ ago: it does not answer`), Not(ContainSubstring("Cluster/member-2"))))
		Expect(admin.run(ctx, "tree", "deploy/web", "-n", "grown", "-o", "json").Out).To(ContainSubstring(`"reason": "Unhealthy"`))
		Expect(admin.run(ctx, "tree", "deploy/nosuch", "-n", "grown").Code).To(Equal(1))
	}, NodeTimeout(5*time.Minute))
})
