package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// expectCondition waits until a condition has the status and the reason, and its message all
// of the texts.
func expectCondition(ctx context.Context, r ref, kind, status, reason string, texts ...string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, r)
		g.Expect(err).NotTo(HaveOccurred())
		condition := conditionOf(u, kind)
		g.Expect(condition).To(And(HaveKeyWithValue("status", status), HaveKeyWithValue("reason", reason)), "%s %s", kind, asJSON(u.Object["status"]))
		for _, text := range texts {
			g.Expect(condition["message"]).To(ContainSubstring(text))
		}
	}).Should(Succeed())
}

// expectMessage waits until an object's status says all of the texts of a cluster.
func expectMessage(ctx context.Context, f *federated, cluster string, texts ...string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, f.ref())
		g.Expect(err).NotTo(HaveOccurred())
		for _, text := range texts {
			g.Expect(outcomeOf(u).Messages[cluster]).To(ContainSubstring(text))
		}
	}).Should(Succeed())
}

// rules of a policy are replaced.
func replaceRules(ctx context.Context, policy ref, rules ...any) {
	GinkgoHelper()
	tamper(ctx, host, policy, func(u *unstructured.Unstructured) {
		u.Object["spec"].(fields)["rules"] = plain(fields{"rules": rules})["rules"] //nolint:forcetypeassert // made by policy
	})
}

