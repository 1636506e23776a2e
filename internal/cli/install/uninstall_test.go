package install_test

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
)

var _ = Describe("fedctl uninstall", Ordered, func() {
	It("removes all that one control plane has cluster-wide, and nothing of others", func(ctx context.Context) {
		before := clusterWide(ctx)
		for name, scope := range map[string]string{"gone-cluster": "Cluster", "gone-namespaced": "Namespaced"} {
			_, err := fedctl(ctx, "install", "--without-controller", "--kubefed-namespace", name, "--scope", scope)
			Expect(err).NotTo(HaveOccurred())
		}
		installed := clusterWide(ctx)
		Expect(installed).To(ContainElements(
			"ClusterRoleBinding fedctl-controller-metrics-gone-namespaced",
			"ClusterRoleBinding fedctl-controller-namespaced-gone-namespaced",
			"ClusterRoleBinding fedctl-controller-gone-cluster",
		))
		for _, name := range []string{"gone-cluster", "gone-namespaced"} {
			Expect(installed).To(ContainElement(And(HavePrefix("ValidatingAdmissionPolicyBinding status."), HaveSuffix("-"+name))))
		}

		out, err := fedctl(ctx, "uninstall", "--dry-run", "--kubefed-namespace", "gone-cluster")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("clusterrolebinding.rbac.authorization.k8s.io/fedctl-controller-metrics-gone-cluster deleted (dry run)"))
		Expect(out).NotTo(ContainSubstring("fedctl-controller-namespaced-gone-cluster"), "it is not there")
		Expect(clusterWide(ctx)).To(Equal(installed))
		out, err = fedctl(ctx, "uninstall", "--dry-run", "--kubefed-namespace", "gone-cluster", "-o", "name")
		Expect(err).NotTo(HaveOccurred())
		Expect(strings.Split(out, "\n")).To(ContainElements("namespace/gone-cluster", "federatedtypeconfig.core.kubefed.io/configmaps",
			"clusterrolebinding.rbac.authorization.k8s.io/fedctl-controller-metrics-gone-cluster"))
		Expect(out).NotTo(ContainSubstring(" "), "names only")

		uninstall(ctx, "gone-namespaced")
		Expect(clusterWide(ctx)).To(Equal(slices.DeleteFunc(slices.Clone(installed), func(what string) bool {
			return strings.HasSuffix(what, "-gone-namespaced") && !slices.Contains(before, what)
		})))
		uninstall(ctx, "gone-cluster")
		after := clusterWide(ctx)
		for _, name := range []string{"gone-cluster", "gone-namespaced"} {
			Expect(after).NotTo(ContainElement(HaveSuffix("-" + name)))
		}
		Expect(after).To(ContainElements(before))
		out, err = fedctl(ctx, "install", "--without-controller")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("0 created, 0 configured"), "the other control plane is whole")
	})

	It("keeps the namespace in which another host has its account, and the account", func(ctx context.Context) {
		_, err := fedctl(ctx, "install", "--without-controller", "--kubefed-namespace", "gone-shared")
		Expect(err).NotTo(HaveOccurred())
		for _, object := range joinedThere("gone-shared") {
			Expect(host.Create(ctx, object)).To(Succeed())
		}
		// What "fedctl join" of another host makes here, and KubeFed's, which does not say whose it is.
		for name, annotations := range map[string]map[string]string{"here-other": {join.HostUIDAnnotation: "0b7e"}, "here-unknown": nil} {
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "gone-shared", Name: name, Annotations: annotations}}
			Expect(host.Create(ctx, account)).To(Succeed())
			binding := &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "kubefed-controller-manager:" + name},
				Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "gone-shared", Name: name}},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kubefed-controller-manager:" + name},
			}
			Expect(host.Create(ctx, binding)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, binding)).To(Succeed()) })
		}
		for _, dry := range []string{"--dry-run", "--dry-run=false"} {
			out, err := fedctl(ctx, "uninstall", "--force", "--kubefed-namespace", "gone-shared", dry)
			Expect(err).NotTo(HaveOccurred())
			Expect(out).To(And(
				ContainSubstring("kept namespace gone-shared: another host, which has this cluster for a member, uses ServiceAccount here-other, here-unknown in it"),
				ContainSubstring("serviceaccount/fedctl-controller in namespace gone-shared deleted"),
				ContainSubstring("kubefedconfig.core.kubefed.io/kubefed in namespace gone-shared deleted"),
				Not(ContainSubstring("\nnamespace/gone-shared deleted")),
			))
		}
		namespace := &corev1.Namespace{}
		Expect(host.Get(ctx, client.ObjectKey{Name: "gone-shared"}, namespace)).To(Succeed())
		Expect(namespace.DeletionTimestamp).To(BeNil())
		var accounts corev1.ServiceAccountList
		Expect(host.List(ctx, &accounts, client.InNamespace("gone-shared"))).To(Succeed())
		var left []string
		for _, account := range accounts.Items {
			left = append(left, account.Name)
		}
		Expect(left).To(ContainElements("here-other", "here-unknown"))
		Expect(left).NotTo(ContainElement("fedctl-controller"))
		Expect(inNamespace(ctx, "gone-shared")).To(ConsistOf("Secret unrelated", "Secret here-other"))

		Expect(host.DeleteAllOf(ctx, &corev1.ServiceAccount{}, client.InNamespace("gone-shared"))).To(Succeed())
		uninstall(ctx, "gone-shared")
	})

	It("takes a control plane without a type for one", func(ctx context.Context) {
		_, err := fedctl(ctx, "install", "--without-controller", "--kubefed-namespace", "gone-last")
		Expect(err).NotTo(HaveOccurred())
		var types fedcorev1beta1.FederatedTypeConfigList
		Expect(host.List(ctx, &types)).To(Succeed())
		for _, t := range types.Items {
			if t.Namespace != "gone-last" {
				Expect(host.Delete(ctx, &t)).To(Succeed())
			}
		}
		DeferCleanup(func(ctx context.Context) {
			uninstall(ctx, "gone-last")
			_, err := fedctl(ctx, "install", "--without-controller")
			Expect(err).NotTo(HaveOccurred())
		})
		out, err := fedctl(ctx, "uninstall", "--dry-run", "--kubefed-namespace", "gone-last")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("kept the roles and policies that another control plane in this cluster uses as well"))
		Expect(out).NotTo(ContainSubstring("clusterrole.rbac.authorization.k8s.io/fedctl-controller deleted"))
	})
})

