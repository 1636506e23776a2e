package member_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

func variable(name, value string) fields { return fields{"name": name, "value": value} }

// container is the first container of a Deployment.
func container(object *unstructured.Unstructured) fields {
	return at(object, "spec", "template", "spec", "containers").(list)[0].(fields)
}

// inject has somebody in the member add to a Deployment what injectors do: a container, a
// variable, a command and a volume.
func inject(ctx context.Context, ref member.Ref) {
	GinkgoHelper()
	tamper(ctx, ref, func(object *unstructured.Unstructured) {
		pod := at(object, "spec", "template", "spec").(fields)
		first := container(object)
		env, _ := first["env"].(list)
		first["env"] = append(env, variable("INJECTED", "1"))
		first["command"] = list{"wrapped"}
		pod["containers"] = append(pod["containers"].(list), fields{"name": "sidecar", "image": "sidecar"})
		volumes, _ := pod["volumes"].(list)
		pod["volumes"] = append(volumes, fields{"name": "injected", "emptyDir": fields{}})
	})
}

// expectInjected says that all of that but the variable is there.
func expectInjected(object *unstructured.Unstructured) {
	GinkgoHelper()
	pod := at(object, "spec", "template", "spec").(fields)
	Expect(pod["containers"]).To(ContainElement(HaveKeyWithValue("name", "sidecar")))
	Expect(pod["volumes"]).To(ContainElement(HaveKeyWithValue("name", "injected")))
	Expect(container(object)["command"]).To(Equal(list{"wrapped"}))
}

var _ = Describe("What is refused by apply", func() {
	twice := workload(2, variable("A", "1"), variable("A", "2"))

	It("is created, updated, and taken over when it can be applied again", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		result := b.Apply(ctx, desired(ref, twice), member.Known{First: true}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Updated{}), "%v", member.Err(result))
		Expect(result.(member.Updated).Refusal).To(And(HavePrefix("spec.template: "), ContainSubstring("duplicate entries for key")))
		Expect(b.requests()).To(Equal([]string{"APPLY", "GET", "POST"}))
		there := found(ctx, ref)
		Expect(member.LiveOf(result.(member.Updated).Object)).To(Equal(*live(ctx, ref)))
		Expect(managers(there)).To(Equal([]string{"Update fedctl-replace"}))
		Expect(container(there)["env"]).To(HaveLen(2))
		known := live(ctx, ref)
		Expect(known.Replaced).To(BeTrue())
		Expect(known.Owned).NotTo(BeZero())

		By("updating it")
		more := workload(3, variable("A", "1"), variable("A", "2"), variable("B", "1"))
		result = b.Apply(ctx, desired(ref, more), member.Known{Live: known}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Updated{}), "%v", member.Err(result))
		Expect(b.requests()).To(Equal([]string{"GET", "PATCH json", "APPLY", "GET", "PUT"}))
		Expect(container(found(ctx, ref))["env"]).To(HaveLen(3))

		By("applying it")
		there = applied(ctx, b.Apply(ctx, desired(ref, workload(3, variable("A", "1"))), member.Known{Live: live(ctx, ref)}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"GET", "PATCH json", "APPLY"}))
		Expect(managers(there)).To(Equal([]string{"Apply fedctl"}))
		Expect(container(there)["env"]).To(Equal(list{variable("A", "1")}))
		Expect(live(ctx, ref).Replaced).To(BeFalse())
	})

	It("is known as the watch will tell of it", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Service")
		// Their keys are in another order as numbers and as texts.
		ports := list{fields{"name": "a", "port": int64(443)}, fields{"name": "b", "port": int64(80)}, fields{"name": "c", "port": int64(9)}}
		there := applied(ctx, b.Apply(ctx, desired(ref, fields{"spec": fields{"ports": ports}}), member.Known{First: true}, anyJournal), ref)
		Expect(member.LiveOf(there)).To(Equal(*live(ctx, ref)), "a watch of whole objects")

		pod := with(nil, fields{"containers": list{fields{"name": "c", "image": "a", "env": list{variable("A", "1"), variable("A", "2")}, "ports": list{
			fields{"containerPort": int64(443)}, fields{"containerPort": int64(80)},
		}}}})
		ref = newRef(ctx, "Deployment")
		result := b.Apply(ctx, desired(ref, pod), member.Known{First: true}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Updated{}), "%v", member.Err(result))
		Expect(member.LiveOf(result.(member.Updated).Object)).To(Equal(*live(ctx, ref)))
	})

	It("leaves others what they have in the lists", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		b.held(ctx, desired(ref, workload(2, variable("A", "1"))))
		inject(ctx, ref)
		result := b.Apply(ctx, desired(ref, twice), member.Known{Live: live(ctx, ref)}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Updated{}), "%v", member.Err(result))
		there := found(ctx, ref)
		Expect(container(there)["env"]).To(Equal(list{variable("A", "1"), variable("A", "2"), variable("INJECTED", "1")}))
		expectInjected(there)
	})

	It("is also an item of a list that is null", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		result := b.Apply(ctx, desired(ref, with(nil, fields{"imagePullSecrets": list{nil, fields{"name": "a"}}})), member.Known{First: true}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Updated{}), "%v", member.Err(result))
		Expect(result.(member.Updated).Refusal).To(And(HavePrefix("spec.template: "), ContainSubstring("may not have a null element")))
		Expect(at(found(ctx, ref), "spec", "template", "spec", "imagePullSecrets")).To(Equal(list{fields{}, fields{"name": "a"}}))

		By("leaving with the template")
		there := applied(ctx, b.Apply(ctx, desired(ref, workload(1)), member.Known{Live: live(ctx, ref)}, anyJournal), ref)
		Expect(at(there, "spec", "template", "spec", "imagePullSecrets")).To(BeNil())
		Expect(live(ctx, ref).Replaced).To(BeFalse())
	})

	It("is created with the replicas that are the member's later", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		result := b.Apply(ctx, desired(ref, twice, true), member.Known{First: true}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Updated{}), "%v", member.Err(result))
		Expect(at(found(ctx, ref), "spec", "replicas")).To(BeEquivalentTo(2))
	})

	It("is not written to what its owner keeps out", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		kept := plant(ctx, ref, "somebody", map[string]string{federate.ManagedLabel: "false"}, workload(1))
		Expect(b.Apply(ctx, desired(ref, twice), member.Known{First: true}, anyJournal)).To(Equal(member.KeptOut{}))
		Expect(found(ctx, ref)).To(Equal(kept))
	})
})

