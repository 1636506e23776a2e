package member_test

import (
	"context"
	"encoding/base64"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// exact is what is desired of an object that others are to add nothing to.
func exact(ref member.Ref, template fields, retainReplicas ...bool) member.Desired {
	GinkgoHelper()
	want := desired(ref, template, retainReplicas...)
	want.Exact = true
	return want
}

// newClusterRef names an object of a kind that has no namespace.
func newClusterRef(kind string) member.Ref {
	clusterRefs++
	return member.Ref{Resource: resources[kind], Key: types.NamespacedName{Name: fmt.Sprintf("it-%d.example.com", clusterRefs)}}
}

var clusterRefs int

func hook(more fields) fields {
	webhook := fields{
		"name": "a.example.com", "admissionReviewVersions": list{"v1"}, "sideEffects": "None", "failurePolicy": "Ignore",
		"clientConfig": fields{"url": "https://127.0.0.1:1/"},
		"rules":        list{fields{"apiGroups": list{"nothing.example.com"}, "apiVersions": list{"v1"}, "operations": list{"CREATE"}, "resources": list{"nothings"}}},
	}
	for key, value := range more {
		webhook[key] = value
	}
	return fields{"webhooks": list{webhook}}
}

// authority is one that API servers take for a webhook's: the API server's own.
func authority() string {
	GinkgoHelper()
	c := rest.CopyConfig(config)
	Expect(rest.LoadTLSFiles(c)).To(Succeed())
	return base64.StdEncoding.EncodeToString(c.CAData)
}

// set sets a field of an object.
func set(value any, path ...string) func(*unstructured.Unstructured) {
	return func(object *unstructured.Unstructured) {
		Expect(unstructured.SetNestedField(object.Object, value, path...)).To(Succeed())
	}
}

// ours are the fields that are ours, without the time at which they have become so.
func ours(object *unstructured.Unstructured) (owned []string) {
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == federate.FieldManager && entry.FieldsV1 != nil {
			owned = append(owned, string(entry.Operation)+" "+string(entry.FieldsV1.GetRawBytes()))
		}
	}
	return owned
}

