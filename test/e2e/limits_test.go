package e2e

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	// longestKey is as long as the key of a label or an annotation may be.
	longestPrefix, longestName = 253, 63
	// mostAnnotations is how many bytes all annotations of an object may have, keys and values.
	mostAnnotations = 256 << 10
)

func longestKey() string {
	label := strings.Repeat("a", 61) + "."
	return strings.Repeat(label, 4) + strings.Repeat("a", longestPrefix-4*len(label)) + "/" + strings.Repeat("n", longestName)
}

// annotationsOf are annotations of so many bytes in all.
func annotationsOf(bytes int) fields {
	const key = "example.com/large"
	return fields{key: strings.Repeat("x", bytes-len(key))}
}

var _ = Describe("Metadata as large as it may be", func() {
	It("arrives, is repaired, changes and goes", func(ctx SpecContext) {
		labels := fields{longestKey(): strings.Repeat("v", 63)}
		template := fields{"metadata": fields{"labels": labels, "annotations": annotationsOf(mostAnnotations)}, "data": fields{"a": "1"}}
		f := create(ctx, federate("ConfigMap", federatedNamespace(ctx), "large", template).on(members[0], members[1]))
		expectSettled(ctx, f, members[0], members[1])
		u := found(ctx, members[0], f.target)
		Expect(u.GetLabels()).To(HaveKeyWithValue(longestKey(), strings.Repeat("v", 63)))
		Expect(u.GetAnnotations()["example.com/large"]).To(HaveLen(mostAnnotations - len("example.com/large")))
		tamper(ctx, members[0], f.target, func(u *unstructured.Unstructured) { u.SetAnnotations(nil) })
		expectField(ctx, members[0], f.target, "/metadata/annotations", annotationsOf(mostAnnotations))

		By("asking for one byte more")
		change(ctx, f, func(f *federated) { set(f.template(), "/metadata/annotations", annotationsOf(mostAnnotations+1)) })
		o := expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "UpdateFailed", members[1].Name: "UpdateFailed"})
		Expect(o.Messages[members[0].Name]).To(And(ContainSubstring("metadata.annotations"), ContainSubstring("262144 bytes")))
		change(ctx, f, func(f *federated) { set(f.template(), "/metadata/annotations", nil) })
		expectField(ctx, members[0], f.target, "/metadata/annotations", nil)
		expectSettled(ctx, f, members[0], members[1])
		remove(ctx, f)
		expectMissing(ctx, members[0], f.target)
	}, NodeTimeout(time.Minute))
})

var _ = Describe("A namespace that a member refuses", func() {
	It("leaves nothing there when it goes", func(ctx SpecContext) {
		ns := plainNamespace(ctx)
		f := create(ctx, federate("Namespace", ns, ns, fields{"metadata": fields{"labels": fields{"a": "not valid!"}}}).on(members[0]))
		o := expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "CreationFailed"})
		Expect(o.Messages[members[0].Name]).To(ContainSubstring("not valid!"))
		remove(ctx, f)
		expectGone(ctx, members[0], f.target)
	}, NodeTimeout(time.Minute))
})
