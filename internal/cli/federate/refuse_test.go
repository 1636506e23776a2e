package federate

import (
	"bytes"
	"strings"
	"testing"
)

func TestRefuse(t *testing.T) {
	const owned = `ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: nightly, uid: 1a, controller: true}]`
	for text, want := range map[string]string{
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}}`:                               "",
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: default}}`:                            "",
		`{apiVersion: v1, kind: Namespace, metadata: {name: default}}`:                                          "",
		`{apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}`:                                      "namespace kube-system belongs to the cluster, not to its users",
		`{apiVersion: v1, kind: Namespace, metadata: {name: fed}}`:                                              "namespace fed belongs to the cluster, not to its users",
		`{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: kube-public}}`:                           "namespace kube-public belongs to the cluster, not to its users",
		`{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: fed}}`:                                   "namespace fed belongs to the cluster, not to its users",
		`{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: shop, ` + owned + `}}`:                `it is controlled by CronJob "nightly"; federate that`,
		`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}}`:                                     "a pod runs on a node of one cluster; federate what makes pods, such as a Deployment",
		`{apiVersion: v1, kind: Endpoints, metadata: {name: e, namespace: shop}}`:                               "each cluster makes the endpoints of its own Services",
		`{apiVersion: types.kubefed.io/v1beta1, kind: FederatedX, metadata: {name: x}}`:                         "it is part of the federation itself",
		`{apiVersion: notkubefed.io/v1, kind: X, metadata: {name: x}}`:                                          "",
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: c, deletionTimestamp: "2030-01-01T00:00:00Z"}}`:     "it is being deleted",
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt, namespace: shop}}`:                "every cluster puts its own certificate there",
		`{apiVersion: v1, kind: Service, metadata: {name: kubernetes, namespace: default}}`:                     "it is the API server of this cluster",
		`{apiVersion: v1, kind: Service, metadata: {name: kubernetes, namespace: shop}}`:                        "",
		`{apiVersion: v1, kind: Secret, metadata: {name: t}, type: kubernetes.io/service-account-token}`:        "its token is valid in this cluster only",
		`{apiVersion: v1, kind: Secret, metadata: {name: t}, type: Opaque}`:                                     "",
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: "system:x", namespace: shop}}`: "a federated object cannot have this name, which is not a DNS name in lower case",
		`{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: shop}}`:                    "",
	} {
		if got := refuseObject(parse(t, text), "fed"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// The service account default is federated when asked for, and among the contents
// of a namespace when something is set in it.
func TestRefuseContent(t *testing.T) {
	for text, refused := range map[string]bool{
		`{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: shop, uid: 1a}, secrets: [{name: t}]}`: true,
		`{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: shop}, imagePullSecrets: [{name: r}]}`: false,
		`{apiVersion: v1, kind: ServiceAccount, metadata: {name: builder, namespace: shop}}`:                                false,
		`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}}`:                                                 true,
	} {
		if got := refuseContent(parse(t, text), "fed"); (got != "") != refused {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestLeftOut(t *testing.T) {
	var left leftOut
	for _, name := range strings.Fields("a b c d e f g") {
		left.add("pods", name, "why")
		left.add("secrets", name, "of "+name[:1])
	}
	var out bytes.Buffer
	left[:2].print(&out)
	if got, want := out.String(), "skipped pods a, b, c, d, e and 2 more: why\nskipped secrets a: of a\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
