package capture_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/capture"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

func decode(data []byte) map[string]any {
	GinkgoHelper()
	var object map[string]any
	Expect(json.Unmarshal(data, &object)).To(Succeed())
	return object
}

func makeConfigMaps(ctx context.Context, namespace string, count int) {
	GinkgoHelper()
	for i := range count {
		_, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("object-%04d", i), Labels: map[string]string{"third": fmt.Sprint(i % 3)}},
			Data:       map[string]string{"text": `brackets ]}"{[ and \ and <&>`, "n": fmt.Sprint(i)},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
	}
}

// breaking changes what one kind of requests gets, as a broken connection or server would.
type breaking struct {
	next   http.RoundTripper
	broken func(*http.Request) (*http.Response, error)
}

func (b *breaking) RoundTrip(request *http.Request) (*http.Response, error) {
	if response, err := b.broken(request); response != nil || err != nil {
		return response, err
	}
	return b.next.RoundTrip(request)
}

func broken(how func(*http.Request) (*http.Response, error)) *rest.Config {
	with := rest.CopyConfig(config)
	with.Wrap(func(next http.RoundTripper) http.RoundTripper { return &breaking{next, how} })
	return with
}

func status(code int, reason metav1.StatusReason) *http.Response {
	body, err := json.Marshal(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status: "Failure", Code: int32(code), Reason: reason, Message: "broken on purpose"})
	Expect(err).NotTo(HaveOccurred())
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body))}
}

