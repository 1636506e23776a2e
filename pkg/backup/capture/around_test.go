package capture_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/capture"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

var repositoryFilter repository.Filter

func errorsAs[T error](err error, target *T) bool { return errors.As(err, target) }

// There is no kubelet in these clusters: every command fails. What commands say is
// not seen here, but what their failure means, and in which order they run.
var _ = Describe("Hooks", func() {
	var namespace string
	hook := func(onError string) v1alpha1.Hook {
		return v1alpha1.Hook{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
			Command: []string{"true"}, OnError: onError, Timeout: &metav1.Duration{Duration: 10 * time.Second}}
	}

	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		pod, err := client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "db", Labels: map[string]string{"app": "db"}},
			Spec:       corev1.PodSpec{NodeName: "there-is-none", Containers: []corev1.Container{{Name: "db", Image: "db"}}},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		pod.Status.Phase = corev1.PodRunning
		_, err = client.CoreV1().Pods(namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		Expect(err).NotTo(HaveOccurred())
	})

	run := func(ctx context.Context, hooks v1alpha1.Hooks) (*capture.Result, *repository.Repository, error) {
		r := openRepository(ctx)
		p := params(r, namespace, v1alpha1.BackupSource{})
		p.Hooks = &hooks
		result, err := capture.Run(ctx, p)
		return result, r, err
	}

	It("end a run when a first one fails, and leave no snapshot", func(ctx context.Context) {
		_, r, err := run(ctx, v1alpha1.Hooks{Pre: []v1alpha1.Hook{hook("Fail")}})
		var failed *capture.HookError
		Expect(errorsAs(err, &failed)).To(BeTrue(), "%v", err)
		Expect(failed.Hook).To(Equal("pre[0]"))
		Expect(err).To(MatchError(ContainSubstring("pod " + namespace + "/db")))
		snapshots, err := r.Snapshots(ctx, repositoryFilter)
		Expect(err).NotTo(HaveOccurred())
		Expect(snapshots).To(BeEmpty())
	})

	It("only warn with Continue, and make a run partial when one fails afterwards", func(ctx context.Context) {
		result, _, err := run(ctx, v1alpha1.Hooks{Pre: []v1alpha1.Hook{hook("Continue")}, Post: []v1alpha1.Hook{hook("Continue")}})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Partial).To(BeFalse())
		Expect(result.Warnings).To(ContainElements(
			HaveField("Message", HavePrefix("spec.hooks.pre[0]: ")), HaveField("Message", HavePrefix("spec.hooks.post[0]: "))))

		result, _, err = run(ctx, v1alpha1.Hooks{Post: []v1alpha1.Hook{hook("Fail")}})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Partial).To(BeTrue())
		Expect(result.Totals.Objects).To(BeNumerically(">", 0))
	})

	It("fail like commands that fail when they select no pod", func(ctx context.Context) {
		none := func(onError string) v1alpha1.Hook {
			none := hook(onError)
			none.PodSelector = metav1.LabelSelector{MatchLabels: map[string]string{"app": "none"}}
			return none
		}
		_, _, err := run(ctx, v1alpha1.Hooks{Pre: []v1alpha1.Hook{none("Fail")}})
		var failed *capture.HookError
		Expect(errorsAs(err, &failed)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(And(ContainSubstring("spec.hooks.pre[0]"), ContainSubstring("selects no running pod in the namespace "+namespace))))

		result, _, err := run(ctx, v1alpha1.Hooks{Post: []v1alpha1.Hook{none("Fail")}})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Partial).To(BeTrue())

		result, _, err = run(ctx, v1alpha1.Hooks{Pre: []v1alpha1.Hook{none("Continue")}})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Partial).To(BeFalse())
		Expect(result.Warnings).To(ContainElement(HaveField("Message", ContainSubstring("selects no running pod"))))
	})
})

var snapshotResource = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshots"}

// There is no storage driver either: the spec says in its place that a snapshot is ready.
var _ = Describe("Volumes", Ordered, func() {
	claim := func(ctx context.Context, namespace, name string) {
		GinkgoHelper()
		capacity := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
		modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
		volume := namespace + "-" + name
		_, err := client.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: volume},
			Spec: corev1.PersistentVolumeSpec{Capacity: capacity, AccessModes: modes,
				PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp/none"}}},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		none := ""
		_, err = client.CoreV1().PersistentVolumeClaims(namespace).Create(ctx, &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PersistentVolumeClaimSpec{AccessModes: modes, VolumeName: volume, StorageClassName: &none,
				Resources: corev1.VolumeResourceRequirements{Requests: capacity}},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() (corev1.PersistentVolumeClaimPhase, error) {
			found, err := client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, name, metav1.GetOptions{})
			return found.Status.Phase, err
		}).Should(Equal(corev1.ClaimBound))
	}

	It("warns where the cluster has no VolumeSnapshots", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		result, err := capture.Run(ctx, params(openRepository(ctx), namespace, v1alpha1.BackupSource{Volumes: "Snapshot"}))
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Partial).To(BeTrue())
		Expect(result.Warnings).To(ContainElement(HaveField("Resource", "volumesnapshots.snapshot.storage.k8s.io")))
	})

	It("makes a VolumeSnapshot of each claim, records it, and warns of one that is not ready in time", func(ctx context.Context) {
		_, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{CRDs: framework.VolumeSnapshots()})
		Expect(err).NotTo(HaveOccurred())
		namespace := newNamespace(ctx)
		claim(ctx, namespace, "good")
		claim(ctx, namespace, "stuck")
		snapshots, err := dynamic.NewForConfig(config)
		Expect(err).NotTo(HaveOccurred())
		driver, stop := context.WithCancel(ctx)
		DeferCleanup(stop)
		go func() {
			for driver.Err() == nil {
				_, _ = snapshots.Resource(snapshotResource).Namespace(namespace).Patch(driver, "nightly-1-good", types.MergePatchType,
					[]byte(`{"status":{"readyToUse":true}}`), metav1.PatchOptions{}, "status")
				time.Sleep(100 * time.Millisecond)
			}
		}()
		p := params(openRepository(ctx), namespace, v1alpha1.BackupSource{Volumes: "Snapshot"})
		p.SnapshotTimeout = 10 * time.Second
		result, err := capture.Run(ctx, p)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.VolumeSnapshots).To(ConsistOf(
			v1alpha1.VolumeSnapshotRecord{Namespace: namespace, Claim: "good", Snapshot: "nightly-1-good"},
			v1alpha1.VolumeSnapshotRecord{Namespace: namespace, Claim: "stuck", Snapshot: "nightly-1-stuck"}))
		Expect(result.Partial).To(BeTrue())
		Expect(result.Warnings).To(ContainElement(SatisfyAll(HaveField("Name", "stuck"), HaveField("Message", ContainSubstring("not ready")))))
		Expect(result.Warnings).NotTo(ContainElement(HaveField("Name", "good")))
		made, err := snapshots.Resource(snapshotResource).Namespace(namespace).Get(ctx, "nightly-1-good", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		source, _, _ := unstructured.NestedString(made.Object, "spec", "source", "persistentVolumeClaimName")
		Expect(source).To(Equal("good"))
	})
})
