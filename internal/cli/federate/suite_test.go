package federate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fedctl/fedctl/test/kit"
)

// timeout is for what another process does.
const timeout = 2 * time.Minute

var host *kit.Host

func TestFederate(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real API server")
	}
	RegisterFailHandler(Fail)
	logf.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(timeout)
	RunSpecs(t, "federate and orphaning-deletion")
}

// An API server is enough: both commands only write into the host.
var _ = BeforeSuite(func(ctx context.Context) {
	host = kit.StartHost(ctx)
}, NodeTimeout(8*time.Minute))

// fedctl runs the program on the host cluster.
func fedctl(ctx context.Context, args ...string) (out, errOut string, err error) {
	return host.Fedctl(ctx, args...)
}

// mustFedctl is fedctl for a command that works; it returns standard output.
func mustFedctl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, _, err := fedctl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// create creates the objects of a manifest, whose types may have been defined just now.
func create(ctx context.Context, manifest string) {
	GinkgoHelper()
	for _, document := range strings.Split(manifest, "\n---\n") {
		Eventually(func() error { return host.Create(ctx, parse(document)) }).Should(Succeed())
	}
}

func parse(manifest string) *unstructured.Unstructured {
	GinkgoHelper()
	return kit.Parse(manifest)
}

// federated reads a federated object; kind and name as in "FederatedService/web".
func federated(ctx context.Context, namespace, reference string) (*unstructured.Unstructured, error) {
	kind, name, _ := strings.Cut(reference, "/")
	object := parse(fmt.Sprintf("{apiVersion: types.kubefed.io/v1beta1, kind: %s}", kind))
	err := host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	return object, err
}

// names lists the federated objects of a kind in a namespace.
func names(ctx context.Context, namespace, kind string) []string {
	GinkgoHelper()
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(parse(fmt.Sprintf("{apiVersion: types.kubefed.io/v1beta1, kind: %sList}", kind)).GroupVersionKind())
	Expect(host.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
	found := []string{}
	for i := range list.Items {
		found = append(found, list.Items[i].Name)
	}
	return found
}
