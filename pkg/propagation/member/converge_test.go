package member_test

import (
	"encoding/base64"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// with returns a Deployment's template with this in its spec and in that of its pods.
func with(spec, pods fields) fields {
	template := workload(1)
	for field, value := range spec {
		template["spec"].(fields)[field] = value
	}
	for field, value := range pods {
		template["spec"].(fields)["template"].(fields)["spec"].(fields)[field] = value
	}
	return template
}

func image(name string) fields {
	return with(nil, fields{"containers": list{fields{"name": "c", "image": name}}})
}

// stateful makes a StatefulSet's template of a Deployment's.
func stateful(template fields) fields {
	template["spec"].(fields)["serviceName"] = "a"
	return template
}

// controller is a ReplicationController's template that names its pods by their labels alone.
func controller(label string) fields {
	template := workload(1)
	template["spec"].(fields)["template"].(fields)["metadata"] = fields{"labels": fields{"app": label}}
	delete(template["spec"].(fields), "selector")
	return template
}

// job is a Job's template with this in its spec.
func job(spec fields) fields {
	spec["suspend"] = true
	spec["template"] = fields{"spec": fields{"restartPolicy": "Never", "containers": list{fields{"name": "c", "image": "a"}}}}
	return fields{"spec": spec}
}

// service is a Service's template with this in its spec.
func service(spec fields) fields {
	spec["ports"] = list{fields{"port": int64(80)}}
	return fields{"spec": spec}
}

func policy(spec fields) fields {
	spec["podSelector"] = fields{}
	return fields{"spec": spec}
}

var everywhere = list{fields{}}

// pairs are templates of one object, one after the other.
var pairs = []struct {
	name, kind    string
	before, after fields
	requests      int // for the change; 0: one
}{
	{"a service account that leaves", "Deployment", with(nil, fields{"serviceAccountName": "a"}), workload(1), 0},
	{"a service account by its old name that leaves", "Deployment", with(nil, fields{"serviceAccount": "a"}), workload(1), 0},
	{"another service account by its old name", "Deployment", with(nil, fields{"serviceAccount": "a"}), with(nil, fields{"serviceAccount": "b"}), 0},
	{"a service account by its new name", "Deployment", with(nil, fields{"serviceAccount": "a"}), with(nil, fields{"serviceAccountName": "b"}), 0},
	{"a policy that gains egress", "NetworkPolicy", policy(fields{"ingress": everywhere}), policy(fields{"ingress": everywhere, "egress": everywhere}), 0},
	{"a policy that loses egress", "NetworkPolicy", policy(fields{"ingress": everywhere, "egress": everywhere}), policy(fields{"ingress": everywhere}), 0},
	{"labels that a controller's selector follows", "ReplicationController", controller("a"), controller("b"), 0},
	{"a strategy that has no parameters", "Deployment", workload(1), with(fields{"strategy": fields{"type": "Recreate"}}, fields{"hostNetwork": true}), 5},
	{"a strategy that has parameters again", "Deployment", with(fields{"strategy": fields{"type": "Recreate"}}, nil), workload(1), 0},
	{"an update strategy that has no parameters", "StatefulSet", stateful(workload(1)), stateful(with(fields{"updateStrategy": fields{"type": "OnDelete"}}, nil)), 5},
	{"the latest image", "Deployment", image("nginx:1"), image("nginx:latest"), 0},
	{"an image without a tag", "Deployment", image("nginx:1"), image("nginx"), 0},
	{"another image than the latest", "Deployment", image("nginx:latest"), image("nginx:1"), 0},
	{"another source of a volume that had none", "Deployment", with(nil, fields{"volumes": list{fields{"name": "v"}}}), with(nil, fields{"volumes": list{fields{"name": "v", "configMap": fields{"name": "c"}}}}), 5},
	{"a key in clear text that leaves", "Secret", fields{"stringData": fields{"a": "x", "b": "y"}}, fields{"stringData": fields{"a": "x"}}, 0},
	{"a key in clear text that is encoded", "Secret", fields{"stringData": fields{"a": "x", "b": "y"}}, data(fields{"b": "eg=="}), 0},
	{"an object in it that is emptied", "Deployment", with(nil, fields{"securityContext": fields{"runAsUser": int64(1)}}), with(nil, fields{"affinity": fields{}}), 0},
	{"an object in it that stays, empty", "Deployment", with(nil, fields{"affinity": fields{"podAffinity": fields{"requiredDuringSchedulingIgnoredDuringExecution": list{fields{"topologyKey": "a"}}}}}), with(nil, fields{"affinity": fields{}}), 2},
	{"a custom resource that is emptied", "Widget", fields{"spec": fields{"groups": list{"g"}}}, fields{"spec": fields{}}, 4},
	{"a Service of another type", "Service", fields{"spec": fields{"type": "ExternalName", "externalName": "a.b"}}, fields{"spec": fields{"clusterIP": "None", "ports": list{fields{"port": int64(80)}}}}, 0},
	{"two variables of one name of which one leaves", "Deployment", workload(1, variable("A", "1"), variable("B", "1")), workload(1, variable("A", "1"), variable("A", "2")), 3},
}

// content is what of an object does not differ between two that were made in the same way.
func content(object *unstructured.Unstructured) fields {
	out := object.DeepCopy().Object
	delete(out, "metadata")
	delete(out, "status")
	return out
}

var _ = Describe("An update", func() {
	for _, pair := range pairs {
		It("ends where a creation would: "+pair.name, func(ctx SpecContext) {
			if pair.kind == "Widget" {
				widgets(ctx, nil)
				knows(ctx, newRef(ctx, "Widget"), fields{"groups": list{"g"}})
			}
			b, ref, fresh := newBench(), newRef(ctx, pair.kind), newRef(ctx, pair.kind)
			known := b.held(ctx, desired(ref, pair.before))
			result := b.Apply(ctx, desired(ref, pair.after), member.Known{Live: known}, anyJournal)
			Expect(member.Err(result)).To(Succeed())
			Expect(b.requests()).To(HaveLen(max(pair.requests, 1)))
			result = b.Apply(ctx, desired(fresh, pair.after), member.Known{First: true}, anyJournal)
			Expect(member.Err(result)).To(Succeed())
			Expect(content(found(ctx, ref))).To(Equal(content(found(ctx, fresh))))

			By("going back")
			result = b.Apply(ctx, desired(ref, pair.before), member.Known{Live: live(ctx, ref)}, anyJournal)
			Expect(member.Err(result)).To(Succeed())
			fresh = newRef(ctx, pair.kind)
			b.held(ctx, desired(fresh, pair.before))
			Expect(content(found(ctx, ref))).To(Equal(content(found(ctx, fresh))))
		})
	}

	It("that leaves the rest to others leaves it also where it cannot be an apply", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		b.held(ctx, desired(ref, with(fields{"minReadySeconds": int64(5)}, fields{"hostNetwork": true}), true))
		tamper(ctx, ref, func(object *unstructured.Unstructured) {
			_ = unstructured.SetNestedField(object.Object, int64(7), "spec", "revisionHistoryLimit")
			_ = unstructured.SetNestedField(object.Object, int64(9), "spec", "replicas")
		})
		want := desired(ref, with(fields{"strategy": fields{"type": "Recreate"}}, nil), true)
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: live(ctx, ref), Retained: true}, anyJournal), ref)
		Expect(at(there, "spec", "strategy")).To(Equal(fields{"type": "Recreate"}))
		Expect(at(there, "spec", "replicas")).To(BeEquivalentTo(9))
		Expect(at(there, "spec", "revisionHistoryLimit")).To(BeEquivalentTo(7))
		Expect(at(there, "spec", "minReadySeconds")).To(BeNil())
		Expect(at(there, "spec", "template", "spec", "hostNetwork")).To(BeNil())
	})

	It("refuses a number that the API server would make another one of", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		known := b.held(ctx, desired(ref, workload(1)))
		for range 2 {
			result := b.Apply(ctx, desired(ref, with(fields{"revisionHistoryLimit": int64(99999999999)}, nil)), member.Known{Live: known}, anyJournal)
			Expect(result).To(BeAssignableToTypeOf(member.Invalid{}), "%v", member.Err(result))
			Expect(member.Err(result)).To(MatchError("spec.revisionHistoryLimit: 99999999999 is too large: the cluster would make 1215752191 of it"))
			Expect(b.requests()).To(Equal([]string{"APPLY"}))
		}
		Expect(*live(ctx, ref)).To(Equal(*known))
	})

	It("takes large numbers where they are quantities, and asks no more", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		limits := func(memory int64) fields {
			return with(nil, fields{"activeDeadlineSeconds": nil, "containers": list{fields{"name": "c", "image": "a", "resources": fields{"limits": fields{"memory": memory}}}}})
		}
		applied(ctx, b.Apply(ctx, desired(ref, limits(8589934592)), member.Known{First: true}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"APPLY", "APPLY"}))
		applied(ctx, b.Apply(ctx, desired(ref, limits(1_000_000_000_000)), member.Known{Live: live(ctx, ref)}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"APPLY"}))
	})

	It("learns what the API server drops, and asks for it no more", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		known := b.held(ctx, desired(ref, workload(1)))
		for i, made := range [][]string{{"APPLY", "APPLY"}, {"APPLY"}} {
			want := with(fields{"minReadySeconds": int64(i + 1)}, fields{"nodeSelector": fields{}, "tolerations": list{}})
			applied(ctx, b.Apply(ctx, desired(ref, want), member.Known{Live: known}, anyJournal), ref)
			Expect(b.requests()).To(Equal(made))
			known = live(ctx, ref)
		}
	})

	It("of what cannot be changed says so", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Deployment")
		known := b.held(ctx, desired(ref, workload(1)))
		other := workload(1)
		labels := fields{"matchLabels": fields{"app": "b"}}
		other["spec"].(fields)["selector"] = labels
		other["spec"].(fields)["template"].(fields)["metadata"] = fields{"labels": fields{"app": "b"}}
		result := b.Apply(ctx, desired(ref, other), member.Known{Live: known}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Invalid{}), "%v", member.Err(result))
		Expect(member.Err(result)).To(MatchError(ContainSubstring("field is immutable")))
		Expect(live(ctx, ref)).To(Equal(known))
	})

	DescribeTable("of what the API server keeps without a word says so, and arrives with the rest", func(ctx SpecContext, kind string, before, after fields, field, advice string) {
		b, ref := newBench(), newRef(ctx, kind)
		known := b.held(ctx, desired(ref, before))
		after["metadata"] = fields{"annotations": fields{"a": "1"}}
		for range 2 { // and again, when nothing changes any more
			result := b.Apply(ctx, desired(ref, after), member.Known{Live: known}, anyJournal)
			Expect(b.requests()).To(Equal([]string{"APPLY"}))
			Expect(result).To(BeAssignableToTypeOf(member.Invalid{}), "%v", member.Err(result))
			Expect(member.Err(result)).To(MatchError(And(HavePrefix(field+": stays "), HaveSuffix(advice))))
			known = live(ctx, ref)
		}
		Expect(found(ctx, ref).GetAnnotations()).To(HaveKeyWithValue("a", "1"))

		By("deleting the object, which makes way for what is wanted")
		Expect(cluster.Delete(ctx, found(ctx, ref), client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
		result := b.Apply(ctx, desired(ref, after), member.Known{}, anyJournal)
		Expect(member.Err(result)).To(Succeed())
	},
		Entry("a headless Service", "Service", service(fields{"clusterIP": "None"}), service(fields{}), "spec.clusterIP", "field is immutable"),
		Entry("a Service's IP families", "Service", service(fields{"ipFamilyPolicy": "PreferDualStack", "selector": fields{"a": "b"}}), service(fields{"selector": fields{"a": "b"}}), "spec.ipFamilyPolicy", "to change it"),
		Entry("a Job's completions", "Job", job(fields{}), job(fields{"parallelism": int64(3)}), "spec.completions", "field is immutable"))

	It("says what is kept that stands against another type of Service", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Service")
		known := b.held(ctx, desired(ref, service(fields{"clusterIP": "None"})))
		result := b.Apply(ctx, desired(ref, service(fields{"type": "NodePort"})), member.Known{Live: known}, anyJournal)
		Expect(result).To(BeAssignableToTypeOf(member.Invalid{}), "%v", member.Err(result))
		Expect(member.Err(result)).To(MatchError(HaveSuffix("spec.clusterIP stays None, which is not in the template: field is immutable")))
	})

	It("leaves a Service headless that somebody else has made so", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Service")
		plant(ctx, ref, "somebody", nil, service(fields{"clusterIP": "None"}))
		there := applied(ctx, b.Apply(ctx, desired(ref, service(fields{})), member.Known{First: true}, anyJournal), ref)
		Expect(at(there, "spec", "clusterIP")).To(Equal("None"))
	})

	It("shows drift of what was written in clear text", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "Secret")
		want := desired(ref, fields{"stringData": fields{"a": "x"}})
		known := b.held(ctx, want)
		tamper(ctx, ref, setData("a", "eg=="))
		drifted := live(ctx, ref)
		Expect(drifted.Owned).NotTo(Equal(known.Owned))
		there := applied(ctx, b.Apply(ctx, want, member.Known{Live: drifted, Repair: drifted.ResourceVersion()}, anyJournal), ref)
		Expect(at(there, "data", "a")).To(Equal(base64.StdEncoding.EncodeToString([]byte("x"))))
	})
})

