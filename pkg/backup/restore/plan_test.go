package restore_test

import (
	"context"
	"errors"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/restore"
)

// apply makes objects have the fields of a manifest, as kubectl does with a file that
// was changed.
func apply(ctx context.Context, cluster, manifest string) {
	GinkgoHelper()
	for _, object := range parseAll(manifest) {
		data, err := object.MarshalJSON()
		Expect(err).NotTo(HaveOccurred())
		Expect(clientOf(cluster).Patch(ctx, object, client.RawPatch("application/merge-patch+json", data))).To(Succeed(), object.GetName())
	}
}

// makeNamespace makes a namespace for a spec, and removes it afterwards.
func makeNamespace(ctx context.Context, cluster, name string) {
	GinkgoHelper()
	create(ctx, cluster, "{apiVersion: v1, kind: Namespace, metadata: {name: "+name+"}}")
	DeferCleanup(func(ctx context.Context) { drop(ctx, cluster, name) })
}

func removeObject(ctx context.Context, cluster, apiVersion, kind, name string) {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	object.SetName(name)
	Expect(client.IgnoreNotFound(clientOf(cluster).Delete(ctx, object))).To(Succeed())
}

// resultOf is a restore that came to its end.
func resultOf(ctx context.Context, cluster string, params restore.Params) restore.Result {
	GinkgoHelper()
	params.Config = configOf(cluster)
	result, err := restore.Run(ctx, params)
	Expect(err).NotTo(HaveOccurred())
	return result
}

func reasonOf(err error) (string, string) {
	GinkgoHelper()
	var typed *restore.Error
	Expect(errors.As(err, &typed)).To(BeTrue(), "%v", err)
	return typed.Reason, typed.Message
}

func field(object *unstructured.Unstructured, path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
	return value
}

const before = `
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: NS, labels: {tier: a}}, data: {mode: safe}}
---
{apiVersion: v1, kind: Secret, metadata: {name: login, namespace: NS}, data: {user: YXBw}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: NS}, spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: NS}, spec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}},
  spec: {containers: [{name: web, image: "example.com/web:1", env: [{name: A, value: "1"}]}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: NS}, spec: {podSelector: {}, policyTypes: [Ingress]}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: reader, namespace: NS}, rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]}
`

const after = `
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: NS, labels: {extra: label}}, data: {debug: "true"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: login, namespace: NS}, data: {backdoor: eWVz}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: NS}, spec: {selector: {version: v2}, ports: [{name: http, port: 81, targetPort: 8080}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: NS}, spec: {template: {
  spec: {nodeSelector: {disk: missing}, containers: [{name: web, image: "example.com/web:1", env: [{name: A, value: "1"}, {name: B, value: "1"}], command: [crash]}, {name: sidecar, image: "example.com/bad:1"}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: NS}, spec: {ingress: [{}]}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: reader, namespace: NS}, rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}, {apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}
`