var _ = Describe("What policies say of themselves", Serial, func() {
	It("counts what they change, and is there on both when two disagree, and at the object", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		first, second := members[0], members[1]
		f := federate("Deployment", ns, "app", workload(fields{"replicas": 1})).on(first, second)
		same := federate("Deployment", ns, "same", workload(fields{"replicas": 3})).on(first)
		create(ctx, f)
		create(ctx, same)
		expectSettled(ctx, f, first, second)
		a := policy(ctx, ns, "a", fields{"rules": list{fields{"replicas": 3, "annotations": fields{"team": "one"}, "clusters": fields{"names": list{first.Name}}}}})
		expectField(ctx, host, a, "/status/selectedObjects", 2)
		expectField(ctx, host, a, "/status/objects", 2)
		expectField(ctx, host, a, "/status/clusters", 1)
		expectCondition(ctx, a, "Accepted", "True", "Accepted")
		expectCondition(ctx, a, "Applied", "True", "Applied", "changes 2 federated objects in 1 cluster")
		expectCondition(ctx, a, "Contested", "False", "Uncontested")

		By("a policy that sets the replicas to something else")
		b := policy(ctx, ns, "b", fields{"selectors": list{fields{"names": list{"app"}}}, "rules": list{fields{"replicas": 4}}})
		expectField(ctx, first, f.target, "/spec/replicas", 4)
		text := "spec.replicas: OverridePolicy " + ns + "/a sets it as well, and OverridePolicy " + ns + "/b wins, which comes later"
		expectCondition(ctx, a, "Contested", "True", "SetByAnother", "FederatedDeployment "+ns+"/app in cluster "+first.Name, text)
		expectCondition(ctx, b, "Contested", "True", "SetByAnother", "FederatedDeployment "+ns+"/app in cluster "+first.Name, text)
		expectMessage(ctx, f, first.Name, text)
		expectField(ctx, host, b, "/status/clusters", 2)
		Expect(fedctl(ctx, "explain", "deployment/app", "-n", ns, "--field", "spec.replicas")).To(And(
			ContainSubstring("OverridePolicy "+ns+"/a: spec.rules[0]"), ContainSubstring("OverridePolicy "+ns+"/b: spec.rules[0]"), ContainSubstring(text)))
		Expect(outcomeOf(found(ctx, host, f.ref())).Messages[second.Name]).To(BeEmpty(), "they agree there")

		By("until they agree")
		replaceRules(ctx, b, fields{"replicas": 3})
		expectCondition(ctx, a, "Contested", "False", "Uncontested")
		expectCondition(ctx, b, "Contested", "False", "Uncontested")
		expectField(ctx, first, f.target, "/spec/replicas", 3)
		Eventually(ctx, func() string { return outcomeOf(found(ctx, host, f.ref())).Messages[first.Name] }).Should(BeEmpty())
	}, NodeTimeout(5*time.Minute))

	It("names cluster, object and field where they cannot be carried out, and the last good state stays", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		first, second := members[0], members[1]
		f := federate("Deployment", ns, "app", workload(fields{"replicas": 2})).on(first, second)
		create(ctx, f)
		p := policy(ctx, ns, "p", fields{"rules": list{fields{"replicas": 1}}})
		expectField(ctx, first, f.target, "/spec/replicas", 1)
		expectSettled(ctx, f, first, second)

		container := at(f.Object, "/spec/template/spec/template/spec/containers/0/name").(string) //nolint:forcetypeassert // every container has one
		only := fields{"names": list{first.Name}}
		for _, tt := range []struct {
			rule        fields
			field, text string
		}{
			{fields{"clusters": only, "replicas": 7, "containers": list{"nobody"}, "env": list{fields{"name": "A", "value": "b"}}}, "spec.rules[0].containers[0]", `the object has no container "nobody"`},
			{fields{"clusters": only, "replicas": 7, "sidecars": list{fields{"name": container, "image": "other"}}}, "spec.rules[0].sidecars[0].name", "there is another one of this name in spec.template.spec.containers"},
			{fields{"clusters": only, "replicas": 7, "volumes": list{fields{"name": "v", "emptyDir": fields{}}, fields{"name": "v", "configMap": fields{"name": "c"}}}}, "spec.rules[0].volumes[1].name", "there is another one of this name in spec.template.spec.volumes"},
			{fields{"clusters": only, "replicas": 7, "patches": list{fields{"op": "remove", "path": "/spec/nothing"}}}, "spec.rules[0].patches[0].path", "there is no /spec/nothing to remove"},
		} {
			By(tt.field)
			replaceRules(ctx, p, tt.rule)
			expectStatus(ctx, f, "CheckClusters", map[string]string{first.Name: "ApplyOverridesFailed", second.Name: ""})
			expectMessage(ctx, f, first.Name, "OverridePolicy "+ns+"/p: "+tt.field, tt.text)
			expectCondition(ctx, f.ref(), "Propagation", "False", "CheckClusters", first.Name+" ApplyOverridesFailed", tt.field)
			expectCondition(ctx, p, "Applied", "False", "Failed", "FederatedDeployment "+ns+"/app in cluster "+first.Name, tt.field+": "+tt.text)
			expectField(ctx, first, f.target, "/spec/replicas", 1)
			expectField(ctx, second, f.target, "/spec/replicas", 2)
		}

		By("a rule of which the cluster's API server refuses what comes")
		replaceRules(ctx, p, fields{"clusters": only, "replicas": 7, "priorityClassName": "no name of a class"})
		expectStatus(ctx, f, "CheckClusters", map[string]string{first.Name: "UpdateFailed", second.Name: ""})
		expectCondition(ctx, p, "Applied", "False", "Failed", "FederatedDeployment "+ns+"/app in cluster "+first.Name+": the cluster refuses what the policy has changed", "spec.template.spec.priorityClassName")
		expectField(ctx, first, f.target, "/spec/replicas", 1)

		By("a rule that is none, in all clusters")
		replaceRules(ctx, p, fields{"replicas": 7, "clusters": fields{"kubernetesVersion": "new"}})
		expectCondition(ctx, p, "Accepted", "False", "Invalid", "spec.rules[0].clusters.kubernetesVersion: is no range of versions")
		expectCondition(ctx, p, "Applied", "False", "Invalid")
		expectStatus(ctx, f, "CheckClusters", map[string]string{first.Name: "ApplyOverridesFailed", second.Name: "ApplyOverridesFailed"})
		expectField(ctx, first, f.target, "/spec/replicas", 1)

		By("a path that no object has, which is told of the policy alone")
		replaceRules(ctx, p, fields{"replicas": 7, "patches": list{fields{"path": "/kind", "value": "Pod"}}})
		expectCondition(ctx, p, "Accepted", "False", "Invalid", "spec.rules[0].patches[0].path: /kind cannot be overridden")

		By("a rule for a version, which all members have")
		replaceRules(ctx, p, fields{"replicas": 5, "clusters": fields{"kubernetesVersion": ">=1.20"}})
		expectField(ctx, first, f.target, "/spec/replicas", 5)
		expectField(ctx, second, f.target, "/spec/replicas", 5)
		expectCondition(ctx, p, "Applied", "True", "Applied")

		By("a policy that selects nothing")
		nothing := policy(ctx, ns, "nothing", fields{"selectors": list{fields{"kind": "deployment"}}, "rules": list{fields{"replicas": 1}}})
		expectCondition(ctx, nothing, "Accepted", "True", "SelectsNothing", `see spec.selectors; spec.selectors[0]: no type of the kind "deployment" is federated`)
		expectCondition(ctx, nothing, "Applied", "True", "SelectsNothing")

		By("a rule for a cluster that has not joined, beside one that has")
		replaceRules(ctx, p, fields{"clusters": fields{"names": list{first.Name, "no-such-cluster"}}, "replicas": 6})
		expectCondition(ctx, p, "Accepted", "True", "Unmatched", `spec.rules[0].clusters.names[1]: no cluster "no-such-cluster" has joined`)
		expectCondition(ctx, p, "Applied", "True", "Unmatched", "changes 1 federated object in 1 cluster")
		expectField(ctx, first, f.target, "/spec/replicas", 6)
		Eventually(func(g Gomega) {
			r, _ := examine(ctx, g)
			g.Expect(r.Findings).To(ContainElement(finds("unmatched", ns+"/p")))
		}).Should(Succeed())

		By("a taint that is approved, and that no node has")
		replaceRules(ctx, p, fields{"replicas": 6, "deriveTolerations": fields{"approve": list{fields{"key": "no-such-taint", "effect": "NoSchedule"}}}})
		expectCondition(ctx, p, "Accepted", "True", "Unmatched",
			"spec.rules[0].deriveTolerations.approve[0]: no pool of accelerators in the clusters of the rule has the taint no-such-taint:NoSchedule now")
		expectField(ctx, first, f.target, "/spec/replicas", 6)

		By("an image that ends without a tag, and a resource that no cluster has")
		replaceRules(ctx, p, fields{"containers": list{container}, "images": list{fields{"from": "none.example/none", "tag": "1"}}})
		expectCondition(ctx, p, "Applied", "True", "Applied")
		f2 := federate("Deployment", ns, "untagged", workload(fields{"replicas": 0})).on(first)
		at(f2.Object, "/spec/template/spec/template/spec/containers/0").(fields)["image"] = "registry.example/untagged"                          //nolint:forcetypeassert // made by workload
		at(f2.Object, "/spec/template/spec/template/spec/containers/0").(fields)["resources"] = fields{"limits": fields{"example.com/gpu": "1"}} //nolint:forcetypeassert // made by workload
		replaceRules(ctx, p, fields{"images": list{fields{"from": "registry.example/untagged", "registry": "mirror.example"}}, "deriveTolerations": fields{}})
		create(ctx, f2)
		expectField(ctx, first, f2.target, "/spec/template/spec/containers/0/image", "mirror.example/untagged")
		expectMessage(ctx, f2, first.Name, "its image has no tag and no digest", "no node offers 1 of example.com/gpu")
		expectCondition(ctx, p, "Applied", "True", "Restricted", "FederatedDeployment "+ns+"/untagged in cluster "+first.Name)
	}, NodeTimeout(5*time.Minute))

	It("is refused at once what an API server can see", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		for _, tt := range []struct {
			spec fields
			text string
		}{
			{fields{"rules": list{}}, "spec.rules"},
			{fields{"rules": list{fields{"images": list{fields{"from": "a"}}}}}, "set one of registry, repository, tag and digest"},
			{fields{"rules": list{fields{"patches": list{fields{"path": "spec/replicas", "value": 1}}}}}, "spec.rules[0].patches[0].path in body should match '^/'"},
			{fields{"rules": list{fields{"deriveTolerations": fields{"approve": list{fields{"key": "a", "value": "b", "anyValue": true, "effect": "NoSchedule"}}}}}}, "value and anyValue exclude each other"},
			{fields{"rules": list{fields{"deriveTolerations": fields{"approve": list{fields{"key": "a", "effect": "PreferNoSchedule"}}}}}}, "Unsupported value"},
			{fields{"rules": list{fields{"patches": list{fields{"op": "copy", "path": "/a"}}}}}, "Unsupported value"},
			{fields{"rules": list{fields{"patches": list{fields{"path": "/a", "in": fields{"path": "/data/x", "format": "TOML"}}}}}}, "Unsupported value"},
		} {
			u := ref{GroupVersionKind: policyGV.WithKind("OverridePolicy"), Namespace: ns, Name: "bad"}.Empty()
			u.Object["spec"] = plain(tt.spec)
			Expect(host.Create(ctx, u, client.DryRunAll)).To(MatchError(ContainSubstring(tt.text)), asJSON(tt.spec))
		}
	}, NodeTimeout(time.Minute))
})

var _ = Describe("What a policy changes in a cluster that does not answer", localOnly, Serial, func() {
	It("is said not to be there yet, until it is", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		there, gone := members[0], members[1]
		f := create(ctx, configMap(ns, "app", fields{"a": "1"}).on(there, gone))
		expectSettled(ctx, f, there, gone)
		stop(ctx, gone)
		p := policy(ctx, ns, "p", fields{"selectors": list{fields{"kind": "ConfigMap"}}, "rules": list{fields{"labels": fields{"by": "policy"}}}})
		expectField(ctx, there, f.target, "/metadata/labels/by", "policy")
		expectCondition(ctx, p, "Applied", "False", "Propagating",
			"changes 1 federated object in 2 clusters; not there yet in 1 cluster: FederatedConfigMap "+ns+"/app in cluster "+gone.Name+": ClusterNotReady")
		start(ctx, gone)
		expectField(ctx, gone, f.target, "/metadata/labels/by", "policy")
		expectCondition(ctx, p, "Applied", "True", "Applied", "changes 1 federated object in 2 clusters")
	}, SpecTimeout(8*time.Minute))
})
