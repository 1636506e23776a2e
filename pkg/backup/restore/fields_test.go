package restore_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/restore"
)

// lampDefinition defines lamps that have some fields, in one version.
func lampDefinition(version, fields, status string) string {
	return fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.fields.example.com}
spec:
  group: fields.example.com
  scope: Namespaced
  names: {plural: lamps, kind: Lamp, singular: lamp, listKind: LampList}
  versions:
  - name: %s
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {%s}}, status: {type: object, properties: {%s}}}}}
`, version, fields, status)
}

var _ = Describe("a cluster with another definition than the one that was saved", Ordered, func() {
	const (
		ns    = "lamps"
		watts = "watts: {type: integer}"
		both  = watts + ", color: {type: string}"
		lit   = "lit: {type: boolean}"
	)
	var params restore.Params

	undefine := func(ctx context.Context, cluster string) {
		GinkgoHelper()
		removeObject(ctx, cluster, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "lamps.fields.example.com")
		Eventually(func() bool {
			_, err := find(ctx, cluster, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "lamps.fields.example.com")
			return apierrors.IsNotFound(err)
		}).Should(BeTrue())
	}
	define := func(ctx context.Context, cluster, definition string) {
		GinkgoHelper()
		undefine(ctx, cluster)
		create(ctx, cluster, definition)
		Eventually(func() bool {
			for _, c := range conditionsOf(get(ctx, cluster, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "lamps.fields.example.com")) {
				if c["type"] == "Established" && c["status"] == "True" {
					return true
				}
			}
			return false
		}).Should(BeTrue())
	}
	// outcome is what a restore does, of which a dry run says the same.
	outcome := func(ctx context.Context, existing string) restore.Result {
		GinkgoHelper()
		params.Spec = backupv1alpha1.RestoreSpec{IncludedResources: []string{"lamps.fields.example.com"}, Existing: existing, DryRun: true}
		dry := resultOf(ctx, there, params)
		params.Spec.DryRun = false
		result := resultOf(ctx, there, params)
		Expect(dry.Counts).To(Equal(result.Counts), "%+v", dry)
		Expect(dry.Warnings).To(Equal(result.Warnings))
		return result
	}

	BeforeAll(func(ctx context.Context) {
		makeNamespace(ctx, here, ns)
		makeNamespace(ctx, there, ns)
		define(ctx, here, lampDefinition("v1", both, lit))
		DeferCleanup(func(ctx context.Context) { undefine(ctx, here); undefine(ctx, there) })
		Eventually(func() error {
			lamp := parseAll(`{apiVersion: fields.example.com/v1, kind: Lamp, metadata: {name: red, namespace: lamps}, spec: {watts: 5, color: red}}`)[0]
			return clientOf(here).Create(ctx, lamp)
		}).Should(Succeed())
		create(ctx, here, `{apiVersion: fields.example.com/v1, kind: Lamp, metadata: {name: plain, namespace: lamps}, spec: {watts: 5}}`)
		params.Reader = save(ctx, here, "none-at-all", ns)
	}, NodeTimeout(2*time.Minute))

	It("is told of fields that it would lose, and gets the objects whole when its definition knows them", func(ctx context.Context) {
		define(ctx, there, lampDefinition("v1", watts, lit))
		told := HaveField("Message", And(ContainSubstring("does not know all of its fields: spec.color"), ContainSubstring("update the definition")))
		result := outcome(ctx, "")
		Expect(result.Phase()).To(Equal(backupv1alpha1.RunPartiallyFailed))
		Expect(result.Counts).To(Equal(backupv1alpha1.RestoreCounts{Created: 1, Failed: 1}))
		Expect(result.Warnings).To(ConsistOf(And(HaveField("Name", "red"), told)))
		_, err := find(ctx, there, "fields.example.com/v1", "Lamp", ns, "red")
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "no half of it is there")

		By("updating one that was made without them")
		create(ctx, there, `{apiVersion: fields.example.com/v1, kind: Lamp, metadata: {name: red, namespace: lamps}, spec: {watts: 5}}`)
		result = outcome(ctx, "Skip")
		Expect(result.Counts).To(Equal(backupv1alpha1.RestoreCounts{Skipped: 2}))
		Expect(result.Warnings).To(ConsistOf(And(HaveField("Name", "red"), HaveField("Message", ContainSubstring("/spec/color")))))
		result = outcome(ctx, "Update")
		Expect(result.Counts).To(Equal(backupv1alpha1.RestoreCounts{Skipped: 1, Failed: 1}))
		Expect(result.Warnings).To(ConsistOf(And(HaveField("Name", "red"), told)))

		By("updating the definition")
		definition := get(ctx, there, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "lamps.fields.example.com")
		newer := parseAll(lampDefinition("v1", both, lit))[0]
		newer.SetResourceVersion(definition.GetResourceVersion())
		Expect(clientOf(there).Update(ctx, newer)).To(Succeed())
		Eventually(func() restore.Result {
			params.Spec = backupv1alpha1.RestoreSpec{IncludedResources: []string{"lamps.fields.example.com"}, Existing: "Update"}
			return resultOf(ctx, there, params)
		}).Should(HaveField("Counts", backupv1alpha1.RestoreCounts{Skipped: 1, Updated: 1}))
		Expect(field(get(ctx, there, "fields.example.com/v1", "Lamp", ns, "red"), "spec", "color")).To(Equal("red"))
	}, SpecTimeout(2*time.Minute))

	It("that serves another version gets what that knows whole, and is told that it is another", func(ctx context.Context) {
		define(ctx, there, lampDefinition("v2", both, lit))
		result := outcome(ctx, "")
		Expect(result.Counts).To(Equal(backupv1alpha1.RestoreCounts{Created: 2}), "%+v", result)
		Expect(result.Warnings).To(ConsistOf(And(HaveField("Name", ""), HaveField("Message", ContainSubstring("saved as v1, which this cluster does not serve, and restored as v2")))))
		Expect(field(get(ctx, there, "fields.example.com/v2", "Lamp", ns, "red"), "spec", "color")).To(Equal("red"))

		define(ctx, there, lampDefinition("v2", watts, lit))
		result = outcome(ctx, "")
		Expect(result.Counts).To(Equal(backupv1alpha1.RestoreCounts{Created: 1, Failed: 1}), "%+v", result)
		Expect(result.Warnings).To(ContainElement(And(HaveField("Name", "red"), HaveField("Message", And(
			ContainSubstring("v1, as which it was saved, has fields that v2 of the target does not know: spec.color"), ContainSubstring("transform"))))))
	}, SpecTimeout(2*time.Minute))

	It("without any is told what is missing", func(ctx context.Context) {
		undefine(ctx, there)
		result := outcome(ctx, "")
		Expect(result.Counts).To(Equal(backupv1alpha1.RestoreCounts{Failed: 2}))
		Expect(result.Warnings).To(ConsistOf(HaveField("Message", And(
			ContainSubstring("2 lamps.fields.example.com not restored"), ContainSubstring("install what defines it, and restore again")))))
	}, SpecTimeout(2*time.Minute))

	It("gets Kubernetes' own objects without the fields that a newer one has added, which are named", func(ctx context.Context) {
		create(ctx, here, `{apiVersion: v1, kind: ConfigMap, metadata: {name: of-newer, namespace: lamps}, data: {a: b}}`)
		params.Reader = save(ctx, here, "none-at-all", ns)
		params.Spec = backupv1alpha1.RestoreSpec{IncludedResources: []string{"configmaps"}, Transforms: []backupv1alpha1.Transform{{
			Resource: "configmaps", Patch: []backupv1alpha1.PatchOperation{{Op: "add", Path: "/invented", Value: value(`"x"`)}},
		}}}
		result := resultOf(ctx, there, params)
		Expect(result.Phase()).To(Equal(backupv1alpha1.RunSucceeded), "%+v", result)
		Expect(result.Warnings).To(ContainElement(And(HaveField("Name", "of-newer"),
			HaveField("Message", ContainSubstring("restored without the fields that this cluster does not know: invented")))))
		Expect(field(get(ctx, there, "v1", "ConfigMap", ns, "of-newer"), "data")).To(Equal(map[string]any{"a": "b"}))
	}, SpecTimeout(2*time.Minute))
})

func conditionsOf(object *unstructured.Unstructured) []map[string]any {
	list, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	var all []map[string]any
	for _, element := range list {
		all = append(all, element.(map[string]any))
	}
	return all
}
