package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/schedule"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// restored carries a Restore out and returns it when it has ended.
func restored(ctx context.Context, c client.Client, namespace string, spec v1alpha1.RestoreSpec) *v1alpha1.Restore {
	GinkgoHelper()
	object := &v1alpha1.Restore{Spec: spec}
	object.Namespace, object.GenerateName = namespace, "restore-"
	Expect(c.Create(ctx, object)).To(Succeed())
	Eventually(ctx, func() bool { return current(ctx, c, object).Status.Phase.Done() }).Should(BeTrue(), "it ends")
	return current(ctx, c, object)
}

var _ = Describe("Restores", func() {
	var (
		c  client.Client
		ns string
	)
	eachInHost(&c, &ns)

	// value is what the ConfigMap "data" of a namespace says; empty if there is none.
	value := func(ctx context.Context, namespace string) string {
		GinkgoHelper()
		data := &corev1.ConfigMap{}
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "data"}, data)
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return data.Data["key"]
	}
	set := func(ctx context.Context, to string) {
		GinkgoHelper()
		data := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "data"}}
		change(ctx, c, data, func(m *corev1.ConfigMap) { m.Data["key"] = to })
	}
	elsewhere := func(name string) string {
		target := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns + "-" + name}}
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(c.Delete(ctx, target))).To(Succeed()) }, NodeTimeout(3*time.Minute))
		return target.Name
	}

	It("take the run of a time, or the latest", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns)
		execute(nil, ns)
		var ends []time.Time
		for _, text := range []string{"first", "second", "third"} {
			set(ctx, text)
			run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
			// The repository knows the moment, the run's status the second.
			for _, snapshot := range snapshots(ctx, ns) {
				if snapshot.Run == run.Name {
					ends = append(ends, snapshot.EndTime)
				}
			}
			// Whoever names a time does so in seconds.
			Eventually(ctx, func() bool { return time.Now().Truncate(time.Second).After(ends[len(ends)-1]) }).Should(BeTrue())
		}
		Expect(ends).To(HaveLen(3))
		from := v1alpha1.RestoreSource{RepositoryRef: v1alpha1.LocalReference{Name: "store"}, Backup: b.Name}
		into := func(name string, from v1alpha1.RestoreSource) (*v1alpha1.Restore, string) {
			target := elsewhere(name)
			return restored(ctx, c, ns, v1alpha1.RestoreSpec{From: from, NamespaceMapping: map[string]string{ns: target}, IncludedResources: []string{"configmaps"}}), target
		}
		from.Time = ptr.To(metav1.NewTime(ends[1].Truncate(time.Second).Add(time.Second)))
		at, target := into("at", from)
		Expect(at.Status.Phase).To(Equal(v1alpha1.RunSucceeded), at.Status.Message)
		Expect(value(ctx, target)).To(Equal("second"))
		from.Time = ptr.To(metav1.NewTime(ends[0].Add(-time.Hour)))
		early, target := into("early", from)
		Expect(early.Status.Phase).To(Equal(v1alpha1.RunFailed))
		Expect(early.Status.Message).To(ContainSubstring("had ended before"))
		Expect(value(ctx, target)).To(BeEmpty())
		from.Time, from.Latest = nil, true
		latest, target := into("latest", from)
		Expect(latest.Status.Phase).To(Equal(v1alpha1.RunSucceeded), latest.Status.Message)
		Expect(value(ctx, target)).To(Equal("third"))

		By("from the command line")
		target = elsewhere("command")
		fedctl(ctx, "backup", "restore", b.Name, "-n", ns, "--repository", "store", "--resources", "configmaps", "--wait",
			"--namespace-mapping", ns+"="+target, "--time", ends[0].Truncate(time.Second).Add(time.Second).UTC().Format(time.RFC3339))
		Expect(value(ctx, target)).To(Equal("first"))
		target = elsewhere("newest")
		fedctl(ctx, "backup", "restore", ns+"/"+b.Name, "-n", ns, "--repository", "store", "--resources", "configmaps", "--wait",
			"--namespace-mapping", ns+"="+target)
		Expect(value(ctx, target)).To(Equal("third"))
	}, SpecTimeout(10*time.Minute))

	It("do with what exists as they are told, and only select what they should", func(ctx SpecContext) {
		store(ctx, c, ns)
		marked := &corev1.ConfigMap{Data: map[string]string{"key": "marked"}}
		marked.Namespace, marked.Name, marked.Labels = ns, "marked", map[string]string{"tier": "front"}
		Expect(c.Create(ctx, marked)).To(Succeed())
		b := backup(ctx, c, ns)
		execute(nil, ns)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		set(ctx, "changed")
		spec := v1alpha1.RestoreSpec{
			From:              v1alpha1.RestoreSource{RepositoryRef: v1alpha1.LocalReference{Name: "store"}, Backup: b.Name, Latest: true},
			IncludedResources: []string{"configmaps"},
		}

		By("changing nothing in a dry run")
		dry := spec
		dry.DryRun, dry.Existing = true, "Update"
		object := restored(ctx, c, ns, dry)
		Expect(object.Status.Phase).To(Equal(v1alpha1.RunSucceeded))
		Expect(object.Status.Counts.Updated).To(BeNumerically(">=", 1))
		Expect(object.Status.Message).To(HavePrefix("dry run: "))
		Expect(value(ctx, ns)).To(Equal("changed"))

		By("leaving, refusing, and updating what is there")
		skip := spec
		skip.Existing = "Skip"
		object = restored(ctx, c, ns, skip)
		Expect(object.Status.Phase).To(Equal(v1alpha1.RunSucceeded))
		Expect(object.Status.Warnings).To(ContainElement(HaveField("Name", "data")), "what differs is named")
		Expect(value(ctx, ns)).To(Equal("changed"))
		fail := spec
		fail.Existing = "Fail"
		object = restored(ctx, c, ns, fail)
		Expect(object.Status.Phase).To(Equal(v1alpha1.RunFailed))
		Expect(value(ctx, ns)).To(Equal("changed"))
		update := spec
		update.Existing = "Update"
		object = restored(ctx, c, ns, update)
		Expect(object.Status.Phase).To(Equal(v1alpha1.RunSucceeded), object.Status.Message)
		Expect(value(ctx, ns)).To(Equal("value"))

		By("selecting by labels")
		target := elsewhere("selected")
		selected := spec
		selected.NamespaceMapping, selected.LabelSelector = map[string]string{ns: target}, &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "front"}}
		object = restored(ctx, c, ns, selected)
		Expect(object.Status.Phase).To(Equal(v1alpha1.RunSucceeded), object.Status.Message)
		Expect(c.Get(ctx, client.ObjectKey{Namespace: target, Name: "marked"}, &corev1.ConfigMap{})).To(Succeed())
		Expect(apierrors.IsNotFound(c.Get(ctx, client.ObjectKey{Namespace: target, Name: "data"}, &corev1.ConfigMap{}))).To(BeTrue())
	}, SpecTimeout(10*time.Minute))
})

