package controlplane

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/fedctl/fedctl/pkg/eventnote"
	"github.com/fedctl/fedctl/test/kit"
)

var _ = Describe("events", func() {
	const first, last = "cluster größe-000: the object is refused", "field is immutable"

	var text string
	BeforeEach(func() {
		var parts []string
		for i := range 100 {
			parts = append(parts, fmt.Sprintf("cluster größe-%03d: the object is refused:\n\tspec.selector: %s", i, last))
		}
		text = strings.Join(parts, "; ")
	})

	It("arrive, with both ends of what a hundred clusters have to say", func(ctx SpecContext) {
		mgr, err := manager.New(host.Config, manager.Options{Metrics: metricsserver.Options{BindAddress: "0"}})
		Expect(err).NotTo(HaveOccurred())
		about := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "told-"}}
		Expect(host.Create(ctx, about)).To(Succeed())
		eventnote.NewRecorder(mgr, "suite").Eventf(about, nil, corev1.EventTypeWarning, "Refused", "Propagate", "%s", text)
		Eventually(ctx, func() []string { return kit.Notes(ctx, host, "ConfigMap", about.Namespace, about.Name) }).Should(ConsistOf(And(
			HavePrefix("Refused: "+first+": spec.selector"), HaveSuffix(last), ContainSubstring(" … "))))
	}, SpecTimeout(3*time.Minute))

	It("are taken at the length that notes have, and at no other", func(ctx SpecContext) {
		event := func(note string) *eventsv1.Event {
			return &eventsv1.Event{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "told-"}, EventTime: metav1.NowMicro(), Note: note,
				Type: corev1.EventTypeWarning, Reason: "Refused", Action: "Propagate", ReportingController: "suite", ReportingInstance: "suite",
				Regarding: corev1.ObjectReference{Kind: "Namespace", Name: "default", Namespace: "default"},
			}
		}
		Expect(eventnote.Note(text)).To(HaveLen(eventnote.Limit))
		Expect(host.Create(ctx, event(eventnote.Note(text)))).To(Succeed())
		Expect(host.Create(ctx, event(strings.Repeat("x", eventnote.Limit+1)))).To(MatchError(ContainSubstring("can have at most 1024")))
	}, SpecTimeout(3*time.Minute))
})
