package localcluster_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/internal/localcluster"
)

var _ = Describe("A fleet", Ordered, func() {
	var (
		dir    string
		fleet  *localcluster.Fleet
		client kubernetes.Interface // of member-1, which has GPUs
	)
	options := func() localcluster.Options {
		return localcluster.Options{Dir: dir, Members: 1, GPUMembers: 1, DieWithParent: true, Log: GinkgoWriter}
	}

	BeforeAll(func(ctx context.Context) {
		dir = tempDir()
		var err error
		fleet, err = localcluster.Up(ctx, options())
		Expect(err).NotTo(HaveOccurred())
		client = clientOf(fleet, "member-1")
	})

	It("has a kubeconfig with a context per cluster, the host the current one", func(ctx context.Context) {
		raw, err := clientcmd.LoadFromFile(fleet.KubeconfigPath())
		Expect(err).NotTo(HaveOccurred())
		Expect(raw.Contexts).To(And(HaveLen(2), HaveKey("host"), HaveKey("member-1")))
		Expect(raw.CurrentContext).To(Equal("host"))
		config, err := clientcmd.NewNonInteractiveClientConfig(*raw, "member-1", nil, nil).ClientConfig()
		Expect(err).NotTo(HaveOccurred())
		member, err := kubernetes.NewForConfig(config)
		Expect(err).NotTo(HaveOccurred())
		version, err := member.Discovery().ServerVersion()
		Expect(err).NotTo(HaveOccurred())
		Expect(version.GitVersion).To(Equal(fleet.Version()))
	})

	It("reports itself as running, nodes and GPUs counted", func(ctx context.Context) {
		Eventually(func(g Gomega) { // an API server on a busy machine may answer too late once
			status := fleet.Status(ctx)
			g.Expect(status.Clusters).To(HaveLen(2))
			for _, cluster := range status.Clusters {
				g.Expect(cluster.State).To(Equal(localcluster.Running), cluster.Message)
				g.Expect(cluster.Components).To(HaveEach(HaveField("State", localcluster.Running)))
			}
			g.Expect(status.Clusters[0]).To(And(HaveField("Nodes", 1), HaveField("GPUs", 0)))
			g.Expect(status.Clusters[1]).To(And(HaveField("Nodes", 3), HaveField("GPUs", 8)))
		}).Should(Succeed())
	})

	It("fills token Secrets, and RBAC holds for the tokens", func(ctx context.Context) {
		_, err := client.CoreV1().ServiceAccounts("default").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "visitor"}}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		_, err = client.CoreV1().Secrets("default").Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "visitor", Annotations: map[string]string{corev1.ServiceAccountNameKey: "visitor"}},
			Type:       corev1.SecretTypeServiceAccountToken,
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		var secret *corev1.Secret
		Eventually(func(g Gomega) {
			var err error
			secret, err = client.CoreV1().Secrets("default").Get(ctx, "visitor", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(secret.Data).To(And(HaveKey("token"), HaveKey("ca.crt")))
		}).Should(Succeed())

		config, err := fleet.Config("member-1")
		Expect(err).NotTo(HaveOccurred())
		visitor, err := kubernetes.NewForConfig(&rest.Config{
			Host: config.Host, BearerToken: string(secret.Data["token"]), TLSClientConfig: rest.TLSClientConfig{CAData: secret.Data["ca.crt"]},
		})
		Expect(err).NotTo(HaveOccurred())
		_, err = visitor.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{})
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "got %v", err)
		Expect(err).To(MatchError(ContainSubstring("system:serviceaccount:default:visitor")))
	})

	It("makes Deployments available and completes Jobs on its nodes", func(ctx context.Context) {
		_, err := client.AppsV1().Deployments("default").Create(ctx, deployment("web", 3), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		_, err = client.BatchV1().Jobs("default").Create(ctx, &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: "once"},
			Spec:       batchv1.JobSpec{Template: podTemplate("once", corev1.RestartPolicyNever)},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func(g Gomega) {
			web, err := client.AppsV1().Deployments("default").Get(ctx, "web", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(web.Status.AvailableReplicas).To(BeEquivalentTo(3))
			job, err := client.BatchV1().Jobs("default").Get(ctx, "once", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(job.Status.Succeeded).To(BeEquivalentTo(1))
			g.Expect(job.Status.Conditions).To(ContainElement(HaveField("Type", batchv1.JobComplete)))
		}).Should(Succeed())
	})

	It("keeps pods from becoming ready when they are told to", func(ctx context.Context) {
		broken := deployment("broken", 1)
		broken.Spec.Template.Annotations = map[string]string{localcluster.ReadyAnnotation: "false"}
		_, err := client.AppsV1().Deployments("default").Create(ctx, broken, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func(g Gomega) {
			pods, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=broken"})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(pods.Items).To(HaveLen(1))
			g.Expect(pods.Items[0].Status.Phase).To(Equal(corev1.PodRunning))
			g.Expect(pods.Items[0].Status.Conditions).To(ContainElement(And(HaveField("Type", corev1.PodReady), HaveField("Status", corev1.ConditionFalse))))
		}).Should(Succeed())
	})

	It("binds GPU pods to the tainted node only with the toleration", func(ctx context.Context) {
		for _, tolerates := range []bool{false, true} {
			_, err := client.CoreV1().Pods("default").Create(ctx, gpuPod(fmt.Sprintf("gpu-%t", tolerates), tolerates), metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
		}
		Eventually(func(g Gomega) {
			bound, err := client.CoreV1().Pods("default").Get(ctx, "gpu-true", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(bound.Spec.NodeName).To(Equal("member-1-gpu-1"))
			g.Expect(bound.Status.Phase).To(Equal(corev1.PodRunning))
			pending, err := client.CoreV1().Pods("default").Get(ctx, "gpu-false", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(pending.Spec.NodeName).To(BeEmpty())
			g.Expect(pending.Status.Conditions).To(ContainElement(And(
				HaveField("Reason", corev1.PodReasonUnschedulable), HaveField("Message", ContainSubstring("untolerated taint")))))
		}).Should(Succeed())
	})

	It("hangs while it is paused and answers again afterwards", func(ctx context.Context) {
		Expect(fleet.Pause("member-1")).To(Succeed())
		config, err := fleet.Config("member-1")
		Expect(err).NotTo(HaveOccurred())
		config.Timeout = 500 * time.Millisecond
		impatient, err := kubernetes.NewForConfig(config)
		Expect(err).NotTo(HaveOccurred())
		_, err = impatient.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{})
		Expect(err).To(MatchError(Or(ContainSubstring("Timeout exceeded"), ContainSubstring("deadline exceeded"), ContainSubstring("timeout"))))
		Expect(fleet.Status(ctx).Clusters[1].State).To(Equal(localcluster.Paused))
		Expect(fleet.Resume("member-1")).To(Succeed())
		_, err = client.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
	})

	It("keeps data and endpoint of a member that is stopped and started", func(ctx context.Context) {
		Expect(fleet.StopMember(ctx, "member-1")).To(Succeed())
		Expect(fleet.StopMember(ctx, "member-1")).To(Succeed(), "stopped twice")
		Expect(fleet.Status(ctx).Clusters[1].State).To(Equal(localcluster.Stopped))
		Eventually(func() localcluster.State { return fleet.Status(ctx).Clusters[0].State }).Should(Equal(localcluster.Running))
		Expect(fleet.Pause("member-1")).To(MatchError(ContainSubstring("does not run")))
		Expect(fleet.StartMember(ctx, "member-1")).To(Succeed())
		_, err := client.AppsV1().Deployments("default").Get(ctx, "web", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred(), "the client made before the stop still works")
		_, err = client.AppsV1().Deployments("default").Create(ctx, deployment("later", 1), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func(g Gomega) {
			later, err := client.AppsV1().Deployments("default").Get(ctx, "later", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(later.Status.AvailableReplicas).To(BeEquivalentTo(1))
		}).Should(Succeed())
	})

	It("is reused by a second Up, which starts what is missing", func(ctx context.Context) {
		Expect(fleet.StopMember(ctx, "member-1")).To(Succeed())
		before := fleet.Status(ctx).Clusters[0].Components
		again, err := localcluster.Up(ctx, options())
		Expect(err).NotTo(HaveOccurred())
		Expect(again.Status(ctx).Clusters[0].Components).To(Equal(before))
		Eventually(func() localcluster.State { return again.Status(ctx).Clusters[1].State }).Should(Equal(localcluster.Running))

		other := options()
		other.Members = 2
		_, err = localcluster.Up(ctx, other)
		Expect(err).To(MatchError(ContainSubstring("holds local clusters already")))
		Eventually(func() localcluster.State { return again.Status(ctx).Clusters[0].State }).Should(Equal(localcluster.Running))
	})

	It("goes down, and down again", func(ctx context.Context) {
		Expect(fleet.Down(ctx)).To(Succeed())
		Expect(dir).NotTo(BeADirectory())
		Expect(processesOf(dir)).To(BeEmpty())
		Expect(fleet.Down(ctx)).To(Succeed())
		_, err := localcluster.Load(dir)
		Expect(err).To(MatchError(localcluster.ErrNoFleet))
	})
})

func deployment(name string, replicas int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(replicas),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: podTemplate(name, corev1.RestartPolicyAlways),
		},
	}
}

func podTemplate(name string, restart corev1.RestartPolicy) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			RestartPolicy:  restart,
			InitContainers: []corev1.Container{{Name: "init", Image: "example.com/init"}},
			Containers:     []corev1.Container{{Name: "main", Image: "example.com/main"}, {Name: "sidecar", Image: "example.com/sidecar"}},
		},
	}
}

func gpuPod(name string, tolerates bool) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "main", Image: "example.com/cuda",
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{localcluster.GPUResource: resource.MustParse("1")}},
		}}},
	}
	if tolerates {
		pod.Spec.Tolerations = []corev1.Toleration{{Key: localcluster.GPUResource, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}}
	}
	return pod
}
