package federate_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func orphaningSpecs() {
	const namespace = "orphans"
	annotation := func(ctx context.Context) any {
		GinkgoHelper()
		object, err := federated(ctx, namespace, "FederatedConfigMap/c")
		Expect(err).NotTo(HaveOccurred())
		return object.GetAnnotations()
	}

	BeforeAll(func(ctx context.Context) {
		create(ctx, `
apiVersion: v1
kind: Namespace
metadata: {name: orphans}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata: {name: orphans, namespace: orphans}
spec: {placement: {clusters: []}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: c, namespace: orphans, annotations: {note: kept}}
spec: {placement: {clusters: []}, template: {data: {a: b}}}`)
	})

	It("sets and removes the annotation, whatever the type is called", func(ctx context.Context) {
		Expect(mustFedctl(ctx, "orphaning-deletion", "status", "cm", "c", "-n", namespace)).To(Equal("Disabled\n"))
		mustFedctl(ctx, "orphaning-deletion", "enable", "cm", "c", "-n", namespace, "--dry-run")
		Expect(annotation(ctx)).To(Equal(map[string]string{"note": "kept"}))

		out := mustFedctl(ctx, "orphaning-deletion", "enable", "FederatedConfigMap", "c", "-n", namespace)
		Expect(out).To(Equal("federatedconfigmap.types.kubefed.io/c in namespace orphans: orphaning deletion is enabled\n"))
		Expect(annotation(ctx)).To(Equal(map[string]string{"note": "kept", "kubefed.io/orphan": "true"}))
		Expect(mustFedctl(ctx, "orphaning-deletion", "status", "configmaps/c", "-n", namespace, "--dry-run")).To(Equal("Enabled\n"))
		Expect(mustFedctl(ctx, "orphaning-deletion", "status", "configmaps/c", "-n", namespace, "-o", "name")).To(Equal("federatedconfigmap.types.kubefed.io/c\n"))
		Expect(mustFedctl(ctx, "orphaning-deletion", "enable", "configmaps", "c", "-n", namespace)).To(ContainSubstring("is already enabled"))

		mustFedctl(ctx, "orphaning-deletion", "disable", "federatedconfigmaps.types.kubefed.io", "c", "-n", namespace)
		Expect(annotation(ctx)).To(Equal(map[string]string{"note": "kept"}))
	})

	It("prints the object as it is afterwards", func(ctx context.Context) {
		_, _, err := fedctl(ctx, "orphaning-deletion", "enable", "cm", "c", "-n", namespace, "-o", "wide")
		Expect(err).To(MatchError(ContainSubstring(`--output takes json, yaml or name, not "wide"`)))
		Expect(annotation(ctx)).To(Equal(map[string]string{"note": "kept"}), "a mistake changes nothing")
		out := mustFedctl(ctx, "orphaning-deletion", "enable", "cm", "c", "-n", namespace, "--dry-run", "-o", "yaml")
		Expect(parse(out).GetAnnotations()).To(HaveKeyWithValue("kubefed.io/orphan", "true"))
		Expect(annotation(ctx)).To(Equal(map[string]string{"note": "kept"}))
		Expect(mustFedctl(ctx, "orphaning-deletion", "disable", "cm", "c", "-n", namespace, "-o", "name")).To(Equal("federatedconfigmap.types.kubefed.io/c\n"))
	})

	It("finds a FederatedNamespace in its namespace", func(ctx context.Context) {
		mustFedctl(ctx, "orphaning-deletion", "enable", "namespaces", namespace)
		object, err := federated(ctx, namespace, "FederatedNamespace/"+namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(object.GetAnnotations()).To(HaveKeyWithValue("kubefed.io/orphan", "true"))
		Expect(host.Delete(ctx, object)).To(Succeed())
	})

	It("says what is missing", func(ctx context.Context) {
		for args, want := range map[string]string{
			"enable widgets w":         `"widgets" is not a federated type: enable it with "fedctl enable widgets"`,
			"disable cm d -n orphans":  `the host cluster has no FederatedConfigMap "d" in namespace orphans: choose another namespace with -n`,
			"status clusterroles none": `the host cluster has no FederatedClusterRole "none": see "fedctl status clusterroles.rbac.authorization.k8s.io -A"`,
		} {
			_, _, err := fedctl(ctx, append([]string{"orphaning-deletion"}, strings.Fields(args)...)...)
			Expect(err).To(MatchError(ContainSubstring(want)), args)
		}
	})
}
