package kit

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// Fedctl runs fedctl on the clusters of a suite; it must succeed. It returns what is
// printed.
func Fedctl(ctx context.Context, system *framework.System, args ...string) string {
	ginkgo.GinkgoHelper()
	out, err := system.Run(ctx, args...)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return out
}

// ReportLog adds the end of a controller's log to the report of a spec that failed; for
// a JustAfterEach.
func ReportLog(controller *framework.Controller, lines int) {
	if controller != nil && ginkgo.CurrentSpecReport().Failed() {
		ginkgo.AddReportEntry("End of a controller's log", controller.LogTail(lines), ginkgo.ReportEntryVisibilityFailureOrVerbose)
	}
}
