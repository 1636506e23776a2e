package kubefed

import (
	"context"
	"maps"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// snapshot returns what must not change of the objects in the members: all but
// the resource version, who owns which field, the status, and our note that the
// federation has created a namespace.
func snapshot(ctx context.Context, objects []object) map[string]*unstructured.Unstructured {
	GinkgoHelper()
	all := map[string]*unstructured.Unstructured{}
	for _, c := range members {
		for _, o := range objects {
			u := found(ctx, c, o.target)
			u.SetManagedFields(nil)
			u.SetResourceVersion("")
			delete(u.Object, "status")
			annotations := u.GetAnnotations()
			if delete(annotations, "fedctl.io/created"); len(annotations) == 0 {
				annotations = nil
			}
			u.SetAnnotations(annotations)
			all[c.Name+" "+o.target.String()] = u
		}
	}
	return all
}

// expectSame says that objects are as they were: the same ones, and nothing about them is changed.
func expectSame(before, after map[string]*unstructured.Unstructured) {
	GinkgoHelper()
	for name, u := range after {
		Expect(u.Object).To(Equal(before[name].Object), name)
	}
}

// rollouts returns the ReplicaSets and pods in the members, with their UIDs and
// the hash of the pod template: what a restart of a workload would change.
func rollouts(ctx context.Context) map[string]string {
	GinkgoHelper()
	all := map[string]string{}
	for _, c := range members {
		for _, namespace := range []string{busy, quiet} {
			sets := &appsv1.ReplicaSetList{}
			Expect(c.List(ctx, sets, client.InNamespace(namespace))).To(Succeed())
			for _, s := range sets.Items {
				all[c.Name+" ReplicaSet "+namespace+"/"+s.Name] = string(s.UID) + " " + s.Labels["pod-template-hash"]
			}
			pods := &corev1.PodList{}
			Expect(c.List(ctx, pods, client.InNamespace(namespace))).To(Succeed())
			for _, p := range pods.Items {
				all[c.Name+" Pod "+namespace+"/"+p.Name] = string(p.UID)
			}
		}
	}
	return all
}

// expectPods waits until a workload has the pods that it wants, without which what
// rollouts returns is not whole.
func expectPods(ctx context.Context, o object, replicas any) {
	GinkgoHelper()
	if o.kind != "Deployment" && o.kind != "ReplicaSet" {
		return
	}
	for _, c := range members {
		for _, field := range []string{"/status/replicas", "/status/readyReplicas"} {
			expectField(ctx, c, o.target, field, replicas)
		}
	}
}

// withoutMarkers drops what was not there before.
func withoutMarkers(after, before map[string]string) map[string]string {
	after = maps.Clone(after)
	maps.DeleteFunc(after, func(name, _ string) bool { return before[name] == "" })
	return after
}

func requestsNow(ctx context.Context) map[string]framework.Requests {
	GinkgoHelper()
	all := map[string]framework.Requests{}
	for _, c := range members {
		counts, err := framework.CountRequests(ctx, c)
		Expect(err).NotTo(HaveOccurred())
		all[c.Name] = counts
	}
	return all
}

// resources are the plural names of the types under test, as API servers count them.
var resources = map[string]string{
	"Namespace": "namespaces", "ConfigMap": "configmaps", "Secret": "secrets", "Service": "services", "ServiceAccount": "serviceaccounts",
	"Deployment": "deployments.apps", "ReplicaSet": "replicasets.apps", "Job": "jobs.batch", "Ingress": "ingresses.networking.k8s.io",
	"ClusterRole": "clusterroles.rbac.authorization.k8s.io",
}

// expectFewWrites says that the members were written to for the sake of field
// ownership only.
func expectFewWrites(ctx context.Context, before map[string]framework.Requests) {
	GinkgoHelper()
	objects := map[string]int{}
	for _, o := range everything() {
		objects[resources[o.kind]]++
	}
	for name, after := range requestsNow(ctx) {
		made := after.Since(before[name])
		GinkgoWriter.Printf("%s: %v\n", name, made)
		for resource, n := range objects {
			if resource == resources["Namespace"] {
				n *= 2 // that the federation has created it is noted once
			}
			Expect(made["APPLY "+resource]+made["PATCH "+resource]).To(BeNumerically("<=", n), "%s of %s", resource, name)
			Expect(made["POST "+resource]+made["DELETE "+resource]).To(BeZero(), "%s of %s", resource, name)
		}
	}
}

// versionRecords returns the names of KubeFed's version records in the busy namespace.
func versionRecords(ctx context.Context) []string {
	GinkgoHelper()
	records := &unstructured.UnstructuredList{}
	records.SetAPIVersion("core.kubefed.io/v1alpha1")
	records.SetKind("PropagatedVersionList")
	Expect(host.List(ctx, records, client.InNamespace(busy))).To(Succeed())
	var names []string
	for _, r := range records.Items {
		names = append(names, r.GetName())
	}
	return names
}

// expectKubeFedsVersions says that fedctl would record what KubeFed has recorded of
// the same federated object, under the same name.
func expectKubeFedsVersions(ctx context.Context, o object) {
	GinkgoHelper()
	kind := "PropagatedVersion"
	if o.federated.Namespace == "" {
		kind = "ClusterPropagatedVersion"
	}
	record := named("core.kubefed.io/v1alpha1", kind, o.federated.Namespace, strings.ToLower(o.target.Kind)+"-"+o.federated.Name)
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, o.federated)
		g.Expect(err).NotTo(HaveOccurred())
		parsed, err := federate.Parse(u)
		g.Expect(err).NotTo(HaveOccurred())
		theirs, err := read(ctx, host, record)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(at(theirs.Object, "/status/templateVersion")).To(Equal(federate.TemplateVersion(parsed.Template)), "%s", o.federated)
		g.Expect(at(theirs.Object, "/status/overridesVersion")).To(Equal(federate.OverridesVersion(parsed.Overrides)), "%s", o.federated)
	}).Should(Succeed())
}
