package install_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// verdict is what KubeFed's own code says of an object; hack/kubefed/verdicts wrote them.
type verdict struct {
	Field   string         `json:"field"`
	Object  map[string]any `json:"object"`
	Refused string         `json:"refused"`
}

func verdicts() (all []verdict) {
	GinkgoHelper()
	file, err := os.Open("testdata/kubefed-verdicts.jsonl")
	Expect(err).NotTo(HaveOccurred())
	defer file.Close() //nolint:errcheck // only read
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var v verdict
		Expect(json.Unmarshal(lines.Bytes(), &v)).To(Succeed())
		all = append(all, v)
	}
	Expect(len(all)).To(BeNumerically(">", 300))
	return all
}

// otherwise are the values that fedctl judges in another way than KubeFed, and why.
var otherwise = map[string]string{
	"spec.leaderElect.resourceLock leases": "a Lease is what is used",
}

// value is what the field that a verdict is about holds.
func (v verdict) value() any {
	at := any(v.Object)
	for _, step := range strings.Split(v.Field, ".") {
		fields, _ := at.(map[string]any)
		at = fields[step]
	}
	return at
}

var _ = Describe("KubeFed's rules", Ordered, func() {
	const elsewhere = "kubefeds-rules"
	stored := map[string]*unstructured.Unstructured{}

	BeforeAll(func(ctx context.Context) {
		waitForPolicies(ctx)
		Expect(host.Create(ctx, parse(`{apiVersion: v1, kind: Namespace, metadata: {name: `+elsewhere+`}}`))).To(Succeed())
		for _, manifest := range []string{
			`{kind: KubeFedCluster, metadata: {name: x}, spec: {apiEndpoint: "https://192.0.2.1:6443", secretRef: {name: s}}}`,
			`{kind: KubeFedConfig, metadata: {name: x}, spec: {scope: Cluster}}`,
			`{kind: FederatedTypeConfig, metadata: {name: foos.x.io}, spec: {propagation: Disabled,
				targetType: {group: x.io, version: v1, kind: Foo, pluralName: foos, scope: Namespaced},
				federatedType: {group: a.b, version: v1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}}}`,
		} {
			object := parse(manifest)
			object.SetAPIVersion("core.kubefed.io/v1beta1")
			object.SetNamespace(elsewhere)
			Expect(host.Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, object)).To(Succeed()) })
			stored[object.GetKind()+" "+object.GetName()] = object
		}
		Eventually(func() error { // the policies of statuses are noticed later
			foos := stored["FederatedTypeConfig foos.x.io"].DeepCopy()
			foos.Object["status"] = map[string]any{"observedGeneration": int64(1), "propagationController": "Walking"}
			return host.Status().Update(ctx, foos, client.DryRunAll)
		}).ShouldNot(Succeed())
	})

	// judge has the API server judge an object in every way that it can be written.
	judge := func(ctx context.Context, object *unstructured.Unstructured) map[string]error {
		said := map[string]error{}
		was := stored[object.GetKind()+" "+object.GetName()]
		if status, ok := object.Object["status"]; ok {
			updated := was.DeepCopy()
			updated.Object["status"] = status
			said["status update"] = host.Status().Update(ctx, updated, client.DryRunAll)
			return said
		}
		said["create"] = host.Create(ctx, object.DeepCopy(), client.DryRunAll)
		if was != nil && object.Object["spec"].(map[string]any)["scope"] != "Namespaced" { // the scope cannot be changed
			updated := object.DeepCopy()
			updated.SetNamespace(elsewhere)
			updated.SetResourceVersion(was.GetResourceVersion())
			said["update"] = host.Update(ctx, updated, client.DryRunAll)
		}
		return said
	}

	It("are fedctl's, for whatever value of whatever field", func(ctx context.Context) {
		var differences []string
		for _, v := range verdicts() {
			if otherwise[fmt.Sprintf("%s %v", v.Field, v.value())] != "" {
				continue
			}
			object := &unstructured.Unstructured{Object: v.Object}
			object.SetAPIVersion("core.kubefed.io/v1beta1")
			object.SetNamespace("default")
			for way, err := range judge(ctx, object) {
				if (err == nil) != (v.Refused == "") {
					differences = append(differences, fmt.Sprintf("%s: %s %#v: KubeFed says %q, the API server %v", way, v.Field, v.value(), v.Refused, err))
				}
			}
		}
		Expect(differences).To(BeEmpty())
	})
})