var _ = Describe("What is invalid", func() {
	service := func(port int64) fields {
		return fields{"spec": fields{"ports": list{fields{"name": "http", "port": port}}}}
	}

	It("because somebody has changed the key of a list's item is replaced", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Service")
		want := desired(ref, service(80))
		b.held(ctx, want)
		tamper(ctx, ref, func(object *unstructured.Unstructured) {
			at(object, "spec", "ports").(list)[0].(fields)["port"] = int64(81)
		})
		known := live(ctx, ref)
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"FORCE", "GET", "PUT", "PATCH json", "FORCE", "APPLY"}))
		Expect(at(there, "spec", "ports")).To(HaveLen(1))
		Expect(at(there, "spec", "ports").(list)[0].(fields)["port"]).To(BeEquivalentTo(80))
		Expect(managers(there)).NotTo(ContainElement(ContainSubstring("fedctl-replace")))
	})

	It("is not replaced where its owner keeps it out meanwhile", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Service")
		want := desired(ref, service(80))
		b.held(ctx, want)
		tamper(ctx, ref, func(object *unstructured.Unstructured) {
			at(object, "spec", "ports").(list)[0].(fields)["port"] = int64(81)
		})
		known := live(ctx, ref)
		var kept *unstructured.Unstructured
		b.once("GET", func() { kept = tamper(ctx, ref, label("false")) })
		Expect(b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal)).To(Equal(member.KeptOut{}))
		Expect(found(ctx, ref)).To(Equal(kept))
	})

	It("in itself is said to be, and not tried as an update again", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Service")
		result := b.Apply(ctx, desired(ref, service(70000)), member.Known{First: true}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Invalid{}), "%v", member.Err(result))
		Expect(member.Err(result)).To(MatchError(ContainSubstring("70000")))
		Expect(b.requests()).To(Equal([]string{"APPLY", "GET"}))

		known := b.held(ctx, desired(ref, service(80)))
		want := desired(ref, service(70000))
		result = b.Apply(ctx, want, member.Known{Live: known}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Invalid{}), "%v", member.Err(result))
		Expect(b.requests()).To(Equal([]string{"APPLY", "GET", "PUT"}))
		result = b.Apply(ctx, want, member.Known{Live: known, Invalid: true}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Invalid{}), "%v", member.Err(result))
		Expect(b.requests()).To(Equal([]string{"APPLY"}))
		Expect(live(ctx, ref)).To(Equal(known))
	})
})

