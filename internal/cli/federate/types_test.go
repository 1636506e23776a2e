package federate_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/test/kit"
)

// gadgets is a type that the host does not have.
const gadgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Gadget, plural: gadgets, singular: gadget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}]
`

// Enabling and disabling as far as they need no controller; with one it is in the
// end-to-end suite.
func typesSpecs() {
	It("keeps the version and the group of a type that is enabled again", func(ctx context.Context) {
		const name = "horizontalpodautoscalers.autoscaling"
		mustFedctl(ctx, "disable", name, "--delete-crd", "--wait", "0") // as it is by default
		mustFedctl(ctx, "enable", name, "--version", "v1", "--federated-group", "fed.example.com", "--wait", "0")
		DeferCleanup(func(ctx context.Context) {
			mustFedctl(ctx, "disable", name, "--delete-crd", "--wait", "0")
			mustFedctl(ctx, "enable", name, "--wait", "0")
		})
		_, said, err := fedctl(ctx, "enable", name, "--wait", "0")
		Expect(err).NotTo(HaveOccurred())
		Expect(said).To(ContainSubstring("kept version v1 of the type"))
		config := &fedcorev1beta1.FederatedTypeConfig{}
		Expect(host.Get(ctx, client.ObjectKey{Namespace: "kube-federation-system", Name: name}, config)).To(Succeed())
		Expect(config.Spec.TargetType.Version).To(Equal("v1"))
		Expect(config.Spec.FederatedType.Group).To(Equal("fed.example.com"))
	})

	It("warns of a type that would undo a member's rights by namespace, before the member gets the rights to it", func(ctx context.Context) {
		limited := parse("{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedCluster, metadata: {name: limited, namespace: kube-federation-system, " +
			"annotations: {fedctl.io/namespace-rights: kube-federation-system/limited-host}}, spec: {apiEndpoint: 'https://192.0.2.1', secretRef: {name: limited}}}")
		Expect(host.Create(ctx, limited)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, limited)).To(Succeed()) })
		for name, warned := range map[string]bool{"rolebindings.rbac.authorization.k8s.io": true, "limitranges": false} {
			_, said, err := fedctl(ctx, "enable", name, "--dry-run")
			Expect(err).NotTo(HaveOccurred())
			warning := ContainSubstring("which would undo --rbac=namespaces: limited gets no rights to the type unless joined again with --allow-granting or --rbac=types")
			if !warned {
				warning = Not(warning)
			}
			Expect(said).To(warning, name)
		}
	})

	It("says that a type is enabled also where the members may not be listed", func(ctx context.Context) {
		const user, name = "enabler", "rolebindings.rbac.authorization.k8s.io"
		subject := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}
		for _, object := range []client.Object{
			&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get"}},
				{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: []string{"*"}},
				{APIGroups: []string{"core.kubefed.io"}, Resources: []string{"federatedtypeconfigs", "kubefedconfigs"}, Verbs: []string{"*"}},
			}},
			&rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: user}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
				Subjects: []rbacv1.Subject{subject},
			},
		} {
			Expect(host.Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, object)).To(Succeed()) })
		}
		raw, err := clientcmd.LoadFromFile(host.Kubeconfig)
		Expect(err).NotTo(HaveOccurred())
		for _, info := range raw.AuthInfos {
			info.Impersonate, info.ImpersonateGroups = user, []string{"system:authenticated"}
		}
		file := filepath.Join(GinkgoT().TempDir(), "config")
		Expect(clientcmd.WriteToFile(*raw, file)).To(Succeed())
		enable := func(args ...string) (string, error) {
			_, said, err := kit.FedctlWith(ctx, []string{"--kubeconfig", file, "--host-cluster-context", "host"}, append([]string{"enable", name, "--wait", "0"}, args...)...)
			return said, err
		}
		DeferCleanup(func(ctx context.Context) { mustFedctl(ctx, "disable", name, "--delete-crd", "--wait", "0") })
		var said string
		Eventually(func() (err error) { said, err = enable(); return err }).Should(Succeed()) // its rights are new
		Expect(said).To(And(ContainSubstring("which would undo --rbac=namespaces"), ContainSubstring("which there are could not be read")))
		_, err = enable("--join")
		Expect(err).To(MatchError(HavePrefix(name + " is enabled, but listing KubeFedClusters: ")))
	})

	It("enables a type that only the members have, from its definition", func(ctx context.Context) {
		file := filepath.Join(GinkgoT().TempDir(), "crd.yaml")
		Expect(os.WriteFile(file, []byte(gadgets), 0o600)).To(Succeed())
		Expect(mustFedctl(ctx, "enable", "-f", file, "-o", "name")).To(Equal(
			"customresourcedefinition.apiextensions.k8s.io/federatedgadgets.types.kubefed.io\nfederatedtypeconfig.core.kubefed.io/gadgets.example.com\n"))
		printed := mustFedctl(ctx, "enable", "-f", file, "-o", "yaml")
		Expect(printed).To(And(ContainSubstring("name: gadgets.example.com"), ContainSubstring("name: federatedgadgets.types.kubefed.io")))

		mustFedctl(ctx, "enable", "-f", file, "--wait", "0")
		config := &fedcorev1beta1.FederatedTypeConfig{}
		Expect(host.Get(ctx, client.ObjectKey{Namespace: "kube-federation-system", Name: "gadgets.example.com"}, config)).To(Succeed())
		Expect(config.Spec.TargetType.Version).To(Equal("v1"))

		By("which disable says how to be rid of, once there is an object")
		create(ctx, "{apiVersion: types.kubefed.io/v1beta1, kind: FederatedGadget, metadata: {name: one, namespace: default}, spec: {template: {spec: {size: 1}}}}")
		_, _, err := fedctl(ctx, "disable", "-f", file, "--delete-crd", "--wait", "0")
		Expect(err).To(MatchError(ContainSubstring("is not deleted while federated objects exist (default/one): delete them, or leave out --delete-crd")))
		out := mustFedctl(ctx, "disable", "-f", file, "--wait", "0")
		Expect(out).To(And(ContainSubstring("federatedtypeconfig.core.kubefed.io/gadgets.example.com deleted"),
			ContainSubstring("kubectl --context MEMBER label gadgets.example.com -A -l kubefed.io/managed=true kubefed.io/managed-")))

		By("and nothing more when there is none")
		object, err := federated(ctx, "default", "FederatedGadget/one")
		Expect(err).NotTo(HaveOccurred())
		Expect(host.Delete(ctx, object)).To(Succeed())
		mustFedctl(ctx, "enable", "-f", file, "--wait", "0")
		const both = "customresourcedefinition.apiextensions.k8s.io/federatedgadgets.types.kubefed.io\nfederatedtypeconfig.core.kubefed.io/gadgets.example.com\n"
		Expect(mustFedctl(ctx, "disable", "gadgets.example.com", "--delete-crd", "--dry-run", "-o", "name")).To(Equal(both))
		out, errOut, err := fedctl(ctx, "disable", "gadgets.example.com", "--delete-crd", "--wait", "0", "-o", "name")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(Equal(both))
		Expect(errOut).NotTo(ContainSubstring("kubectl"))
		Eventually(func() bool {
			return apierrors.IsNotFound(host.Get(ctx, client.ObjectKey{Name: "federatedgadgets.types.kubefed.io"}, &apiextensionsv1.CustomResourceDefinition{}))
		}).Should(BeTrue())
	})

	It("refuses what cannot be federated, and says why", func(ctx context.Context) {
		for name, why := range map[string]string{
			"federatedconfigmaps": "it is a federated type itself; enable the type that it federates",
			"tokenreviews":        "its API has no get, list, watch, patch, delete",
			"kubefedclusters":     "its objects belong to the control plane in the host",
			"pods/log":            "is a subresource",
			"nosuch":              `the host cluster has no type "nosuch"`,
		} {
			_, _, err := fedctl(ctx, "enable", name)
			Expect(err).To(MatchError(ContainSubstring(why)), name)
		}
	})

	It("completes versions, types of contents, namespaces, scopes and formats", func(ctx context.Context) {
		for _, test := range []struct {
			line string
			want []string
		}{
			{"enable deployments --version |", []string{"v1\n"}},
			{"federate namespaces shop --skip-api-resources |", []string{"configmaps\n", "cronjobs.batch\n"}},
			{"status -n |", []string{"default\n"}},
			{"backup run -n |", []string{"default\n"}},
			{"status --kubefed-namespace |", []string{"kube-federation-system\n"}},
			{"install --scope |", []string{"Cluster\n", "Namespaced\n"}},
			{"join member-1 -o |", []string{"json\n", "yaml\n", "name\n"}},
			{"unjoin member-1 -o |", []string{"name\n"}},
			{"status -o |", []string{"wide\n", "json\n", "yaml\n", "name\n"}},
			{"backup restore --existing |", []string{"Skip\n", "Update\n", "Fail\n"}},
			{"status |", []string{"deployments\n", "configmaps\n"}},
			{"install --image |", []string{":4\n"}}, // no files
		} {
			words := strings.Fields(strings.ReplaceAll(test.line, "|", ""))
			out := mustFedctl(ctx, append([]string{"__complete"}, append(words, "")...)...)
			for _, want := range test.want {
				Expect(out).To(ContainSubstring(want), test.line)
			}
		}
	})

	It("completes types, type names and clusters", func(ctx context.Context) {
		create(ctx, `{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedCluster, metadata: {name: oslo, namespace: kube-federation-system}, spec: {apiEndpoint: "https://oslo.example.com", secretRef: {name: x}}}`)
		Expect(mustFedctl(ctx, "__complete", "enable", "")).To(And(ContainSubstring("cronjobs.batch\n"), Not(ContainSubstring("federated")), Not(ContainSubstring("\nnodes\n"))))
		Expect(mustFedctl(ctx, "__complete", "disable", "")).To(ContainSubstring("deployments.apps\n"))
		Expect(mustFedctl(ctx, "__complete", "unjoin", "")).To(HavePrefix("oslo\n"))
		Expect(mustFedctl(ctx, "__complete", "unjoin", "oslo", "")).NotTo(ContainSubstring("oslo\n"))
		Expect(mustFedctl(ctx, "__complete", "get", "clusters", "")).To(HavePrefix("oslo\n"))
		Expect(mustFedctl(ctx, "__complete", "unjoin", "--cluster-context", "")).To(ContainSubstring("host\n"))
	})
}
