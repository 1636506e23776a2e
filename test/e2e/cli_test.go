package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/rand"

	federatepkg "github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// row returns the fields of the first line of a table that starts with the words.
func row(table string, words ...string) []string {
	for line := range strings.Lines(table) {
		columns := strings.Fields(line)
		if len(columns) >= len(words) && strings.Join(columns[:len(words)], " ") == strings.Join(words, " ") {
			return columns
		}
	}
	return nil
}

var _ = Describe("fedctl", func() {
	It("get clusters shows the members", func(ctx SpecContext) {
		table := fedctl(ctx, "get", "clusters")
		for _, c := range members {
			Expect(row(table, c.Name)).To(ContainElement("True"), table)
		}
	})

	It("status shows what is where", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		fine := create(ctx, configMap(ns, "fine", fields{"a": "1"}).on(members[0], members[1]))
		bad := create(ctx, configMap(ns, "bad", fields{"a": "1"}).on(members[0], members[1]).override(members[1].Name, patch("remove", "/data/b")))
		expectSettled(ctx, fine, members[0], members[1])
		expectStatus(ctx, bad, "CheckClusters", map[string]string{members[0].Name: "", members[1].Name: "ApplyOverridesFailed"})

		table, err := system.Run(ctx, "status", "configmaps", "-n", ns)
		By(table)
		Expect(err).NotTo(HaveOccurred())
		Expect(table).To(MatchRegexp(`(?m)^.*\bfine\b.*\bOK\b.*\bOK\b`))
		Expect(table).To(MatchRegexp(`(?m)^.*\bbad\b.*\bOK\b.*\bApplyOverridesFailed\b`))

		wide := fedctl(ctx, "status", "configmaps", "-n", ns, "-o", "wide")
		Expect(wide).To(ContainSubstring("spec.overrides[0].clusterOverrides[0].path"))

		var read any
		Expect(json.Unmarshal([]byte(fedctl(ctx, "status", "configmaps", "-n", ns, "-o", "json")), &read)).To(Succeed())
	})

	It("render says what the members hold, explain why, also without a cluster", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := federate("Deployment", ns, "told", workload(fields{"replicas": 1})).on(members[0], members[1])
		f.override(members[1].Name, patch("", "/spec/replicas", 2), patch("add", "/metadata/labels", fields{"team": "e2e"}))
		create(ctx, f)
		expectSettled(ctx, f, members[0], members[1])

		online := fedctl(ctx, "render", "deployment/told", "-n", ns, "-o", "json")
		var rendered struct {
			Items []struct {
				Cluster string         `json:"cluster"`
				Object  map[string]any `json:"object"`
			} `json:"items"`
		}
		Expect(json.Unmarshal([]byte(online), &rendered)).To(Succeed())
		Expect(rendered.Items).To(HaveLen(2))
		for i, item := range rendered.Items {
			Expect(item.Cluster).To(Equal(members[i].Name))
			Expect(federatepkg.Holds(found(ctx, members[i], f.target).Object, item.Object)).To(BeTrue(), "%v", item.Object)
		}

		table := fedctl(ctx, "explain", "deployment", "told", "-n", ns)
		Expect(row(table, members[0].Name, "Yes")).To(ContainElements("Named", "OK", "0"), table)
		Expect(row(table, members[1].Name, "Yes")).To(ContainElements("Named", "OK", "2"), table)
		Expect(row(table, "spec.replicas")).To(Equal([]string{"spec.replicas", "2", "1", "spec.overrides[0].clusterOverrides[0]"}), table)

		dir := GinkgoT().TempDir()
		facts, file := filepath.Join(dir, "facts.yaml"), filepath.Join(dir, "told.yaml")
		Expect(os.WriteFile(facts, []byte(fedctl(ctx, "get", "facts", "-o", "yaml")), 0o600)).To(Succeed())
		written, err := json.Marshal(found(ctx, host, f.ref()).Object)
		Expect(err).NotTo(HaveOccurred())
		Expect(os.WriteFile(file, written, 0o600)).To(Succeed())
		Expect(fedctl(ctx, "render", "-f", file, "--facts", facts, "-o", "json")).To(Equal(online))
	})

	It("diff says what would change, and changes nothing", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := federate("ConfigMap", ns, "told", fields{"data": fields{"a": "1"}}).on(members[0], members[1])
		create(ctx, f)
		expectSettled(ctx, f, members[0], members[1])
		// differs runs diff, which ends with this exit code.
		differs := func(code int, args ...string) string {
			GinkgoHelper()
			out, err := system.Run(ctx, append([]string{"diff"}, args...)...)
			var exited *exec.ExitError
			if code == 0 {
				Expect(err).NotTo(HaveOccurred())
			} else {
				Expect(errors.As(err, &exited)).To(BeTrue(), "%v", err)
				Expect(exited.ExitCode()).To(Equal(code), "%v", err)
			}
			return out
		}
		Expect(differs(0, "configmap/told", "-n", ns)).To(BeEmpty())

		dir := GinkgoT().TempDir()
		file := func(object *unstructured.Unstructured) string {
			GinkgoHelper()
			path := filepath.Join(dir, object.GetKind()+".json")
			written, err := object.MarshalJSON()
			Expect(err).NotTo(HaveOccurred())
			Expect(os.WriteFile(path, written, 0o600)).To(Succeed())
			return path
		}
		changed := found(ctx, host, f.ref())
		Expect(unstructured.SetNestedField(changed.Object, "2", "spec", "template", "data", "a")).To(Succeed())
		Expect(unstructured.SetNestedSlice(changed.Object, []any{map[string]any{"name": members[0].Name}}, "spec", "placement", "clusters")).To(Succeed())
		delete(changed.Object, "status") // as a file of somebody's has none
		before := found(ctx, members[0], f.target)
		out := differs(1, "-f", file(changed))
		Expect(out).To(And(ContainSubstring("-  a: \"1\"\n+  a: \"2\""), ContainSubstring("cluster."+members[0].Name), ContainSubstring("cluster."+members[1].Name)))
		Expect(differs(1, "-f", file(changed), "--cluster", members[1].Name)).To(And(ContainSubstring("-  a: \"1\""), Not(ContainSubstring("+"+"  a:"))), "it is to be removed")
		Expect(found(ctx, members[0], f.target)).To(Equal(before))

		By("asking for what the members refuse")
		Expect(unstructured.SetNestedField(changed.Object, map[string]any{"a b": "c"}, "spec", "template", "metadata", "labels")).To(Succeed())
		_, err := system.Run(ctx, "diff", "-f", file(changed))
		Expect(err).To(MatchError(And(ContainSubstring("cluster "+members[0].Name), ContainSubstring("metadata.labels"))))

		By("asking what a policy changes")
		policy := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "policy.fedctl.io/v1alpha1", "kind": "OverridePolicy", "metadata": map[string]any{"name": "images", "namespace": ns},
			"spec": map[string]any{"selectors": []any{map[string]any{"kind": "Deployment"}}, "rules": []any{map[string]any{"images": []any{map[string]any{"tag": "9.9"}}}}},
		}}
		Expect(differs(0, "-f", file(policy))).To(BeEmpty())
		workloads := federate("Deployment", ns, "web", workload(fields{"replicas": 0})).on(members[0])
		create(ctx, workloads)
		expectSettled(ctx, workloads, members[0])
		Expect(differs(1, "-f", file(policy))).To(And(ContainSubstring(":9.9"), ContainSubstring("cluster."+members[0].Name)))
		expectSettled(ctx, workloads, members[0])

		By("asking what a policy changes that is mistyped")
		rule := policy.Object["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any) //nolint:forcetypeassert // see above
		rule["clusters"] = map[string]any{"names": []any{members[0].Name, "no-such-cluster"}}
		_, err = system.Run(ctx, "diff", "-f", file(policy))
		Expect(err).To(MatchError(And(ContainSubstring("exit status 1"), ContainSubstring(`warning: OverridePolicy `+ns+`/images: spec.rules[0].clusters.names[1]: no cluster "no-such-cluster" has joined`))))
		rule["image"] = []any{}
		_, err = system.Run(ctx, "diff", "-f", file(policy))
		Expect(err).To(MatchError(And(ContainSubstring("exit status 2"), ContainSubstring(`unknown field "spec.rules[0].image"`))))

		By("asking of an object of which a field is mistyped")
		mistyped := federate("ConfigMap", ns, "mistyped", fields{"data": fields{"a": "1"}}).on(members[0])
		Expect(unstructured.SetNestedMap(mistyped.Object, map[string]any{}, "spec", "placement", "clusterSelektor")).To(Succeed())
		for _, command := range []string{"diff", "render", "explain"} {
			_, err = system.Run(ctx, command, "-f", file(mistyped.Unstructured))
			Expect(err).To(MatchError(ContainSubstring("FederatedConfigMap "+ns+"/mistyped: there is no field spec.placement.clusterSelektor")), command)
		}

		By("asking of an object that is there already, with more in it")
		theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "adopted"}, Data: map[string]string{"own": "1"}}
		Expect(members[0].Create(ctx, theirs)).To(Succeed())
		adopted := federate("ConfigMap", ns, "adopted", fields{"data": fields{"a": "1"}}).on(members[0])
		_, err = system.Run(ctx, "diff", "-f", file(adopted.Unstructured))
		Expect(err).To(MatchError(And(ContainSubstring("exit status 1"), ContainSubstring("would be taken back, beside what is shown"), ContainSubstring("data.own"), ContainSubstring("+  a: \"1\""))))

		By("asking of a namespace that is to come, and of what is in it")
		fresh := "e2e-" + rand.String(6)
		namespace := federate("Namespace", fresh, fresh, nil).on(members[0])
		inside := federate("ConfigMap", fresh, "inside", fields{"data": fields{"a": "1"}}).on(members[0])
		Expect(differs(1, "-f", file(namespace.Unstructured)+","+file(inside.Unstructured))).To(And(ContainSubstring("+kind: Namespace"), ContainSubstring("+  a: \"1\"")))

		By("asking of a Secret, whose values are not shown")
		secret := federate("Secret", ns, "told", fields{"data": fields{"password": "aHVudGVyMg=="}}).on(members[0])
		out = differs(1, "-f", file(secret.Unstructured))
		Expect(out).To(And(ContainSubstring("password: '***"), Not(ContainSubstring("aHVudGVyMg"))))
	})

	It("join changes nothing when it is repeated", func(ctx SpecContext) {
		before, err := system.Member(ctx, members[0].Name)
		Expect(err).NotTo(HaveOccurred())
		Expect(system.Join(ctx, members[0].Name)).To(Succeed())
		Expect(fedctl(ctx, "join", members[0].Name, "-o", "name")).To(ContainSubstring("kubefedcluster.core.kubefed.io/" + members[0].Name + "\n"))
		after, err := system.Member(ctx, members[0].Name)
		Expect(err).NotTo(HaveOccurred())
		Expect(after.GetUID()).To(Equal(before.GetUID()))
		Expect(after.GetGeneration()).To(Equal(before.GetGeneration()))
	})

	It("join says what is wrong", func(ctx SpecContext) {
		_, err := system.Run(ctx, "join", "nowhere", "--cluster-context", "nowhere")
		Expect(err).To(MatchError(And(ContainSubstring("nowhere"), ContainSubstring(members[0].Name))))
	})

	It("unjoin leaves what was propagated, and join finds it again", localOnly, Serial, func(ctx SpecContext) {
		c := members[1]
		f := create(ctx, configMap(federatedNamespace(ctx), "stays", fields{"a": "1"}).on(members[0], c))
		expectSettled(ctx, f, members[0], c)
		there := found(ctx, c, f.target)

		fedctl(ctx, "unjoin", c.Name)
		DeferCleanup(func(ctx SpecContext) {
			Expect(system.Join(ctx, c.Name)).To(Succeed())
			Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		})
		expectGone(ctx, host, ref{GroupVersionKind: framework.KubeFedCluster, Namespace: framework.KubeFedNamespace, Name: c.Name})
		expectStatus(ctx, f, "", map[string]string{members[0].Name: ""})
		Expect(found(ctx, c, f.target).GetUID()).To(Equal(there.GetUID()))
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		expectField(ctx, members[0], f.target, "/data/a", "2")
		expectField(ctx, c, f.target, "/data/a", "1")

		Expect(system.Join(ctx, c.Name)).To(Succeed())
		expectField(ctx, c, f.target, "/data/a", "2")
		expectSettled(ctx, f, members[0], c)
		Expect(found(ctx, c, f.target).GetUID()).To(Equal(there.GetUID()))
	})

	It("refuses a KubeFedCluster without an endpoint", func(ctx SpecContext) {
		bad := &unstructured.Unstructured{Object: fields{"spec": fields{"apiEndpoint": "", "secretRef": fields{"name": "x"}}}}
		bad.SetGroupVersionKind(framework.KubeFedCluster)
		bad.SetNamespace(framework.KubeFedNamespace)
		bad.SetName("bad")
		Expect(host.Create(ctx, bad)).To(MatchError(ContainSubstring("apiEndpoint")))
	})
})
