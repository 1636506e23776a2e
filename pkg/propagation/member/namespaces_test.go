package member_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

var _ = Describe("A namespace", func() {
	const enforce = "pod-security.kubernetes.io/enforce"
	var (
		b   *bench
		ref member.Ref
	)
	BeforeEach(func() {
		b, ref = newBench(), member.Ref{Resource: resources["Namespace"], Key: types.NamespacedName{Name: "spec-" + rand.String(6)}}
	})
	labelled := func(level string) member.Desired {
		d := desired(member.Ref{Resource: ref.Resource, Key: types.NamespacedName{Name: ref.Key.Name, Namespace: ref.Key.Name}},
			fields{"metadata": fields{"labels": fields{enforce: level, "team": "a"}, "annotations": fields{federate.CreatedAnnotation: "true"}}})
		d.Ref, d.Protected = ref, []string{"pod-security.kubernetes.io/"}
		return d
	}
	unwanted := func() member.Unwanted { return member.Unwanted{Ref: ref, KeepFound: true} }

	It("that the federation creates is deleted with its federated object", func(ctx SpecContext) {
		known := b.held(ctx, labelled("baseline"))
		Expect(known.Created).To(BeTrue())
		known = b.held(ctx, labelled("baseline")) // as after a restart, before the watch has told
		Expect(known.Created).To(BeTrue())
		Expect(b.Remove(ctx, unwanted(), known, anyJournal)).To(Equal(member.Deleted{}))
	})

	It("of which the rest is refused is deleted with its federated object", func(ctx SpecContext) {
		refused := labelled("baseline")
		refused.Rendered = desired(ref, fields{"metadata": fields{"labels": fields{"team": "not valid!"}}}).Rendered
		Expect(member.Err(b.Apply(ctx, refused, member.Known{First: true}, anyJournal))).To(MatchError(ContainSubstring("not valid!")))
		Expect(b.Remove(ctx, unwanted(), nil, anyJournal)).To(Equal(member.Deleted{}))
	})

	It("that was there before is kept, whatever the template says of it", func(ctx SpecContext) {
		plant(ctx, ref, "somebody", nil, fields{})
		known := b.held(ctx, labelled("baseline"))
		Expect(known.Managed).To(BeTrue())
		Expect(known.Created).To(BeFalse())
		Expect(b.Remove(ctx, unwanted(), known, anyJournal)).To(Equal(member.Unlabelled{}))
		Expect(found(ctx, ref).GetDeletionTimestamp()).To(BeNil())
		Expect(b.Remove(ctx, unwanted(), nil, anyJournal)).To(Equal(member.NotOurs{}))
	})

	It("that somebody creates at that moment is not taken for the federation's", func(ctx SpecContext) {
		b.once("POST", func() { plant(ctx, ref, "somebody", nil, fields{}) })
		known := b.held(ctx, labelled("baseline"))
		Expect(known.Created).To(BeFalse())
	})

	It("that KubeFed has created is the federation's, one that KubeFed has found is not", func(ctx SpecContext) {
		plant(ctx, ref, "controller-manager", map[string]string{federate.ManagedLabel: "true"}, fields{})
		Expect(b.Apply(ctx, labelled("baseline"), member.Known{Live: live(ctx, ref), First: true}, anyJournal)).To(BeAssignableToTypeOf(member.Applied{}))
		Expect(live(ctx, ref).Created).To(BeTrue())

		ref.Key.Name = "spec-" + rand.String(6)
		object := plant(ctx, ref, "somebody", nil, fields{})
		object.SetLabels(map[string]string{federate.ManagedLabel: "true", "team": "a"})
		Expect(cluster.Update(ctx, object, client.FieldOwner("controller-manager"))).To(Succeed())
		Expect(b.Apply(ctx, labelled("baseline"), member.Known{Live: live(ctx, ref), First: true}, anyJournal)).To(BeAssignableToTypeOf(member.Applied{}))
		Expect(live(ctx, ref).Created).To(BeFalse())
	})

	It("keeps the Pod Security level that its administrator has set", func(ctx SpecContext) {
		plant(ctx, ref, "administrator", map[string]string{enforce: "restricted", "team": "b"}, fields{})
		result, is := b.Apply(ctx, labelled("privileged"), member.Known{First: true}, anyJournal).(member.Applied)
		Expect(is).To(BeTrue())
		Expect(result.Unknown).To(Equal([]string{federate.LeftToMember + "metadata.labels." + enforce}))
		Expect(found(ctx, ref).GetLabels()).To(And(HaveKeyWithValue(enforce, "restricted"), HaveKeyWithValue("team", "a")))
	})

	It("keeps a level that its administrator sets over the template's, also on repair", func(ctx SpecContext) {
		want := labelled("privileged")
		b.held(ctx, want)
		Expect(found(ctx, ref).GetLabels()).To(HaveKeyWithValue(enforce, "privileged"))
		changed := tamper(ctx, ref, func(object *unstructured.Unstructured) {
			labels := object.GetLabels()
			labels[enforce], labels["team"] = "restricted", "b"
			object.SetLabels(labels)
		})
		result, is := b.Apply(ctx, want, member.Known{Live: live(ctx, ref), Repair: changed.GetResourceVersion()}, anyJournal).(member.Applied)
		Expect(is).To(BeTrue())
		Expect(result.Unknown).To(Equal([]string{federate.LeftToMember + "metadata.labels." + enforce}))
		Expect(found(ctx, ref).GetLabels()).To(And(HaveKeyWithValue(enforce, "restricted"), HaveKeyWithValue("team", "a")))
	})
})
