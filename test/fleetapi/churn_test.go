package fleetapi

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// churnEnv says how long the churn lasts: "1h", for example. By default it is short, so that
// the suite is.
const churnEnv = "FEDCTL_CHURN"

func churnTime() time.Duration {
	GinkgoHelper()
	value := os.Getenv(churnEnv)
	if value == "" {
		return 40 * time.Second
	}
	d, err := time.ParseDuration(value)
	Expect(err).NotTo(HaveOccurred(), churnEnv)
	return d
}

// step is how long a writer takes for one change at least: a churn that lasts leaves the
// machine to others, too.
const step = 20 * time.Millisecond

// churn creates, changes and deletes ConfigMaps of a namespace, until ctx ends.
func churn(ctx context.Context, c *framework.Cluster, namespace string, writer int) error {
	const names = 60                                   // of each writer
	random := rand.New(rand.NewPCG(uint64(writer), 1)) // the same each time
	pace := time.NewTicker(step)
	defer pace.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		<-pace.C
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("churned-%d-%d", writer, random.IntN(names))}}
		err := c.Get(ctx, keyOf(object), object)
		switch {
		case apierrors.IsNotFound(err):
			object.Data = map[string]string{"n": fmt.Sprint(n)}
			err = c.Create(ctx, object)
		case err == nil && random.IntN(3) == 0:
			err = client.IgnoreNotFound(c.Delete(ctx, object))
		case err == nil:
			object.Data = map[string]string{"n": fmt.Sprint(n)}
			err = c.Update(ctx, object)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// caches are informers of a namespace's ConfigMaps of each kind that there is: typed, in
// protobuf; of the metadata alone; and of anything, in JSON.
func caches(ctx context.Context, config *rest.Config, namespace string) map[string]cache.SharedIndexInformer {
	GinkgoHelper()
	configMaps := corev1.SchemeGroupVersion.WithResource("configmaps")
	binary := rest.CopyConfig(config)
	binary.ContentType = "application/vnd.kubernetes.protobuf"
	typed := informers.NewSharedInformerFactoryWithOptions(clientOf(binary), 0, informers.WithNamespace(namespace))
	metadataClient, err := metadata.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	thin := metadatainformer.NewFilteredSharedInformerFactory(metadataClient, 0, namespace, nil)
	dynamicClient, err := dynamic.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	whole := dynamicinformer.NewFilteredDynamicSharedInformerFactory(dynamicClient, 0, namespace, nil)
	all := map[string]cache.SharedIndexInformer{
		"typed": typed.Core().V1().ConfigMaps().Informer(), "metadata": thin.ForResource(configMaps).Informer(), "dynamic": whole.ForResource(configMaps).Informer(),
	}
	for name, informer := range all {
		go informer.RunWithContext(ctx)
		Eventually(ctx, informer.HasSynced).Should(BeTrue(), name)
	}
	return all
}

// versions are the versions of the objects in a cache, by name.
func versions(informer cache.SharedIndexInformer) map[string]string {
	GinkgoHelper()
	held := map[string]string{}
	for _, object := range informer.GetStore().List() {
		m, err := meta.Accessor(object)
		Expect(err).NotTo(HaveOccurred())
		held[m.GetName()] = m.GetResourceVersion()
	}
	return held
}

var _ = Describe("Informers", Serial, func() {
	It("hold what the member holds, whatever comes and goes, also when the server is another", func(ctx SpecContext) {
		admin := administrator(ctx, "lena")
		c := members[0]
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "churned"}}
		Expect(c.Create(ctx, namespace)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(c.Delete(ctx, namespace)).To(Succeed()) }, NodeTimeout(time.Minute))
		following, leave := context.WithCancel(ctx)
		defer leave()
		held := caches(following, through(admin, c.Name), namespace.Name)

		for part := range 2 {
			writing, stop := context.WithTimeout(ctx, churnTime()/2)
			const writers = 2
			ended := make(chan error, writers)
			for writer := range writers {
				go func() { ended <- churn(writing, c, namespace.Name, writer) }()
			}
			for range writers {
				Eventually(ctx, ended).WithTimeout(churnTime() + time.Minute).Should(Receive(Succeed()))
			}
			stop()
			list := &corev1.ConfigMapList{}
			Expect(c.List(ctx, list, client.InNamespace(namespace.Name))).To(Succeed())
			want := map[string]string{}
			for i := range list.Items {
				want[list.Items[i].Name] = list.Items[i].ResourceVersion
			}
			Expect(len(want)).To(BeNumerically(">", 10), "the churn leaves something to compare")
			for name, informer := range held {
				Eventually(ctx, func() map[string]string { return versions(informer) }).Should(Equal(maps.Clone(want)), "%s, part %d", name, part)
			}
			if part == 0 {
				By("the server ending, and another one beginning")
				Expect(server.Stop(ctx)).To(Succeed())
				Expect(server.Launch()).To(Succeed())
				Expect(server.WaitServed(ctx)).To(Succeed())
			}
		}
	}, NodeTimeout(churnTimeout()))
})

// churnTimeout is read before there is a spec: what is wrong with the time is said there.
func churnTimeout() time.Duration {
	d, _ := time.ParseDuration(os.Getenv(churnEnv)) // see churnTime
	return d + 6*time.Minute
}
