package federate_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fedctl/fedctl/internal/cli"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/localcluster"
)

// timeout is for what another process does.
const timeout = 30 * time.Second

var (
	fleet *localcluster.Fleet
	host  client.Client
)

func TestFederate(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real API server")
	}
	RegisterFailHandler(Fail)
	logf.SetLogger(GinkgoLogr)
	RunSpecs(t, "federate and orphaning-deletion")
}

// An API server is enough: both commands only write into the host.
var _ = BeforeSuite(func(ctx context.Context) {
	dir := GinkgoT().TempDir()
	var err error
	fleet, err = localcluster.Up(ctx, localcluster.Options{
		Dir: dir, DieWithParent: true, Log: GinkgoWriter,
		Without: []string{localcluster.ControllerManager, localcluster.Scheduler, localcluster.Kwok},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) { Expect(localcluster.Down(ctx, dir)).To(Succeed()) })
	config, err := fleet.Config("host")
	Expect(err).NotTo(HaveOccurred())
	config.WarningHandler = rest.NoWarnings{}
	host, err = client.New(config, client.Options{Scheme: cmdutil.Scheme})
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(3*time.Minute))

// fedctl runs the program on the host cluster. The flags come last, but not for
// completion, where the last argument is the word to complete.
func fedctl(ctx context.Context, args ...string) (out, errOut string, err error) {
	flags := []string{"--kubeconfig", fleet.KubeconfigPath(), "--host-cluster-context", "host"}
	if args[0] == "__complete" {
		args = slices.Concat(args[:1], flags, args[1:])
	} else {
		args = slices.Concat(args, flags)
	}
	var stdout, stderr bytes.Buffer
	command := cli.NewCommand("fedctl", genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: io.MultiWriter(&stdout, GinkgoWriter), ErrOut: io.MultiWriter(&stderr, GinkgoWriter)})
	command.SetArgs(args)
	err = command.ExecuteContext(ctx)
	return stdout.String(), stderr.String(), err
}

// mustFedctl is fedctl for a command that works; it returns standard output.
func mustFedctl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, _, err := fedctl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// create creates the objects of a manifest.
func create(ctx context.Context, manifest string) {
	GinkgoHelper()
	for _, document := range strings.Split(manifest, "\n---\n") {
		Expect(host.Create(ctx, parse(document))).To(Succeed())
	}
}

func parse(manifest string) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal([]byte(manifest), object)).To(Succeed())
	return object
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
