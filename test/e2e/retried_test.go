package e2e

import (
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("What a member has refused", localOnly, Serial, func() {
	It("is tried at once when the member joins again and gives the right to it", func(ctx SpecContext) {
		c := members[1]
		DeferCleanup(func(ctx SpecContext) { Expect(system.Join(ctx, c.Name)).To(Succeed()) })
		ns := federatedNamespace(ctx)
		allowOnly(ctx, c, "get", "list", "watch")
		f := create(ctx, configMap(ns, "refused", fields{"a": "1"}).on(members[0], c))
		expectWord(ctx, f, c, "CreationFailed", "forbidden")

		By("waiting until the next try is far away")
		var next time.Time
		Eventually(ctx, func() (wait time.Duration) {
			next, wait = nextTry(ns + "/refused")
			return wait
		}).Should(BeNumerically(">", 30*time.Second))
		Expect(system.Join(ctx, c.Name)).To(Succeed())
		expectSettled(ctx, f, members[0], c)
		Expect(time.Now()).To(BeTemporally("<", next), "it has waited for its next try all the same")
	}, NodeTimeout(5*time.Minute))
})

// tries is what the controller logs of a try that has failed.
var tries = regexp.MustCompile(`time=(\S+) .*Propagation failed; trying again.* object=(\S+) .* after=(\S+)`)

// nextTry says when an object is tried again that has failed, and how long it waits for
// that altogether.
func nextTry(object string) (at time.Time, wait time.Duration) {
	for _, line := range strings.Split(system.Controller.LogTail(2000), "\n") {
		found := tries.FindStringSubmatch(line)
		if found == nil || found[2] != object {
			continue
		}
		failed, _ := time.Parse(time.RFC3339, found[1])
		wait, _ = time.ParseDuration(found[3])
		at = failed.Add(wait)
	}
	return at, wait
}
