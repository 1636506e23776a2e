package install_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"regexp"
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
func readFiles(pattern string) (objects []*unstructured.Unstructured) {
	GinkgoHelper()
	for file, text := range textsOf(pattern) {
		objects = append(objects, decode(file, text)...)
	}
	return objects
}

// textsOf reads files, in order.
func textsOf(patterns ...string) iter.Seq2[string, []byte] {
	GinkgoHelper()
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		Expect(err).NotTo(HaveOccurred())
		Expect(found).NotTo(BeEmpty(), pattern)
		files = append(files, found...)
	}
	return func(yield func(string, []byte) bool) {
		for _, file := range files {
			data, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			if !yield(file, data) {
				return
			}
		}
	}
}

// decode returns the objects of a text.
func decode(name string, text []byte) (objects []*unstructured.Unstructured) {
	GinkgoHelper()
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects
		} else {
			Expect(err).NotTo(HaveOccurred(), name)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

var (
	yamlBlock   = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	wholeObject = regexp.MustCompile("(?m)^apiVersion:")
)

// manifestsIn returns the objects that Markdown files show, without what is a part of one.
func manifestsIn(patterns ...string) (objects []*unstructured.Unstructured) {
	GinkgoHelper()
	for file, text := range textsOf(patterns...) {
		for _, block := range yamlBlock.FindAllSubmatch(text, -1) {
			if wholeObject.Match(block[1]) {
				objects = append(objects, decode(file, block[1])...)
			}
		}
	}
	return objects
}

func parse(manifest string) *unstructured.Unstructured {
	GinkgoHelper()
	return kit.Parse(manifest)
}
