package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
	"github.com/fedctl/fedctl/internal/finding"
)

// examine runs fedctl doctor. Other specs leave objects in trouble while they run, so
// that it may end with the exit code that says so.
func examine(ctx context.Context, g Gomega) (r diagnosis.Report, err error) {
	out, err := system.Run(ctx, "doctor", "-o", "json")
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		g.Expect(exit.ExitCode()).To(Equal(2), err.Error()) // the suite may read all
	}
	g.Expect(json.Unmarshal([]byte(out), &r)).To(Succeed(), out)
	return r, err
}

// finds matches a finding of a code about an object.
func finds(code, object string) OmegaMatcher {
	return And(HaveField("Code", code), HaveField("Objects", ContainElement(object)))
}

var _ = Describe("fedctl doctor", func() {
	It("finds nothing wrong with what an installation brings, and the members that have joined", func(ctx SpecContext) {
		Eventually(func(g Gomega) {
			r, _ := examine(ctx, g)
			g.Expect(r.Clusters).To(Equal(len(members)))
			for _, f := range r.Findings {
				g.Expect(f.Code).NotTo(BeElementOf("other-version", "definition-missing", "role-missing", "policy-missing", "no-leader",
					"no-controller", "cluster-not-ready", "clock-skew", "may-do-everything", "unreadable"), asJSON(f))
			}
		}).WithPolling(time.Second).Should(Succeed())
	}, NodeTimeout(3*time.Minute))

	It("names what is in trouble, why, and what helps", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		bad := create(ctx, federate("Service", ns, "ill", fields{"spec": fields{"ports": list{fields{"port": 80, "protocol": "TPC"}}}}).on(members[0]))
		typo := create(ctx, configMap(ns, "typo", fields{"a": "1"}).onNames(members[0].Name, "no-such-cluster"))
		Eventually(func(g Gomega) {
			r, err := examine(ctx, g)
			g.Expect(err).To(HaveOccurred())
			g.Expect(r.Healthy).To(BeFalse())
			g.Expect(r.Findings).To(ContainElement(And(finds("creation-failed", ns+"/ill"), HaveField("Level", finding.Failure),
				HaveField("Subject", "federatedservices.types.kubefed.io"), HaveField("Since", Not(BeNil())), HaveField("Do", HavePrefix("fedctl explain services ")))))
			g.Expect(r.Findings).To(ContainElement(And(finds("cluster-not-found", ns+"/typo"), HaveField("Level", finding.Warning))))
		}).WithPolling(time.Second).Should(Succeed())

		By("mending it")
		remove(ctx, bad)
		remove(ctx, typo)
		Eventually(func(g Gomega) {
			r, _ := examine(ctx, g)
			g.Expect(r.Findings).NotTo(ContainElement(finds("creation-failed", ns+"/ill")))
			g.Expect(r.Findings).NotTo(ContainElement(finds("cluster-not-found", ns+"/typo")))
		}).WithPolling(time.Second).Should(Succeed())
	}, NodeTimeout(3*time.Minute))
})
