package restore_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/backup/restore"
)

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// shop is a namespace with objects that need care, one of each kind.
func shop(namespace string) string {
	return `
apiVersion: v1
kind: Namespace
metadata: {name: ` + namespace + `, labels: {team: shop}, annotations: {note: kept}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: ` + namespace + `, finalizers: [shop.example.com/guard]}
data: {color: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: ` + namespace + `}
data: {key: c2VjcmV0}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: ` + namespace + `}
imagePullSecrets: [{name: keys}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: ` + namespace + `}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: ` + namespace + `}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: web, namespace: ` + namespace + `}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: ` + namespace + `}
spec: {accessModes: [ReadWriteOnce], storageClassName: slow, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: ` + namespace + `}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ` + namespace + `}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {serviceAccountName: web, containers: [{name: web, image: web:1, resources: {requests: {cpu: 100m}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: ` + namespace + `}
spec: {containers: [{name: a, image: a:1}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: waiting, namespace: ` + namespace + `}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a:1}]}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: own, namespace: ` + namespace + `}
spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ` + namespace + `}}}]}]}
---
apiVersion: shop.example.com/v1
kind: Widget
metadata: {name: lamp, namespace: ` + namespace + `}
spec: {watts: 5}
status: {lit: true}
`
}

func restoreInto(ctx context.Context, cluster string, reader *repository.Reader, spec backupv1alpha1.RestoreSpec) (restore.Result, error) {
	return restore.Run(ctx, restore.Params{Config: configOf(cluster), Reader: reader, Spec: spec})
}

// own makes one object the owner of another.
func own(ctx context.Context, cluster string, owner, owned *unstructured.Unstructured) {
	GinkgoHelper()
	owned.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: owner.GetAPIVersion(), Kind: owner.GetKind(), Name: owner.GetName(), UID: owner.GetUID()}})
	Expect(clientOf(cluster).Update(ctx, owned)).To(Succeed())
}

func unguard(ctx context.Context, cluster, namespace string) {
	GinkgoHelper()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	err := clientOf(cluster).Patch(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "settings"}}, patch)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
}

func drop(ctx context.Context, cluster, namespace string) {
	GinkgoHelper()
	unguard(ctx, cluster, namespace)
	remove(ctx, cluster, namespace)
}

