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
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fedctl/fedctl/test/kit"
)

const namespace = "kube-federation-system"

var host *kit.Host

func TestInstall(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real API server")
	}
	RegisterFailHandler(Fail)
	logf.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "install")
}

var _ = BeforeSuite(func(ctx context.Context) {
	host = kit.StartHost(ctx)
	_, err := fedctl(ctx, "install", "--without-controller")
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(8*time.Minute))

// fedctl runs the program on the host cluster and returns what it printed.
func fedctl(ctx context.Context, args ...string) (string, error) {
	out, _, err := host.Fedctl(ctx, args...)
	return out, err
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
	return kit.Parse(manifest)
}