var _ = Describe("Saving a cluster", func() {
	It("saves all of a namespace, over several pages, cleaned, and says what it left out", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		makeConfigMaps(ctx, namespace, 320)
		_, err := client.CoreV1().Events(namespace).Create(ctx, &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Name: "e"}, InvolvedObject: corev1.ObjectReference{Namespace: namespace, Name: "x", Kind: "Pod"}}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		r := openRepository(ctx)
		result, err := capture.Run(ctx, params(r, namespace, v1alpha1.BackupSource{}))
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Partial).To(BeFalse(), "%v", result.Warnings)
		objects, manifest := saved(ctx, r, result)
		for i := range 320 {
			object := objects[fmt.Sprintf("configmaps %s/object-%04d", namespace, i)]
			Expect(object).NotTo(BeNil())
			Expect(object["apiVersion"]).To(Equal("v1"))
			Expect(object["kind"]).To(Equal("ConfigMap"))
			Expect(object["data"]).To(HaveKeyWithValue("text", `brackets ]}"{[ and \ and <&>`))
			Expect(object["metadata"]).NotTo(HaveKey("managedFields"))
			Expect(object["metadata"]).NotTo(HaveKey("resourceVersion"))
		}
		Expect(objects).To(HaveKey("namespaces <nil>/" + namespace))
		Expect(objects).To(HaveLen(321))
		Expect(int64(len(objects))).To(Equal(result.Totals.Objects))
		Expect(manifest.Cluster.KubernetesVersion).To(HavePrefix("v1."))
		left := fmt.Sprint(manifest.LeftOut)
		Expect(left).To(ContainSubstring("events"))
		Expect(left).To(ContainSubstring("configmaps"), "kube-root-ca.crt")
		Expect(fmt.Sprint(result.Warnings)).To(ContainSubstring("left out"))

		By("writing little when nothing has changed")
		p := params(r, namespace, v1alpha1.BackupSource{})
		p.Run.Run = "nightly-2"
		second, err := capture.Run(ctx, p)
		Expect(err).NotTo(HaveOccurred())
		Expect(second.Totals.Objects).To(Equal(result.Totals.Objects))
		Expect(second.Totals.StoredBytes).To(BeNumerically("<", result.Totals.StoredBytes))
	})

	It("selects by label, by resource and by namespace, and warns of what does not exist", func(ctx context.Context) {
		one, two := newNamespace(ctx), newNamespace(ctx)
		makeConfigMaps(ctx, one, 9)
		makeConfigMaps(ctx, two, 9)
		for _, namespace := range []string{one, two} {
			_, err := client.CoreV1().Secrets(namespace).Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: "s", Labels: map[string]string{"third": "1"}}}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
		}
		r := openRepository(ctx)
		result, err := capture.Run(ctx, params(r, one, v1alpha1.BackupSource{
			Namespaces: []string{two, one, "there-is-none"}, IncludedResources: []string{"configmaps", "widgets.example.com"},
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"third": "1"}},
		}))
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Partial).To(BeTrue())
		warnings := fmt.Sprint(result.Warnings)
		Expect(warnings).To(ContainSubstring("widgets.example.com"))
		Expect(warnings).To(ContainSubstring("there-is-none"))
		objects, _ := saved(ctx, r, result)
		Expect(objects).To(HaveLen(2+6), "the namespaces and the ConfigMaps")

		By("leaving out what is excluded")
		result, err = capture.Run(ctx, params(r, one, v1alpha1.BackupSource{ExcludedResources: []string{"configmaps", "namespaces"}}))
		Expect(err).NotTo(HaveOccurred())
		objects, _ = saved(ctx, r, result)
		Expect(objects).To(HaveLen(1))
		Expect(objects).To(HaveKey("secrets " + one + "/s"))

		By("saving nothing where what was to be left out would be saved")
		for wrong, meant := range map[string]string{
			"secret": "secrets", "Secret": "secrets", "secrets.": "secrets", "secrts": "secrets", "cm": "configmaps",
			"deployments": "deployments.apps", "Deployment.apps": "deployments.apps",
			"secrets.core": "secrets", "secrets.v1": "secrets", "*.app": "*.apps",
		} {
			before, err := r.Snapshots(ctx, repository.Filter{})
			Expect(err).NotTo(HaveOccurred())
			_, err = capture.Run(ctx, params(r, one, v1alpha1.BackupSource{ExcludedResources: []string{wrong}}))
			Expect(err).To(MatchError(ContainSubstring("did you mean "+meant+"?")), wrong)
			Expect(r.Snapshots(ctx, repository.Filter{})).To(HaveLen(len(before)))
		}
		result, err = capture.Run(ctx, params(r, one, v1alpha1.BackupSource{ExcludedResources: []string{"widgets.example.com", "*.example.com", "secrets.example.com"}}))
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Partial).To(BeFalse(), "other clusters may have them")
		Expect(fmt.Sprint(result.Warnings)).To(ContainSubstring("the cluster has no such resource"))

		By("saying what of the source matches nothing")
		for want, source := range map[string]v1alpha1.BackupSource{
			"set spec.source.includeClusterResources to true": {IncludedResources: []string{"persistentvolumes"}},
			`spec.source.labelSelector "nope=x"`:              {LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"nope": "x"}}},
			"spec.source.excludedResources excludes it":       {IncludedResources: []string{"secrets", "configmaps"}, ExcludedResources: []string{"secrets"}},
		} {
			result, err = capture.Run(ctx, params(r, one, source))
			Expect(err).NotTo(HaveOccurred())
			Expect(result.Partial && result.MatchesNothing).To(BeTrue(), want)
			Expect(fmt.Sprint(result.Warnings[0])).To(ContainSubstring(want))
		}

		By("saving what is in no namespace when asked")
		name := "capture-" + one
		_, err = client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx context.Context) {
			Expect(client.RbacV1().ClusterRoles().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
		})
		result, err = capture.Run(ctx, params(r, one, v1alpha1.BackupSource{Namespaces: []string{"*"}, IncludeClusterResources: true}))
		Expect(err).NotTo(HaveOccurred())
		objects, _ = saved(ctx, r, result)
		Expect(objects).To(HaveKey("clusterroles.rbac.authorization.k8s.io <nil>/" + name))
		Expect(objects).To(HaveKey("secrets " + two + "/s"))
		Expect(objects).NotTo(HaveKey("clusterroles.rbac.authorization.k8s.io <nil>/cluster-admin"))
	})

	It("is partial, and says why, where it lacks a right", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		makeConfigMaps(ctx, namespace, 3)
		_, err := client.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader"},
			Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}}}}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		_, err = client.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reader"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
			Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "reader"}}}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func(g Gomega) { // the API server takes a moment to hear of the binding
			review, err := client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
				Spec: authorizationv1.SubjectAccessReviewSpec{User: "reader", ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: "list", Resource: "configmaps", Namespace: namespace,
				}}}, metav1.CreateOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(review.Status.Allowed).To(BeTrue())
		}).Should(Succeed())
		r := openRepository(ctx)
		p := params(r, namespace, v1alpha1.BackupSource{})
		p.Config = rest.CopyConfig(config)
		p.Config.Impersonate = rest.ImpersonationConfig{UserName: "reader", Groups: []string{"system:authenticated"}}
		result, err := capture.Run(ctx, p)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Partial).To(BeTrue())
		Expect(result.Totals.Objects).To(Equal(int64(3)))
		Expect(result.Warnings).To(ContainElement(SatisfyAll(
			HaveField("Resource", "secrets"), HaveField("Message", ContainSubstring("the executor may not")))))

		By("failing where it may read nothing")
		p.Config.Impersonate.UserName = "nobody"
		_, err = capture.Run(ctx, p)
		var cluster *capture.ClusterError
		Expect(err).To(MatchError(ContainSubstring("no resource could be listed")))
		Expect(errorsAs(err, &cluster)).To(BeTrue())
	})

	It("is complete although an API that it does not save is dead, and names one that it would have saved", func(ctx context.Context) {
		for _, group := range []string{"metrics.k8s.io", "dead.example.com"} {
			service := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": map[string]any{"name": "v1beta1." + group},
				"spec": map[string]any{"group": group, "version": "v1beta1", "groupPriorityMinimum": int64(100), "versionPriority": int64(100),
					"insecureSkipTLSVerify": true, "service": map[string]any{"name": "none", "namespace": "kube-system", "port": int64(443)}},
			}}
			services, err := dynamic.NewForConfig(config)
			Expect(err).NotTo(HaveOccurred())
			resource := services.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
			_, err = resource.Create(ctx, service, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func(ctx context.Context) {
				Expect(resource.Delete(ctx, service.GetName(), metav1.DeleteOptions{})).To(Succeed())
			})
			namespace := newNamespace(ctx)
			save := func(source v1alpha1.BackupSource) *capture.Result {
				result, err := capture.Run(ctx, params(openRepository(ctx), namespace, source))
				Expect(err).NotTo(HaveOccurred())
				return result
			}
			Expect(save(v1alpha1.BackupSource{IncludedResources: []string{"configmaps"}}).Partial).To(BeFalse(), "it saves ConfigMaps alone")
			Eventually(func() []v1alpha1.ResourceWarning {
				return save(v1alpha1.BackupSource{IncludedResources: []string{"things." + group}}).Warnings
			}).Should(ContainElement(HaveField("Message", ContainSubstring("no such resource"))))
			all := save(v1alpha1.BackupSource{})
			if group == "metrics.k8s.io" {
				Expect(all.Partial).To(BeFalse(), "%v", all.Warnings)
				continue
			}
			Eventually(func() []v1alpha1.ResourceWarning { return save(v1alpha1.BackupSource{}).Warnings }).Should(
				ContainElement(HaveField("Message", ContainSubstring("APIService v1beta1.dead.example.com"))))
			Expect(save(v1alpha1.BackupSource{ExcludedResources: []string{"*.dead.example.com"}}).Partial).To(BeFalse())
		}
	})

	It("begins a list anew when the API server has forgotten its moment", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		makeConfigMaps(ctx, namespace, 150)
		var expired atomic.Int32
		r := openRepository(ctx)
		p := params(r, namespace, v1alpha1.BackupSource{})
		p.Config = broken(func(request *http.Request) (*http.Response, error) {
			if request.URL.Query().Get("continue") == "" || !expired.CompareAndSwap(0, 1) {
				return nil, nil //nolint:nilnil // the request goes on
			}
			return status(http.StatusGone, metav1.StatusReasonExpired), nil
		})
		result, err := capture.Run(ctx, p)
		Expect(err).NotTo(HaveOccurred())
		Expect(expired.Load()).To(Equal(int32(1)), "no second page was asked for")
		Expect(result.Partial).To(BeFalse())
		objects, _ := saved(ctx, r, result)
		Expect(objects).To(HaveLen(151))
	})

	It("is partial when one resource gives no answer, and fails when none does", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		makeConfigMaps(ctx, namespace, 3)
		r := openRepository(ctx)
		p := params(r, namespace, v1alpha1.BackupSource{})
		p.RequestTimeout = 10 * time.Second
		silent := func(what string) *rest.Config {
			return broken(func(request *http.Request) (*http.Response, error) {
				if !strings.Contains(request.URL.Path, what) {
					return nil, nil
				}
				<-request.Context().Done()
				return nil, request.Context().Err()
			})
		}
		p.Config = silent("/secrets")
		result, err := capture.Run(ctx, p)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.Partial).To(BeTrue())
		Expect(result.Totals.Objects).To(Equal(int64(4)))
		Expect(result.Warnings).To(ContainElement(HaveField("Resource", "secrets")))

		p.Config = silent("/namespaces")
		_, err = capture.Run(ctx, p)
		var cluster *capture.ClusterError
		Expect(errorsAs(err, &cluster)).To(BeTrue(), "%v", err)
		snapshots, err := r.Snapshots(ctx, repositoryFilter)
		Expect(err).NotTo(HaveOccurred())
		Expect(snapshots).To(HaveLen(1), "the failed run left none")
	})
})