var _ = Describe("Retained replicas", func() {
	// scale sets the replicas as an autoscaler does.
	scale := func(ctx SpecContext, ref member.Ref, replicas int32) {
		GinkgoHelper()
		body := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
		body.Namespace, body.Name = ref.Key.Namespace, ref.Key.Name
		Expect(cluster.SubResource("scale").Update(ctx, found(ctx, ref), client.WithSubResourceBody(body))).To(Succeed())
	}
	replicas := func(ctx SpecContext, ref member.Ref) any { return at(found(ctx, ref), "spec", "replicas") }

	It("are the template's at first, and the member's from then on", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		applied(ctx, b.Apply(ctx, desired(ref, workload(3), true), member.Known{First: true}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"GET", "APPLY", "FORCE fedctl-retained", "APPLY"}))
		Expect(replicas(ctx, ref)).To(BeEquivalentTo(3))

		scale(ctx, ref, 5)
		known := member.Known{Live: live(ctx, ref), Retained: true}
		applied(ctx, b.Apply(ctx, desired(ref, workload(1, variable("A", "1")), true), known, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"APPLY"}))
		Expect(replicas(ctx, ref)).To(BeEquivalentTo(5))

		By("not knowing any more whose they are")
		known = member.Known{Live: live(ctx, ref)}
		applied(ctx, b.Apply(ctx, desired(ref, workload(1), true), known, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"GET", "APPLY"}))
		Expect(replicas(ctx, ref)).To(BeEquivalentTo(5))
	})

	It("are handed over where they were ours", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		known := b.held(ctx, desired(ref, workload(4)))
		there := applied(ctx, b.Apply(ctx, desired(ref, workload(2), true), member.Known{Live: known}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"GET", "FORCE fedctl-retained", "APPLY"}))
		Expect(at(there, "spec", "replicas")).To(BeEquivalentTo(4))
		Expect(managers(there)).To(ConsistOf("Apply fedctl", "Apply fedctl-retained"))
	})

	It("are handed over as an autoscaler has set them meanwhile", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		known := b.held(ctx, desired(ref, workload(4)))
		b.once("FORCE fedctl-retained", func() { scale(ctx, ref, 7) })
		applied(ctx, b.Apply(ctx, desired(ref, workload(2), true), member.Known{Live: known}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"GET", "FORCE fedctl-retained", "GET", "APPLY"}), "the autoscaler owns them now")
		Expect(replicas(ctx, ref)).To(BeEquivalentTo(7))
	})

	It("are not handed over where the owner keeps the object out meanwhile", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		known := b.held(ctx, desired(ref, workload(4)))
		kept := tamper(ctx, ref, label("false"))
		Expect(b.Apply(ctx, desired(ref, workload(2), true), member.Known{Live: known}, anyJournal)).To(Equal(member.KeptOut{}))
		Expect(found(ctx, ref)).To(Equal(kept))
		Expect(b.requests()).To(Equal([]string{"GET"}))
	})
})

