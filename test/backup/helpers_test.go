package backup

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/executor"
	"github.com/fedctl/fedctl/pkg/backup/network"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/settings"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// eachInHost gives each spec of a container a namespace of its own in the host cluster.
func eachInHost(c *client.Client, ns *string) {
	BeforeEach(func(ctx SpecContext) {
		*c = clients[host.Name]
		*ns = namespace(ctx, *c)
	}, NodeTimeout(3*time.Minute))
}

// pathOf is the directory of a namespace's repository.
func pathOf(namespace string) string { return filepath.Join(dir, "repository-"+namespace) }

// store makes the BackupRepository "store" in a namespace.
func store(ctx context.Context, c client.Client, namespace string, edit ...func(*v1alpha1.BackupRepository)) *v1alpha1.BackupRepository {
	GinkgoHelper()
	object := &v1alpha1.BackupRepository{Spec: v1alpha1.BackupRepositorySpec{
		Filesystem:          &v1alpha1.FilesystemRepository{Path: pathOf(namespace)},
		EncryptionSecretRef: v1alpha1.SecretKeyReference{Name: "encryption"},
	}}
	object.Namespace, object.Name = namespace, "store"
	for _, change := range edit {
		change(object)
	}
	Expect(c.Create(ctx, object)).To(Succeed())
	return object
}

// hanging makes a repository's server accept connections and never answer, until
// the returned function is called: whatever is in work then goes on for as long.
func hanging(repository *v1alpha1.BackupRepository) {
	GinkgoHelper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = listener.Close() })
	repository.Spec.Filesystem = nil
	repository.Spec.S3 = &v1alpha1.S3Repository{Endpoint: "http://" + listener.Addr().String(), Bucket: "bucket", Region: "us-east-1"}
}

// backup makes a Backup of its namespace that is due in a year, unless edit says
// otherwise.
func backup(ctx context.Context, c client.Client, namespace string, edit ...func(*v1alpha1.BackupSpec)) *v1alpha1.Backup {
	GinkgoHelper()
	object := &v1alpha1.Backup{Spec: v1alpha1.BackupSpec{Schedule: "@yearly", RepositoryRef: v1alpha1.LocalReference{Name: "store"}}}
	object.Namespace, object.Name = namespace, "nightly"
	for _, change := range edit {
		change(&object.Spec)
	}
	Expect(c.Create(ctx, object)).To(Succeed())
	return object
}

// manualRun asks for a run now.
func manualRun(ctx context.Context, c client.Client, of *v1alpha1.Backup) *v1alpha1.BackupRun {
	GinkgoHelper()
	return runOf(ctx, c, of, nil)
}

// scheduledRun makes a run as the schedule makes one that is due now.
func scheduledRun(ctx context.Context, c client.Client, of *v1alpha1.Backup) *v1alpha1.BackupRun {
	GinkgoHelper()
	return runOf(ctx, c, of, ptr.To(metav1.Now()))
}

func runOf(ctx context.Context, c client.Client, of *v1alpha1.Backup, scheduledFor *metav1.Time) *v1alpha1.BackupRun {
	GinkgoHelper()
	run := &v1alpha1.BackupRun{Spec: v1alpha1.BackupRunSpec{BackupRef: v1alpha1.LocalReference{Name: of.Name}, ScheduledFor: scheduledFor}}
	run.Namespace, run.GenerateName = of.Namespace, of.Name+"-run-"
	waitOutSecond(ctx, c, of)
	Expect(c.Create(ctx, run)).To(Succeed())
	return run
}

// waitOutSecond waits until the second is over in which a run of the Backup has ended: which of
// two is the newer one, nobody can tell that end in the same.
func waitOutSecond(ctx context.Context, c client.Client, of *v1alpha1.Backup) {
	GinkgoHelper()
	runs := &v1alpha1.BackupRunList{}
	Expect(c.List(ctx, runs, client.InNamespace(of.Namespace))).To(Succeed())
	now := time.Now()
	if slices.ContainsFunc(runs.Items, func(run v1alpha1.BackupRun) bool {
		return run.Status.CompletionTime != nil && run.Status.CompletionTime.Unix() == now.Unix()
	}) {
		time.Sleep(time.Until(now.Truncate(time.Second).Add(time.Second)))
	}
}

// current reads an object again.
func current[T client.Object](ctx context.Context, c client.Client, object T) T {
	GinkgoHelper()
	fresh := object.DeepCopyObject().(T)
	Expect(c.Get(ctx, client.ObjectKeyFromObject(object), fresh)).To(Succeed())
	return fresh
}

