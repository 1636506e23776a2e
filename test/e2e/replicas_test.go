package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

var _ = Describe("A ReplicaSchedulingPreference", func() {
	It("spreads replicas evenly, by weights and by minima", func(ctx SpecContext) {
		f := create(ctx, deployment(namespaceIn(ctx, members[0], members[1]), "spread"))
		p := prefer(ctx, f, fields{"totalReplicas": 4})
		expectScheduled(ctx, f, replicas(2, 2))
		expectRunning(ctx, f, replicas(2, 2))
		expectSettled(ctx, f, members[0], members[1])
		u := expectReason(ctx, p, "True", "Scheduled", "4 replicas in 2 clusters")
		Expect(asJSON(at(u.Object, "/status/clusters"))).To(Equal(asJSON(list{
			fields{"name": members[0].Name, "replicas": 2}, fields{"name": members[1].Name, "replicas": 2},
		})))

		By("weighing one more than the other")
		preferOther(ctx, p, fields{"totalReplicas": 6, "clusters": weights(2, 1), "rebalance": true})
		expectScheduled(ctx, f, replicas(4, 2))
		expectRunning(ctx, f, replicas(4, 2))

		By("asking for minima")
		preferOther(ctx, p, fields{"clusters": fields{
			members[0].Name: fields{"weight": 2, "minReplicas": 3}, members[1].Name: fields{"weight": 1, "minReplicas": 3},
		}})
		expectScheduled(ctx, f, replicas(3, 3))
		expectRunning(ctx, f, replicas(3, 3))

		By("asking for fewer, and for maxima that leave a rest")
		preferOther(ctx, p, fields{"totalReplicas": 3, "clusters": fields{"*": fields{"weight": 1, "maxReplicas": 1}}})
		expectScheduled(ctx, f, replicas(1, 1))
		expectReason(ctx, p, "True", "PartlyScheduled", "2 of 3 replicas")
	}, NodeTimeout(10*time.Minute))

	It("says what in it has no effect", func(ctx SpecContext) {
		f := create(ctx, deployment(namespaceIn(ctx, members[0]), "odd"))
		p := prefer(ctx, f, fields{"totalReplicas": 2, "clusters": fields{
			members[0].Name: fields{"weight": 1, "minReplicas": 2, "maxReplicas": 1}, "nowhere": fields{"weight": 1},
		}})
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, p)
			g.Expect(err).NotTo(HaveOccurred())
			accepted := conditionOf(u, "Accepted")
			g.Expect(accepted).To(HaveKeyWithValue("status", "False"))
			g.Expect(accepted["message"]).To(And(ContainSubstring("both cannot hold"), ContainSubstring(`no cluster "nowhere" has joined`)))
		}).Should(Succeed())
		preferOther(ctx, p, fields{"clusters": fields{members[0].Name: fields{"weight": 1}}})
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, p)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditionOf(u, "Accepted")).To(BeEmpty())
		}).Should(Succeed())
	}, NodeTimeout(3*time.Minute))

	It("keeps to its clusters, and gives the others nothing unless * says so", func(ctx SpecContext) {
		f := create(ctx, deployment(federatedNamespace(ctx), "some").onLabelled(nil))
		p := prefer(ctx, f, fields{"totalReplicas": 3, "clusters": weights(2, 1)})
		expectScheduled(ctx, f, replicas(2, 1, 0))
		preferOther(ctx, p, fields{"totalReplicas": 8, "rebalance": true, "clusters": fields{members[0].Name: fields{"weight": 2}, "*": fields{"weight": 1}}})
		expectScheduled(ctx, f, replicas(4, 2, 2))
		expectRunning(ctx, f, replicas(4, 2, 2))
	}, NodeTimeout(8*time.Minute))

	It("leaves everything else of the federated object alone, and writes once", func(ctx SpecContext) {
		f := deployment(federatedNamespace(ctx), "overridden").onNames(members[2].Name)
		f.override(members[0].Name, patch("", "/spec/minReadySeconds", 7), patch("add", "/spec/paused", false))
		f.override(members[2].Name, patch("", "/spec/replicas", 9), patch("", "/spec/revisionHistoryLimit", 3))
		create(ctx, f)
		p := prefer(ctx, f, fields{"totalReplicas": 4, "rebalance": true, "clusters": weights(1, 1, 0)})
		expectScheduled(ctx, f, replicas(2, 2, 0))
		u := found(ctx, host, f.ref())
		Expect(asJSON(at(u.Object, "/spec/overrides"))).To(MatchJSON(fmt.Sprintf(`[
			{"clusterName": %q, "clusterOverrides": [{"path": "/spec/minReadySeconds", "value": 7}, {"op": "add", "path": "/spec/paused", "value": false}, {"path": "/spec/replicas", "value": 2}]},
			{"clusterName": %q, "clusterOverrides": [{"path": "/spec/replicas", "value": 0}, {"path": "/spec/revisionHistoryLimit", "value": 3}]},
			{"clusterName": %q, "clusterOverrides": [{"path": "/spec/replicas", "value": 2}]}]`,
			members[0].Name, members[2].Name, members[1].Name)))
		Expect(asJSON(at(u.Object, "/spec/template"))).To(Equal(asJSON(f.template())))
		expectField(ctx, members[0], f.target, "/spec/minReadySeconds", 7)

		By("changing nothing while nothing changes")
		expectRunning(ctx, f, replicas(-1, 2, 0))
		expectSettled(ctx, f, members...)
		version := expectReason(ctx, p, "True", "Scheduled").GetResourceVersion()
		Consistently(ctx, func(g Gomega) {
			g.Expect(found(ctx, host, f.ref()).GetGeneration()).To(Equal(u.GetGeneration()))
			g.Expect(found(ctx, host, p).GetResourceVersion()).To(Equal(version))
		}).WithTimeout(3 * time.Second).Should(Succeed())

		By("changing it by hand")
		change(ctx, f, func(f *federated) {
			f.onNames(members[1].Name).override(members[1].Name, patch("", "/spec/replicas", 8))
		})
		expectScheduled(ctx, f, replicas(2, 2, 0))
		expectField(ctx, members[0], f.target, "/spec/minReadySeconds", 7)
	}, NodeTimeout(8*time.Minute))

	It("keeps to the cluster selector where it is asked to, and follows the labels", func(ctx SpecContext) {
		label := "e2e/" + rand.String(6)
		relabel(ctx, members[0], label, "yes")
		relabel(ctx, members[1], label, "yes")
		DeferCleanup(func(ctx SpecContext) {
			for _, c := range members {
				relabel(ctx, c, label, "")
			}
		})
		f := create(ctx, deployment(federatedNamespace(ctx), "selected").onLabelled(fields{label: "yes"}))
		p := prefer(ctx, f, fields{"totalReplicas": 4, "intersectWithClusterSelector": true, "rebalance": true})
		expectScheduled(ctx, f, replicas(2, 2))
		Expect(at(found(ctx, host, f.ref()).Object, "/spec/placement/clusterSelector/matchLabels")).To(Equal(fields{label: "yes"}))

		relabel(ctx, members[0], label, "no")
		relabel(ctx, members[2], label, "yes")
		expectScheduled(ctx, f, replicas(-1, 2, 2))
		expectGone(ctx, members[0], f.target)
		expectRunning(ctx, f, replicas(-1, 2, 2))

		By("selecting no cluster any more, which deletes nothing")
		relabel(ctx, members[1], label, "no")
		expectScheduled(ctx, f, replicas(-1, -1, 4))
		relabel(ctx, members[2], label, "no")
		expectReason(ctx, p, "False", "NoClusters", "clusterSelector")
		expectScheduled(ctx, f, replicas(-1, -1, 4))

		By("no longer asking for it")
		preferOther(ctx, p, fields{"intersectWithClusterSelector": false, "totalReplicas": 6})
		expectScheduled(ctx, f, replicas(2, 2, 2))
	}, NodeTimeout(10*time.Minute))

	It("works for ReplicaSets, comes before its object, and leaves it as it is when it goes", func(ctx SpecContext) {
		f := federate("ReplicaSet", federatedNamespace(ctx), "late", workload(fields{"replicas": 1}))
		p := prefer(ctx, f, fields{"totalReplicas": 3})
		expectReason(ctx, p, "False", "FederatedObjectNotFound", "FederatedReplicaSet", f.GetName())
		create(ctx, f)
		expectScheduled(ctx, f, replicas(1, 1, 1))
		expectRunning(ctx, f, replicas(1, 1, 1))

		preferOther(ctx, p, fields{"totalReplicas": 6})
		expectScheduled(ctx, f, replicas(2, 2, 2))
		expectRunning(ctx, f, replicas(2, 2, 2))

		By("deleting the preference")
		Expect(host.Delete(ctx, found(ctx, host, p))).To(Succeed())
		expectGone(ctx, host, p)
		generation := found(ctx, host, f.ref()).GetGeneration()
		Consistently(ctx, func() int64 { return found(ctx, host, f.ref()).GetGeneration() }).Should(Equal(generation))
		expectScheduled(ctx, f, replicas(2, 2, 2))
		change(ctx, f, func(f *federated) { f.on(members[0]).override(members[0].Name, patch("", "/spec/replicas", 5)) })
		expectField(ctx, members[0], f.target, "/spec/replicas", 5)
		expectGone(ctx, members[1], f.target)
	}, NodeTimeout(10*time.Minute))

	It("moves what runs only if it may", func(ctx SpecContext) {
		f := create(ctx, deployment(namespaceIn(ctx, members[0], members[1]), "moved"))
		p := prefer(ctx, f, fields{"totalReplicas": 6})
		expectScheduled(ctx, f, replicas(3, 3))
		expectRunning(ctx, f, replicas(3, 3))
		preferOther(ctx, p, fields{"clusters": weights(2, 1)})
		expectReason(ctx, p, "True", "Scheduled")
		expectScheduled(ctx, f, replicas(3, 3))
		preferOther(ctx, p, fields{"rebalance": true})
		expectScheduled(ctx, f, replicas(4, 2))
	}, NodeTimeout(8*time.Minute))

	It("has other clusters help out where pods get no node", func(ctx SpecContext) {
		ns := namespaceIn(ctx, members[0], members[1])
		nowhere := patch("add", "/spec/template/spec/nodeSelector", fields{"e2e.example.com/nowhere": "yes"})
		full := create(ctx, deployment(ns, "full").override(members[1].Name, nowhere))
		fixed := create(ctx, deployment(ns, "fixed").override(members[1].Name, nowhere))
		p := prefer(ctx, full, fields{"totalReplicas": 4, "rebalance": true})
		prefer(ctx, fixed, fields{"totalReplicas": 4})

		By("keeping what the full cluster may start later, if replicas may move back")
		expectScheduled(ctx, full, replicas(4, 2))
		u := expectReason(ctx, p, "True", "Scheduled", "the nodes of "+members[1].Name+" have no room for 2")
		Expect(at(u.Object, "/status/clusters/1/unschedulable")).To(BeEquivalentTo(2))
		expectField(ctx, members[0], full.target, "/status/readyReplicas", 4)
		By("giving it up otherwise")
		expectScheduled(ctx, fixed, replicas(4, 0))

		By("making room")
		change(ctx, full, func(f *federated) { f.override(members[1].Name, patch("", "/spec/replicas", 2)) })
		expectScheduled(ctx, full, replicas(2, 2))
		expectRunning(ctx, full, replicas(2, 2))
	}, NodeTimeout(10*time.Minute))

	It("says what it cannot follow", func(ctx SpecContext) {
		f := create(ctx, deployment(federatedNamespace(ctx), "bad").on(members[0]))
		p := prefer(ctx, f, fields{"totalReplicas": 4, "targetKind": "FederatedConfigMap"})
		expectReason(ctx, p, "False", "UnknownTargetKind", "FederatedConfigMap", "FederatedDeployment")
		expectPreferenceEvent(ctx, p, "UnknownTargetKind")
		preferOther(ctx, p, fields{"targetKind": "FederatedDeployment", "totalReplicas": -4})
		expectReason(ctx, p, "False", "InvalidPreference", "spec.totalReplicas", "-4")
		preferOther(ctx, p, fields{"totalReplicas": 4, "clusters": fields{"*": fields{"minReplicas": -1}}})
		expectReason(ctx, p, "False", "InvalidPreference", "spec.clusters[*].minReplicas")
		expectPreferenceEvent(ctx, p, "InvalidPreference")
		Expect(replicaOverrides(found(ctx, host, f.ref()))).To(BeEmpty())

		preferOther(ctx, p, fields{"clusters": nil, "totalReplicas": 3})
		expectScheduled(ctx, f, replicas(1, 1, 1))
		expectPreferenceEvent(ctx, p, "Scheduled")
		preferOther(ctx, p, fields{"clusters": fields{"*": fields{"weight": -1}}})
		expectReason(ctx, p, "False", "InvalidPreference", "weight")
		expectScheduled(ctx, f, replicas(1, 1, 1))
	}, NodeTimeout(8*time.Minute))

	It("waits for a type that is switched off", Serial, func(ctx SpecContext) {
		f := create(ctx, federate("ReplicaSet", federatedNamespace(ctx), "switched", workload(fields{"replicas": 1})))
		p := prefer(ctx, f, fields{"totalReplicas": 3})
		expectScheduled(ctx, f, replicas(1, 1, 1))
		config := ref{
			GroupVersionKind: schema.GroupVersionKind{Group: "core.kubefed.io", Version: "v1beta1", Kind: "FederatedTypeConfig"},
			Namespace:        framework.KubeFedNamespace, Name: "replicasets.apps",
		}
		propagation := func(ctx context.Context, to string) {
			GinkgoHelper()
			tamper(ctx, host, config, func(u *unstructured.Unstructured) { set(u.Object, "/spec/propagation", to) })
		}
		propagation(ctx, "Disabled")
		DeferCleanup(func(ctx SpecContext) { propagation(ctx, "Enabled") })
		expectReason(ctx, p, "False", "TypeNotEnabled", "fedctl enable replicasets.apps")
		preferOther(ctx, p, fields{"totalReplicas": 6})
		expectReason(ctx, p, "False", "TypeNotEnabled")
		Expect(replicaOverrides(found(ctx, host, f.ref()))).To(Equal(replicas(1, 1, 1)))
		propagation(ctx, "Enabled")
		expectScheduled(ctx, f, replicas(2, 2, 2))
		expectRunning(ctx, f, replicas(2, 2, 2))
	}, NodeTimeout(8*time.Minute))
})

