package e2e

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// recordOf names KubeFed's version record of a federated object.
func recordOf(f *federated, name string) ref {
	kind := "PropagatedVersion"
	if f.GetNamespace() == "" {
		kind = "ClusterPropagatedVersion"
	}
	return ref{
		GroupVersionKind: schema.GroupVersionKind{Group: "core.kubefed.io", Version: "v1alpha1", Kind: kind},
		Namespace:        f.GetNamespace(), Name: name,
	}
}

// line is the hash of a line of text, as the records have it.
func line(text string) string {
	sum := md5.Sum([]byte(text + "\n"))
	return hex.EncodeToString(sum[:])
}

// expectRecord waits until the record's versions are those of the live objects in
// exactly these clusters, in this order.
func expectRecord(ctx context.Context, f *federated, record ref, clusters ...*framework.Cluster) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		var want any
		var versions list
		for _, c := range clusters {
			u, err := read(ctx, c, f.target)
			g.Expect(err).NotTo(HaveOccurred())
			version := "rv:" + u.GetResourceVersion()
			if u.GetGeneration() != 0 {
				version = fmt.Sprintf("gen:%d", u.GetGeneration())
			}
			versions = append(versions, fields{"clusterName": c.Name, "version": version})
			want = versions
		}
		u, err := read(ctx, host, record)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(asJSON(at(u.Object, "/status/clusterVersions"))).To(Equal(asJSON(want)))
	}).Should(Succeed())
}

// recordsIn counts the records of a namespace.
func recordsIn(ctx context.Context, namespace string) int {
	GinkgoHelper()
	records := &unstructured.UnstructuredList{}
	records.SetAPIVersion("core.kubefed.io/v1alpha1")
	records.SetKind("PropagatedVersionList")
	Expect(host.List(ctx, records, client.InNamespace(namespace))).To(Succeed())
	return len(records.Items)
}

var _ = Describe("KubeFed's version records", localOnly, Serial, func() {
	It("are written where they are switched on, and are in nobody's way later", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		cm := create(ctx, configMap(ns, "cm", fields{"a": "1"}).on(members[0], members[1]))
		expectSettled(ctx, cm, members[0], members[1])
		Expect(recordsIn(ctx, ns)).To(BeZero())

		Expect(system.Controller.Restart(ctx, "--version-records=PropagatedVersion")).To(Succeed())
		restored := false
		DeferCleanup(func(ctx SpecContext) {
			if !restored {
				Expect(system.Controller.Restart(ctx)).To(Succeed())
			}
		})
		record := recordOf(cm, "configmap-cm")
		expectRecord(ctx, cm, record, members[0], members[1])
		status := found(ctx, host, record)
		Expect(at(status.Object, "/status/templateVersion")).To(Equal(line(`{"data":{"a":"1"}}`)))
		Expect(at(status.Object, "/status/overridesVersion")).To(Equal(line(`{"overrides":null}`)))
		Expect(status.GetOwnerReferences()).To(HaveLen(1))
		Expect(status.GetOwnerReferences()[0].UID).To(Equal(found(ctx, host, cm.ref()).GetUID()))

		By("overriding")
		change(ctx, cm, func(f *federated) { f.override(members[1].Name, patch("", "/data/a", "<2>")) })
		expectField(ctx, host, record, "/status/overridesVersion",
			line(`{"overrides":[{"clusterName":"`+members[1].Name+`","clusterOverrides":[{"path":"/data/a","value":"\u003c2\u003e"}]}]}`))
		expectRecord(ctx, cm, record, members[0], members[1])

		By("others touching the object")
		tamper(ctx, members[0], cm.target, func(u *unstructured.Unstructured) { u.SetAnnotations(map[string]string{"theirs": "x"}) })
		expectRecord(ctx, cm, record, members[0], members[1])

		By("kinds with a generation, without a namespace, and the namespace itself")
		deployment := create(ctx, federate("Deployment", ns, "d", workload(fields{"replicas": 0})).on(members[2]))
		expectRecord(ctx, deployment, recordOf(deployment, "deployment-d"), members[2])
		role := create(ctx, federate("ClusterRole", "", "e2e-records-"+rand.String(5), fields{"rules": list{}}).on(members[0]))
		expectRecord(ctx, role, recordOf(role, "clusterrole-"+role.GetName()), members[0])
		namespace := federate("Namespace", ns, ns, nil)
		expectRecord(ctx, namespace, recordOf(namespace, "namespace-"+ns), members...)
		Expect(at(found(ctx, host, recordOf(namespace, "namespace-"+ns)).Object, "/status/templateVersion")).To(Equal(""))

		By("leaving the placement")
		change(ctx, cm, func(f *federated) { f.on(members[1]) })
		expectRecord(ctx, cm, record, members[1])
		change(ctx, cm, func(f *federated) { f.on() })
		expectRecord(ctx, cm, record)
		change(ctx, cm, func(f *federated) { f.on(members[0]) })
		expectRecord(ctx, cm, record, members[0])

		By("deleting, and creating again under the same name")
		remove(ctx, role)
		expectGone(ctx, host, recordOf(role, "clusterrole-"+role.GetName()))
		remove(ctx, deployment)
		deployment = create(ctx, federate("Deployment", ns, "d", workload(fields{"replicas": 0})).on(members[2]))
		expectSettled(ctx, deployment, members[2])
		expectRecord(ctx, deployment, recordOf(deployment, "deployment-d"), members[2])
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, recordOf(deployment, "deployment-d"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(u.GetOwnerReferences()[0].UID).To(Equal(found(ctx, host, deployment.ref()).GetUID()))
		}).Should(Succeed())

		By("losing the record")
		Expect(host.Delete(ctx, found(ctx, host, record))).To(Succeed())
		change(ctx, cm, func(f *federated) { set(f.template(), "/data/a", "3") })
		expectRecord(ctx, cm, record, members[0])

		By("restarting: nothing is written again")
		version := found(ctx, host, record).GetResourceVersion()
		Expect(system.Controller.Restart(ctx, "--version-records=PropagatedVersion")).To(Succeed())
		late := create(ctx, configMap(ns, "late", fields{"a": "1"}).on(members[0]))
		expectRecord(ctx, late, recordOf(late, "configmap-late"), members[0])
		Expect(found(ctx, host, record).GetResourceVersion()).To(Equal(version))

		By("switching them off")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		restored = true
		change(ctx, cm, func(f *federated) { set(f.template(), "/data/a", "4") })
		expectField(ctx, members[0], cm.target, "/data/a", "4")
		expectSettled(ctx, cm, members[0])
		Expect(found(ctx, host, record).GetResourceVersion()).To(Equal(version))
		remove(ctx, cm)
		expectGone(ctx, host, record)
	}, NodeTimeout(8*time.Minute))
})