var _ = Describe("a restore", Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx context.Context) { create(ctx, here, definition) })

	It("brings a deleted namespace back as it was", func(ctx context.Context) {
		create(ctx, here, shop("shop"))
		// An owner that is restored before what it owns, and one that comes later.
		own(ctx, here, get(ctx, here, "shop.example.com/v1", "Widget", "shop", "lamp"), get(ctx, here, "v1", "Service", "shop", "web"))
		own(ctx, here, get(ctx, here, "apps/v1", "Deployment", "shop", "web"), get(ctx, here, "v1", "Secret", "shop", "keys"))
		Eventually(func() error { // the Deployment's work, which is not saved
			var sets unstructured.UnstructuredList
			sets.SetAPIVersion("apps/v1")
			sets.SetKind("ReplicaSetList")
			if err := clientOf(here).List(ctx, &sets, client.InNamespace("shop")); err != nil || len(sets.Items) > 0 {
				return err
			}
			return errors.New("no ReplicaSet")
		}).Should(Succeed())
		reader := save(ctx, here, "widgets.shop", "shop")
		address, _, _ := unstructured.NestedString(get(ctx, here, "v1", "Service", "shop", "web").Object, "spec", "clusterIP")
		for resource := range objectsOf(ctx, reader) {
			Expect(resource.Plural).NotTo(BeElementOf("replicasets", "events", "endpoints", "endpointslices"))
		}

		drop(ctx, here, "shop")
		Expect(clientOf(here).Delete(ctx, get(ctx, here, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets.shop.example.com"))).To(Succeed())
		Eventually(func() bool {
			_, err := find(ctx, here, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets.shop.example.com")
			return apierrors.IsNotFound(err)
		}).Should(BeTrue())

		result, err := restoreInto(ctx, here, reader, backupv1alpha1.RestoreSpec{})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Phase()).To(Equal(backupv1alpha1.RunSucceeded), "%+v", result)
		Expect(result.Warnings).To(BeEmpty())
		for resource, objects := range objectsOf(ctx, reader) {
			for _, saved := range objects {
				live := get(ctx, here, saved.GetAPIVersion(), saved.GetKind(), saved.GetNamespace(), saved.GetName())
				Expect(content.Compare(resource, saved.Object, live.Object, false)).To(BeEmpty(), "%s %s", resource.Name(), saved.GetName())
			}
		}
		Expect(result.Counts.Created).To(BeNumerically(">=", 14))
		service := get(ctx, here, "v1", "Service", "shop", "web")
		Expect(service.GetOwnerReferences()[0].UID).To(Equal(get(ctx, here, "shop.example.com/v1", "Widget", "shop", "lamp").GetUID()))
		restored, _, _ := unstructured.NestedString(service.Object, "spec", "clusterIP")
		Expect(restored).To(Equal(address))
		secret := get(ctx, here, "v1", "Secret", "shop", "keys")
		Expect(secret.GetOwnerReferences()[0].UID).To(Equal(get(ctx, here, "apps/v1", "Deployment", "shop", "web").GetUID()))
		// It works: the Deployment has its ReplicaSet, the Job its selector.
		Eventually(func() (int64, error) {
			deployment, err := find(ctx, here, "apps/v1", "Deployment", "shop", "web")
			replicas, _, _ := unstructured.NestedInt64(deployment.Object, "status", "replicas")
			return replicas, err
		}).Should(BeEquivalentTo(2))
		Expect(get(ctx, here, "shop.example.com/v1", "Widget", "shop", "lamp").Object).To(HaveKeyWithValue("status", HaveKeyWithValue("lit", true)))
		drop(ctx, here, "shop")
	}, SpecTimeout(10*time.Minute))

	It("goes into another cluster and another namespace, with changes", func(ctx context.Context) {
		create(ctx, here, shop("origin"))
		DeferCleanup(func(ctx context.Context) { drop(ctx, here, "origin"); drop(ctx, there, "copy") })
		reader := save(ctx, here, "widgets.shop", "origin")
		result, err := restoreInto(ctx, there, reader, backupv1alpha1.RestoreSpec{
			NamespaceMapping: map[string]string{"origin": "copy"},
			Transforms: []backupv1alpha1.Transform{
				{Resource: "persistentvolumeclaims", Patch: []backupv1alpha1.PatchOperation{{Op: "replace", Path: "/spec/storageClassName", Value: value(`"fast"`)}}},
				{Resource: "deployments.apps", Patch: []backupv1alpha1.PatchOperation{{Op: "add", Path: "/spec/template/spec/tolerations/-", Value: value(`{"key":"gpu","operator":"Exists"}`)}}},
			},
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Phase()).To(Equal(backupv1alpha1.RunSucceeded), "%+v", result)
		_, err = find(ctx, there, "v1", "Namespace", "", "origin")
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
		Expect(get(ctx, there, "v1", "Namespace", "", "copy").GetLabels()).To(HaveKeyWithValue("team", "shop"))
		class, _, _ := unstructured.NestedString(get(ctx, there, "v1", "PersistentVolumeClaim", "copy", "data").Object, "spec", "storageClassName")
		Expect(class).To(Equal("fast"))
		tolerations, _, _ := unstructured.NestedSlice(get(ctx, there, "apps/v1", "Deployment", "copy", "web").Object, "spec", "template", "spec", "tolerations")
		Expect(tolerations).To(ConsistOf(map[string]any{"key": "gpu", "operator": "Exists"}))
		subjects, _, _ := unstructured.NestedSlice(get(ctx, there, "rbac.authorization.k8s.io/v1", "RoleBinding", "copy", "reader").Object, "subjects")
		Expect(subjects).To(ConsistOf(HaveKeyWithValue("namespace", "copy")))
		Expect(get(ctx, there, "v1", "ConfigMap", "copy", "settings").GetFinalizers()).To(BeEmpty())
		get(ctx, there, "shop.example.com/v1", "Widget", "copy", "lamp")
	}, SpecTimeout(10*time.Minute))

	Context("of objects that exist", func() {
		var reader *repository.Reader
		BeforeAll(func(ctx context.Context) {
			create(ctx, here, shop("existing"))
			reader = save(ctx, here, "none-at-all", "existing")
			settings := get(ctx, here, "v1", "ConfigMap", "existing", "settings")
			Expect(unstructured.SetNestedField(settings.Object, "red", "data", "color")).To(Succeed())
			Expect(clientOf(here).Update(ctx, settings)).To(Succeed())
			Expect(clientOf(here).Delete(ctx, get(ctx, here, "v1", "Secret", "existing", "keys"))).To(Succeed())
			DeferCleanup(func(ctx context.Context) { drop(ctx, here, "existing") })
		})
		color := func(ctx context.Context) string {
			color, _, _ := unstructured.NestedString(get(ctx, here, "v1", "ConfigMap", "existing", "settings").Object, "data", "color")
			return color
		}
		secret := func(ctx context.Context) error {
			_, err := find(ctx, here, "v1", "Secret", "existing", "keys")
			return err
		}

		It("does nothing with Fail", func(ctx context.Context) {
			result, err := restoreInto(ctx, here, reader, backupv1alpha1.RestoreSpec{Existing: "Fail"})
			var typed *restore.Error
			Expect(errors.As(err, &typed)).To(BeTrue(), "%v", err)
			Expect(typed.Reason).To(Equal(restore.ReasonExists))
			Expect(typed.Message).To(ContainSubstring("existing/settings (configmaps; /data/color differs)"))
			Expect(result.Counts).To(Equal(backupv1alpha1.RestoreCounts{}))
			Expect(apierrors.IsNotFound(secret(ctx))).To(BeTrue())
		})

		It("only says what it would do in a dry run", func(ctx context.Context) {
			result, err := restoreInto(ctx, here, reader, backupv1alpha1.RestoreSpec{Existing: "Update", DryRun: true})
			Expect(err).NotTo(HaveOccurred())
			Expect(result.Counts.Failed).To(BeZero(), "%+v", result)
			Expect(result.Counts.Created).To(BeEquivalentTo(1))
			Expect(result.Counts.Updated).To(BeEquivalentTo(1))
			Expect(result.Counts.Skipped).To(BeNumerically(">", 8), "what is as it was is not written")
			Expect(color(ctx)).To(Equal("red"))
			Expect(apierrors.IsNotFound(secret(ctx))).To(BeTrue())
		})

		It("leaves them with Skip, and names the differences", func(ctx context.Context) {
			result, err := restoreInto(ctx, here, reader, backupv1alpha1.RestoreSpec{Existing: "Skip"})
			Expect(err).NotTo(HaveOccurred())
			Expect(result.Counts.Created).To(BeEquivalentTo(1), "%+v", result)
			Expect(result.Warnings).To(ContainElement(SatisfyAll(HaveField("Name", "settings"), HaveField("Message", ContainSubstring("/data/color differs")))))
			Expect(color(ctx)).To(Equal("red"))
			Expect(secret(ctx)).To(Succeed())
		})

		It("restores them with Update", func(ctx context.Context) {
			result, err := restoreInto(ctx, here, reader, backupv1alpha1.RestoreSpec{Existing: "Update", IncludedResources: []string{"configmaps"}})
			Expect(err).NotTo(HaveOccurred())
			Expect(result.Phase()).To(Equal(backupv1alpha1.RunSucceeded), "%+v", result)
			Expect(color(ctx)).To(Equal("blue"))
		})

		It("says what it would do in a namespace that does not exist", func(ctx context.Context) {
			result, err := restoreInto(ctx, here, reader, backupv1alpha1.RestoreSpec{DryRun: true, NamespaceMapping: map[string]string{"existing": "nowhere"}})
			Expect(err).NotTo(HaveOccurred())
			Expect(result.Counts.Created).To(BeNumerically(">", 8), "%+v", result)
			_, err = find(ctx, here, "v1", "Namespace", "", "nowhere")
			Expect(apierrors.IsNotFound(err)).To(BeTrue())
		})

		It("verifies them without touching anything", func(ctx context.Context) {
			result, err := restore.Verify(ctx, configOf(here), reader)
			Expect(err).NotTo(HaveOccurred())
			Expect(result.Counts.Failed).To(BeZero(), "%+v", result)
			Expect(result.Warnings).To(BeEmpty())
			Expect(result.Counts.Created).To(BeNumerically(">", 8))
			var left corev1.NamespaceList
			Expect(clientOf(here).List(ctx, &left, client.HasLabels{restore.ScratchLabel})).To(Succeed())
			Expect(left.Items).To(BeEmpty())
		}, SpecTimeout(8*time.Minute))
	})

	It("reports types that the cluster does not serve, and restores the rest", func(ctx context.Context) {
		create(ctx, here, shop("partly"))
		DeferCleanup(func(ctx context.Context) { drop(ctx, here, "partly"); drop(ctx, there, "partly") })
		reader := save(ctx, here, "none-at-all", "partly")
		if crd, err := find(ctx, there, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets.shop.example.com"); err == nil {
			Expect(clientOf(there).Delete(ctx, crd)).To(Succeed())
		}
		Eventually(func() bool {
			_, err := find(ctx, there, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets.shop.example.com")
			return apierrors.IsNotFound(err)
		}).Should(BeTrue())
		result, err := restoreInto(ctx, there, reader, backupv1alpha1.RestoreSpec{Existing: "Fail"})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Phase()).To(Equal(backupv1alpha1.RunPartiallyFailed), "%+v", result)
		Expect(result.Counts.Failed).To(BeEquivalentTo(1))
		Expect(result.Warnings).To(ContainElement(SatisfyAll(HaveField("Resource", "widgets.shop.example.com"), HaveField("Message", ContainSubstring("does not serve")))))
		get(ctx, there, "apps/v1", "Deployment", "partly", "web")
	}, SpecTimeout(8*time.Minute))

	It("names the command that grants what it lacks", func(ctx context.Context) {
		reader := save(ctx, here, "none-at-all", "default")
		config := configOf(here)
		config.Impersonate = rest.ImpersonationConfig{UserName: "nobody"}
		_, err := restore.Run(ctx, restore.Params{Config: config, Reader: reader})
		var typed *restore.Error
		Expect(errors.As(err, &typed)).To(BeTrue(), "%v", err)
		Expect(typed.Reason).To(Equal(restore.ReasonNotAllowed))
		Expect(typed.Error()).To(ContainSubstring("--backup-rights restore"))
	})
})

func value(raw string) *apiextensionsv1.JSON { return &apiextensionsv1.JSON{Raw: []byte(raw)} }