var _ = Describe("ReplicaSchedulingPreferences and members that come and go", localOnly, Ordered, Serial, func() {
	broken := func() *framework.Cluster { return members[1] }

	It("move the replicas of an unready member, and give them back", func(ctx SpecContext) {
		f := create(ctx, deployment(federatedNamespace(ctx), "moving"))
		p := prefer(ctx, f, fields{"totalReplicas": 6, "rebalance": true})
		expectScheduled(ctx, f, replicas(2, 2, 2))
		expectRunning(ctx, f, replicas(2, 2, 2))
		uid := found(ctx, broken(), f.target).GetUID()
		stop(ctx, broken())
		expectScheduled(ctx, f, replicas(3, 2, 3)) // it stays placed, as it is
		expectRunning(ctx, f, replicas(3, -1, 3))
		expectReason(ctx, p, "True", "Scheduled", "not ready", broken().Name)
		start(ctx, broken())
		expectScheduled(ctx, f, replicas(2, 2, 2))
		expectRunning(ctx, f, replicas(2, 2, 2))
		expectSettled(ctx, f, members...)
		Expect(found(ctx, broken(), f.target).GetUID()).To(Equal(uid), "it was deleted when the member came back, and made again")
	}, NodeTimeout(10*time.Minute))

	It("do not wait for a member that hangs", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, deployment(ns, "beside"))
		prefer(ctx, f, fields{"totalReplicas": 6, "rebalance": true})
		expectScheduled(ctx, f, replicas(2, 2, 2))
		Expect(system.Faults().Pause(broken().Name)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(system.Faults().Resume(broken().Name)).To(Succeed())
			Expect(system.WaitForMember(ctx, broken().Name, true)).To(Succeed())
		}, NodeTimeout(5*time.Minute))
		expectScheduled(ctx, f, replicas(3, 2, 3))
		other := create(ctx, deployment(ns, "other"))
		prefer(ctx, other, fields{"totalReplicas": 2})
		expectScheduled(ctx, other, replicas(1, -1, 1))
	}, NodeTimeout(10*time.Minute))

	It("use a member that joins", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { // also when the spec has failed half way
			if _, err := system.Member(ctx, broken().Name); apierrors.IsNotFound(err) {
				Expect(system.Join(ctx, broken().Name)).To(Succeed())
			}
			Expect(system.WaitForMember(ctx, broken().Name, true)).To(Succeed())
		}, NodeTimeout(5*time.Minute))
		f := create(ctx, deployment(federatedNamespace(ctx), "joined"))
		prefer(ctx, f, fields{"totalReplicas": 6, "rebalance": true})
		expectScheduled(ctx, f, replicas(2, 2, 2))
		fedctl(ctx, "unjoin", broken().Name)
		expectScheduled(ctx, f, replicas(3, -1, 3))
		Expect(system.Join(ctx, broken().Name)).To(Succeed())
		expectScheduled(ctx, f, replicas(2, 2, 2))
		expectRunning(ctx, f, replicas(2, 2, 2))
	}, NodeTimeout(10*time.Minute))

	It("move nothing when the controller starts again", func(ctx SpecContext) {
		f := create(ctx, deployment(federatedNamespace(ctx), "restarted"))
		p := prefer(ctx, f, fields{"totalReplicas": 6, "clusters": weights(1, 1, 1)})
		expectScheduled(ctx, f, replicas(2, 2, 2))
		expectRunning(ctx, f, replicas(2, 2, 2))
		expectReason(ctx, p, "True", "Scheduled")
		generation, version := found(ctx, host, f.ref()).GetGeneration(), found(ctx, host, p).GetResourceVersion()
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Consistently(ctx, func(g Gomega) {
			g.Expect(found(ctx, host, f.ref()).GetGeneration()).To(Equal(generation))
			g.Expect(found(ctx, host, p).GetResourceVersion()).To(Equal(version))
		}).WithTimeout(8 * time.Second).Should(Succeed())
		preferOther(ctx, p, fields{"totalReplicas": 9})
		expectScheduled(ctx, f, replicas(3, 3, 3))
	}, NodeTimeout(10*time.Minute))
})
