package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/kit"
)

var _ = Describe("fedctl support dump", func() {
	It("has what helps, and nothing that was written into an object", func(ctx SpecContext) {
		const planted = "planted-for-the-dump"
		ns := federatedNamespace(ctx)
		secret := create(ctx, federate("Secret", ns, "secret", fields{"stringData": fields{"password": planted}}).on(members[0], members[1]).
			override(members[0].Name, fields{"path": "/stringData/password", "value": planted + "-2"}).
			annotate("kubectl.kubernetes.io/last-applied-configuration", planted))
		settings := create(ctx, configMap(ns, "settings", fields{"dsn": planted}).on(members[0]))
		bad := create(ctx, configMap(ns, "bad", fields{"a": planted}).on(members[0]).override(members[0].Name, fields{"path": "/data/a/b", "value": planted}))
		policy := kit.Parse(`{apiVersion: policy.fedctl.io/v1alpha1, kind: OverridePolicy, metadata: {name: dumped, namespace: ` + ns + `},
			spec: {selectors: [{kind: Deployment}], rules: [{env: [{name: TOKEN, value: ` + planted + `}]}]}}`)
		Expect(host.Create(ctx, policy)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, policy))).To(Succeed()) })
		expectSettled(ctx, secret, members[0], members[1])
		expectSettled(ctx, settings, members[0])
		Eventually(func() outcome { return outcomeOf(found(ctx, host, bad.ref())) }).Should(HaveField("Propagation", "False"))

		dir := filepath.Join(GinkgoT().TempDir(), "dump")
		Expect(fedctl(ctx, "support", "dump", dir)).To(ContainSubstring("without Secrets"))
		content := map[string]string{}
		Expect(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			name, _ := filepath.Rel(dir, path)
			content[name] = string(data)
			return err
		})).To(Succeed())
		for name, text := range content {
			Expect(strings.Contains(text, planted)).To(BeFalse(), "%s has it:\n%s", name, text)
		}
		Expect(content).To(HaveKeyWithValue("federated/federatedsecrets.types.kubefed.io.yaml", And(
			ContainSubstring("namespace: "+ns), ContainSubstring("path: /stringData/password"), ContainSubstring("type: Propagation"))))
		Expect(content).To(HaveKeyWithValue("objects/kubefedcluster.yaml", ContainSubstring("name: "+members[2].Name)))
		Expect(content).To(HaveKeyWithValue("objects/overridepolicy.yaml", ContainSubstring("name: dumped")))
		Expect(content).To(HaveKeyWithValue("doctor.json", ContainSubstring(`"findings"`)))
		Expect(content).To(HaveKeyWithValue("definitions.json", ContainSubstring("federatedconfigmaps.types.kubefed.io")))
		Expect(content).To(And(HaveKey("versions.json"), HaveKey("events.jsonl")))

		_, err := system.Run(ctx, "support", "dump", dir)
		Expect(err).To(MatchError(ContainSubstring("is not empty: name a new folder")))
	}, NodeTimeout(4*time.Minute))
})
