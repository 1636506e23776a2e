package member_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

var _ = Describe("Remove", func() {
	var (
		b     *bench
		ref   member.Ref
		known *member.Live
		ours  = map[string]string{federate.ManagedLabel: "true"}
	)
	BeforeEach(func(ctx SpecContext) {
		b, ref = newBench(), newRef(ctx, "ConfigMap")
		known = b.held(ctx, desired(ref, data(fields{"a": "1"})))
	})
	// again deletes the object and has somebody create another one of its name.
	again := func(ctx SpecContext, labels map[string]string) *unstructured.Unstructured {
		GinkgoHelper()
		Expect(cluster.Delete(ctx, found(ctx, ref))).To(Succeed())
		return plant(ctx, ref, "somebody", labels, data(fields{"a": "another"}))
	}

	It("deletes with one request, and says before what it is about", func(ctx SpecContext) {
		told := 0
		journal := member.Journal{Sending: func(l *member.Live) bool {
			told++
			Expect(l).To(Equal(known))
			Expect(b.requests()).To(BeEmpty())
			return true
		}}
		Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, known, journal)).To(Equal(member.Deleted{}))
		Expect(b.requests()).To(Equal([]string{"DELETE"}))
		Expect(told).To(Equal(1))
		Expect(isGone(ctx, ref)).To(BeTrue())

		Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, known, anyJournal)).To(Equal(member.Gone{}))
		Expect(b.requests()).To(Equal([]string{"DELETE"}), "the watch has not told")
	})

	It("sends nothing if that is not wanted", func(ctx SpecContext) {
		journal := member.Journal{Sending: func(*member.Live) bool { return false }}
		Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, known, journal)).To(Equal(member.Withheld{}))
		Expect(b.requests()).To(BeEmpty())
	})

	It("asks where the watch has told of nothing", func(ctx SpecContext) {
		var read []*member.Live
		journal := member.Journal{
			Read: func(object metav1.Object) {
				l := member.LiveOf(object)
				read = append(read, &l)
			},
			Sending: func(l *member.Live) bool {
				Expect(read).To(Equal([]*member.Live{l}))
				return true
			},
		}
		Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, nil, journal)).To(Equal(member.Deleted{}))
		Expect(read).To(Equal([]*member.Live{known}))
		Expect(b.requests()).To(Equal([]string{"GET", "DELETE"}))
		Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, nil, anyJournal)).To(Equal(member.Gone{}))
		Expect(b.requests()).To(Equal([]string{"GET"}))
		plant(ctx, ref, "somebody", nil, data(nil))
		Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, nil, anyJournal)).To(Equal(member.NotOurs{}))
		Expect(b.requests()).To(Equal([]string{"GET"}))
	})

	It("waits for what is on its way out", func(ctx SpecContext) {
		tamper(ctx, ref, func(object *unstructured.Unstructured) { object.SetFinalizers([]string{"example.com/wait"}) })
		Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, live(ctx, ref), anyJournal)).To(Equal(member.Deleted{}))
		b.requests()
		Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, live(ctx, ref), anyJournal)).To(Equal(member.Deleting{}))
		Expect(b.requests()).To(BeEmpty())
		Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, nil, anyJournal)).To(Equal(member.Deleting{}))
		Expect(b.requests()).To(Equal([]string{"GET"}))
		tamper(ctx, ref, func(object *unstructured.Unstructured) { object.SetFinalizers(nil) })
	})

	It("deletes with the user's options, but never another object", func(ctx SpecContext) {
		options := &metav1.DeleteOptions{
			PropagationPolicy: ptr.To(metav1.DeletePropagationForeground),
			Preconditions:     &metav1.Preconditions{UID: ptr.To(types.UID("another"))},
		}
		unwanted := member.Unwanted{Ref: ref, DeleteOptions: options}
		result := b.Remove(ctx, unwanted, known, anyJournal)
		Expect(member.Err(result)).To(MatchError(ContainSubstring("the UID in the precondition (another) does not match")))
		Expect(found(ctx, ref).GetFinalizers()).To(BeEmpty())
		options.Preconditions.UID = nil
		Expect(b.Remove(ctx, unwanted, known, anyJournal)).To(Equal(member.Deleted{}))
		Expect(found(ctx, ref).GetFinalizers()).To(Equal([]string{metav1.FinalizerDeleteDependents}))
		Expect(options.Preconditions.UID).To(BeNil(), "the options are the caller's")
		tamper(ctx, ref, func(object *unstructured.Unstructured) { object.SetFinalizers(nil) })
	})

	Context("when the watch is late", func() {
		It("deletes what has changed and bears our label still", func(ctx SpecContext) {
			tamper(ctx, ref, setData("theirs", "x"))
			var read *member.Live
			now := live(ctx, ref)
			journal := member.Journal{Read: func(object metav1.Object) {
				l := member.LiveOf(object)
				read = &l
			}}
			Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, known, journal)).To(Equal(member.Deleted{}))
			Expect(b.requests()).To(Equal([]string{"DELETE", "GET", "DELETE"}))
			Expect(read).To(Equal(now))
		})

		It("leaves alone what its owner keeps out", func(ctx SpecContext) {
			kept := tamper(ctx, ref, label("false"))
			Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, known, anyJournal)).To(Equal(member.NotOurs{}))
			Expect(b.requests()).To(Equal([]string{"DELETE", "GET"}))
			Expect(found(ctx, ref)).To(Equal(kept))
		})

		It("leaves alone another object that has taken the name", func(ctx SpecContext) {
			another := again(ctx, nil)
			Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, known, anyJournal)).To(Equal(member.NotOurs{}))
			Expect(b.requests()).To(Equal([]string{"DELETE", "GET"}))
			Expect(found(ctx, ref)).To(Equal(another))
		})

		It("deletes another object that bears our label", func(ctx SpecContext) {
			again(ctx, ours)
			Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, known, anyJournal)).To(Equal(member.Deleted{}))
			Expect(b.requests()).To(Equal([]string{"DELETE", "GET", "DELETE"}))
		})
	})

	It("leaves alone what is known to be kept out", func(ctx SpecContext) {
		kept := tamper(ctx, ref, label("false"))
		Expect(b.Remove(ctx, member.Unwanted{Ref: ref}, live(ctx, ref), anyJournal)).To(Equal(member.NotOurs{}))
		Expect(b.Remove(ctx, member.Unwanted{Ref: ref, Keep: true}, live(ctx, ref), anyJournal)).To(Equal(member.NotOurs{}))
		Expect(b.requests()).To(BeEmpty())
		Expect(found(ctx, ref)).To(Equal(kept))
	})

	Context("that keeps the object", func() {
		It("takes the label off and nothing else", func(ctx SpecContext) {
			tamper(ctx, ref, func(object *unstructured.Unstructured) {
				object.SetLabels(map[string]string{federate.ManagedLabel: "true", "theirs": "x"})
			})
			Expect(b.Remove(ctx, member.Unwanted{Ref: ref, Keep: true}, known, anyJournal)).To(Equal(member.Unlabelled{}))
			Expect(b.requests()).To(Equal([]string{"PATCH merge", "GET", "PATCH merge"}), "the watch has not told")
			there := found(ctx, ref)
			Expect(there.GetLabels()).To(Equal(map[string]string{"theirs": "x"}))
			Expect(at(there, "data")).To(Equal(fields{"a": "1"}))
		})

		It("leaves its owner's label", func(ctx SpecContext) {
			kept := tamper(ctx, ref, label("false"))
			Expect(b.Remove(ctx, member.Unwanted{Ref: ref, Keep: true}, known, anyJournal)).To(Equal(member.NotOurs{}))
			Expect(found(ctx, ref)).To(Equal(kept))
		})
	})

	Context("that fails", func() {
		It("for want of rights says so", func(ctx SpecContext) {
			b := newBench("nobody")
			for _, known := range []*member.Live{nil, known} {
				result := b.Remove(ctx, member.Unwanted{Ref: ref}, known, anyJournal)
				Expect(apierrors.IsForbidden(member.Err(result))).To(BeTrue(), "%v", member.Err(result))
				if known == nil {
					Expect(result).To(BeAssignableToTypeOf(member.Unread{}))
				} else {
					Expect(result).To(BeAssignableToTypeOf(member.Failed{}))
				}
			}
			Expect(b.requests()).To(Equal([]string{"GET", "DELETE"}))
		})

		It("for want of an answer is not done", func(ctx SpecContext) {
			b.unanswered()
			result := b.Remove(ctx, member.Unwanted{Ref: ref}, known, anyJournal)
			Expect(result).To(BeAssignableToTypeOf(member.Failed{}), "the object would count as removed")
			Expect(result.(member.Failed).Late()).To(BeTrue(), "%v", member.Err(result))
			Expect(b.requests()).To(Equal([]string{"DELETE"}))
		})
	})
})

var _ = Describe("Release", func() {
	It("takes the label off what is as it is known, and leaves alone what is not", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		before := b.held(ctx, desired(ref, data(fields{"a": "1"})))
		tamper(ctx, ref, setData("a", "2"))
		Expect(b.Release(ctx, ref, before)).To(Equal(member.Changed{}))
		result := newBench("nobody").Release(ctx, ref, live(ctx, ref))
		Expect(result).To(BeAssignableToTypeOf(member.Failed{}))
		Expect(apierrors.IsForbidden(member.Err(result))).To(BeTrue(), "%v", member.Err(result))
		Expect(found(ctx, ref).GetLabels()).To(HaveKeyWithValue(federate.ManagedLabel, "true"))

		known := live(ctx, ref)
		Expect(b.Release(ctx, ref, known)).To(Equal(member.Unlabelled{}))
		Expect(found(ctx, ref).GetLabels()).To(BeEmpty())
		Expect(cluster.Delete(ctx, found(ctx, ref))).To(Succeed())
		Expect(b.Release(ctx, ref, known)).To(Equal(member.Gone{}))
		Expect(b.requests()).To(Equal([]string{"PATCH merge", "PATCH merge", "PATCH merge"}))
	})
})