// joinedThere are what joining and the API of the fleet have in the namespace of a control
// plane, KubeFed's ways among them, and Secrets of others.
func joinedThere(namespace string) (objects []client.Object) {
	named := func(name, cluster string) metav1.ObjectMeta {
		meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
		if cluster != "" {
			meta.Labels = map[string]string{reach.ClusterLabel: cluster}
		}
		return meta
	}
	// A Secret without a label is KubeFed's; one that is not there, none, and another host's.
	for cluster, secret := range map[string]string{"labelled": "labelled-credentials", "kubefeds": "kubefeds-x7k2", "secretless": "gone", "greedy": "here-other"} {
		objects = append(objects, &fedcorev1beta1.KubeFedCluster{ObjectMeta: named(cluster, ""), Spec: fedcorev1beta1.KubeFedClusterSpec{
			APIEndpoint: "https://" + cluster + ".example", SecretRef: fedcorev1beta1.LocalSecretReference{Name: secret},
		}})
	}
	token := &corev1.Secret{ObjectMeta: named("here-other", ""), Type: corev1.SecretTypeServiceAccountToken}
	token.Annotations = map[string]string{corev1.ServiceAccountNameKey: "here-other"}
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "labelled-fleet-access"}
	labels := map[string]string{"app.kubernetes.io/name": "fedctl-fleet-api"}
	deployment := &appsv1.Deployment{ObjectMeta: named("fedctl-fleet-api", "")}
	deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	deployment.Spec.Template.Labels = labels
	deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c", Image: "i"}}
	return append(objects, token, deployment,
		&corev1.Secret{ObjectMeta: named("labelled-credentials", "labelled")}, &corev1.Secret{ObjectMeta: named("kubefeds-x7k2", "")},
		&corev1.Secret{ObjectMeta: named("unjoined-half-credentials", "unjoined-half")}, &corev1.Secret{ObjectMeta: named("unrelated", "")},
		&corev1.Secret{ObjectMeta: named("labelled-fleet-access", "labelled")}, &rbacv1.Role{ObjectMeta: named("labelled-fleet-access", "")},
		&rbacv1.RoleBinding{ObjectMeta: named("labelled-fleet-access", ""), RoleRef: role},
		&corev1.Secret{ObjectMeta: named("fedctl-fleet-api", "")},
	)
}

// inNamespace names what control planes have in a namespace.
func inNamespace(ctx context.Context, namespace string) (names []string) {
	GinkgoHelper()
	for kind, list := range map[string]client.ObjectList{
		"Secret": &corev1.SecretList{}, "Deployment": &appsv1.DeploymentList{}, "Role": &rbacv1.RoleList{}, "RoleBinding": &rbacv1.RoleBindingList{},
		"KubeFedCluster": &fedcorev1beta1.KubeFedClusterList{},
	} {
		Expect(host.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
		Expect(meta.EachListItem(list, func(item runtime.Object) error {
			object, err := meta.Accessor(item)
			if err == nil {
				names = append(names, kind+" "+object.GetName())
			}
			return err
		})).To(Succeed())
	}
	return names
}

// uninstall removes a control plane. Nothing ends namespaces here, so the first try
// waits in vain for that; the second goes on where it stopped.
func uninstall(ctx context.Context, name string) {
	GinkgoHelper()
	_, err := fedctl(ctx, "uninstall", "--kubefed-namespace", name, "--wait", "1s")
	Expect(err).To(MatchError(ContainSubstring("Namespace " + name + " has been deleted but is not gone")))
	ns := &corev1.Namespace{}
	Expect(host.Get(ctx, client.ObjectKey{Name: name}, ns)).To(Succeed())
	ns.Spec.Finalizers = nil
	Expect(host.SubResource("finalize").Update(ctx, ns)).To(Succeed())
	config := &fedcorev1beta1.KubeFedConfig{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "kubefed"}}
	Expect(client.IgnoreNotFound(host.Delete(ctx, config))).To(Succeed())
	_, err = fedctl(ctx, "uninstall", "--kubefed-namespace", name)
	Expect(err).NotTo(HaveOccurred())
}

// clusterWide names the objects without a namespace that control planes have, sorted.
func clusterWide(ctx context.Context) []string {
	GinkgoHelper()
	var names []string
	for _, gvk := range []schema.GroupVersionKind{
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "MutatingWebhookConfiguration"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicy"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicyBinding"},
	} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk)
		Expect(host.List(ctx, list)).To(Succeed())
		for i := range list.Items {
			names = append(names, gvk.Kind+" "+list.Items[i].GetName())
		}
	}
	slices.Sort(names)
	return names
}
