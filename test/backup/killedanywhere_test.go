package backup

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// kills is how often an executor is killed, each time at another point.
const kills = 20

// points are moments within the time that something takes, and a little after it, one
// in each part of it.
func points(whole time.Duration) []time.Duration {
	random := mathrand.New(mathrand.NewPCG(uint64(GinkgoRandomSeed()), 14))
	var at []time.Duration
	for i := range kills {
		at = append(at, time.Duration((float64(i)+random.Float64())/kills*1.1*float64(whole)))
	}
	random.Shuffle(len(at), func(i, j int) { at[i], at[j] = at[j], at[i] })
	return at
}

var _ = Describe("An executor that is killed at any point", Label("long"), func() {
	var (
		c  client.Client
		ns string
	)
	eachInHost(&c, &ns)

	start := func() *framework.Process { return program(system.Kubeconfig(), "--context", host.Name) }

	// fillAnew gives some objects data that no run has saved.
	fillAnew := func(ctx context.Context) {
		GinkgoHelper()
		raw := make([]byte, 384<<10)
		for i := range 24 {
			_, err := rand.Read(raw)
			Expect(err).NotTo(HaveOccurred())
			object := &corev1.ConfigMap{Data: map[string]string{"random": base64.StdEncoding.EncodeToString(raw)}}
			object.Namespace, object.Name = ns, fmt.Sprintf("changing-%d", i)
			err = c.Update(ctx, object)
			if apierrors.IsNotFound(err) {
				err = c.Create(ctx, object)
			}
			Expect(err).NotTo(HaveOccurred())
		}
	}

	// whole makes sure that every run that says it is good is there and can be read, as
	// a whole or by what the storage lists.
	whole := func(ctx context.Context, read bool) {
		GinkgoHelper()
		open, err := repository.OpenReadOnly(ctx, repository.Config{Storage: &repository.Filesystem{Path: pathOf(ns)}, Password: password})
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(open.Close(ctx)).To(Succeed()) }()
		var ids []string
		for _, run := range runsIn(ctx, c, ns) {
			if run.Status.Phase == v1alpha1.RunSucceeded {
				ids = append(ids, run.Status.SnapshotID)
			}
		}
		damaged, err := open.VerifyAll(ctx, ids)
		Expect(err).NotTo(HaveOccurred())
		Expect(damaged).To(BeEmpty())
		for _, id := range ids {
			if read {
				Expect(open.Verify(ctx, id, true)).To(Succeed())
			}
		}
	}

	It("harms no backup", func(ctx SpecContext) {
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Retry = &v1alpha1.Retry{Limit: ptr.To[int32](10), Backoff: &metav1.Duration{Duration: 500 * time.Millisecond}}
			s.Retention = &v1alpha1.Retention{Last: ptr.To[int32](4)}
		})
		executor := start()
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		fillAnew(ctx)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		fillAnew(ctx)
		began := time.Now()
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)

		for i, at := range points(time.Since(began)) {
			By(fmt.Sprintf("killing it %s after a run was asked for, the %d. time", at.Round(time.Millisecond), i+1))
			fillAnew(ctx)
			run := manualRun(ctx, c, b)
			time.Sleep(at)
			Expect(executor.Kill()).To(Succeed())
			whole(ctx, false)

			executor = start()
			run = expectPhase(ctx, c, run, v1alpha1.RunSucceeded)
			expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
			expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionTrue, "Intact")
			Eventually(ctx, func() string { return current(ctx, c, b).Status.LastSuccess.Name }).Should(Equal(run.Name))
			whole(ctx, true)
		}

		By("having a run that nobody disturbs clean up")
		last := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		saved := map[string]string{}
		for _, snapshot := range snapshots(ctx, ns) {
			saved[snapshot.Run] = snapshot.ID
		}
		Expect(saved).To(HaveLen(4), "as the retention says, one of each run")
		Expect(saved).To(HaveKeyWithValue(last.Name, last.Status.SnapshotID))
		Expect(snapshots(ctx, ns)).To(HaveLen(4))
		kopia(ctx, ns, "snapshot", "verify", "--verify-files-percent=100")
	}, SpecTimeout(40*time.Minute))

	It("leaves no restore that says it is good and is not, and another one ends it", func(ctx SpecContext) {
		const objects = 300
		for i := range objects {
			object := &corev1.ConfigMap{Data: map[string]string{"number": fmt.Sprint(i)}}
			object.Namespace, object.Name = ns, fmt.Sprintf("many-%d", i)
			Expect(c.Create(ctx, object)).To(Succeed())
		}
		store(ctx, c, ns)
		b := backup(ctx, c, ns)
		executor := start()
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)

		into := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns + "-copy"}}
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(c.Delete(ctx, into))).To(Succeed()) }, NodeTimeout(time.Minute))
		ask := func() *v1alpha1.Restore {
			GinkgoHelper()
			object := &v1alpha1.Restore{Spec: v1alpha1.RestoreSpec{
				From:             v1alpha1.RestoreSource{RepositoryRef: v1alpha1.LocalReference{Name: "store"}, Backup: b.Name, Latest: true},
				NamespaceMapping: map[string]string{ns: into.Name}, Existing: "Update", IncludedResources: []string{"configmaps"},
			}}
			object.Namespace, object.GenerateName = ns, "restore-"
			Expect(c.Create(ctx, object)).To(Succeed())
			return object
		}
		ended := func(object *v1alpha1.Restore) v1alpha1.RestoreStatus {
			GinkgoHelper()
			Eventually(ctx, func() bool { return current(ctx, c, object).Status.Phase.Done() }).WithTimeout(2*time.Minute).Should(BeTrue(), "it ends")
			return current(ctx, c, object).Status
		}
		expectAll := func() {
			GinkgoHelper()
			var list corev1.ConfigMapList
			Expect(c.List(ctx, &list, client.InNamespace(into.Name))).To(Succeed())
			numbers := map[string]bool{}
			for _, object := range list.Items {
				if number, ok := object.Data["number"]; ok {
					Expect(object.Name).To(Equal("many-" + number))
					numbers[number] = true
				}
			}
			Expect(numbers).To(HaveLen(objects))
		}
		began := time.Now()
		Expect(ended(ask()).Phase).To(Equal(v1alpha1.RunSucceeded))
		expectAll()

		interrupted := 0
		for i, at := range points(time.Since(began)) {
			By(fmt.Sprintf("killing it %s after a restore was asked for, the %d. time", at.Round(time.Millisecond), i+1))
			Expect(c.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace(into.Name))).To(Succeed())
			object := ask()
			time.Sleep(at)
			Expect(executor.Kill()).To(Succeed())
			executor = start()
			status := ended(object)
			if status.Phase != v1alpha1.RunSucceeded {
				interrupted++
				Expect(status.Phase).To(Equal(v1alpha1.RunFailed))
				Expect(status.Reason).To(Equal("Interrupted"))
				Expect(status.Message).To(And(ContainSubstring("make another Restore"), Or(ContainSubstring("is not known"), ContainSubstring("may have restored more"))))
				status = ended(ask())
			}
			Expect(status.Phase).To(Equal(v1alpha1.RunSucceeded), status.Message)
			Expect(status.Warnings).To(BeEmpty())
			expectAll()
		}
		Expect(interrupted).To(BeNumerically(">", 0), "some were killed in the middle")
	}, SpecTimeout(30*time.Minute))
})
