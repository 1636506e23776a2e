package releases

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

var deployment = kit.Named("apps/v1", "Deployment", namespace, "fedctl-controller")

// startController runs the controller as the release's Deployment would, with its flags
// and the rights of its account: the nodes here run nothing. What does not fit a process
// (a port and a directory of its own container) is left out.
func startController(ctx context.Context) {
	GinkgoHelper()
	stopController(ctx)
	var err error
	controller, err = framework.NewController(ctx, system.Programs.Controller, system.Dir(), host)
	Expect(err).NotTo(HaveOccurred())
	for _, flag := range kit.Values(rendered(ctx)["args"].([]any)) { //nolint:forcetypeassert // a spec may panic
		text, _ := flag.(string)
		if !strings.HasPrefix(text, "--metrics-") && !strings.HasPrefix(text, "--backup-cache-dir") {
			controller.Flags = append(controller.Flags, strings.ReplaceAll(text, "$(POD_NAMESPACE)", namespace))
		}
	}
	Expect(controller.Start(ctx)).To(Succeed())
}

func stopController(ctx context.Context) {
	GinkgoHelper()
	if controller != nil {
		Expect(controller.Stop(ctx)).To(Succeed())
	}
}

// rendered is the controller's container.
func rendered(ctx context.Context) kit.Fields {
	GinkgoHelper()
	there := kit.Found(ctx, host, deployment)
	containers, _, err := unstructured.NestedSlice(there.Object, "spec", "template", "spec", "containers")
	Expect(err).NotTo(HaveOccurred())
	i := slices.IndexFunc(containers, func(c any) bool { return c.(kit.Fields)["name"] == "controller" }) //nolint:forcetypeassert // a spec may panic
	Expect(i).To(BeNumerically(">=", 0))
	return containers[i].(kit.Fields) //nolint:forcetypeassert // see above
}

// memberWrites are what the controller has written into the member.
func memberWrites(ctx context.Context) int {
	GinkgoHelper()
	requests, err := framework.CountRequests(ctx, member)
	Expect(err).NotTo(HaveOccurred())
	return requests.Sum(func(verb, resource string) bool {
		return framework.IsWrite(verb) && (resource == "configmaps" || resource == "namespaces" || resource == "secrets")
	})
}
