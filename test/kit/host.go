package kit

import (
	"bytes"
	"context"
	"io"
	"slices"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/localcluster"
)

// Host is a host cluster that is nothing but an API server, which is enough for
// commands that read and write there.
type Host struct {
	client.Client
	Config     *rest.Config
	Kubeconfig string
	Fleet      *localcluster.Fleet
}

// StartHost starts one that ends with the suite or the spec that calls it.
func StartHost(ctx context.Context) *Host {
	ginkgo.GinkgoHelper()
	dir := ginkgo.GinkgoT().TempDir()
	fleet, err := localcluster.Up(ctx, localcluster.Options{
		Dir: dir, DieWithParent: true, Log: ginkgo.GinkgoWriter,
		Without: []string{localcluster.ControllerManager, localcluster.Scheduler, localcluster.Kwok},
	})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(func(ctx context.Context) { gomega.Expect(localcluster.Down(ctx, dir)).To(gomega.Succeed()) })
	config, err := fleet.Config("host")
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	config.WarningHandler = rest.NoWarnings{}
	made, err := client.New(config, client.Options{Scheme: cmdutil.Scheme})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return &Host{Client: made, Config: config, Kubeconfig: fleet.KubeconfigPath(), Fleet: fleet}
}

// Fedctl runs fedctl in this process on the host.
func (h *Host) Fedctl(ctx context.Context, args ...string) (out, errOut string, err error) {
	return FedctlWith(ctx, []string{"--kubeconfig", h.Kubeconfig, "--host-cluster-context", "host"}, args...)
}

// FedctlWith runs fedctl in this process. The flags come last, but not for
// completion, where the last argument is the word to complete.
func FedctlWith(ctx context.Context, flags []string, args ...string) (out, errOut string, err error) {
	if args[0] == "__complete" {
		args = slices.Concat(args[:1], flags, args[1:])
	} else {
		args = slices.Concat(args, flags)
	}
	var stdout, stderr bytes.Buffer
	command := cli.NewCommand("fedctl", genericiooptions.IOStreams{
		In: &bytes.Buffer{}, Out: io.MultiWriter(&stdout, ginkgo.GinkgoWriter), ErrOut: io.MultiWriter(&stderr, ginkgo.GinkgoWriter),
	})
	command.SetArgs(args)
	err = command.ExecuteContext(ctx)
	return stdout.String(), stderr.String(), err
}

// Parse is the object of a manifest.
func Parse(manifest string) *unstructured.Unstructured {
	ginkgo.GinkgoHelper()
	object := &unstructured.Unstructured{}
	gomega.Expect(yaml.Unmarshal([]byte(manifest), object)).To(gomega.Succeed())
	return object
}