var _ = Describe("What others add to an object that is exact", func() {
	// repaired says that an apply has taken back what somebody has done.
	repaired := func(ctx context.Context, want member.Desired, do func(*unstructured.Unstructured)) *unstructured.Unstructured {
		GinkgoHelper()
		b := newBench()
		b.held(ctx, want)
		content := found(ctx, want.Ref)
		tamper(ctx, want.Ref, do)
		known := live(ctx, want.Ref)
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal), want.Ref)
		Expect(b.requests()).To(Equal([]string{"FORCE", "PATCH json", "FORCE fedctl-taken-back"}))
		Expect(ours(found(ctx, want.Ref))).To(Equal(ours(content)), "what is ours is as it was")
		for _, volatile := range []string{"managedFields", "resourceVersion", "generation"} {
			unstructured.RemoveNestedField(content.Object, "metadata", volatile)
			unstructured.RemoveNestedField(there.Object, "metadata", volatile)
		}
		Expect(there.Object).To(Equal(content.Object))
		return there
	}

	DescribeTable("is taken back, and nothing else", func(ctx SpecContext, kind string, template fields, do func(*unstructured.Unstructured)) {
		var ref member.Ref
		if resources[kind].Namespaced {
			ref = newRef(ctx, kind)
		} else {
			ref = newClusterRef(kind)
		}
		repaired(ctx, exact(ref, template), do)
	},
		Entry("a key of a ConfigMap", "ConfigMap", data(fields{"a": "1"}), setData("b", "2")),
		Entry("all keys of a ConfigMap without any", "ConfigMap", fields{}, setData("b", "2")),
		Entry("a key of a Secret", "Secret", data(fields{"a": "YQ=="}), setData("b", "Yg==")),
		Entry("a rule that opens a NetworkPolicy", "NetworkPolicy", policy(fields{}), set(list{fields{}}, "spec", "ingress")),
		Entry("a subject of a RoleBinding", "RoleBinding", fields{"roleRef": fields{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "it"}},
			set(list{fields{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}}, "subjects")),
		Entry("a rule of a Role", "Role", fields{}, set(list{fields{"verbs": list{"*"}, "apiGroups": list{""}, "resources": list{"secrets"}}}, "rules")),
		Entry("a bound of a quota", "ResourceQuota", fields{"spec": fields{"hard": fields{"pods": "1"}}}, set("9", "spec", "hard", "services")),
		Entry("a limit", "LimitRange", fields{}, set(list{fields{"type": "Container", "default": fields{"cpu": "1"}}}, "spec", "limits")),
		Entry("a budget's condition", "PodDisruptionBudget", fields{"spec": fields{"minAvailable": int64(1), "selector": fields{"matchLabels": fields{"app": "a"}}}},
			set("AlwaysAllow", "spec", "unhealthyPodEvictionPolicy")),
		Entry("a parameter of a StorageClass", "StorageClass", fields{"provisioner": "example.com/disk"}, set(true, "allowVolumeExpansion")),
		Entry("the default of a PriorityClass", "PriorityClass", fields{"value": int64(1000)}, set("theirs", "description")),
		Entry("a selector of a webhook", "ValidatingWebhookConfiguration", hook(nil), func(object *unstructured.Unstructured) {
			webhooks, _, _ := unstructured.NestedSlice(object.Object, "webhooks")
			webhooks[0].(fields)["objectSelector"] = fields{"matchLabels": fields{"never": "matches"}}
			set(webhooks, "webhooks")(object)
		}),
		Entry("a whole webhook", "ValidatingWebhookConfiguration", hook(nil), func(object *unstructured.Unstructured) {
			webhooks, _, _ := unstructured.NestedSlice(object.Object, "webhooks")
			other := hook(fields{"name": "b.example.com"})["webhooks"].(list)[0]
			set(append(webhooks, other), "webhooks")(object)
		}),
	)

	It("goes with what they have changed, in one go", func(ctx SpecContext) {
		repaired(ctx, exact(newRef(ctx, "ConfigMap"), data(fields{"a": "1"})), func(object *unstructured.Unstructured) {
			setData("a", "drifted")(object)
			setData("b", "2")(object)
		})
	})

	It("costs nothing where there is nothing", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		applied(ctx, b.Apply(ctx, exact(ref, data(fields{"a": "1"})), member.Known{First: true}, anyJournal), ref)
		applied(ctx, b.Apply(ctx, exact(ref, data(fields{"a": "2"})), member.Known{Live: live(ctx, ref)}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"APPLY", "APPLY"}))
	})

	It("stays as far as it is metadata or known", func(ctx SpecContext) {
		b, ref := newBench(), newClusterRef("ValidatingWebhookConfiguration")
		want := exact(ref, hook(nil))
		b.held(ctx, want)
		there := tamper(ctx, ref, func(object *unstructured.Unstructured) {
			webhooks, _, _ := unstructured.NestedSlice(object.Object, "webhooks")
			webhooks[0].(fields)["clientConfig"].(fields)["caBundle"] = authority()
			set(webhooks, "webhooks")(object)
			object.SetAnnotations(map[string]string{"theirs": "x"})
			object.SetFinalizers([]string{"example.com/theirs"})
		})
		DeferCleanup(func(ctx SpecContext) {
			tamper(ctx, ref, func(object *unstructured.Unstructured) { object.SetFinalizers(nil) })
		})
		applied(ctx, b.Apply(ctx, want, member.Known{Live: live(ctx, ref)}, anyJournal), ref)
		Expect(found(ctx, ref)).To(Equal(there))
		Expect(b.requests()).To(Equal([]string{"APPLY"}))
	})

	It("goes when the object is adopted, as far as the template does not name it", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		plant(ctx, ref, "kubectl-create", map[string]string{"theirs": "x"}, data(fields{"a": "1", "b": "2"}))
		there := applied(ctx, b.Apply(ctx, exact(ref, data(fields{"a": "1"})), member.Known{First: true}, anyJournal), ref)
		Expect(at(there, "data")).To(Equal(fields{"a": "1"}))
		Expect(there.GetLabels()).To(HaveKeyWithValue("theirs", "x"))

		By("and what left the template goes as well, although somebody else has it too")
		tamper(ctx, ref, setData("a", "1"))
		there = applied(ctx, b.Apply(ctx, exact(ref, fields{}), member.Known{Live: live(ctx, ref)}, anyJournal), ref)
		Expect(at(there, "data")).To(BeNil())
	})

	It("that cannot be taken back is named, and the rest is as wanted", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		want := exact(ref, data(fields{"a": "1"}))
		b.held(ctx, want)
		there := tamper(ctx, ref, set(true, "immutable"))
		for range 2 { // the second time it has been given to us already
			known := live(ctx, ref)
			result := b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal)
			Expect(result).To(BeAssignableToTypeOf(member.Failed{}))
			Expect(member.Err(result)).To(MatchError(And(ContainSubstring("immutable"), ContainSubstring(federate.OwnershipAnnotation))))
		}
		Expect(b.requests()).To(Equal([]string{"FORCE", "PATCH json", "FORCE fedctl-taken-back", "FORCE", "FORCE fedctl-taken-back"}))
		Expect(at(found(ctx, ref), "data")).To(Equal(at(there, "data")))
	})

	It("is looked at again where it changes meanwhile", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		want := exact(ref, data(fields{"a": "1"}))
		b.held(ctx, want)
		tamper(ctx, ref, setData("b", "2"))
		known := live(ctx, ref)
		b.once("FORCE fedctl-taken-back", func() { tamper(ctx, ref, setData("c", "3")) })
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal), ref)
		Expect(at(there, "data")).To(Equal(fields{"a": "1"}))
	})

	It("is left alone where its owner keeps the object out meanwhile", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		want := exact(ref, data(fields{"a": "1"}))
		b.held(ctx, want)
		tamper(ctx, ref, setData("b", "2"))
		known := live(ctx, ref)
		b.once("FORCE fedctl-taken-back", func() { tamper(ctx, ref, label("false")) })
		Expect(b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal)).To(Equal(member.KeptOut{}))
		Expect(at(found(ctx, ref), "data")).To(Equal(fields{"a": "1", "b": "2"}))
	})

	It("makes no object anew that has gone meanwhile", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		want := exact(ref, data(fields{"a": "1"}))
		b.held(ctx, want)
		there := tamper(ctx, ref, setData("b", "2"))
		known := live(ctx, ref)
		b.once("FORCE fedctl-taken-back", func() { Expect(cluster.Delete(ctx, there)).To(Succeed()) })
		Expect(b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal)).To(BeAssignableToTypeOf(member.Failed{}))
		Expect(isGone(ctx, ref)).To(BeTrue())
	})

	It("leaves the replicas alone that are the member's", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		want := exact(ref, workload(2), true)
		b.held(ctx, want)
		tamper(ctx, ref, func(object *unstructured.Unstructured) {
			set(int64(5), "spec", "replicas")(object)
			set(int64(9), "spec", "minReadySeconds")(object)
		})
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: live(ctx, ref), Retained: true}, anyJournal), ref)
		Expect(at(there, "spec", "replicas")).To(BeEquivalentTo(5))
		Expect(at(there, "spec", "minReadySeconds")).To(BeNil())
	})

	It("is written in another version of the type", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "HorizontalPodAutoscaler")
		want := exact(ref, fields{"spec": fields{"maxReplicas": int64(3), "scaleTargetRef": fields{"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}}})
		b.held(ctx, want)
		object := &unstructured.Unstructured{}
		object.SetAPIVersion("autoscaling/v1")
		object.SetKind("HorizontalPodAutoscaler")
		Expect(cluster.Get(ctx, ref.Key, object)).To(Succeed())
		before := object.DeepCopy()
		set(int64(2), "spec", "minReplicas")(object)
		Expect(cluster.Patch(ctx, object, client.MergeFrom(before), client.FieldOwner("somebody"))).To(Succeed())
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: live(ctx, ref)}, anyJournal), ref)
		Expect(at(there, "spec", "minReplicas")).To(BeEquivalentTo(1), "the default")
		Expect(b.requests()).To(Equal([]string{"APPLY", "PATCH json", "FORCE fedctl-taken-back"}))
	})
})
