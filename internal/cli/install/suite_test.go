package install_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
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

const namespace = "kube-federation-system"

var (
	fleet *localcluster.Fleet
	host  client.Client
)

func TestInstall(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real API server")
	}
	RegisterFailHandler(Fail)
	logf.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(15 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "install")
}

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
	_, err = fedctl(ctx, "install", "--without-controller")
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(3*time.Minute))

// fedctl runs the program on the host cluster and returns what it printed.
func fedctl(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	command := cli.NewCommand("fedctl", genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: io.MultiWriter(&out, GinkgoWriter), ErrOut: GinkgoWriter})
	command.SetArgs(append(args, "--kubeconfig", fleet.KubeconfigPath(), "--host-cluster-context", "host"))
	err := command.ExecuteContext(ctx)
	return out.String(), err
}

// readFiles returns the objects of YAML files, in order.
func readFiles(pattern string) []*unstructured.Unstructured {
	GinkgoHelper()
	files, err := filepath.Glob(pattern)
	Expect(err).NotTo(HaveOccurred())
	Expect(files).NotTo(BeEmpty(), pattern)
	var objects []*unstructured.Unstructured
	for _, file := range files {
		data, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
		for {
			object := &unstructured.Unstructured{}
			if err := decoder.Decode(object); errors.Is(err, io.EOF) {
				break
			} else {
				Expect(err).NotTo(HaveOccurred(), file)
			}
			if len(object.Object) > 0 {
				objects = append(objects, object)
			}
		}
	}
	return objects
}

func parse(manifest string) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal([]byte(manifest), object)).To(Succeed())
	return object
}
