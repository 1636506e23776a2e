package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Without a controller", localOnly, Serial, func() {
	It("the commands say since when what they show is not kept up to date", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, configMap(ns, "stale", fields{"a": "1"}).on(members[0]))
		expectSettled(ctx, f, members[0])
		Expect(fedctl(ctx, "status", "configmaps", "-n", ns, "-o", "json")).NotTo(ContainSubstring("noLeaderSince"))
		Expect(system.Controller.LogTail(10000)).To(MatchRegexp(`(?s)Using valid KubeFedConfig .*kube-federation-system/kubefed.*Starting cluster controller`))

		Expect(system.Controller.Stop(ctx)).To(Succeed())
		defer func() { Expect(system.Controller.Start(ctx)).To(Succeed()) }() // before the suite looks whether it runs
		Expect(fedctl(ctx, "status", "configmaps", "-n", ns, "-o", "json")).To(ContainSubstring(`"noLeaderSince": "20`))
	}, NodeTimeout(5*time.Minute))
})
