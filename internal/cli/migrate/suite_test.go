package migrate_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/test/kit"
)

const namespace = "kube-federation-system"

var (
	host *kit.Host
	// reader is a kubeconfig of an account that has only the rights that the
	// documentation says the check needs: so it cannot change anything.
	reader string
)

func TestMigrate(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real API server")
	}
	RegisterFailHandler(Fail)
	logf.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	RunSpecs(t, "migrate check")
}

// An API server with KubeFed's CRDs is enough: the check reads the host only.
var _ = BeforeSuite(func(ctx context.Context) {
	host = kit.StartHost(ctx)
	reader = readerKubeconfig(ctx)
	installKubeFed(ctx)
}, NodeTimeout(8*time.Minute))

// installKubeFed creates the CRDs of KubeFed's chart, which is in its module.
func installKubeFed(ctx context.Context) {
	GinkgoHelper()
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kubefed").Output()
	Expect(err).NotTo(HaveOccurred())
	chart := filepath.Join(strings.TrimSpace(string(out)), "charts", "kubefed")
	for _, file := range []string{"crds/crds.yaml", "charts/controllermanager/crds/crds.yaml"} {
		content, err := os.ReadFile(filepath.Join(chart, file))
		Expect(err).NotTo(HaveOccurred())
		create(ctx, string(content))
	}
	Eventually(func() error {
		return host.List(ctx, listOf("types.kubefed.io/v1beta1", "FederatedIngressList"))
	}).Should(Succeed())
}

func listOf(apiVersion, kind string) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion(apiVersion)
	list.SetKind(kind)
	return list
}

// create creates the objects of a manifest, with their status.
func create(ctx context.Context, manifest string) {
	GinkgoHelper()
	for _, document := range strings.Split("\n"+manifest, "\n---") {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed(), document)
		if len(object.Object) == 0 {
			continue
		}
		status := object.Object["status"]
		Eventually(func() error { return host.Create(ctx, object.DeepCopy()) }).Should(Succeed(), document)
		if status != nil && object.GetKind() != "CustomResourceDefinition" {
			Expect(host.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			object.Object["status"] = status
			Expect(host.Status().Update(ctx, object)).To(Succeed())
		}
	}
}

// readerKubeconfig makes an account with the rights that docs/kubefed.md lists.
func readerKubeconfig(ctx context.Context) string {
	GinkgoHelper()
	create(ctx, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")
	rule := func(group string, resources ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: []string{"get", "list"}}
	}
	meta := metav1.ObjectMeta{Name: "checker"}
	Expect(host.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		rule("", "namespaces", "secrets", "configmaps", "endpoints"),
		rule("apps", "deployments"), rule("coordination.k8s.io", "leases"),
		rule("admissionregistration.k8s.io", "validatingwebhookconfigurations", "mutatingwebhookconfigurations"),
		rule("apiextensions.k8s.io", "customresourcedefinitions"),
		rule("core.kubefed.io", "*"), rule("types.kubefed.io", "*"), rule("scheduling.kubefed.io", "*"),
	}})).To(Succeed())
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "checker", Namespace: namespace}}
	Expect(host.Create(ctx, account)).To(Succeed())
	Expect(host.Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta,
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "checker"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "checker", Namespace: namespace}},
	})).To(Succeed())
	Eventually(func(g Gomega) { // the API server takes a moment to hear of the binding
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + namespace + ":checker",
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Group: "types.kubefed.io", Resource: "federatedconfigmaps"},
		}}
		g.Expect(host.Create(ctx, review)).To(Succeed())
		g.Expect(review.Status.Allowed).To(BeTrue())
	}).Should(Succeed())
	request := &authenticationv1.TokenRequest{}
	Expect(host.SubResource("token").Create(ctx, account, request)).To(Succeed())

	config := clientcmdapi.NewConfig()
	config.Clusters["host"] = &clientcmdapi.Cluster{Server: host.Config.Host, CertificateAuthorityData: host.Config.CAData, CertificateAuthority: host.Config.CAFile}
	config.AuthInfos["checker"] = &clientcmdapi.AuthInfo{Token: request.Status.Token}
	config.Contexts["host"] = &clientcmdapi.Context{Cluster: "host", AuthInfo: "checker"}
	config.CurrentContext = "host"
	path := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*config, path)).To(Succeed())
	return path
}

// check runs the program as the account that can only read.
func check(ctx context.Context, args ...string) (out string, err error) {
	out, _, err = kit.FedctlWith(ctx, []string{"--kubeconfig", reader}, append([]string{"migrate", "check"}, args...)...)
	return out, err
}
