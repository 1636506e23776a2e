package capture_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/capture"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

var (
	config *rest.Config
	client *kubernetes.Clientset
)

func TestCapture(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real cluster")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	RunSpecs(t, "capture")
}

var _ = BeforeSuite(func(ctx context.Context) {
	dir := filepath.Join(GinkgoT().TempDir(), "fleet")
	fleet, err := localcluster.Up(ctx, localcluster.Options{
		Dir: dir, Members: 1, DieWithParent: true, Log: GinkgoWriter,
		Without: []string{localcluster.Scheduler, localcluster.Kwok},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) { Expect(localcluster.Down(ctx, dir)).To(Succeed()) })
	config, err = fleet.Config("member-1")
	Expect(err).NotTo(HaveOccurred())
	config.WarningHandler = rest.NoWarnings{}
	config.QPS = -1
	client, err = kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(10*time.Minute))

// newNamespace makes a namespace and waits for what the cluster puts into it.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespace, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "capture-", Labels: map[string]string{"team": "a"}}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() error {
		_, err := client.CoreV1().ConfigMaps(namespace.Name).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		return err
	}).Should(Succeed())
	return namespace.Name
}

func openRepository(ctx context.Context) *repository.Repository {
	GinkgoHelper()
	r, err := repository.Open(ctx, repository.Config{
		Storage: &repository.Filesystem{Path: filepath.Join(GinkgoT().TempDir(), "repository")}, Password: "p",
		CacheDir: GinkgoT().TempDir(),
	}, repository.Owner{ClusterUID: "3d3b2f0a-0000-4000-8000-000000000001"})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) { Expect(r.Close(ctx)).To(Succeed()) })
	return r
}

func params(r *repository.Repository, namespace string, source v1alpha1.BackupSource) capture.Params {
	return capture.Params{
		Config: config, Repository: r, Source: source,
		Run: repository.Source{Namespace: namespace, Backup: "nightly", Run: "nightly-1"},
	}
}

// saved is what a snapshot holds, as <plural>[.<group>] <namespace>/<name>.
func saved(ctx context.Context, r *repository.Repository, result *capture.Result) (map[string]map[string]any, repository.Manifest) {
	GinkgoHelper()
	reader, err := r.Read(ctx, result.Snapshot.ID)
	Expect(err).NotTo(HaveOccurred())
	objects := map[string]map[string]any{}
	for _, file := range reader.Manifest().Resources {
		for data, err := range reader.Objects(ctx, file.Resource) {
			Expect(err).NotTo(HaveOccurred())
			object := decode(data)
			metadata := object["metadata"].(map[string]any)
			objects[fmt.Sprintf("%s %v/%v", file.Name(), metadata["namespace"], metadata["name"])] = object
		}
	}
	return objects, reader.Manifest()
}
