package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
	"github.com/fedctl/fedctl/internal/finding"
	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/test/e2e/framework"
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

	It("names another host that has joined the same member", func(ctx SpecContext) {
		kfc := found(ctx, host, ref{GroupVersionKind: framework.KubeFedCluster, Namespace: framework.KubeFedNamespace, Name: members[0].Name})
		namespace, _, _ := strings.Cut(kfc.GetAnnotations()[join.ServiceAccountAnnotation], "/")
		theirs := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "of-another-host",
			Annotations: map[string]string{join.HostUIDAnnotation: "the-other-hosts-uid"}}}
		Expect(members[0].Create(ctx, theirs)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(members[0].Delete(ctx, theirs))).To(Succeed()) })
		Eventually(func(g Gomega) {
			r, _ := examine(ctx, g)
			g.Expect(r.Findings).To(ContainElement(And(finds("another-host", members[0].Name), HaveField("Message", ContainSubstring(namespace+"/of-another-host")))))
			g.Expect(r.Findings).NotTo(ContainElement(finds("another-host", members[1].Name)))
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
