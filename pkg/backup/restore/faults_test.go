package restore_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/restore"
)

// waiting collects for what a restore has waited.
type waiting struct {
	mu    sync.Mutex
	texts []string
}

func (w *waiting) progress(result restore.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if result.Waiting != "" {
		w.texts = append(w.texts, result.Waiting)
	}
}

func (w *waiting) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.texts...)
}

const deadWebhook = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAME}
webhooks:
- name: guard.dead.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
  clientConfig: {service: {namespace: NAME, name: guard, path: /validate}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
`

var _ = Describe("a fault that holds for many objects", func() {
	// many is a snapshot of a namespace with 40 ConfigMaps and an account.
	many := func(ctx context.Context, ns string) restore.Params {
		makeNamespace(ctx, here, ns)
		DeferCleanup(func(ctx context.Context) { drop(ctx, there, ns) })
		create(ctx, here, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: "+ns+"}}")
		for i := range 40 {
			create(ctx, here, "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm-"+strconv.Itoa(i)+", namespace: "+ns+"}}")
		}
		return restore.Params{Reader: save(ctx, here, "none-at-all", ns)}
	}
	guard := func(ctx context.Context, ns string) {
		create(ctx, there, strings.ReplaceAll(deadWebhook, "NAME", ns))
		DeferCleanup(func(ctx context.Context) {
			removeObject(ctx, there, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", ns)
		})
		create(ctx, there, "{apiVersion: v1, kind: Namespace, metadata: {name: "+ns+"}}")
		Eventually(func() error { // the API server takes a moment to know it
			return clientOf(there).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "probe"}}, client.DryRunAll)
		}).Should(MatchError(ContainSubstring("failed calling webhook")))
	}

	It("is reported once, with a count and advice", func(ctx context.Context) {
		const ns = "dead"
		params := many(ctx, ns)
		guard(ctx, ns)
		dry := params
		dry.Spec.DryRun = true
		planned := resultOf(ctx, there, dry)
		Expect(planned.Counts.Deferred).To(BeEquivalentTo(40), "%+v", planned)
		params.Patience = 3 * time.Second
		result := resultOf(ctx, there, params)
		Expect(result.Counts.Failed).To(BeEquivalentTo(40), "%+v", result)
		Expect(result.Counts.Deferred).To(BeZero())
		Expect(result.Phase()).To(Equal(backupv1alpha1.RunPartiallyFailed))
		Expect(result.Warnings).To(ConsistOf(SatisfyAll(HaveField("Resource", "configmaps"), HaveField("Message",
			SatisfyAll(HavePrefix("40 configmaps not restored: "), ContainSubstring(`failed calling webhook "guard.dead.example.com"`), ContainSubstring("bring its server up"))))))
		get(ctx, there, "v1", "ServiceAccount", ns, "web")
	}, SpecTimeout(8*time.Minute))

	It("is tried again after the rest, and said while it lasts", func(ctx context.Context) {
		const ns = "revived"
		params := many(ctx, ns)
		guard(ctx, ns)
		w := &waiting{}
		params.Progress = w.progress
		done := make(chan restore.Result, 1)
		go func() {
			defer GinkgoRecover()
			done <- resultOf(ctx, there, params)
		}()
		Eventually(w.all).Should(ContainElement(ContainSubstring("before anything is written")), "it plans first")
		Eventually(w.all).Should(ContainElement(SatisfyAll(ContainSubstring("waits with 40 configmaps"), ContainSubstring("guard.dead.example.com"))))
		get(ctx, there, "v1", "ServiceAccount", ns, "web")
		removeObject(ctx, there, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", ns)
		var result restore.Result
		Eventually(done).Should(Receive(&result))
		Expect(result.Phase()).To(Equal(backupv1alpha1.RunSucceeded), "%+v", result)
		Expect(result.Counts.Created).To(BeEquivalentTo(41))
	}, SpecTimeout(8*time.Minute))

	It("holds up no other namespace when one is being deleted", func(ctx context.Context) {
		for _, ns := range []string{"stuck", "free"} {
			makeNamespace(ctx, here, ns)
			create(ctx, here, "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: "+ns+"}, data: {a: b}}")
		}
		reader := save(ctx, here, "none-at-all", "stuck", "free")
		guarded := get(ctx, here, "v1", "ConfigMap", "stuck", "settings")
		guarded.SetFinalizers([]string{"example.com/never"})
		Expect(clientOf(here).Update(ctx, guarded)).To(Succeed())
		Expect(clientOf(here).Delete(ctx, get(ctx, here, "v1", "Namespace", "", "stuck"))).To(Succeed())
		remove(ctx, here, "free")
		Eventually(func() []metav1.Condition {
			var ns corev1.Namespace
			Expect(clientOf(here).Get(ctx, client.ObjectKey{Name: "stuck"}, &ns)).To(Succeed())
			var out []metav1.Condition
			for _, c := range ns.Status.Conditions {
				out = append(out, metav1.Condition{Type: string(c.Type), Status: metav1.ConditionStatus(c.Status)})
			}
			return out
		}).Should(ContainElement(HaveField("Type", "NamespaceFinalizersRemaining")))

		w := &waiting{}
		done := make(chan restore.Result, 1)
		go func() {
			defer GinkgoRecover()
			done <- resultOf(ctx, here, restore.Params{Reader: reader, Progress: w.progress})
		}()
		Eventually(w.all).Should(ContainElement(SatisfyAll(ContainSubstring("namespace stuck is being deleted"), ContainSubstring("example.com/never"))))
		get(ctx, here, "v1", "ConfigMap", "free", "settings")
		unguard(ctx, here, "stuck")
		var result restore.Result
		Eventually(done).WithTimeout(4 * time.Minute).Should(Receive(&result))
		Expect(result.Phase()).To(Equal(backupv1alpha1.RunSucceeded), "%+v", result)
		get(ctx, here, "v1", "ConfigMap", "stuck", "settings")
	}, SpecTimeout(10*time.Minute))
})
