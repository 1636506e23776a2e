// Package backup tests backups on real clusters: the executor in this process, where
// a spec needs a clock of its own, as a program, where it has to die, and in the
// host's controller, for its members. Repositories are directories, or on an S3 server
// of the suite's own.
//
// The host cluster is not joined: what runs in this process or as a program works
// there, and nobody else does.
package backup

import (
	"cmp"
	"context"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

var (
	system  *framework.System
	host    *framework.Cluster
	members []*framework.Cluster
	// dir is for repositories, logs and kubeconfigs.
	dir string
	// clients know the types of backups; by the name of the cluster.
	clients = map[string]client.WithWatch{}
)

func TestBackup(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	suite, reporter := GinkgoConfiguration()
	// Those that take long are for "make backup-long", which asks for them.
	suite.LabelFilter = cmp.Or(suite.LabelFilter, "!long")
	RunSpecs(t, "backups on real clusters", suite, reporter)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(logr.Discard())
	var err error
	dir, err = os.MkdirTemp("", "fedctl-backup-")
	Expect(err).NotTo(HaveOccurred())
	system, err = framework.Prepare(ctx, GinkgoWriter, 2, func(o *localcluster.Options) { o.Exec = true })
	Expect(err).NotTo(HaveOccurred())
	host, members = system.Host(), system.Members()
	for _, c := range append([]*framework.Cluster{host}, members...) {
		clients[c.Name] = newClient(c)
	}
	install(ctx)
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
	Expect(os.RemoveAll(dir)).To(Succeed())
}, NodeTimeout(3*time.Minute))

var _ = JustAfterEach(func() {
	kit.ReportLog(system.Controller, 25)
})

func newClient(c *framework.Cluster) client.WithWatch {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	made, err := client.NewWithWatch(c.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return made
}

// install installs the control plane and joins the members, as a user would.
func install(ctx context.Context) {
	GinkgoHelper()
	fedctl(ctx, "install", "--without-controller")
	var err error
	system.Controller, err = framework.NewController(ctx, system.Programs.Controller, dir, host)
	Expect(err).NotTo(HaveOccurred())
	system.Controller.Flags = append(system.Controller.Flags, "--backup-poll=300ms", "--backup-filesystem-roots="+dir, "--backup-storage-addresses=127.0.0.0/8")
	Expect(system.Controller.Start(ctx)).To(Succeed())
	for _, member := range members {
		fedctl(ctx, "join", member.Name, "--cluster-context", member.Name)
		fedctl(ctx, "install", "--member", member.Name, "--backup-rights", "restore")
		Expect(system.WaitForMember(ctx, member.Name, true)).To(Succeed())
	}
}

func fedctl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return kit.Fedctl(ctx, system, args...)
}

// namespace makes a namespace in a cluster, with something in it to save, and
// removes it after the spec.
func namespace(ctx context.Context, c client.Client) string {
	GinkgoHelper()
	object := &corev1.Namespace{}
	object.GenerateName = "backup-"
	Expect(c.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(c.Delete(ctx, object))).To(Succeed())
	}, NodeTimeout(3*time.Minute))
	fill(ctx, c, object.Name)
	return object.Name
}

func fill(ctx context.Context, c client.Client, namespace string) {
	GinkgoHelper()
	data := &corev1.ConfigMap{Data: map[string]string{"key": "value"}}
	data.Namespace, data.Name = namespace, "data"
	Expect(c.Create(ctx, data)).To(Succeed())
	secret := &corev1.Secret{StringData: map[string]string{"password": "correct horse battery staple"}}
	secret.Namespace, secret.Name = namespace, "encryption"
	Expect(c.Create(ctx, secret)).To(Succeed())
}