var _ = Describe("What KubeFed's controller has written", func() {
	ours := map[string]string{federate.ManagedLabel: "true"}

	It("is taken over without a write if it is what is wanted", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		plant(ctx, ref, "controller-manager", ours, data(fields{"a": "1", "b": "2"}))
		want := desired(ref, data(fields{"a": "1", "b": "2"}))
		known := member.Known{Live: live(ctx, ref), First: true, Reported: true}
		Expect(known.Live.KubeFeds).To(BeTrue())
		result := b.Apply(ctx, want, known, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.TakenOver{}), "%v", member.Err(result))
		Expect(b.requests()).To(Equal([]string{"GET", "PATCH json"}))
		there := found(ctx, ref)
		Expect(member.LiveOf(result.(member.TakenOver).Object)).To(Equal(member.LiveOf(there)))
		Expect(managers(there)).To(Equal([]string{"Apply fedctl"}))

		By("taking something out of the template")
		there = applied(ctx, b.Apply(ctx, desired(ref, data(fields{"a": "1"})), member.Known{Live: live(ctx, ref)}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"APPLY"}))
		Expect(at(there, "data")).To(Equal(fields{"a": "1"}))
	})

	DescribeTable("is taken over and applied to otherwise", func(ctx SpecContext, value string, reported bool) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		plant(ctx, ref, "hyperfed", ours, data(fields{"a": "1", "left": "x"}))
		want := desired(ref, data(fields{"a": value}))
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: live(ctx, ref), First: true, Reported: reported}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"GET", "PATCH json", "APPLY"}))
		Expect(at(there, "data")).To(Equal(fields{"a": value}), "what has left the template has left the member")
		Expect(managers(there)).To(Equal([]string{"Apply fedctl"}))
	},
		Entry("if KubeFed has not reported it", "1", false),
		Entry("if something else is wanted", "2", true),
	)

	It("is somebody else's if we were the last to write", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		want := desired(ref, data(fields{"a": "1"}))
		b.held(ctx, want)
		object := found(ctx, ref)
		setData("theirs", "x")(object)
		Expect(cluster.Update(ctx, object, client.FieldOwner("controller-manager"))).To(Succeed())
		known := live(ctx, ref)
		Expect(known.KubeFeds).To(BeTrue())
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: known}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"APPLY"}))
		Expect(managers(there)).To(ConsistOf("Apply fedctl", "Update controller-manager"))
	})

	It("is left alone where the owner keeps it out meanwhile", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		plant(ctx, ref, "controller-manager", ours, data(fields{"a": "1"}))
		known := member.Known{Live: live(ctx, ref), First: true}
		kept := tamper(ctx, ref, label("false"))
		Expect(b.Apply(ctx, desired(ref, data(fields{"a": "2"})), known, anyJournal)).To(Equal(member.KeptOut{}))
		Expect(found(ctx, ref)).To(Equal(kept))
		Expect(b.requests()).To(Equal([]string{"GET"}))
	})
})

var _ = Describe("What cannot be beside what others have written", func() {
	probe := func(kind fields) fields {
		return with(nil, fields{"containers": list{fields{"name": "c", "image": "a", "livenessProbe": kind}}})
	}

	It("replaces that alone: one of several probes", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		want := desired(ref, probe(fields{"httpGet": fields{"path": "/", "port": int64(80)}}))
		b.held(ctx, want)
		inject(ctx, ref)
		tamper(ctx, ref, func(object *unstructured.Unstructured) {
			container(object)["livenessProbe"] = fields{"exec": fields{"command": list{"true"}}}
		})
		known := live(ctx, ref)
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal), ref)
		Expect(container(there)["livenessProbe"]).To(And(HaveKey("httpGet"), Not(HaveKey("exec"))))
		Expect(container(there)["env"]).To(Equal(list{variable("INJECTED", "1")}))
		expectInjected(there)
	})

	It("replaces that alone: one of several sources of a volume", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		want := desired(ref, with(nil, fields{"volumes": list{fields{"name": "v", "emptyDir": fields{}}}}))
		b.held(ctx, want)
		inject(ctx, ref)
		tamper(ctx, ref, func(object *unstructured.Unstructured) {
			volumes := at(object, "spec", "template", "spec", "volumes").(list)
			volumes[0] = fields{"name": "v", "hostPath": fields{"path": "/"}}
		})
		known := live(ctx, ref)
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal), ref)
		Expect(at(there, "spec", "template", "spec", "volumes")).To(ContainElement(Equal(fields{"name": "v", "emptyDir": fields{}})))
		expectInjected(there)
	})

	It("replaces that alone: a port with another number", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Service")
		want := desired(ref, fields{"spec": fields{"ports": list{fields{"name": "a", "port": int64(80)}}}})
		b.held(ctx, want)
		tamper(ctx, ref, func(object *unstructured.Unstructured) {
			ports := at(object, "spec", "ports").(list)
			ports[0].(fields)["port"] = int64(8080)
			Expect(unstructured.SetNestedSlice(object.Object, append(ports, fields{"name": "theirs", "port": int64(99)}), "spec", "ports")).To(Succeed())
		})
		known := live(ctx, ref)
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal), ref)
		Expect(at(there, "spec", "ports")).To(ConsistOf(HaveKeyWithValue("port", int64(80)), HaveKeyWithValue("port", int64(99))))
	})
})
