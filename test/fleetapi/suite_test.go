// Package fleetapi holds the API server of the fleet against real clusters: a host whose
// API server aggregates it, two members that let users of the host in, and servers that
// only look like members and write down what they were sent. What somebody is in a member
// is asked there (SelfSubjectReview), and what he may is what RBAC there says.
package fleetapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localcluster"
	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// mostOpen is how many requests to members a user may have open.
const mostOpen = 40

var (
	system  *framework.System
	host    *framework.Cluster
	members []*framework.Cluster
	// server is the program under test.
	server *framework.FleetAPI
)

func TestFleetAPI(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "the API of the fleet")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(logr.Discard())
	var err error
	system, err = framework.Prepare(ctx, GinkgoWriter, 2, func(o *localcluster.Options) { o.Exec = true }, audited)
	Expect(err).NotTo(HaveOccurred())
	host, members = system.Host(), system.Members()
	Expect(system.StartControlPlane(ctx)).To(Succeed())
	server, err = system.InstallFleetAPI(ctx, "--fleet-api-drain-period=1s", fmt.Sprintf("--fleet-api-max-requests-per-user=%d", mostOpen))
	Expect(err).NotTo(HaveOccurred())
	for _, member := range members {
		kit.Fedctl(ctx, system, "join", member.Name, "--cluster-context", member.Name, "--fleet-access")
		Expect(system.WaitForMember(ctx, member.Name, true)).To(Succeed())
	}
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	if server != nil {
		Expect(server.Stop(ctx)).To(Succeed())
	}
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

// The log that all pods of a member have is empty for each spec, whichever came before it.
var _ = BeforeEach(func() {
	logs, err := filepath.Glob(filepath.Join(filepath.Dir(system.Kubeconfig()), "clusters", "member-*", "logs", "pods.log"))
	Expect(err).NotTo(HaveOccurred())
	Expect(logs).To(HaveLen(len(members)))
	for _, log := range logs {
		Expect(os.Truncate(log, 0)).To(Succeed())
	}
})

var _ = JustAfterEach(func() {
	if server != nil {
		kit.ReportLog(server.Controller, 25)
	}
})

// as is the host for a user, whom the suite's administrator may impersonate.
func as(name string, groups ...string) *rest.Config {
	config := rest.CopyConfig(host.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: groups}
	return config
}

// through is a member as it is reached through the host.
func through(config *rest.Config, member string) *rest.Config {
	config = rest.CopyConfig(config)
	config.Host += fleetv1alpha1.ProxyPath(member)
	return config
}

// clientOf is a client of Kubernetes' types.
func clientOf(config *rest.Config) *kubernetes.Clientset {
	GinkgoHelper()
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = -1, -1
	c, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	return c
}

// allow binds rules to subjects in a cluster until the spec ends, and waits for nothing:
// API servers hear of it soon.
func allow(ctx context.Context, cluster *framework.Cluster, name string, subject rbacv1.Subject, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	subject.APIGroup = map[string]string{rbacv1.UserKind: rbacv1.GroupName, rbacv1.GroupKind: rbacv1.GroupName}[subject.Kind]
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: []rbacv1.Subject{subject},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
	}
	for _, object := range []client.Object{role, binding} {
		Expect(cluster.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(cluster.Delete(ctx, object))).To(Succeed()) }, NodeTimeout(time.Minute))
	}
}

// letThrough lets a user of the host through to members, with these verbs; to all where
// none is named.
func letThrough(ctx context.Context, subject rbacv1.Subject, verbs []string, names ...string) {
	GinkgoHelper()
	allow(ctx, host, "through-"+subject.Name, subject, rbacv1.PolicyRule{
		APIGroups: []string{fleetv1alpha1.GroupVersion.Group}, Resources: []string{"clusters/proxy"}, ResourceNames: names, Verbs: verbs,
	})
}

var (
	everyVerb = []string{"get", "create", "update", "patch", "delete"}
	podReader = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods", "configmaps", "namespaces"}, Verbs: []string{"get", "list", "watch"}}
)

func user(name string) rbacv1.Subject  { return rbacv1.Subject{Kind: rbacv1.UserKind, Name: name} }
func group(name string) rbacv1.Subject { return rbacv1.Subject{Kind: rbacv1.GroupKind, Name: name} }

// answer is what a raw request was answered.
type answer struct {
	Code   int
	Header http.Header
	Body   string
}

// status reads a Status of an API server.
func (a answer) status() metav1.Status {
	var s metav1.Status
	_ = json.Unmarshal([]byte(a.Body), &s) // an empty one says enough
	return s
}

// raw sends a request just as it is given: no client cleans its path or headers. The path
// is what stands in the first line.
func raw(ctx context.Context, config *rest.Config, address, method, path string, header http.Header) (answer, error) {
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return answer{}, err
	}
	if tlsConfig == nil {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	tlsConfig.NextProtos = []string{"http/1.1"}
	connection, err := (&tls.Dialer{Config: tlsConfig}).DialContext(ctx, "tcp", address)
	if err != nil {
		return answer{}, err
	}
	defer connection.Close() //nolint:errcheck // only read
	if deadline, ok := ctx.Deadline(); ok {
		_ = connection.SetDeadline(deadline)
	}
	return rawOn(connection, method, path, header)
}

func isForbidden(err error) bool { return apierrors.IsForbidden(err) }

func readAll(r io.Reader) string {
	text, _ := io.ReadAll(r)
	return string(text)
}
