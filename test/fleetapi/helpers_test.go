package fleetapi

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

func keyOf(object client.Object) client.ObjectKey { return client.ObjectKeyFromObject(object) }

// errOf is the error of a call whose result does not matter.
func errOf[T any](_ T, err error) error { return err }

// proxyPath is the path in the host of a path in a member.
func proxyPath(member, path string) string { return fleetv1alpha1.ProxyPath(member) + path }

func writeFile(path, content string) error { return os.WriteFile(path, []byte(content), 0o600) }

// copyOf is a copy of a file that the spec may change.
func copyOf(path string) string {
	GinkgoHelper()
	content, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	to := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(writeFile(to, string(content))).To(Succeed())
	return to
}

// kubectlOf runs kubectl with these options and no others.
func kubectlOf(ctx context.Context, args ...string) (string, error) {
	root, err := framework.Root()
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(root, "bin", "kubernetes"), append([]string{"kubectl"}, args...)...).CombinedOutput()
	return string(out), err
}

// dial opens a connection to a port of this machine.
func dial(ctx context.Context, port int) (net.Conn, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = connection.SetDeadline(deadline)
	}
	return connection, err
}

func serviceAccount(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

// withBody adds an empty body to the headers of a request.
func withBody(header http.Header) http.Header {
	header = header.Clone()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", "0")
	return header
}

// ownRights is a client of the host with the rights of the server under test.
func ownRights(ctx context.Context) *rest.Config {
	GinkgoHelper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: framework.KubeFedNamespace, Name: kubefedconfig.FleetAPI}}
	request := &authenticationv1.TokenRequest{}
	Expect(host.SubResource("token").Create(ctx, sa, request)).To(Succeed())
	config := rest.AnonymousClientConfig(host.Config)
	config.BearerToken = request.Status.Token
	return config
}