var _ = Describe("What somebody else has made", func() {
	It("loses what leaves the template, and nothing else", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "NetworkPolicy")
		before := policy(fields{"ingress": everywhere})
		plant(ctx, ref, "kubectl-create", map[string]string{"theirs": "x"}, before)
		applied(ctx, b.Apply(ctx, desired(ref, before), member.Known{First: true}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"APPLY", "PATCH json"}))
		there := applied(ctx, b.Apply(ctx, desired(ref, policy(fields{"egress": everywhere})), member.Known{Live: live(ctx, ref)}, anyJournal), ref)
		Expect(b.requests()).To(Equal([]string{"APPLY"}))
		Expect(at(there, "spec", "ingress")).To(BeNil())
		Expect(at(there, "spec", "policyTypes")).To(Equal(list{"Ingress", "Egress"}))
		Expect(there.GetLabels()).To(HaveKeyWithValue("theirs", "x"))
	})

	It("is left alone where its owner keeps it out meanwhile", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		plant(ctx, ref, "somebody", nil, data(fields{"a": "1"}))
		var kept *unstructured.Unstructured
		b.once("PATCH json", func() { kept = tamper(ctx, ref, label("false")) })
		Expect(b.Apply(ctx, desired(ref, data(fields{"a": "1"})), member.Known{First: true}, anyJournal)).To(Equal(member.KeptOut{}))
		Expect(found(ctx, ref)).To(Equal(kept))
	})
})

var _ = Describe("What an earlier release has applied", func() {
	// It sent what templates say, without what an API server derives from it.
	It("is the same object with the same pods for this one", func(ctx SpecContext) {
		ref := newRef(ctx, "Deployment")
		template := with(nil, fields{"serviceAccountName": "a", "containers": list{fields{"name": "c", "image": "nginx"}}, "volumes": list{fields{"name": "v"}}})
		object := (&unstructured.Unstructured{Object: template}).DeepCopy()
		object.SetGroupVersionKind(ref.Resource.GVK)
		object.SetNamespace(ref.Key.Namespace)
		object.SetName(ref.Key.Name)
		object.SetLabels(map[string]string{federate.ManagedLabel: "true"})
		Expect(cluster.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(federate.FieldManager))).To(Succeed())
		before := found(ctx, ref)
		there := applied(ctx, newBench().Apply(ctx, desired(ref, template), member.Known{Live: live(ctx, ref)}, anyJournal), ref)
		Expect(at(there, "spec")).To(Equal(at(before, "spec")))
		Expect(there.GetGeneration()).To(Equal(before.GetGeneration()))
	})
})
