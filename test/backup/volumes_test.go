package backup

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// boundClaim makes a claim that has a volume.
func boundClaim(ctx context.Context, c client.Client, namespace, name string) *corev1.PersistentVolumeClaim {
	GinkgoHelper()
	capacity := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	volume := &corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{Capacity: capacity, AccessModes: modes,
		PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp/none"}}}}
	volume.Name = namespace + "-" + name
	Expect(c.Create(ctx, volume)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(c.Delete(ctx, volume))).To(Succeed()) }, NodeTimeout(3*time.Minute))
	claim := &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{AccessModes: modes, VolumeName: volume.Name,
		StorageClassName: ptr.To(""), Resources: corev1.VolumeResourceRequirements{Requests: capacity}}}
	claim.Namespace, claim.Name = namespace, name
	Expect(c.Create(ctx, claim)).To(Succeed())
	Eventually(ctx, func() corev1.PersistentVolumeClaimPhase { return current(ctx, c, claim).Status.Phase }).Should(Equal(corev1.ClaimBound))
	return claim
}

// storageDriver says of each VolumeSnapshot in a namespace that it is ready, until the
// spec ends: these clusters have no CSI driver.
func storageDriver(c client.Client, namespace string) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			list := &unstructured.UnstructuredList{}
			list.SetAPIVersion("snapshot.storage.k8s.io/v1")
			list.SetKind("VolumeSnapshotList")
			_ = c.List(ctx, list, client.InNamespace(namespace))
			for i := range list.Items {
				_ = c.Status().Patch(ctx, &list.Items[i], client.RawPatch("application/merge-patch+json", []byte(`{"status":{"readyToUse":true}}`)))
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	DeferCleanup(func() {
		stop()
		<-done
	})
}

var _ = Describe("Volumes", func() {
	It("are saved as VolumeSnapshots by the host's executor, restored from them, and go with their run", func(ctx SpecContext) {
		member := members[0]
		c := clients[member.Name]
		_, err := envtest.InstallCRDs(member.Config, envtest.CRDInstallOptions{CRDs: framework.VolumeSnapshots()})
		Expect(err).NotTo(HaveOccurred())
		ns := namespace(ctx, c)
		store(ctx, c, ns)
		claim := boundClaim(ctx, c, ns, "data")
		storageDriver(c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Source.Volumes = "Snapshot"
			s.Retention = &v1alpha1.Retention{Last: ptr.To[int32](1), MinGood: ptr.To[int32](1)}
		})
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(run.Status.VolumeSnapshots).To(ConsistOf(HaveField("Claim", claim.Name)))
		snapshot := &unstructured.Unstructured{}
		snapshot.SetAPIVersion("snapshot.storage.k8s.io/v1")
		snapshot.SetKind("VolumeSnapshot")
		key := client.ObjectKey{Namespace: ns, Name: run.Status.VolumeSnapshots[0].Snapshot}
		Expect(c.Get(ctx, key, snapshot)).To(Succeed())
		Expect(snapshot.GetLabels()).To(HaveKeyWithValue("backup.fedctl.io/run", run.Name))

		Expect(c.Delete(ctx, claim)).To(Succeed())
		// No pod uses it: its protection ends by itself.
		expectGone(ctx, c, claim)
		done := restored(ctx, c, ns, v1alpha1.RestoreSpec{
			From: v1alpha1.RestoreSource{RepositoryRef: b.Spec.RepositoryRef, Backup: b.Name, Latest: true}, IncludedResources: []string{"persistentvolumeclaims"},
		})
		Expect(done.Status.Phase).To(Equal(v1alpha1.RunSucceeded), done.Status.Message)
		Expect(current(ctx, c, claim).Spec.DataSource).To(HaveValue(And(HaveField("Kind", "VolumeSnapshot"), HaveField("Name", key.Name))))

		By("a run that retention ends")
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectGone(ctx, c, run)
		Eventually(ctx, func() error { return c.Get(ctx, key, snapshot) }).Should(MatchError(apierrors.IsNotFound, "is not found"))
	}, SpecTimeout(8*time.Minute))
})
