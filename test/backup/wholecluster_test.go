package backup

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// wholeShop is what a small cluster holds: NS is a namespace, and a part of the names that
// are in none; URL and CA are a webhook's.
const wholeShop = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.NS.example.com}
spec:
  group: NS.example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {watts: {type: integer}}}}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: NS-data, labels: {pod-security.kubernetes.io/warn: baseline}}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: NS}
value: 1000
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: NS}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: NS-data}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], persistentVolumeReclaimPolicy: Retain, storageClassName: NS, hostPath: {path: /tmp/NS}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NS}
rules: [{apiGroups: [NS.example.com], resources: [widgets], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NS}
subjects: [{kind: ServiceAccount, name: web, namespace: NS-data}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: NS-data}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NS-data}
data: {color: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: NS-data}
stringData: {key: secret}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: all, namespace: NS-data}
spec: {hard: {pods: "20"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: all, namespace: NS-data}
spec: {limits: [{type: Container, defaultRequest: {cpu: 10m, memory: 16Mi}}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NS-data}
spec: {accessModes: [ReadWriteOnce], storageClassName: NS, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NS-data}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS-data}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      priorityClassName: NS
      containers:
      - name: web
        image: web:1
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: keys}}]
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: NS-data}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NS-data}
spec:
  minReplicas: 2
  maxReplicas: 4
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: NS-data}
spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a:1}]}}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: own, namespace: NS-data}
spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS-data}}}]}]}
---
apiVersion: NS.example.com/v1
kind: Widget
metadata: {name: lamp, namespace: NS-data}
spec: {watts: 5}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NS}
webhooks:
- name: guard.NS.example.com
  clientConfig: {url: "URL", caBundle: CA}
  rules: [{apiGroups: ["", apps, NS.example.com], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [configmaps, deployments, widgets]}]
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS-data}}
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
`

// guard is a webhook's server that refuses what has the label "refused".
func guard() *httptest.Server {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		var review admissionv1.AdmissionReview
		if err != nil || json.Unmarshal(data, &review) != nil {
			http.Error(w, "no review", http.StatusBadRequest)
			return
		}
		var object metav1.PartialObjectMetadata
		_ = json.Unmarshal(review.Request.Object.Raw, &object)
		_, refused := object.Labels["refused"]
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: !refused}
		review.Request = nil
		_ = json.NewEncoder(w).Encode(review)
	}))
	DeferCleanup(server.Close)
	return server
}

// It is long since it saves and restores what other specs have left, too.
var _ = Describe("A whole cluster", Label("long"), func() {
	It("is restored into another one that has nothing of it, and can be used there", func(ctx SpecContext) {
		from, to := members[0], members[1]
		source, target := clients[from.Name], clients[to.Name]
		ns := namespace(ctx, source)
		server := guard()
		authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		manifest := strings.NewReplacer("NS", ns, "URL", server.URL, "CA", base64.StdEncoding.EncodeToString(authority)).Replace(wholeShop)
		all := objectsIn(manifest)
		for _, c := range []client.Client{source, target} {
			DeferCleanup(func(ctx SpecContext) {
				for _, object := range all {
					if object.GetNamespace() == "" {
						Expect(client.IgnoreNotFound(c.Delete(ctx, object.DeepCopy()))).To(Succeed())
					}
				}
			}, NodeTimeout(time.Minute))
		}
		for _, object := range all {
			Eventually(ctx, func() error { return source.Create(ctx, object.DeepCopy()) }).Should(Succeed(), object.GetKind())
		}
		inUse(ctx, source, ns)

		By("saving it")
		store(ctx, source, ns)
		b := backup(ctx, source, ns, func(s *v1alpha1.BackupSpec) {
			s.Source = v1alpha1.BackupSource{Namespaces: []string{"*"}, IncludeClusterResources: true}
		})
		expectPhase(ctx, source, manualRun(ctx, source, b), v1alpha1.RunSucceeded)

		By("restoring it, from the command line")
		own := namespace(ctx, target)
		store(ctx, target, own, func(r *v1alpha1.BackupRepository) {
			r.Spec.ReadOnly = true
			r.Spec.Filesystem.Path = pathOf(ns)
		})
		copied := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(target.Delete(ctx, copied))).To(Succeed()) }, NodeTimeout(time.Minute))
		out := fedctl(ctx, "backup", "restore", ns+"/"+b.Name, "-n", own, "--cluster", to.Name, "--repository", "store",
			"--from-cluster", string(uidOf(ctx, source)), "--wait", "--timeout", "5m")
		Expect(out).To(ContainSubstring(" 0 failed"))

		By("using it")
		inUse(ctx, target, ns)
		Expect(current(ctx, target, b).Spec.Suspend).To(BeTrue(), "it saves what the original saves")
	}, SpecTimeout(10*time.Minute))
})

// objectsIn are the objects of a manifest.
func objectsIn(manifest string) []*unstructured.Unstructured {
	GinkgoHelper()
	var all []*unstructured.Unstructured
	for _, document := range strings.Split(manifest, "\n---\n") {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed())
		all = append(all, object)
	}
	return all
}

// inUse sees that what wholeShop describes works.
func inUse(ctx context.Context, c client.Client, ns string) {
	GinkgoHelper()
	data := ns + "-data"
	Eventually(ctx, func(g Gomega) {
		web := &appsv1.Deployment{}
		g.Expect(c.Get(ctx, client.ObjectKey{Namespace: data, Name: "web"}, web)).To(Succeed())
		g.Expect(web.Status.AvailableReplicas).To(BeEquivalentTo(2))
		claim := &corev1.PersistentVolumeClaim{}
		g.Expect(c.Get(ctx, client.ObjectKey{Namespace: data, Name: "data"}, claim)).To(Succeed())
		g.Expect(claim.Status.Phase).To(Equal(corev1.ClaimBound))
		var slices discoveryv1.EndpointSliceList
		g.Expect(c.List(ctx, &slices, client.InNamespace(data), client.MatchingLabels{discoveryv1.LabelServiceName: "web"})).To(Succeed())
		g.Expect(slices.Items).To(HaveLen(1))
		g.Expect(slices.Items[0].Endpoints).To(HaveLen(2))
	}).WithTimeout(2 * time.Minute).Should(Succeed())
	widget := &unstructured.Unstructured{}
	widget.SetAPIVersion(ns + ".example.com/v1")
	widget.SetKind("Widget")
	Expect(c.Get(ctx, client.ObjectKey{Namespace: data, Name: "lamp"}, widget)).To(Succeed())
	bad := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: data, Name: "bad", Labels: map[string]string{"refused": "yes"}}}
	Expect(c.Create(ctx, bad)).To(MatchError(ContainSubstring("guard." + ns + ".example.com")))
}
