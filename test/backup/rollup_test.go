package backup

import (
	"context"
	"encoding/json"
	"reflect"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// rollupOf reads status.rollup of the FederatedBackup "nightly".
func rollupOf(ctx context.Context, namespace string) v1alpha1.BackupRollup {
	GinkgoHelper()
	object := federated("FederatedBackup", namespace, "nightly", nil)
	Expect(host.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	content, _, err := unstructured.NestedMap(object.Object, "status", "rollup")
	Expect(err).NotTo(HaveOccurred())
	var rollup v1alpha1.BackupRollup
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(content, &rollup)).To(Succeed())
	return rollup
}

// versions collects the statuses that the FederatedBackup "nightly" has had.
func versions(namespace string) (seen func() []map[string]any) {
	GinkgoHelper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(federated("FederatedBackupList", "", "", nil).GroupVersionKind())
	stream, err := clients[host.Name].Watch(context.Background(), list, client.InNamespace(namespace))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(stream.Stop)
	var mu sync.Mutex
	var statuses []map[string]any
	go func() {
		for event := range stream.ResultChan() {
			if object, ok := event.Object.(*unstructured.Unstructured); ok && event.Type != watch.Deleted {
				status, _, _ := unstructured.NestedMap(object.Object, "status")
				mu.Lock()
				statuses = append(statuses, status)
				mu.Unlock()
			}
		}
	}()
	return func() []map[string]any {
		mu.Lock()
		defer mu.Unlock()
		return statuses
	}
}

// printed is what kubectl get shows of the FederatedBackup, by column.
func printed(ctx context.Context, namespace string) map[string]any {
	GinkgoHelper()
	set, err := kubernetes.NewForConfig(host.Config)
	Expect(err).NotTo(HaveOccurred())
	raw, err := set.RESTClient().Get().AbsPath("/apis/types.kubefed.io/v1beta1/namespaces", namespace, "federatedbackups", "nightly").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred())
	var table metav1.Table
	Expect(json.Unmarshal(raw, &table)).To(Succeed())
	cells := map[string]any{}
	for i, column := range table.ColumnDefinitions {
		cells[column.Name] = table.Rows[0].Cells[i]
	}
	return cells
}

var _ = Describe("The status of a FederatedBackup", func() {
	It("adds up how its Backups stand, and costs no write of its own", func(ctx SpecContext) {
		first, second := members[0].Name, members[1].Name
		ns := spread(ctx, map[string]any{"objective": map[string]any{"maxAge": "1h"}}, map[string]any{
			"clusterName": second, "clusterOverrides": []any{map[string]any{"path": "/spec/objective/maxAge", "value": "1s"}},
		})
		seen := versions(ns)

		By("saying that nothing has been saved yet")
		Eventually(ctx, func(g Gomega) {
			rollup := rollupOf(ctx, ns)
			g.Expect(rollup.Objective).To(Equal("0/2"))
			g.Expect(rollup.WithoutRecoveryPoint).To(ConsistOf(first, second))
			g.Expect(rollup.OldestRecoveryPoint).To(BeNil())
		}).Should(Succeed())
		Expect(printed(ctx, ns)).To(And(HaveKeyWithValue("Within Objective", "0/2"), HaveKeyWithValue("Recovery Point", BeNil())))

		By("telling the cluster that is within its objective from the one that is not")
		older := expectPhase(ctx, clients[second], manualRun(ctx, clients[second], nightly(ns)), v1alpha1.RunSucceeded)
		expectPhase(ctx, clients[first], manualRun(ctx, clients[first], nightly(ns)), v1alpha1.RunSucceeded)
		mixed := func(g Gomega) {
			rollup := rollupOf(ctx, ns)
			g.Expect(rollup.Objective).To(Equal("1/2"))
			g.Expect(rollup.WithinObjective).To(Equal([]string{first}))
			g.Expect(rollup.OutsideObjective).To(Equal([]string{second}))
			g.Expect(rollup.Unknown).To(BeEmpty())
			g.Expect(rollup.WithoutRecoveryPoint).To(BeEmpty())
			g.Expect(rollup.Failing).To(BeEmpty())
			g.Expect(rollup.OldestRecoveryPoint).NotTo(BeNil())
			g.Expect(rollup.OldestRecoveryPoint.Time).To(BeTemporally("==", older.Status.CompletionTime.Time))
		}
		Eventually(ctx, mixed).Should(Succeed())
		Expect(printed(ctx, ns)).To(And(HaveKeyWithValue("Within Objective", "1/2"), HaveKeyWithValue("Recovery Point", Not(BeNil()))))

		By("never counting a cluster that does not answer as within, whatever it said last")
		Expect(system.Faults().Pause(first)).To(Succeed())
		DeferCleanup(func() { Expect(system.Faults().Resume(first)).To(Succeed()) })
		Eventually(ctx, func(g Gomega) {
			rollup := rollupOf(ctx, ns)
			g.Expect(rollup.Objective).To(Equal("0/2"))
			g.Expect(rollup.WithinObjective).To(BeEmpty())
			g.Expect(rollup.OutsideObjective).To(Equal([]string{second}))
			g.Expect(rollup.Unknown).To(Equal([]string{first}))
			g.Expect(rollup.OldestRecoveryPoint.Time).To(BeTemporally("==", older.Status.CompletionTime.Time), "what is stored is still there")
		}).Should(Succeed())
		Expect(system.Faults().Resume(first)).To(Succeed())
		Eventually(ctx, mixed).Should(Succeed())

		By("naming what fails")
		broken := &v1alpha1.BackupRepository{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "store"}}
		Expect(clients[second].Delete(ctx, broken)).To(Succeed())
		Eventually(ctx, func() []v1alpha1.BackupFailure { return rollupOf(ctx, ns).Failing }).Should(Equal([]v1alpha1.BackupFailure{
			{Cluster: second, Condition: v1alpha1.ConditionReady, Reason: "RepositoryNotFound"},
		}))

		By("never having been written for its own sake")
		// What was waited for above are four changes, at least; a watch tells of them a little later.
		Eventually(ctx, func(g Gomega) {
			statuses := seen()
			changes := 0
			for i := 1; i < len(statuses); i++ {
				if !reflect.DeepEqual(statuses[i-1]["rollup"], statuses[i]["rollup"]) {
					changes++
					g.Expect(statuses[i]["clusters"]).NotTo(Equal(statuses[i-1]["clusters"]), "what it adds up has changed with it: %v", statuses[i]["rollup"])
				}
			}
			g.Expect(changes).To(BeNumerically(">=", 4), "it was seen to change")
		}).Should(Succeed())
	}, SpecTimeout(10*time.Minute))
})
