package federate_test

import (
	"context"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fedctl/fedctl/internal/cli"
)

// watchSpecs are about "status --watch" while types come and go. No controller
// runs, so the objects stay pending.
func watchSpecs() {
	It("follows types that are enabled while it runs, and lets go of those that are disabled", func(ctx context.Context) {
		file := filepath.Join(GinkgoT().TempDir(), "crd.yaml")
		Expect(os.WriteFile(file, []byte(gadgets), 0o600)).To(Succeed())

		out, errOut := gbytes.NewBuffer(), gbytes.NewBuffer()
		watchCtx, interrupt := context.WithCancel(ctx)
		ended := make(chan error, 1)
		command := cli.NewCommand("fedctl", genericiooptions.IOStreams{Out: out, ErrOut: errOut})
		command.SetArgs([]string{"status", "-n", "default", "--watch", "--kubeconfig", host.Kubeconfig, "--host-cluster-context", "host"})
		go func() { ended <- command.ExecuteContext(watchCtx) }()
		DeferCleanup(func() {
			interrupt()
			Eventually(ended).Should(Receive(BeNil()))
		})
		Eventually(errOut).Should(gbytes.Say("There is nothing yet in namespace default; waiting for it."))

		mustFedctl(ctx, "enable", "-f", file, "--wait", "0")
		Eventually(errOut).Should(gbytes.Say("gadgets.example.com is enabled now: its objects are followed."))
		create(ctx, "{apiVersion: types.kubefed.io/v1beta1, kind: FederatedGadget, metadata: {name: seen, namespace: default}, spec: {template: {spec: {size: 1}}}}")
		Eventually(out).Should(gbytes.Say(`default +federatedgadget/seen +Pending`))

		mustFedctl(ctx, "disable", "gadgets.example.com", "--wait", "0")
		Eventually(errOut).Should(gbytes.Say("gadgets.example.com is no longer enabled: its objects are not followed any more."))

		By("and takes it up again with what came in between")
		create(ctx, "{apiVersion: types.kubefed.io/v1beta1, kind: FederatedGadget, metadata: {name: between, namespace: default}, spec: {template: {spec: {size: 1}}}}")
		mustFedctl(ctx, "enable", "-f", file, "--wait", "0")
		Eventually(out).Should(gbytes.Say(`default +federatedgadget/between +Pending`))
		Expect(string(out.Contents())).NotTo(ContainSubstring("Deleted"), "objects of a disabled type are not gone")

		for _, name := range []string{"seen", "between"} {
			object, err := federated(ctx, "default", "FederatedGadget/"+name)
			Expect(err).NotTo(HaveOccurred())
			Expect(host.Delete(ctx, object)).To(Succeed())
		}
		Eventually(out).Should(gbytes.Say(`default +federatedgadget/between +Deleted`))
		mustFedctl(ctx, "disable", "gadgets.example.com", "--delete-crd", "--wait", "0")
	})
}
