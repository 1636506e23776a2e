package controlplane

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

var _ = Describe("a control plane of scope Cluster", Ordered, func() {
	var leader *framework.Controller

	BeforeAll(func(ctx SpecContext) {
		fedctl(ctx, "install", "--without-controller")
		leader = prepare(ctx, "leader", central)
		Expect(leader.Start(ctx)).To(Succeed())
	}, NodeTimeout(5*time.Minute))

	AfterAll(func(ctx SpecContext) {
		Expect(leader.Stop(ctx)).To(Succeed())
		// The rules of scope Cluster hold everywhere; other specs are about those that do not.
		for _, rules := range []string{"federatedtypeconfigs", "kubefedclusters", "kubefedconfigs"} {
			Expect(host.Delete(ctx, &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: rules + ".core.kubefed.io"}})).To(Succeed())
		}
		Eventually(ctx, func() error { return host.Create(ctx, kubeFedConfigOf("Galaxy"), client.DryRunAll) }).Should(Succeed())
	}, NodeTimeout(5*time.Minute))

	It("has KubeFedConfigs defaulted without a webhook", func(ctx SpecContext) {
		config := kubeFedConfig(central, "defaulted")
		Expect(host.Create(ctx, config)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, config)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		Eventually(ctx, func(g Gomega) {
			g.Expect(host.Get(ctx, client.ObjectKeyFromObject(config), config)).To(Succeed())
			g.Expect(config.Object["spec"]).To(BeEquivalentTo(map[string]any{
				"scope":              "Cluster",
				"controllerDuration": map[string]any{"availableDelay": "20s", "unavailableDelay": "1m0s", "cacheSyncTimeout": "5m0s"},
				"leaderElect":        map[string]any{"leaseDuration": "15s", "renewDeadline": "10s", "retryPeriod": "5s", "resourceLock": "configmaps"},
				"clusterHealthCheck": map[string]any{"period": "10s", "timeout": "3s", "failureThreshold": int64(3), "successThreshold": int64(1)},
				"syncController":     map[string]any{"maxConcurrentReconciles": int64(1), "adoptResources": "Enabled"},
				"statusController":   map[string]any{"maxConcurrentReconciles": int64(1)},
				"featureGates": []any{
					map[string]any{"name": "PushReconciler", "configuration": "Enabled"},
					map[string]any{"name": "RawResourceStatusCollection", "configuration": "Disabled"},
					map[string]any{"name": "SchedulerPreferences", "configuration": "Enabled"},
				},
			}))
		}).Should(Succeed())
		Eventually(ctx, notes(ctx, config)).Should(ContainElement("NotUsed: Only the KubeFedConfig called kubefed counts."))
	}, SpecTimeout(3*time.Minute))

	It("checks KubeFedConfigs in all namespaces", func(ctx SpecContext) {
		// An API server takes some time to notice a policy.
		Eventually(ctx, func() error { return host.Create(ctx, kubeFedConfigOf("Galaxy"), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("spec.scope must be Cluster or Namespaced")))
	}, SpecTimeout(3*time.Minute))

	It("gives its controller no right to what could grant or intercept anything", func(ctx SpecContext) {
		for _, forbidden := range []authorizationv1.ResourceAttributes{
			{Group: "admissionregistration.k8s.io", Resource: "mutatingwebhookconfigurations", Name: "fedctl-controller", Verb: "update"},
			{Group: "admissionregistration.k8s.io", Resource: "mutatingwebhookconfigurations", Verb: "create"},
			{Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicybindings", Verb: "delete"},
			{Group: rbacv1.GroupName, Resource: "clusterroles", Verb: "escalate"},
			{Group: rbacv1.GroupName, Resource: "clusterrolebindings", Verb: "create"},
			{Resource: "secrets", Namespace: "kube-system", Verb: "get"},
			{Resource: "secrets", Namespace: central, Verb: "create"},
			{Resource: "serviceaccounts", Subresource: "token", Namespace: central, Verb: "create"},
			{Resource: "users", Verb: "impersonate"},
			{Resource: "namespaces", Verb: "patch"},
		} {
			Expect(mayController(ctx, forbidden)).To(BeFalse(), "%+v", forbidden)
		}
		Expect(mayController(ctx, authorizationv1.ResourceAttributes{Resource: "secrets", Namespace: central, Verb: "patch"})).To(BeTrue(), "tokens are renewed")
	}, SpecTimeout(3*time.Minute))

	It("shows its metrics by TLS to those alone who may see them", func(ctx SpecContext) {
		standby := prepare(ctx, "standby", central) // who does not lead has metrics as well
		Expect(standby.Launch("--metrics-secure")).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(standby.Stop(ctx)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		Eventually(ctx, func() (int, error) { return metrics(ctx, standby, "") }).Should(Equal(http.StatusUnauthorized))
		Expect(metrics(ctx, standby, "wrong")).To(Equal(http.StatusUnauthorized))
		Expect(metrics(ctx, standby, accountToken(ctx, "stranger"))).To(Equal(http.StatusForbidden))
		reader := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "metrics-of-a-spec"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fedctl-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "collector"}},
		}
		Expect(host.Create(ctx, reader)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, reader)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		Eventually(ctx, func() (int, error) { return metrics(ctx, standby, accountToken(ctx, "collector")) }).Should(Equal(http.StatusOK))
	}, SpecTimeout(3*time.Minute))

	It("loses, when installed again, what an earlier version had and this one does not need", func(ctx SpecContext) {
		obsolete := object("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", "fedctl-controller")
		obsolete.SetLabels(map[string]string{"app.kubernetes.io/part-of": "fedctl"})
		role := object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "fedctl-controller-webhook")
		role.SetLabels(obsolete.GetLabels())
		foreign := object("v1", "Secret", central, "fedctl-controller-webhook") // somebody's own, of the same name
		for _, o := range []*unstructured.Unstructured{obsolete, role, foreign} {
			Expect(host.Create(ctx, o)).To(Succeed())
		}
		out := fedctl(ctx, "install", "--without-controller")
		Expect(out).To(ContainSubstring("0 created, 0 configured"))
		Expect(out).To(ContainSubstring("clusterrole.rbac.authorization.k8s.io/fedctl-controller-webhook deleted: this version does not need it"))
		for _, o := range []*unstructured.Unstructured{obsolete, role} {
			Expect(apierrors.IsNotFound(host.Get(ctx, client.ObjectKeyFromObject(o), o))).To(BeTrue(), o.GetName())
		}
		Expect(host.Delete(ctx, foreign)).To(Succeed())
	}, SpecTimeout(3*time.Minute))
})

