package member_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// dry is a dry run in the same cluster.
func (b *bench) dry() *member.DryRun {
	return member.NewDryRun(b.metadata, b.dynamic, b.discovery, 15*time.Second)
}

var _ = Describe("A dry run", func() {
	It("says what an apply would make, and makes nothing", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		before, after, outcome := b.dry().Apply(ctx, desired(ref, data(fields{"a": "1"})))
		Expect(member.Err(outcome)).To(Succeed())
		Expect(before).To(BeNil())
		Expect(after.Object["data"]).To(Equal(fields{"a": "1"}))
		Expect(isGone(ctx, ref)).To(BeTrue())

		known := b.held(ctx, desired(ref, data(fields{"a": "1"})))
		before, after, outcome = b.dry().Apply(ctx, exact(ref, data(fields{"a": "2"})))
		Expect(member.Err(outcome)).To(Succeed())
		Expect(before.Object["data"]).To(Equal(fields{"a": "1"}))
		Expect(after.Object["data"]).To(Equal(fields{"a": "2"}))
		Expect(live(ctx, ref)).To(Equal(known))
	})

	It("says that a removal would delete, and deletes nothing", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		known := b.held(ctx, desired(ref, data(fields{"a": "1"})))
		before, after, outcome := b.dry().Remove(ctx, member.Unwanted{Ref: ref, DeleteOptions: &metav1.DeleteOptions{GracePeriodSeconds: ptr.To(int64(0))}})
		Expect(outcome).To(Equal(member.Deleted{}))
		Expect(before.Object["data"]).To(Equal(fields{"a": "1"}))
		Expect(after).To(BeNil())
		Expect(live(ctx, ref)).To(Equal(known))
	})

	It("says that a removal would leave what was there before, without the label", func(ctx SpecContext) {
		b, ref := newBench(), member.Ref{Resource: resources["Namespace"], Key: types.NamespacedName{Name: "spec-" + rand.String(6)}}
		plant(ctx, ref, "somebody", map[string]string{federate.ManagedLabel: "true"}, fields{})
		known := live(ctx, ref)
		before, after, outcome := b.dry().Remove(ctx, member.Unwanted{Ref: ref, KeepFound: true})
		Expect(outcome).To(Equal(member.Unlabelled{}))
		Expect(before.GetLabels()).To(HaveKey(federate.ManagedLabel))
		Expect(after.GetLabels()).NotTo(HaveKey(federate.ManagedLabel))
		Expect(live(ctx, ref)).To(Equal(known))
	})

	It("says that a removal would leave alone what is not ours", func(ctx SpecContext) {
		b, ref := newBench(), newRef(ctx, "ConfigMap")
		plant(ctx, ref, "somebody", nil, data(fields{"a": "1"}))
		before, after, outcome := b.dry().Remove(ctx, member.Unwanted{Ref: ref})
		Expect(outcome).To(Equal(member.NotOurs{}))
		Expect(after).To(Equal(before))
	})
})
