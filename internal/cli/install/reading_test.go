package install_test

import (
	"context"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/test/kit"
)

var _ = Describe("who has rights in a namespace of his own alone", Ordered, func() {
	const user, team = "reader", "readers"

	// as runs fedctl as that user.
	as := func(ctx context.Context, args ...string) (out, errOut string, err error) {
		raw, err := clientcmd.LoadFromFile(host.Kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		for _, info := range raw.AuthInfos {
			info.Impersonate, info.ImpersonateGroups = user, []string{"system:authenticated"}
		}
		file := filepath.Join(GinkgoT().TempDir(), "config")
		Expect(clientcmd.WriteToFile(*raw, file)).To(Succeed())
		out, errOut, err = kit.FedctlWith(ctx, []string{"--kubeconfig", file, "--host-cluster-context", "host"}, args...)
		if err != nil {
			return out, errOut, explained{err}
		}
		return out, errOut, nil
	}
	commands := [][]string{
		{"get", "clusters"}, {"status", "-n", team}, {"explain", "configmap/mine", "-n", team}, {"render", "configmap/mine", "-n", team},
		{"status", "configmap/mine", "-n", team},
	}

	BeforeAll(func(ctx context.Context) {
		for _, object := range []client.Object{
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}},
			parse("{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedCluster, metadata: {name: berlin, namespace: kube-federation-system}, spec: {apiEndpoint: 'https://192.0.2.1', secretRef: {name: berlin-credentials}}}"),
			parse("{apiVersion: types.kubefed.io/v1beta1, kind: FederatedNamespace, metadata: {name: readers, namespace: readers}, spec: {placement: {clusters: [{name: berlin}]}}}"),
			parse("{apiVersion: types.kubefed.io/v1beta1, kind: FederatedConfigMap, metadata: {name: mine, namespace: readers}, spec: {template: {data: {a: b}}, placement: {clusters: [{name: berlin}]}}}"),
			// Roles are not aggregated here: view is what is added to it.
			&rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "view", Namespace: team},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fedctl-view"},
				Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
			},
		} {
			Expect(host.Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(host.Delete(ctx, object))).To(Succeed()) })
		}
	})

	It("is told by the reading commands which role is missing", func(ctx context.Context) {
		for _, command := range commands {
			_, _, err := as(ctx, command...)
			Expect(err).To(MatchError(And(ContainSubstring(`User "reader" cannot list resource`), ContainSubstring("kubectl create clusterrolebinding NAME --clusterrole=fedctl-fleet-view"))), "%v", command)
		}
	})

	It("uses them with the role fedctl-fleet-view, which gives no Secrets and nothing to write", func(ctx context.Context) {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "fleet-readers"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fedctl-fleet-view"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}
		Expect(host.Create(ctx, binding)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, binding)).To(Succeed()) })
		for _, command := range commands {
			Eventually(func() error { _, _, err := as(ctx, command...); return err }).Should(Succeed(), "%v", command)
			out, _, err := as(ctx, command...)
			Expect(err).NotTo(HaveOccurred())
			Expect(out).To(MatchRegexp("(?i)berlin|mine"), "%v", command)
		}
		out, errOut, err := as(ctx, "status", "-n", team)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("federatedconfigmap/mine"))
		Expect(errOut).To(ContainSubstring("warning: left out: listing federatedsecrets.types.kubefed.io"))
		_, _, err = as(ctx, "status", "secrets", "-n", team)
		Expect(err).To(MatchError(ContainSubstring(`cannot list resource "federatedsecrets"`)), "it was asked for")

		By("and is told of what he may not read in all namespaces how to ask for less")
		_, _, err = as(ctx, "status", "-A")
		Expect(err).To(MatchError(And(ContainSubstring("choose it with -n in place of -A"), ContainSubstring("at the cluster scope"))))
		Expect(strings.Split(err.Error(), "\n")).To(HaveLen(1), "not the same for every type")
		_, _, err = as(ctx, "get", "facts")
		Expect(err).To(MatchError(And(ContainSubstring("choose it with -n"), ContainSubstring("at the cluster scope"))))
		out, _, err = as(ctx, "get", "facts", "-n", team)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(And(ContainSubstring("kind: FederatedNamespace"), ContainSubstring("name: berlin")))

		config := rest.CopyConfig(host.Config)
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
		reader, err := client.New(config, client.Options{Scheme: cmdutil.Scheme})
		Expect(err).NotTo(HaveOccurred())
		forbidden := MatchError(apierrors.IsForbidden, "is forbidden")
		Expect(reader.List(ctx, &corev1.SecretList{}, client.InNamespace(namespace))).To(forbidden)
		Expect(reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "berlin-credentials"}, &corev1.Secret{})).To(forbidden)
		cluster := parse("{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedCluster, metadata: {name: berlin, namespace: kube-federation-system}}")
		Expect(reader.Get(ctx, client.ObjectKeyFromObject(cluster), cluster)).To(Succeed())
		cluster.SetLabels(map[string]string{"a": "b"})
		Expect(reader.Update(ctx, cluster)).To(forbidden)
		Expect(reader.Delete(ctx, cluster)).To(forbidden)
	})
})

// explained is an error as the program prints it.
type explained struct{ error }

func (e explained) Error() string { return cmdutil.Explain(e.error) }