func kubeFedConfig(namespace, name string) *unstructured.Unstructured {
	config := object("core.kubefed.io/v1beta1", "KubeFedConfig", namespace, name)
	config.Object["spec"] = map[string]any{"scope": "Cluster"}
	return config
}

// kubeFedConfigOf is one of a scope in a namespace without a control plane.
func kubeFedConfigOf(scope string) *unstructured.Unstructured {
	config := kubeFedConfig("default", "of-a-scope")
	config.Object["spec"] = map[string]any{"scope": scope}
	return config
}

// mayController asks the host what the account of the controller may do.
func mayController(ctx context.Context, attributes authorizationv1.ResourceAttributes) bool {
	GinkgoHelper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + central + ":fedctl-controller", Groups: []string{"system:serviceaccounts", "system:authenticated"},
		ResourceAttributes: &attributes,
	}}
	Expect(host.Create(ctx, review)).To(Succeed())
	return review.Status.Allowed
}

// accountToken is that of a service account of the host in the namespace default.
func accountToken(ctx context.Context, name string) string {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	Expect(client.IgnoreAlreadyExists(host.Create(ctx, account))).To(Succeed())
	request := &authenticationv1.TokenRequest{}
	Expect(host.SubResource("token").Create(ctx, account, request)).To(Succeed())
	return request.Status.Token
}

// metrics asks a controller for its metrics, which it has signed itself, and returns the answer's code.
func metrics(ctx context.Context, controller *framework.Controller, token string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+controller.MetricsAddress+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}).Do(request) // a self-signed certificate of this machine
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// Helm creates custom resources after Deployments: a controller that did not wait would
// have the scope Cluster here, for as long as it runs.
var _ = Describe("a controller that is there before its KubeFedConfig", func() {
	It("waits for it", func(ctx SpecContext) {
		const namespace = "late"
		install := []string{"install", "--without-controller", "--scope", "Namespaced", "--kubefed-namespace", namespace}
		fedctl(ctx, install...)
		config := kubeFedConfig(namespace, "kubefed")
		Expect(host.Delete(ctx, config)).To(Succeed())
		early := prepare(ctx, "early", namespace, "--wait-for-kubefed-config")
		Expect(early.Launch()).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(early.Stop(ctx)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		Eventually(ctx, func() string { return early.LogTail(20) }).Should(ContainSubstring("Waiting for the KubeFedConfig"))
		Consistently(ctx, early.Running).Should(BeTrue())
		Expect(early.LogTail(20)).NotTo(ContainSubstring("Starting"))

		fedctl(ctx, install...)
		Eventually(ctx, func() string { return early.LogTail(500) }).Should(ContainSubstring("Using valid KubeFedConfig"))
		Eventually(ctx, func() (float64, error) { return early.Metric(ctx, "leader_election_master_status") }).Should(BeNumerically(">=", 1))
	}, SpecTimeout(5*time.Minute))
})
