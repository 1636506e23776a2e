package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// typeCase is a type with a field to play with.
type typeCase struct {
	kind     string
	template fields
	// field is a JSON pointer to a field of the template with the value first; it
	// is set to second later, and overridden by third in one cluster.
	field                string
	first, second, third any
	// extra points to a field of the template that is removed later.
	extra string
}

func podTemplate() fields {
	return fields{
		"metadata": fields{"labels": fields{"app": "e2e"}},
		"spec":     fields{"containers": list{podContainer()}},
	}
}

func podContainer() fields { return fields{"name": "main", "image": "registry.k8s.io/pause:3.10"} }

func workload(spec fields) fields {
	spec["selector"] = fields{"matchLabels": fields{"app": "e2e"}}
	spec["template"] = podTemplate()
	return fields{"spec": spec}
}

func jobTemplate() fields {
	pod := podTemplate()
	pod["spec"].(fields)["restartPolicy"] = "Never" //nolint:forcetypeassert // made above
	return fields{"spec": fields{"suspend": true, "parallelism": 1, "activeDeadlineSeconds": 600, "template": pod}}
}

const note = "/metadata/annotations/example.com~1note"

func noted(rest fields) fields {
	rest["metadata"] = fields{"annotations": fields{"example.com/note": "one", "example.com/extra": "x"}}
	return rest
}

