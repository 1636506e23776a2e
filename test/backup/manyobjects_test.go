package backup

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// manyObjects are more than an executor may hold in memory, with what is in them.
const (
	manyObjects   = 100_000
	maxPeakMemory = 512 << 20
)

// countIn counts the ConfigMaps of a namespace without reading them.
func countIn(ctx context.Context, c client.Client, namespace string) int {
	GinkgoHelper()
	found, list := 0, &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	for page := ""; ; page = list.Continue {
		Expect(c.List(ctx, list, client.InNamespace(namespace), client.HasLabels{"many"}, client.Limit(5000), client.Continue(page))).To(Succeed())
		if found += len(list.Items); list.Continue == "" {
			return found
		}
	}
}

var _ = Describe("A hundred thousand objects", Label("long"), func() {
	It("are saved and restored within bounded memory", func(ctx SpecContext) {
		config := rest.CopyConfig(host.Config)
		config.QPS = -1
		c, err := client.New(config, client.Options{Scheme: clients[host.Name].Scheme()})
		Expect(err).NotTo(HaveOccurred())
		ns := namespace(ctx, c)
		text := strings.Repeat("0123456789abcdef", 64)
		creating, inTime := errgroup.WithContext(ctx)
		creating.SetLimit(32)
		for i := range manyObjects {
			creating.Go(func() error {
				object := &corev1.ConfigMap{Data: map[string]string{"number": fmt.Sprint(i), "text": text}}
				object.Namespace, object.Name, object.Labels = ns, fmt.Sprintf("many-%d", i), map[string]string{"many": ""}
				return c.Create(inTime, object)
			})
		}
		Expect(creating.Wait()).To(Succeed())

		store(ctx, c, ns)
		b := backup(ctx, c, ns)
		executor := program(system.Kubeconfig(), "--context", host.Name)
		ends := func(what string, phase func() (v1alpha1.RunPhase, string)) {
			GinkgoHelper()
			began := time.Now()
			Eventually(ctx, func() bool { p, _ := phase(); return p.Done() }).WithTimeout(40 * time.Minute).WithPolling(time.Second).Should(BeTrue())
			p, message := phase()
			Expect(p).To(Equal(v1alpha1.RunSucceeded), message)
			peak, err := executor.PeakMemory()
			Expect(err).NotTo(HaveOccurred())
			AddReportEntry(fmt.Sprintf("%s: %s, %d MiB at most", what, time.Since(began).Round(time.Second), peak>>20))
			Expect(peak).To(BeNumerically("<", maxPeakMemory))
		}
		run := manualRun(ctx, c, b)
		ends("a first run", func() (v1alpha1.RunPhase, string) {
			status := current(ctx, c, run).Status
			return status.Phase, status.Message
		})

		into := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns + "-copy"}}
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(c.Delete(ctx, into))).To(Succeed()) }, NodeTimeout(time.Minute))
		object := &v1alpha1.Restore{Spec: v1alpha1.RestoreSpec{
			From:              v1alpha1.RestoreSource{RepositoryRef: v1alpha1.LocalReference{Name: "store"}, Backup: b.Name, Latest: true},
			NamespaceMapping:  map[string]string{ns: into.Name},
			IncludedResources: []string{"configmaps"},
		}}
		object.Namespace, object.Name = ns, "many"
		Expect(c.Create(ctx, object)).To(Succeed())
		ends("a restore", func() (v1alpha1.RunPhase, string) {
			status := current(ctx, c, object).Status
			return status.Phase, status.Message
		})
		Expect(current(ctx, c, object).Status.Counts.Created).To(BeNumerically(">=", manyObjects))
		Expect(countIn(ctx, c, into.Name)).To(Equal(manyObjects))
	}, SpecTimeout(90*time.Minute))
})
