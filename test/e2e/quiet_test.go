package e2e

import (
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// errorLines are the controller's lines about errors, up to now.
func errorLines() []string {
	return slices.DeleteFunc(strings.Split(system.Controller.LogTail(1<<20), "\n"), func(line string) bool {
		return !strings.Contains(line, "level=ERROR")
	})
}

var _ = Describe("The log of a run in which nothing goes wrong", localOnly, Serial, func() {
	It("has no errors", func(ctx SpecContext) {
		before := len(errorLines())
		c := members[1]
		ns := federatedNamespace(ctx)
		all := []*federated{
			configMap(ns, "settings", fields{"a": "1"}),
			federate("Secret", ns, "secret", fields{"data": fields{"a": "eA=="}}),
			federate("Service", ns, "web", fields{"spec": fields{"ports": list{fields{"port": 80}}}}),
			federate("Deployment", ns, "web", workload(fields{"replicas": 1})),
			federate("Job", ns, "once", jobTemplate()),
		}
		for _, f := range all {
			create(ctx, f.onLabelled(nil))
		}
		for _, f := range all {
			expectSettled(ctx, f, members...)
		}
		change(ctx, all[0], func(f *federated) { set(f.template(), "/data/a", "2") })
		expectField(ctx, c, all[0].target, "/data/a", "2")
		prefer(ctx, all[3], fields{"totalReplicas": 3})
		expectScheduled(ctx, all[3], replicas(1, 1, 1))
		remove(ctx, all[1])

		By("unjoining a member, and joining it again")
		fedctl(ctx, "unjoin", c.Name)
		expectSettled(ctx, all[0], members[0], members[2])
		fedctl(ctx, "join", c.Name)
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		expectSettled(ctx, all[0], members...)

		By("disabling a type and enabling it again")
		configure(ctx, "services", "propagation", "Disabled")
		expectField(ctx, host, typeConfig("services"), "/status/propagationController", "NotRunning")
		configure(ctx, "services", "propagation", "Enabled")
		expectField(ctx, host, typeConfig("services"), "/status/propagationController", "Running")
		expectSettled(ctx, all[2], members...)

		By("restarting the controller")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		change(ctx, all[0], func(f *federated) { set(f.template(), "/data/a", "3") })
		expectField(ctx, c, all[0].target, "/data/a", "3")

		By("deleting the namespace with all that is in it")
		Expect(host.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})).To(Succeed())
		namespace := ref{GroupVersionKind: kinds["Namespace"].WithKind("Namespace"), Name: ns}
		expectGone(ctx, members[0], namespace)
		for _, f := range all {
			expectGone(ctx, host, f.ref())
		}
		Expect(errorLines()[before:]).To(BeEmpty())
	}, NodeTimeout(3*time.Minute))
})
