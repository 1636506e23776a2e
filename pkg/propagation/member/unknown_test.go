package member_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

var _ = Describe("What the member's schema does not know", func() {
	It("is left out and named", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		template := fields{"data": fields{"a": "1", "b": "1"}, "spec": fields{}, "a.b": "x", "metadata": fields{"zone": "x", "labels": fields{"l": "v"}}, "metedata": fields{"x": "y"}}
		result := b.Apply(ctx, desired(ref, template), member.Known{First: true}, anyJournal)
		there := applied(ctx, result, ref)
		Expect(result.(member.Applied).Unknown).To(Equal([]string{"a.b", "metadata.zone", "metedata", "spec"}))
		Expect(at(there, "data")).To(Equal(fields{"a": "1", "b": "1"}))
		Expect(there.GetLabels()).To(HaveKeyWithValue("l", "v"))
		b.requests()

		By("changing it, with one request now that it is known")
		template["data"] = fields{"a": "2"}
		result = b.Apply(ctx, desired(ref, template), member.Known{Live: live(ctx, ref)}, anyJournal)
		there = applied(ctx, result, ref)
		Expect(b.requests()).To(Equal([]string{"APPLY"}))
		Expect(result.(member.Applied).Unknown).To(Equal([]string{"a.b", "metadata.zone", "metedata", "spec"}))
		Expect(at(there, "data")).To(Equal(fields{"a": "2"}), "what has left the template has left the member")

		By("repairing it")
		tamper(ctx, ref, setData("a", "drifted"))
		known := live(ctx, ref)
		there = applied(ctx, b.Apply(ctx, desired(ref, template), member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"FORCE"}))
		Expect(at(there, "data", "a")).To(Equal("2"))

		By("applying another object, and one that has none of it")
		other := newRef(ctx, "ConfigMap")
		result = b.Apply(ctx, desired(other, template), member.Known{First: true}, anyJournal)
		applied(ctx, result, other)
		Expect(result.(member.Applied).Unknown).To(HaveLen(4))
		other = newRef(ctx, "ConfigMap")
		result = b.Apply(ctx, desired(other, data(fields{"a": "1"})), member.Known{First: true}, anyJournal)
		applied(ctx, result, other)
		Expect(result.(member.Applied).Unknown).To(BeEmpty())
		Expect(b.requests()).To(Equal([]string{"APPLY", "APPLY"}))
	})

	It("is found in lists, in the wrong case and beside what apply refuses", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		template := workload(2, variable("A", "1"))
		pods := template["spec"].(fields)["template"].(fields)["spec"].(fields)
		pods["hostnetwork"], pods["imagePullPolicy"] = true, "Always"
		c := pods["containers"].(list)[0].(fields)
		c["ports"] = list{fields{"containerPort": int64(80), "name": "a"}, fields{"containerPort": int64(81), "name": "b", "open": true}}
		result := b.Apply(ctx, desired(ref, template), member.Known{First: true}, anyJournal)
		there := applied(ctx, result, ref)
		unknown := []string{"spec.template.spec.containers[0].ports[1].open", "spec.template.spec.hostnetwork", "spec.template.spec.imagePullPolicy"}
		Expect(result.(member.Applied).Unknown).To(Equal(unknown))
		Expect(container(there)["ports"]).To(HaveLen(2))

		By("having two variables of one name as well")
		c["env"] = list{variable("A", "1"), fields{"name": "A", "value": "2", "secret": true}}
		result = b.Apply(ctx, desired(ref, template), member.Known{Live: live(ctx, ref)}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Updated{}), "%v", member.Err(result))
		Expect(result.(member.Updated).Refusal).NotTo(ContainSubstring("not declared"))
		Expect(result.(member.Updated).Unknown).To(ContainElement("spec.template.spec.containers[0].env[1].secret"))
	})

	It("is left out of what is created with replicas that are the member's later", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		template := workload(3)
		template["spec"].(fields)["strateggy"] = "x"
		result := b.Apply(ctx, desired(ref, template, true), member.Known{First: true}, anyJournal)
		there := applied(ctx, result, ref)
		Expect(result.(member.Applied).Unknown).To(Equal([]string{"spec.strateggy"}))
		Expect(at(there, "spec", "replicas")).To(BeEquivalentTo(3))
	})

	It("is no obstacle to taking over what KubeFed has written without it", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		template := fields{"data": fields{"a": "1"}, "spec": fields{}}
		b.held(ctx, desired(newRef(ctx, "ConfigMap"), template))
		plant(ctx, ref, "controller-manager", map[string]string{federate.ManagedLabel: "true"}, data(fields{"a": "1"}))
		result := b.Apply(ctx, desired(ref, template), member.Known{Live: live(ctx, ref), First: true, Reported: true}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.TakenOver{}), "%v", member.Err(result))
		Expect(result.(member.TakenOver).Unknown).To(Equal([]string{"spec"}))
		Expect(b.requests()).To(Equal([]string{"GET", "PATCH json"}))
	})

	It("says why it is refused if not for that alone", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		result := b.Apply(ctx, desired(ref, fields{"data": fields{"a": "1"}, "spec": fields{}, "immutable": "yes"}), member.Known{First: true}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Failed{}))
		Expect(member.Err(result)).To(MatchError(And(ContainSubstring("immutable"), Not(ContainSubstring("not declared")))))
		Expect(strings.Count(strings.Join(b.requests(), " "), "APPLY")).To(BeNumerically("<=", 3))
	})

	It("is told of when it may be known, with nothing to apply", func(ctx SpecContext) {
		widgets(ctx, nil)
		b, ref := newBench(), newRef(ctx, "Widget")
		knows(ctx, ref, fields{"groups": list{"a"}})
		b.RecheckSchemasAfter(100 * time.Millisecond)
		following, end := context.WithCancel(ctx)
		defer end()
		forgot := make(chan schema.GroupVersionResource, 10)
		go b.FollowSchemas(following, func(gvr schema.GroupVersionResource) { forgot <- gvr })
		want := desired(ref, fields{"spec": fields{"groups": list{"a"}, "colour": "red"}})
		result := b.Apply(ctx, want, member.Known{First: true}, anyJournal)
		Expect(member.Err(result)).To(Succeed())
		Expect(result.(member.Applied).Unknown).To(Equal([]string{"spec.colour"}))
		widgets(ctx, schemaProps{"colour": {Type: "string"}})
		Eventually(ctx, forgot).Should(Receive(Equal(ref.Resource.GVR)))
		Eventually(ctx, func(g Gomega) {
			result := b.Apply(ctx, want, member.Known{Live: live(ctx, ref)}, anyJournal)
			g.Expect(member.Err(result)).To(Succeed())
			g.Expect(at(found(ctx, ref), "spec", "colour")).To(Equal("red"))
		}).Should(Succeed())
	})

	It("is forgotten when the schema changes", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Widget")
		b.RecheckSchemasAfter(0)
		widgets(ctx, nil)
		knows(ctx, ref, fields{"groups": list{"g"}})
		template := fields{"spec": fields{"groups": list{"g"}, "size": int64(1)}}
		result := b.Apply(ctx, desired(ref, template), member.Known{First: true}, anyJournal)
		applied(ctx, result, ref)
		Expect(result.(member.Applied).Unknown).To(Equal([]string{"spec.size"}))
		b.requests()
		result = b.Apply(ctx, desired(ref, template), member.Known{Live: live(ctx, ref)}, anyJournal)
		applied(ctx, result, ref)
		Expect(b.requests()).To(Equal([]string{"GET SCHEMAS", "APPLY", "GET"}), "the last looks what the member has kept, since nothing has changed")

		widgets(ctx, schemaProps{"size": apiextensionsv1.JSONSchemaProps{Type: "integer"}})
		knows(ctx, ref, fields{"size": int64(1)})
		Eventually(func(g Gomega) {
			result = b.Apply(ctx, desired(ref, template), member.Known{Live: live(ctx, ref)}, anyJournal)
			g.Expect(result).To(BeAssignableToTypeOf(member.Applied{}), "%v", member.Err(result))
			g.Expect(result.(member.Applied).Unknown).To(BeEmpty())
		}).Should(Succeed()) // until the member says that it has changed
		Expect(at(found(ctx, ref), "spec", "size")).To(BeEquivalentTo(1))
	})
})