var typeCases = []typeCase{
	{"ConfigMap", fields{"data": fields{"main": "one", "extra": "x"}}, "/data/main", "one", "two", "three", "/data/extra"},
	{"Secret", fields{"type": "Opaque", "data": fields{"main": "b25l", "extra": "eA=="}}, "/data/main", "b25l", "dHdv", "dGhyZWU=", "/data/extra"},
	{"Deployment", workload(fields{"replicas": 1, "minReadySeconds": 5}), "/spec/replicas", 1, 2, 3, "/spec/minReadySeconds"},
	{"ReplicaSet", workload(fields{"replicas": 1, "minReadySeconds": 5}), "/spec/replicas", 1, 2, 3, "/spec/minReadySeconds"},
	{
		"HorizontalPodAutoscaler", noted(fields{"spec": fields{
			"scaleTargetRef": fields{"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}, "minReplicas": 2, "maxReplicas": 5,
		}}),
		"/spec/maxReplicas", 5, 6, 7, "/metadata/annotations/example.com~1extra",
	},
	{"Job", jobTemplate(), "/spec/parallelism", 1, 2, 3, "/spec/activeDeadlineSeconds"},
	{
		"Service", fields{"spec": fields{"ports": list{fields{"name": "http", "port": 80, "targetPort": 8001}}, "publishNotReadyAddresses": true}},
		"/spec/ports/0/targetPort", 8001, 8002, 8003, "/spec/publishNotReadyAddresses",
	},
	{
		"ServiceAccount", noted(fields{"automountServiceAccountToken": false}),
		note, "one", "two", "three", "/automountServiceAccountToken",
	},
	{
		"Ingress", fields{"spec": fields{"ingressClassName": "x", "defaultBackend": fields{"service": fields{"name": "one", "port": fields{"number": 80}}}}},
		"/spec/defaultBackend/service/name", "one", "two", "three", "/spec/ingressClassName",
	},
	{"Namespace", noted(fields{}), note, "one", "two", "three", "/metadata/annotations/example.com~1extra"},
	{
		"ClusterRole", noted(fields{"rules": list{fields{"apiGroups": list{""}, "resources": list{"pods"}, "verbs": list{"get"}}}}),
		"/rules/0/verbs", list{"get"}, list{"get", "list"}, list{"watch"}, "/metadata/annotations/example.com~1extra",
	},
	{
		"Backup", fields{"spec": fields{"schedule": "0 1 * * *", "timeZone": "Europe/Berlin", "repositoryRef": fields{"name": "main"}}},
		"/spec/schedule", "0 1 * * *", "0 2 * * *", "@daily", "/spec/timeZone",
	},
}

// object makes the federated object of a case, under a name of its own.
func (c typeCase) object(ctx SpecContext) *federated {
	GinkgoHelper()
	switch c.kind {
	case "Namespace":
		name := plainNamespace(ctx)
		return federate(c.kind, name, name, c.template)
	case "ClusterRole":
		f := federate(c.kind, "", "e2e-"+rand.String(6), c.template)
		DeferCleanup(func(ctx SpecContext) {
			_ = host.Delete(ctx, f.Unstructured) // gone already if the spec got that far
		})
		return f
	}
	return federate(c.kind, federatedNamespace(ctx), "it", c.template)
}

var _ = Describe("Each default type", func() {
	for _, c := range typeCases {
		It(c.kind+" goes through its life", Label("types"), func(ctx SpecContext) {
			first, second, third := members[0], members[1], members[len(members)-1]
			f := c.object(ctx)

			By("creating it in two members, one with an override")
			f.on(first, second).override(second.Name, patch("", c.field, c.third))
			create(ctx, f)
			expectField(ctx, first, f.target, c.field, c.first)
			expectField(ctx, second, f.target, c.field, c.third)
			expectManagedOnly(found(ctx, first, f.target))
			expectManagedOnly(found(ctx, second, f.target))
			expectSettled(ctx, f, first, second)
			expectMissing(ctx, third, f.target)

			By("updating the template")
			change(ctx, f, func(f *federated) { set(f.template(), c.field, c.second) })
			expectField(ctx, first, f.target, c.field, c.second)
			expectSettled(ctx, f, first, second)
			expectField(ctx, second, f.target, c.field, c.third)

			By("having one cluster leave the placement and another one join it")
			change(ctx, f, func(f *federated) { f.on(second, third) })
			expectField(ctx, third, f.target, c.field, c.second)
			expectGone(ctx, first, f.target)
			expectSettled(ctx, f, second, third)

			By("repairing a changed field")
			tamper(ctx, third, f.target, func(u *unstructured.Unstructured) { set(u.Object, c.field, c.first) })
			expectField(ctx, third, f.target, c.field, c.second)

			By("repairing a deletion")
			lost := found(ctx, third, f.target)
			Expect(third.Delete(ctx, lost)).To(Succeed())
			expectReplaced(ctx, third, f.target, lost.GetUID())
			expectField(ctx, third, f.target, c.field, c.second)
			expectSettled(ctx, f, second, third)

			By("removing a field from the template")
			expectField(ctx, third, f.target, c.extra, at(f.template(), c.extra))
			change(ctx, f, func(f *federated) { set(f.template(), c.extra, nil) })
			expectField(ctx, second, f.target, c.extra, nil)
			expectField(ctx, third, f.target, c.extra, nil)
			expectSettled(ctx, f, second, third)

			By("orphaning what is in the members")
			change(ctx, f, func(f *federated) { f.annotate("kubefed.io/orphan", "true") })
			orphan := found(ctx, third, f.target)
			remove(ctx, f)
			expectField(ctx, second, f.target, "/metadata/labels/kubefed.io~1managed", nil)
			expectField(ctx, third, f.target, "/metadata/labels/kubefed.io~1managed", nil)
			Expect(found(ctx, third, f.target).GetUID()).To(Equal(orphan.GetUID()))

			By("adopting it again and deleting it")
			again := federate(c.kind, f.GetNamespace(), f.GetName(), f.template()).on(second, third)
			create(ctx, again)
			expectField(ctx, second, f.target, c.field, c.second)
			expectSettled(ctx, again, second, third)
			Expect(found(ctx, third, f.target).GetUID()).To(Equal(orphan.GetUID()))
			remove(ctx, again)
			expectMissing(ctx, second, f.target)
			expectMissing(ctx, third, f.target)
		})
	}
})

// expectReplaced waits until another object has taken the place of the one with the UID.
func expectReplaced(ctx context.Context, c *framework.Cluster, r ref, uid types.UID) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, c, r)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(u.GetUID()).NotTo(Equal(uid))
	}).Should(Succeed())
}