var _ = Describe("what was added since", func() {
	It("is named by Skip and Fail, and gone after Update", func(ctx context.Context) {
		const ns = "additions"
		makeNamespace(ctx, here, ns)
		create(ctx, here, strings.ReplaceAll(before, "NS", ns))
		reader := save(ctx, here, "none-at-all", ns)
		apply(ctx, here, strings.ReplaceAll(after, "NS", ns))

		skipped := resultOf(ctx, here, restore.Params{Reader: reader})
		for name, path := range map[string]string{"settings": "/data/debug was not there", "login": "/data/backdoor was not there", "closed": "/spec/ingress was not there", "reader": "/rules"} {
			Expect(skipped.Warnings).To(ContainElement(SatisfyAll(HaveField("Name", name), HaveField("Message", ContainSubstring(path)))))
		}
		Expect(skipped.Counts.Created + skipped.Counts.Updated).To(BeZero())
		_, err := restoreInto(ctx, here, reader, backupv1alpha1.RestoreSpec{Existing: "Fail"})
		reason, message := reasonOf(err)
		Expect(reason).To(Equal(restore.ReasonExists))
		Expect(message).To(ContainSubstring("was not there"))

		update := backupv1alpha1.RestoreSpec{Existing: "Update"}
		dry := update
		dry.DryRun = true
		planned := resultOf(ctx, here, restore.Params{Reader: reader, Spec: dry})
		updated := resultOf(ctx, here, restore.Params{Reader: reader, Spec: update})
		Expect(planned.Resources).To(Equal(updated.Resources), "the dry run says what the run does")
		Expect(updated.Phase()).To(Equal(backupv1alpha1.RunSucceeded), "%+v", updated)
		Expect(updated.Counts.Updated).To(BeEquivalentTo(6))
		settings := get(ctx, here, "v1", "ConfigMap", ns, "settings")
		Expect(field(settings, "data")).To(Equal(map[string]any{"mode": "safe"}))
		Expect(settings.GetLabels()).To(Equal(map[string]string{"tier": "a"}))
		Expect(field(get(ctx, here, "v1", "Secret", ns, "login"), "data")).To(HaveLen(1))
		service := get(ctx, here, "v1", "Service", ns, "web")
		Expect(field(service, "spec", "selector")).To(Equal(map[string]any{"app": "web"}))
		Expect(field(service, "spec", "ports")).To(ConsistOf(HaveKeyWithValue("port", BeEquivalentTo(80))))
		pod := get(ctx, here, "apps/v1", "Deployment", ns, "web")
		Expect(field(pod, "spec", "template", "spec", "nodeSelector")).To(BeNil())
		Expect(field(pod, "spec", "template", "spec", "containers")).To(ConsistOf(And(HaveKeyWithValue("name", "web"), Not(HaveKey("command")), HaveKeyWithValue("env", HaveLen(1)))))
		Expect(field(get(ctx, here, "networking.k8s.io/v1", "NetworkPolicy", ns, "closed"), "spec", "ingress")).To(BeNil())
		Expect(field(get(ctx, here, "rbac.authorization.k8s.io/v1", "Role", ns, "reader"), "rules")).To(HaveLen(1))

		again := resultOf(ctx, here, restore.Params{Reader: reader, Spec: update})
		Expect(again.Counts.Updated).To(BeZero(), "what is as it was is not written: %+v", again)
		Expect(again.Warnings).To(BeEmpty())
	}, SpecTimeout(8*time.Minute))
})

