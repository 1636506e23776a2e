package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	inventoryv1alpha1 "sigs.k8s.io/cluster-inventory-api/apis/v1alpha1"
	"sigs.k8s.io/cluster-inventory-api/pkg/access"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// profileOf reads the ClusterProfile of a member.
func profileOf(ctx context.Context, c *framework.Cluster) func(g Gomega) *inventoryv1alpha1.ClusterProfile {
	return func(g Gomega) *inventoryv1alpha1.ClusterProfile {
		u, err := read(ctx, host, ref{GroupVersionKind: inventoryv1alpha1.GroupVersion.WithKind("ClusterProfile"), Namespace: framework.KubeFedNamespace, Name: c.Name})
		g.Expect(err).NotTo(HaveOccurred())
		profile := &inventoryv1alpha1.ClusterProfile{}
		g.Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, profile)).To(Succeed())
		return profile
	}
}

// valueOf is a property of a ClusterProfile.
func valueOf(profile *inventoryv1alpha1.ClusterProfile, name string) string {
	for _, p := range profile.Status.Properties {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// secretReader builds the credential plugin of sigs.k8s.io/cluster-inventory-api, and
// returns a configuration that runs it with the credentials of the host's administrator.
func secretReader(ctx context.Context) *access.Config {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	plugin := filepath.Join(dir, "secretreader")
	build := exec.CommandContext(ctx, "go", "build", "-o", plugin, "sigs.k8s.io/cluster-inventory-api/plugins/secretreader/cmd/plugin")
	output, err := build.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))

	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["host"] = &clientcmdapi.Cluster{Server: host.Config.Host, CertificateAuthorityData: host.Config.CAData, CertificateAuthority: host.Config.CAFile}
	kubeconfig.AuthInfos["host"] = &clientcmdapi.AuthInfo{
		ClientCertificateData: host.Config.CertData, ClientKeyData: host.Config.KeyData, ClientCertificate: host.Config.CertFile, ClientKey: host.Config.KeyFile, Token: host.Config.BearerToken,
	}
	kubeconfig.Contexts["host"] = &clientcmdapi.Context{Cluster: "host", AuthInfo: "host", Namespace: framework.KubeFedNamespace}
	kubeconfig.CurrentContext = "host"
	file := filepath.Join(dir, "kubeconfig")
	Expect(clientcmd.WriteToFile(*kubeconfig, file)).To(Succeed())
	return access.New([]access.Provider{{Name: "secretreader", ExecConfig: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: plugin, ProvideClusterInfo: true,
		Env: []clientcmdapi.ExecEnvVar{{Name: "KUBECONFIG", Value: file}, {Name: "HOME", Value: os.Getenv("HOME")}},
	}}})
}

var _ = Describe("ClusterProfiles", localOnly, Serial, func() {
	It("are published where they are installed, and lead others to the members", func(ctx SpecContext) {
		member, other := members[0], members[1]
		fedctl(ctx, "install", "--cluster-profiles", "--without-controller")
		DeferCleanup(func(ctx SpecContext) {
			definition := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "clusterprofiles.multicluster.x-k8s.io"}}
			definition.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
			Expect(client.IgnoreNotFound(host.Delete(ctx, definition))).To(Succeed())
		})
		healthy := func(g Gomega) *metav1.Condition {
			return meta.FindStatusCondition(profileOf(ctx, member)(g).Status.Conditions, inventoryv1alpha1.ClusterConditionControlPlaneHealthy)
		}
		Eventually(ctx, healthy).Should(HaveField("Status", metav1.ConditionTrue))
		gpuNode(ctx, member, "profiled", "A10", "nvidia.com/gpu")
		Eventually(ctx, func(g Gomega) {
			profile := profileOf(ctx, member)(g)
			g.Expect(profile.Spec.ClusterManager.Name).To(Equal("fedctl"))
			g.Expect(profile.Labels).To(HaveKeyWithValue(inventoryv1alpha1.LabelClusterManagerKey, "fedctl"))
			g.Expect(profile.Status.Version.Kubernetes).To(HavePrefix("v1."))
			g.Expect(valueOf(profile, "cluster.fedctl.io/allocatable.nvidia.com/gpu")).To(Equal("8"))
		}).Should(Succeed())

		By("reading a member through the module's own credential plugin")
		config, err := secretReader(ctx).BuildConfigFromCP(profileOf(ctx, member)(Default))
		Expect(err).NotTo(HaveOccurred())
		clientset, err := kubernetes.NewForConfig(config)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func(g Gomega) {
			node, err := clientset.CoreV1().Nodes().Get(ctx, "profiled", metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(node.Labels).To(HaveKeyWithValue(corev1.LabelHostname, "profiled"))
		}).Should(Succeed())

		By("a member that goes away")
		stop(ctx, member)
		Eventually(ctx, healthy).Should(HaveField("Status", metav1.ConditionFalse))
		Expect(valueOf(profileOf(ctx, member)(Default), "cluster.fedctl.io/allocatable.nvidia.com/gpu")).To(Equal("8"), "what was known last")
		start(ctx, member)
		Eventually(ctx, healthy).Should(HaveField("Status", metav1.ConditionTrue))
		Expect(profileOf(ctx, other)(Default).OwnerReferences).To(ConsistOf(HaveField("Kind", "KubeFedCluster")))
	}, SpecTimeout(8*time.Minute))
})