// change updates an object's spec.
func change[T client.Object](ctx context.Context, c client.Client, object T, by func(T)) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		fresh := current(ctx, c, object)
		by(fresh)
		return c.Update(ctx, fresh)
	}).Should(Succeed())
}

// expectGone waits until an object is gone.
func expectGone(ctx context.Context, c client.Client, object client.Object) {
	GinkgoHelper()
	Eventually(ctx, func() bool {
		return apierrors.IsNotFound(c.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopyObject().(client.Object)))
	}).Should(BeTrue(), "it is gone")
}

// once makes a run that fails fail for good.
func once(s *v1alpha1.BackupSpec) { s.Retry = &v1alpha1.Retry{Limit: ptr.To[int32](0)} }

// runsIn lists the runs in a namespace, the oldest first.
func runsIn(ctx context.Context, c client.Client, namespace string) []v1alpha1.BackupRun {
	GinkgoHelper()
	var list v1alpha1.BackupRunList
	Expect(c.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	slices.SortFunc(list.Items, func(a, b v1alpha1.BackupRun) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return list.Items
}

func inPhase(runs []v1alpha1.BackupRun, phase v1alpha1.RunPhase) []string {
	var names []string
	for i := range runs {
		if runs[i].Status.Phase == phase {
			names = append(names, runs[i].Name)
		}
	}
	return names
}

// expectPhase waits for a run's phase and returns the run.
func expectPhase(ctx context.Context, c client.Client, run *v1alpha1.BackupRun, phase v1alpha1.RunPhase) *v1alpha1.BackupRun {
	GinkgoHelper()
	var found *v1alpha1.BackupRun
	Eventually(ctx, func(g Gomega) {
		found = &v1alpha1.BackupRun{}
		g.Expect(c.Get(ctx, client.ObjectKeyFromObject(run), found)).To(Succeed())
		g.Expect(found.Status.Phase).To(Equal(phase), "%s: %s", found.Status.Reason, found.Status.Message)
	}).Should(Succeed())
	return found
}

// expectCondition waits for a condition of a Backup or a BackupRepository with a message
// that says so, and returns it. What is known first may be said before the rest.
func expectCondition(ctx context.Context, c client.Client, object client.Object, kind string, status metav1.ConditionStatus, reason string, says ...OmegaMatcher) string {
	GinkgoHelper()
	message := ""
	Eventually(ctx, func(g Gomega) {
		var conditions []metav1.Condition
		switch fresh := current(ctx, c, object).(type) {
		case *v1alpha1.Backup:
			conditions = fresh.Status.Conditions
		case *v1alpha1.BackupRepository:
			conditions = fresh.Status.Conditions
		case *v1alpha1.BackupRun:
			conditions = fresh.Status.Conditions
		}
		found := meta.FindStatusCondition(conditions, kind)
		g.Expect(found).NotTo(BeNil(), "condition %s", kind)
		g.Expect(string(found.Status)+" "+found.Reason).To(Equal(string(status)+" "+reason), found.Message)
		message = found.Message
		g.Expect(message).To(And(says...))
	}).Should(Succeed())
	return message
}

// snapshots lists what is in a namespace's repository.
func snapshots(ctx context.Context, namespace string) []repository.Snapshot {
	GinkgoHelper()
	open, err := repository.OpenReadOnly(ctx, repository.Config{
		Storage: &repository.Filesystem{Path: pathOf(namespace)}, Password: "correct horse battery staple",
	})
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(open.Close(ctx)).To(Succeed()) }()
	list, err := open.Snapshots(ctx, repository.Filter{})
	Expect(err).NotTo(HaveOccurred())
	return list
}

// loopback allows the servers of the suite, which are on this machine.
var loopback = network.Rules{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

// execute runs an executor for one namespace of the host cluster in this process,
// until the spec ends or the returned function is called. The clock is the
// machine's, unless one is given.
func execute(c clock.PassiveClock, namespace string, edit ...func(*executor.Options)) (stop func()) {
	GinkgoHelper()
	options := executor.Options{
		Config: host.Config, Namespace: namespace, LeaseNamespace: framework.KubeFedNamespace,
		Election: settings.Election{LeaseDuration: 15 * time.Second, RenewDeadline: 12 * time.Second, RetryPeriod: 500 * time.Millisecond},
		Backups:  settings.Defaults[settings.Backups](),
		MaxSleep: 300 * time.Millisecond, Clock: c, Network: loopback,
	}
	options.Poll = 200 * time.Millisecond
	for _, change := range edit {
		change(&options)
	}
	made, err := executor.New(options)
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		made.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	DeferCleanup(stop)
	return stop
}

// stopped is a clock that stands until it is moved.
func stopped(at time.Time) *testingclock.FakeClock { return testingclock.NewFakeClock(at) }