var _ = Describe("a copy beside the original", func() {
	It("takes no rights, webhooks and volumes from it, also with Update", func(ctx context.Context) {
		const ns, to = "orig", "orig-copy"
		makeNamespace(ctx, here, ns)
		DeferCleanup(func(ctx context.Context) { drop(ctx, here, to) })
		create(ctx, here, `
{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: orig}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: beside-web}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{kind: ServiceAccount, name: web, namespace: orig}]}
---
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: beside-hook}, webhooks: [{name: a.beside.example.com, admissionReviewVersions: [v1], sideEffects: None, failurePolicy: Ignore,
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: orig}}, clientConfig: {service: {namespace: orig, name: hook}}, rules: [{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], resources: [things]}]}]}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: beside-data}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], persistentVolumeReclaimPolicy: Delete, storageClassName: manual, hostPath: {path: /tmp/beside}, claimRef: {namespace: orig, name: data}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: orig}, spec: {accessModes: [ReadWriteOnce], storageClassName: manual, resources: {requests: {storage: 1Gi}}}}
`)
		DeferCleanup(func(ctx context.Context) {
			removeObject(ctx, here, "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "beside-web")
			removeObject(ctx, here, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "beside-hook")
			removeObject(ctx, here, "v1", "PersistentVolume", "beside-data")
		})
		Eventually(func() any {
			return field(get(ctx, here, "v1", "PersistentVolume", "", "beside-data"), "status", "phase")
		}).Should(Equal("Bound"))
		reader := save(ctx, here, "beside-", ns)

		for _, existing := range []string{"Skip", "Update"} {
			result := resultOf(ctx, here, restore.Params{Reader: reader, Spec: backupv1alpha1.RestoreSpec{NamespaceMapping: map[string]string{ns: to}, Existing: existing}})
			Expect(result.Counts.Failed).To(BeZero(), "%+v", result)
			for _, name := range []string{"beside-web", "beside-hook", "beside-data"} {
				Expect(result.Warnings).To(ContainElement(SatisfyAll(HaveField("Name", name),
					HaveField("Message", SatisfyAll(ContainSubstring("serves namespace orig and is left as it is; what the copy lacks"), Not(ContainSubstring("set existing to Update")))))))
			}
		}
		Expect(field(get(ctx, here, "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "beside-web"), "subjects")).To(ConsistOf(HaveKeyWithValue("namespace", ns)))
		webhooks := field(get(ctx, here, "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", "beside-hook"), "webhooks").([]any)
		Expect(webhooks[0]).To(HaveKeyWithValue("namespaceSelector", HaveKeyWithValue("matchLabels", HaveKeyWithValue("kubernetes.io/metadata.name", ns))))
		volume := get(ctx, here, "v1", "PersistentVolume", "", "beside-data")
		Expect(field(volume, "spec", "claimRef", "namespace")).To(Equal(ns))
		Consistently(func() any { return field(get(ctx, here, "v1", "PersistentVolumeClaim", ns, "data"), "status", "phase") }).Should(Equal("Bound"))
	}, SpecTimeout(8*time.Minute))
})

var _ = Describe("names that match nothing", func() {
	It("are an error before anything is written, with what was probably meant", func(ctx context.Context) {
		const ns = "typos"
		makeNamespace(ctx, here, ns)
		create(ctx, here, strings.ReplaceAll(before, "NS", ns))
		reader := save(ctx, here, "none-at-all", ns)
		Expect(clientOf(here).Delete(ctx, get(ctx, here, "v1", "ConfigMap", ns, "settings"))).To(Succeed())
		remove := func(resource, path string) []backupv1alpha1.Transform {
			return []backupv1alpha1.Transform{{Resource: resource, Patch: []backupv1alpha1.PatchOperation{{Op: "remove", Path: path}}}}
		}
		for _, test := range []struct {
			spec    backupv1alpha1.RestoreSpec
			message string
		}{
			{backupv1alpha1.RestoreSpec{IncludedResources: []string{"configmaps", "deployments"}}, "did you mean deployments.apps?"},
			{backupv1alpha1.RestoreSpec{Namespaces: []string{"tpyos"}}, "spec.namespaces: nothing of namespace tpyos was saved; did you mean typos?"},
			{backupv1alpha1.RestoreSpec{NamespaceMapping: map[string]string{"typo": "typos-copy"}}, "spec.namespaceMapping: nothing of namespace typo is restored; did you mean typos?"},
			{backupv1alpha1.RestoreSpec{LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "nobody"}}}, "spec.labelSelector selects none of the"},
			{backupv1alpha1.RestoreSpec{Transforms: remove("deployment", "/spec/replicas")}, "spec.transforms[0].resource: no deployment are restored; did you mean deployments.apps?"},
			{backupv1alpha1.RestoreSpec{Transforms: remove("deployments.apps", "/spec/replica")}, "has /spec/replica, so there is nothing to remove"},
		} {
			for _, dryRun := range []bool{true, false} {
				test.spec.DryRun = dryRun
				_, err := restoreInto(ctx, here, reader, test.spec)
				reason, message := reasonOf(err)
				Expect(reason).To(Equal(restore.ReasonNothing))
				Expect(message).To(ContainSubstring(test.message))
			}
		}
		_, err := find(ctx, here, "v1", "ConfigMap", ns, "settings")
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
	}, SpecTimeout(5*time.Minute))
})

var _ = Describe("the dry run", func() {
	It("says what the run does where definitions and volumes come with the restore", func(ctx context.Context) {
		const ns = "told"
		makeNamespace(ctx, here, ns)
		DeferCleanup(func(ctx context.Context) {
			drop(ctx, there, ns)
			removeObject(ctx, there, "v1", "PersistentVolume", "told-data")
		})
		create(ctx, here, strings.ReplaceAll(definition, "shop.example.com", "told.example.com"))
		create(ctx, here, `
{apiVersion: told.example.com/v1, kind: Widget, metadata: {name: lamp, namespace: told}, spec: {watts: 5}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: told-data}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], persistentVolumeReclaimPolicy: Retain, storageClassName: manual, hostPath: {path: /tmp/told}, claimRef: {namespace: told, name: data}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: told}, spec: {accessModes: [ReadWriteOnce], storageClassName: manual, resources: {requests: {storage: 1Gi}}}}
`)
		DeferCleanup(func(ctx context.Context) {
			for _, cluster := range []string{here, there} {
				removeObject(ctx, cluster, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.told.example.com")
			}
			removeObject(ctx, here, "v1", "PersistentVolume", "told-data")
		})
		Eventually(func() any { return field(get(ctx, here, "v1", "PersistentVolumeClaim", ns, "data"), "status", "phase") }).Should(Equal("Bound"))
		reader := saveMatching(ctx, here, func(name string) bool { return name == "told-data" || name == "widgets.told.example.com" }, ns)

		dry := resultOf(ctx, there, restore.Params{Reader: reader, Spec: backupv1alpha1.RestoreSpec{DryRun: true}})
		run := resultOf(ctx, there, restore.Params{Reader: reader})
		Expect(run.Phase()).To(Equal(backupv1alpha1.RunSucceeded), "%+v", run)
		Expect(dry.Resources).To(Equal(run.Resources))
		Expect(run.Warnings).To(BeEmpty())
		Expect(dry.Warnings).To(ConsistOf(HaveField("Message", ContainSubstring("could not be asked"))))
		get(ctx, there, "told.example.com/v1", "Widget", ns, "lamp")
		Eventually(func() any {
			return field(get(ctx, there, "v1", "PersistentVolumeClaim", ns, "data"), "status", "phase")
		}).Should(Equal("Bound"))
	}, SpecTimeout(8*time.Minute))
})

var _ = Describe("what is of each cluster's own", func() {
	It("is kept elsewhere where it can be, and otherwise named", func(ctx context.Context) {
		const ns = "ports"
		makeNamespace(ctx, here, ns)
		DeferCleanup(func(ctx context.Context) { drop(ctx, there, ns) })
		create(ctx, here, `
{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: ports}}
---
{apiVersion: v1, kind: Secret, metadata: {name: web-login, namespace: ports, annotations: {kubernetes.io/service-account.name: web}}, type: kubernetes.io/service-account-token}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: guarded, namespace: ports, finalizers: [shop.example.com/guard]}}
---
{apiVersion: v1, kind: Service, metadata: {name: explicit, namespace: ports}, spec: {type: NodePort, selector: {app: web}, ports: [{name: http, port: 80, nodePort: 31307}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: lb, namespace: ports}, spec: {type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 31400, selector: {app: web}, ports: [{name: http, port: 80, nodePort: 31308}]}}
`)
		DeferCleanup(func(ctx context.Context) {
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
			Expect(clientOf(here).Patch(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "guarded"}}, patch)).To(Succeed())
		})
		Eventually(func() any { return field(get(ctx, here, "v1", "Secret", ns, "web-login"), "data", "token") }).ShouldNot(BeNil())
		reader := save(ctx, here, "none-at-all", ns)
		for resource, objects := range objectsOf(ctx, reader) {
			for _, object := range objects {
				if resource.Plural == "secrets" && object.GetName() == "web-login" {
					Expect(object.Object).NotTo(HaveKey("data"), "a token is never saved")
				}
			}
		}
		result := resultOf(ctx, there, restore.Params{Reader: reader})
		Expect(result.Phase()).To(Equal(backupv1alpha1.RunSucceeded), "%+v", result)
		Expect(result.Warnings).To(ConsistOf(SatisfyAll(HaveField("Name", "guarded"), HaveField("Message", ContainSubstring("shop.example.com/guard")))))
		Expect(field(get(ctx, there, "v1", "Service", ns, "explicit"), "spec", "ports")).To(ConsistOf(HaveKeyWithValue("nodePort", BeEquivalentTo(31307))))
		balancer := get(ctx, there, "v1", "Service", ns, "lb")
		Expect(field(balancer, "spec", "ports")).To(ConsistOf(HaveKeyWithValue("nodePort", BeEquivalentTo(31308))))
		Expect(field(balancer, "spec", "healthCheckNodePort")).To(BeEquivalentTo(31400))
		Eventually(func() any { return field(get(ctx, there, "v1", "Secret", ns, "web-login"), "data", "token") }).ShouldNot(BeNil())

		By("naming ports that another one has")
		copied := resultOf(ctx, there, restore.Params{Reader: reader, Spec: backupv1alpha1.RestoreSpec{NamespaceMapping: map[string]string{ns: "ports-copy"}, IncludedResources: []string{"services"}}})
		DeferCleanup(func(ctx context.Context) { drop(ctx, there, "ports-copy") })
		Expect(copied.Warnings).To(ContainElement(SatisfyAll(HaveField("Name", "explicit"), HaveField("Message", ContainSubstring("gets new addresses and ports")))))

		By("naming what a namespace that is there has not")
		namespace := get(ctx, there, "v1", "Namespace", "", ns)
		namespace.SetLabels(map[string]string{"pod-security.kubernetes.io/enforce": "privileged"})
		Expect(clientOf(there).Update(ctx, namespace)).To(Succeed())
		again := resultOf(ctx, there, restore.Params{Reader: reader})
		Expect(again.Warnings).To(ContainElement(SatisfyAll(HaveField("Resource", "namespaces"), HaveField("Message", ContainSubstring("/metadata/labels/pod-security.kubernetes.io~1enforce was not there")))))
	}, SpecTimeout(8*time.Minute))
})
