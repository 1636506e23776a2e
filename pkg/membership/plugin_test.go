package membership_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

var _ = Describe("a credential plugin", Ordered, func() {
	BeforeAll(func(ctx context.Context) { mustJoin(ctx, member1, member1) })
	AfterAll(func(ctx context.Context) { leave(ctx, member1) })

	// pluginsFor writes the operator's file, with one plugin that prints what is in answer.
	pluginsFor := func(server, answer string) reach.Plugins {
		GinkgoHelper()
		dir := GinkgoT().TempDir()
		program, file := filepath.Join(dir, "plugin"), filepath.Join(dir, "plugins.yaml")
		Expect(os.WriteFile(program, []byte("#!/bin/sh\necho \"$KUBERNETES_EXEC_INFO\" >>"+dir+"/asked\ncat <<END\n"+answer+"\nEND\n"), 0o700)).To(Succeed())
		Expect(os.WriteFile(file, fmt.Appendf(nil, `providers:
- name: cloud
  execConfig: {apiVersion: client.authentication.k8s.io/v1, command: %s}
  servers: [%q]
`, program, server), 0o600)).To(Succeed())
		plugins, err := reach.ReadPlugins(file)
		Expect(err).NotTo(HaveOccurred())
		return plugins
	}
	credential := func(token string) string {
		return fmt.Sprintf(`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":%q}}`, token)
	}
	// with makes a KubeFedCluster that names a plugin and no Secret that is there.
	with := func(ctx context.Context, plugin string) *fedcorev1beta1.KubeFedCluster {
		GinkgoHelper()
		joined := kubeFedCluster(ctx, member1)
		Expect(host.Delete(ctx, joined)).To(Succeed())
		kfc := &fedcorev1beta1.KubeFedCluster{ObjectMeta: objectMeta(namespace, "by-plugin"), Spec: *joined.Spec.DeepCopy()}
		kfc.Annotations = map[string]string{reach.CredentialPluginAnnotation: plugin}
		kfc.Spec.SecretRef.Name = "none"
		Expect(host.Create(ctx, kfc)).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			Expect(host.Delete(ctx, kfc)).To(Succeed())
			mustJoin(ctx, member1, member1)
		})
		return kfc
	}
	address := func() string {
		u, err := url.Parse(configOf(member1).Host)
		Expect(err).NotTo(HaveOccurred())
		return u.Hostname()
	}

	It("gives the token where the operator allows it", func(ctx context.Context) {
		plugins := pluginsFor(address(), credential(otherToken(ctx, member1)))
		kfc := with(ctx, "cloud")
		provider, recorded := startProvider(plugins)
		Eventually(isReady(provider, kfc.Name)).Should(BeTrue())
		Expect(works(ctx, recorded.of(kfc.Name)[0])).To(Succeed())
		asked, err := os.ReadFile(filepath.Join(filepath.Dir(plugins["cloud"].Exec.Command), "asked"))
		Expect(err).NotTo(HaveOccurred())
		Expect(string(asked)).To(ContainSubstring(`"server":"` + configOf(member1).Host + `"`))
	})

	It("is run for no other server, and only if the operator has named it", func(ctx context.Context) {
		plugins := pluginsFor("*.eks.amazonaws.com", credential("secret"))
		kfc := with(ctx, "cloud")
		_, _ = startProvider(plugins)
		Eventually(readiness).WithContext(ctx).WithArguments(kfc.Name).Should(ContainSubstring("the token of plugin cloud is not sent to " + configOf(member1).Host))
		_, err := os.Stat(filepath.Join(filepath.Dir(plugins["cloud"].Exec.Command), "asked"))
		Expect(err).To(MatchError(os.ErrNotExist))
	})

	It("is not what a KubeFedCluster names otherwise", func(ctx context.Context) {
		kfc := with(ctx, "/bin/sh")
		_, _ = startProvider()
		Eventually(readiness).WithContext(ctx).WithArguments(kfc.Name).Should(And(HavePrefix("False ClusterConfigMalformed"),
			ContainSubstring(`annotation fedctl.io/credential-plugin: "/bin/sh" is not one of the credential plugins that the controller may run`)))
	})

	It("that fails is named, and nothing of what it printed", func(ctx context.Context) {
		plugins := pluginsFor(address(), `{"kind":"Other","password":"hush"}`)
		kfc := with(ctx, "cloud")
		_, _ = startProvider(plugins)
		Eventually(readiness).WithContext(ctx).WithArguments(kfc.Name).Should(And(
			ContainSubstring("credential plugin cloud: it printed no ExecCredential with a status"), Not(ContainSubstring("hush"))))
	})
})