// example reads the manifests of a file in examples.
func example[T any](file string, index int) T {
	GinkgoHelper()
	root, err := framework.Root()
	Expect(err).NotTo(HaveOccurred())
	content, err := os.ReadFile(filepath.Join(root, "examples", file))
	Expect(err).NotTo(HaveOccurred())
	objects, err := framework.ParseYAML(string(content))
	Expect(err).NotTo(HaveOccurred())
	Expect(len(objects)).To(BeNumerically(">", index))
	raw, err := yaml.Marshal(objects[index].Object)
	Expect(err).NotTo(HaveOccurred())
	var typed T
	Expect(yaml.UnmarshalStrict(raw, &typed)).To(Succeed())
	return typed
}

var _ = Describe("The examples", func() {
	It("save a fleet each night, and restore one cluster into another", func(ctx SpecContext) {
		first, second := members[0], members[1]
		Expect([]string{first.Name, second.Name}).To(Equal([]string{"member-1", "member-2"}), "as the examples call them")
		demo := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "demo"}}
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, demo))).To(Succeed()) }, NodeTimeout(3*time.Minute))
		for _, file := range []string{"00-namespace.yaml", "60-backup.yaml"} {
			Expect(framework.ApplyFile(ctx, host, filepath.Join("examples", file))).To(Succeed())
		}
		b := nightly("demo")
		for _, member := range []*framework.Cluster{first, second} {
			c := clients[member.Name]
			Eventually(ctx, func() error { return c.Get(ctx, client.ObjectKeyFromObject(b), b.DeepCopy()) }).Should(Succeed())
			fill(ctx, c, "demo")
			store(ctx, c, "demo", func(r *v1alpha1.BackupRepository) {
				r.Name, r.Spec.Filesystem.Path = "offsite", pathOf("demo-"+member.Name)
			})
			expectCondition(ctx, c, b, v1alpha1.ConditionScheduled, metav1.ConditionTrue, "Scheduled")

			By("moving each cluster's start by a part of the window of its own, in " + member.Name)
			have := current(ctx, c, b)
			offset := schedule.Offset(30*time.Minute, string(uidOf(ctx, c)), "demo/nightly")
			parsed, err := schedule.Parse(have.Spec.Schedule, have.Spec.TimeZone)
			Expect(err).NotTo(HaveOccurred())
			tick := have.Status.NextRun.Add(-offset)
			Expect(parsed.Next(tick.Add(-time.Second))).To(BeTemporally("==", tick), "%s after a time of the schedule", offset)
		}
		Expect(*current(ctx, clients[first.Name], b).Spec.Retention.Daily).To(Equal(int32(7)))
		longer := current(ctx, clients[second.Name], b).Spec
		Expect(*longer.Retention.Daily).To(Equal(int32(30)))
		Expect(*longer.Retention.Monthly).To(Equal(int32(12)))
		Expect(longer.Objective.MaxAge.Duration).To(Equal(7 * time.Hour))

		By("restoring what one has saved into the other, as it is there")
		from, into := clients[first.Name], clients[second.Name]
		web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "web"}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx"}}}},
		}}
		Expect(from.Create(ctx, web)).To(Succeed())
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "disk"}, Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: ptr.To("theirs"), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		}}
		Expect(from.Create(ctx, claim)).To(Succeed())
		expectPhase(ctx, from, manualRun(ctx, from, b), v1alpha1.RunSucceeded)

		repository := example[v1alpha1.BackupRepository](filepath.Join("member", "restore.yaml"), 0)
		repository.Spec.S3, repository.Spec.Filesystem = nil, &v1alpha1.FilesystemRepository{Path: pathOf("demo-" + first.Name)}
		Expect(repository.Spec.ReadOnly).To(BeTrue())
		secret := &corev1.Secret{StringData: map[string]string{"password": password}}
		secret.Namespace, secret.Name = "demo", repository.Spec.EncryptionSecretRef.Name
		Expect(into.Create(ctx, secret)).To(Succeed())
		Expect(into.Create(ctx, &repository)).To(Succeed())
		wanted := example[v1alpha1.Restore](filepath.Join("member", "restore.yaml"), 1)
		target := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: wanted.Spec.NamespaceMapping["demo"]}}
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(into.Delete(ctx, target))).To(Succeed()) }, NodeTimeout(3*time.Minute))

		foreign := wanted.Spec
		foreign.From.Cluster = ""
		Expect(restored(ctx, into, "demo", foreign).Status.Reason).To(Equal("ForeignOwner"), "nobody restores another cluster's data by mistake")
		wanted.Spec.From.Cluster = string(uidOf(ctx, from))
		done := restored(ctx, into, "demo", wanted.Spec)
		Expect(done.Status.Phase).To(Equal(v1alpha1.RunSucceeded), fmt.Sprint(done.Status))
		in := func(object client.Object) client.Object {
			object.SetNamespace(target.Name)
			Expect(into.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			return object
		}
		data := in(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "data"}}).(*corev1.ConfigMap)
		Expect(data.Data).To(HaveKeyWithValue("key", "value"))
		web = in(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}}).(*appsv1.Deployment)
		Expect(web.Spec.Template.Spec.Tolerations).To(ConsistOf(corev1.Toleration{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists}))
		claim = in(&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "disk"}}).(*corev1.PersistentVolumeClaim)
		Expect(*claim.Spec.StorageClassName).To(Equal("standard"))
	}, SpecTimeout(10*time.Minute))
})
