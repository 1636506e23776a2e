package member_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

var anyJournal member.Journal

// applied says that the member holds what was wanted, as the outcome shows.
func applied(ctx context.Context, result member.ApplyResult, ref member.Ref) *unstructured.Unstructured {
	GinkgoHelper()
	Expect(result).To(BeAssignableToTypeOf(member.Applied{}), "%v", member.Err(result))
	there := found(ctx, ref)
	Expect(member.LiveOf(result.(member.Applied).Object)).To(Equal(*live(ctx, ref)))
	return there
}

var _ = Describe("Apply", func() {
	It("creates and updates with one request each", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		there := applied(ctx, b.Apply(ctx, desired(ref, data(fields{"a": "1", "b": "1"})), member.Known{First: true}, anyJournal), ref)
		Expect(there.GetLabels()).To(Equal(map[string]string{federate.ManagedLabel: "true"}))
		Expect(managers(there)).To(Equal([]string{"Apply fedctl"}))
		known := live(ctx, ref)
		Expect(known.Managed).To(BeTrue())
		Expect(known.Owned).NotTo(BeZero())

		there = applied(ctx, b.Apply(ctx, desired(ref, data(fields{"a": "2"})), member.Known{Live: known}, anyJournal), ref)
		Expect(at(there, "data")).To(Equal(fields{"a": "2"}))
		Expect(b.requests()).To(Equal([]string{"APPLY", "APPLY"}))
	})

	It("says to be sending once, before the first write, and sends nothing if that is not wanted", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		want := desired(ref, data(fields{"a": "1"}))
		want.Adopt = false
		journal := member.Journal{Sending: func(known *member.Live) bool {
			Expect(known).To(BeNil())
			return false
		}}
		Expect(b.Apply(ctx, want, member.Known{First: true}, journal)).To(Equal(member.Withheld{}))
		Expect(b.requests()).To(Equal([]string{"GET"}), "what is in the way was looked at")
		Expect(isGone(ctx, ref)).To(BeTrue())

		plant(ctx, ref, "controller-manager", map[string]string{federate.ManagedLabel: "true"}, data(fields{"a": "2"}))
		known, told := live(ctx, ref), 0
		journal.Sending = func(l *member.Live) bool {
			told++
			Expect(l).To(Equal(known))
			Expect(b.requests()).To(BeEmpty())
			return true
		}
		applied(ctx, b.Apply(ctx, want, member.Known{Live: known, First: true}, journal), ref)
		Expect(told).To(Equal(1))
	})

	It("leaves alone what is known to be kept out or on its way out", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		want := desired(ref, data(fields{"a": "1"}))
		Expect(b.Apply(ctx, want, member.Known{Live: &member.Live{}}, anyJournal)).To(Equal(member.KeptOut{}))
		Expect(b.Apply(ctx, want, member.Known{Live: &member.Live{Managed: true, Deleting: true}}, anyJournal)).To(Equal(member.Deleting{}))
		Expect(b.requests()).To(BeEmpty())
	})

	Context("when others own fields that are wanted", func() {
		It("takes them over in the version that was read, and keeps the rest", func(ctx SpecContext) {
			b, ref := newBench(), newRef(ctx, "ConfigMap")
			plant(ctx, ref, "somebody", nil, data(fields{"a": "theirs", "theirs": "x"}))
			there := applied(ctx, b.Apply(ctx, desired(ref, data(fields{"a": "1"})), member.Known{First: true}, anyJournal), ref)
			Expect(at(there, "data")).To(Equal(fields{"a": "1", "theirs": "x"}))
			Expect(b.requests()).To(Equal([]string{"APPLY", "GET", "FORCE"}))
		})

		It("reads again what changes meanwhile", func(ctx SpecContext) {
			b, ref := newBench(), newRef(ctx, "ConfigMap")
			plant(ctx, ref, "somebody", nil, data(fields{"a": "theirs"}))
			b.once("FORCE", func() { tamper(ctx, ref, setData("theirs", "x")) })
			there := applied(ctx, b.Apply(ctx, desired(ref, data(fields{"a": "1"})), member.Known{First: true}, anyJournal), ref)
			Expect(at(there, "data")).To(Equal(fields{"a": "1", "theirs": "x"}))
			Expect(b.requests()).To(Equal([]string{"APPLY", "GET", "FORCE", "GET", "FORCE"}))
		})

		It("forces nothing on what its owner keeps out meanwhile", func(ctx SpecContext) {
			b, ref := newBench(), newRef(ctx, "ConfigMap")
			plant(ctx, ref, "somebody", nil, data(fields{"a": "theirs"}))
			var kept *unstructured.Unstructured
			b.once("FORCE", func() { kept = tamper(ctx, ref, label("false")) })
			Expect(b.Apply(ctx, desired(ref, data(fields{"a": "1"})), member.Known{First: true}, anyJournal)).To(Equal(member.KeptOut{}))
			Expect(found(ctx, ref)).To(Equal(kept))
			Expect(b.requests()).To(Equal([]string{"APPLY", "GET", "FORCE", "GET"}))
		})
	})

	Context("to repair what is known to have drifted", func() {
		It("takes one request", func(ctx SpecContext) {
			b, ref := newBench(), newRef(ctx, "ConfigMap")
			want := desired(ref, data(fields{"a": "1"}))
			b.held(ctx, want)
			tamper(ctx, ref, setData("a", "drifted"))
			known := live(ctx, ref)
			there := applied(ctx, b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal), ref)
			Expect(at(there, "data", "a")).To(Equal("1"))
			Expect(b.requests()).To(Equal([]string{"FORCE"}))
		})

		It("looks again if it has changed since", func(ctx SpecContext) {
			b, ref := newBench(), newRef(ctx, "ConfigMap")
			want := desired(ref, data(fields{"a": "1"}))
			b.held(ctx, want)
			tamper(ctx, ref, setData("a", "drifted"))
			known := live(ctx, ref)
			tamper(ctx, ref, setData("a", "again"))
			there := applied(ctx, b.Apply(ctx, want, member.Known{Live: known, Repair: known.ResourceVersion()}, anyJournal), ref)
			Expect(at(there, "data", "a")).To(Equal("1"))
			Expect(b.requests()).To(Equal([]string{"FORCE", "APPLY", "GET", "FORCE"}))
		})
	})

	Context("when the watch is late", func() {
		// known is what was known before something happened behind our back.
		var (
			b     *bench
			ref   member.Ref
			want  member.Desired
			known member.Known
		)
		BeforeEach(func(ctx SpecContext) {
			b, ref = newBench(), newRef(ctx, "ConfigMap")
			want = desired(ref, data(fields{"a": "1"}))
			known = member.Known{Live: b.held(ctx, want)}
		})

		It("creates again what was deleted", func(ctx SpecContext) {
			Expect(cluster.Delete(ctx, found(ctx, ref))).To(Succeed())
			applied(ctx, b.Apply(ctx, want, known, anyJournal), ref)
			Expect(b.requests()).To(Equal([]string{"APPLY"}))
		})

		It("creates again what was deleted and was to be repaired", func(ctx SpecContext) {
			known.Repair = known.Live.ResourceVersion()
			Expect(cluster.Delete(ctx, found(ctx, ref))).To(Succeed())
			applied(ctx, b.Apply(ctx, want, known, anyJournal), ref)
			Expect(b.requests()).To(Equal([]string{"FORCE"}), "a version that there is no object of does not matter")
		})

		It("makes nothing again that may be done when it is gone", func(ctx SpecContext) {
			known.Repair, known.Once = known.Live.ResourceVersion(), true
			Expect(cluster.Delete(ctx, found(ctx, ref))).To(Succeed())
			Expect(b.Apply(ctx, want, known, anyJournal)).To(Equal(member.Vanished{}))
			Expect(isGone(ctx, ref)).To(BeTrue())
			Expect(b.requests()).To(Equal([]string{"FORCE", "APPLY", "GET"}))

			By("wanting something else")
			known.Repair = ""
			applied(ctx, b.Apply(ctx, desired(ref, data(fields{"a": "2"})), known, anyJournal), ref)
		})

		It("makes nothing again that goes between a look and the write", func(ctx SpecContext) {
			known.Repair, known.Once = known.Live.ResourceVersion(), true
			tamper(ctx, ref, setData("a", "theirs"))
			forced := 0
			b.before = func(request string) {
				if request != "FORCE" {
					return
				}
				if forced++; forced == 2 {
					Expect(cluster.Delete(ctx, found(ctx, ref))).To(Succeed())
				}
			}
			Expect(b.Apply(ctx, want, known, anyJournal)).To(Equal(member.Vanished{}))
			Expect(isGone(ctx, ref)).To(BeTrue())
		})

		It("repairs another one that has taken the name of what may be done", func(ctx SpecContext) {
			known.Repair, known.Once = known.Live.ResourceVersion(), true
			Expect(cluster.Delete(ctx, found(ctx, ref))).To(Succeed())
			plant(ctx, ref, "somebody", map[string]string{federate.ManagedLabel: "true"}, data(fields{"a": "theirs"}))
			Expect(at(applied(ctx, b.Apply(ctx, want, known, anyJournal), ref), "data", "a")).To(Equal("1"))
		})

		It("writes to what has changed", func(ctx SpecContext) {
			tamper(ctx, ref, setData("theirs", "x"))
			want = desired(ref, data(fields{"a": "2"}))
			Expect(at(applied(ctx, b.Apply(ctx, want, known, anyJournal), ref), "data")).To(Equal(fields{"a": "2", "theirs": "x"}))
			Expect(b.requests()).To(Equal([]string{"APPLY"}))
		})

		DescribeTable("leaves alone what its owner keeps out", func(ctx SpecContext, repair bool, made []string) {
			if repair {
				known.Repair = known.Live.ResourceVersion()
			}
			kept := tamper(ctx, ref, label("false"))
			Expect(b.Apply(ctx, desired(ref, data(fields{"a": "2"})), known, anyJournal)).To(Equal(member.KeptOut{}))
			Expect(found(ctx, ref)).To(Equal(kept))
			Expect(b.requests()).To(Equal(made))
		},
			Entry("when it is updated", false, []string{"APPLY"}),
			Entry("when it is repaired", true, []string{"FORCE", "APPLY"}),
		)

		It("leaves alone what was there before, and is kept out", func(ctx SpecContext) {
			ref := newRef(ctx, "ConfigMap")
			kept := plant(ctx, ref, "somebody", map[string]string{federate.ManagedLabel: "false"}, data(fields{"a": "0"}))
			Expect(b.Apply(ctx, desired(ref, data(fields{"a": "1"})), member.Known{First: true}, anyJournal)).To(Equal(member.KeptOut{}))
			Expect(found(ctx, ref)).To(Equal(kept))
			Expect(b.requests()).To(Equal([]string{"APPLY"}))
		})
	})

	Context("where existing objects are not adopted", func() {
		It("leaves them alone", func(ctx SpecContext) {
			b, ref := newBench(), newRef(ctx, "ConfigMap")
			there := plant(ctx, ref, "somebody", nil, data(fields{"theirs": "x"}))
			want := desired(ref, data(fields{"a": "1"}))
			want.Adopt = false
			result := b.Apply(ctx, want, member.Known{First: true}, member.Journal{Sending: func(*member.Live) bool {
				Fail("it is said to be sent")
				return true
			}})
			Expect(result).To(Equal(member.Exists{}))
			Expect(member.Err(result)).To(MatchError(ContainSubstring("not managed by the federation")))
			Expect(found(ctx, ref)).To(Equal(there))
			Expect(b.requests()).To(Equal([]string{"GET"}))
		})

		It("writes to those that bear the label, which the watch has not told yet", func(ctx SpecContext) {
			b, ref := newBench(), newRef(ctx, "ConfigMap")
			want := desired(ref, data(fields{"a": "1"}))
			want.Adopt = false
			applied(ctx, b.Apply(ctx, want, member.Known{First: true}, anyJournal), ref)
			Expect(b.requests()).To(Equal([]string{"GET", "APPLY"}))
			applied(ctx, b.Apply(ctx, want, member.Known{}, anyJournal), ref)
			Expect(b.requests()).To(Equal([]string{"GET", "APPLY"}))
		})

		It("writes nothing if it cannot look", func(ctx SpecContext) {
			b, ref := newBench("nobody"), newRef(ctx, "ConfigMap")
			want := desired(ref, data(fields{"a": "1"}))
			want.Adopt = false
			result := b.Apply(ctx, want, member.Known{First: true}, anyJournal)
			Expect(result).To(BeAssignableToTypeOf(member.Unread{}))
			Expect(apierrors.IsForbidden(member.Err(result))).To(BeTrue(), "%v", member.Err(result))
			Expect(b.requests()).To(Equal([]string{"GET"}))
		})
	})

	Context("that fails", func() {
		It("for want of rights says so", func(ctx SpecContext) {
			b, ref := newBench("nobody"), newRef(ctx, "ConfigMap")
			result := b.Apply(ctx, desired(ref, data(fields{"a": "1"})), member.Known{First: true}, anyJournal)
			Expect(apierrors.IsForbidden(member.Err(result))).To(BeTrue(), "%v", member.Err(result))
			Expect(result).To(BeAssignableToTypeOf(member.Failed{}))
			Expect(result.(member.Failed).Late()).To(BeFalse())
			Expect(b.requests()).To(Equal([]string{"APPLY"}))
		})

		It("in a namespace that is being deleted says so", func(ctx SpecContext) {
			b, ref := newBench(), newRef(ctx, "ConfigMap")
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ref.Key.Namespace}}
			Expect(cluster.Delete(ctx, namespace)).To(Succeed()) // nobody finishes it: no controller runs
			result := b.Apply(ctx, desired(ref, data(fields{"a": "1"})), member.Known{First: true}, anyJournal)
			Expect(result).To(BeAssignableToTypeOf(member.Failed{}))
			Expect(apierrors.HasStatusCause(member.Err(result), corev1.NamespaceTerminatingCause)).To(BeTrue(), "%v", member.Err(result))
			Expect(result.(member.Failed).Late()).To(BeFalse())
			Expect(b.requests()).To(Equal([]string{"APPLY"}))
			Expect(isGone(ctx, ref)).To(BeTrue())
		})

		It("for want of an answer may have arrived", func(ctx SpecContext) {
			b, ref := newBench(), newRef(ctx, "ConfigMap")
			b.unanswered()
			result := b.Apply(ctx, desired(ref, data(fields{"a": "1"})), member.Known{First: true}, anyJournal)
			Expect(result).To(BeAssignableToTypeOf(member.Failed{}))
			Expect(result.(member.Failed).Late()).To(BeTrue(), "%v", member.Err(result))
			Expect(at(found(ctx, ref), "data", "a")).To(Equal("1"))
			Expect(b.requests()).To(Equal([]string{"APPLY"}))
		})
	})
})
