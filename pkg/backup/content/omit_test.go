package content

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOmitResource(t *testing.T) {
	for name, want := range map[string]bool{
		"events": true, "events.events.k8s.io": true, "leases.coordination.k8s.io": true, "nodes": true, "pods.metrics.k8s.io": true,
		"nodes.metrics.k8s.io": true, "tokenreviews.authentication.k8s.io": true, "backupruns.backup.fedctl.io": true,
		"volumesnapshots.snapshot.storage.k8s.io": true,
		"configmaps": false, "pods": false, "widgets.example.com": false, "events.example.com": false, "nodes.example.com": false,
		"runtimeclasses.node.k8s.io": false, "backups.backup.fedctl.io": false, "volumesnapshotclasses.snapshot.storage.k8s.io": false,
	} {
		plural, group := name, ""
		for i := range name {
			if name[i] == '.' {
				plural, group = name[:i], name[i+1:]
				break
			}
		}
		if reason, omit := OmitResource(group, plural); omit != want || (reason != "") != want {
			t.Errorf("%s: %v because %q, want %v", name, omit, reason, want)
		}
	}
}

func TestOmit(t *testing.T) {
	owned := `ownerReferences: [{apiVersion: v1, kind: X, name: x, uid: u, controller: true}]`
	for _, test := range []struct {
		name, resource, object string
		want                   bool
	}{
		{"a bare pod", "pods", `{metadata: {name: a}, status: {phase: Running}}`, false},
		{"a pod of a workload", "pods", `{metadata: {name: a, ` + owned + `}}`, true},
		{"a pod that another object owns, but does not control", "pods", `{metadata: {ownerReferences: [{kind: X, uid: u}]}}`, false},
		{"a pod that has ended", "pods", `{metadata: {name: a}, status: {phase: Succeeded}}`, true},
		{"a static pod", "pods", `{metadata: {annotations: {kubernetes.io/config.mirror: abc}}}`, true},
		{"a ReplicaSet of a Deployment", "replicasets.apps", `{metadata: {` + owned + `}}`, true},
		{"a ReplicaSet of nobody", "replicasets.apps", `{metadata: {name: a}}`, false},
		{"a Deployment of an operator", "deployments.apps", `{metadata: {` + owned + `}}`, false},
		{"a Job of a CronJob", "jobs.batch", `{metadata: {` + owned + `}}`, true},
		{"Endpoints of a Service", "endpoints", `{metadata: {labels: {endpoints.kubernetes.io/managed-by: endpoint-controller}}}`, true},
		{"Endpoints that somebody wrote", "endpoints", `{metadata: {name: db}}`, false},
		{"an EndpointSlice of a Service", "endpointslices.discovery.k8s.io", `{metadata: {labels: {endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io}}}`, true},
		{"an EndpointSlice that somebody wrote", "endpointslices.discovery.k8s.io", `{metadata: {labels: {endpointslice.kubernetes.io/managed-by: staff}}}`, false},
		{"the CA of every namespace", "configmaps", `{metadata: {name: kube-root-ca.crt}}`, true},
		{"a leader's record", "configmaps", `{metadata: {annotations: {control-plane.alpha.kubernetes.io/leader: "{}"}}}`, true},
		{"a ConfigMap", "configmaps", `{metadata: {name: a}}`, false},
		{"a token that was made by itself", "secrets", `{metadata: {name: web-token-abcde, annotations: {kubernetes.io/service-account.name: web}}, type: kubernetes.io/service-account-token}`, true},
		{"a token that somebody asked for", "secrets", `{metadata: {name: web, annotations: {kubernetes.io/service-account.name: web}}, type: kubernetes.io/service-account-token}`, false},
		{"a certificate", "secrets", `{type: kubernetes.io/tls}`, false},
		{"the default account", "serviceaccounts", `{metadata: {name: default}}`, true},
		{"the default account with something", "serviceaccounts", `{metadata: {name: default}, imagePullSecrets: [{name: r}]}`, false},
		{"an account", "serviceaccounts", `{metadata: {name: web}}`, false},
		{"the API server's Service", "services", `{metadata: {namespace: default, name: kubernetes}}`, true},
		{"a Service of that name", "services", `{metadata: {namespace: shop, name: kubernetes}}`, false},
		{"a built-in role", "clusterroles.rbac.authorization.k8s.io", `{metadata: {name: edit, labels: {kubernetes.io/bootstrapping: rbac-defaults}}}`, true},
		{"a built-in role that somebody keeps", "clusterroles.rbac.authorization.k8s.io", `{metadata: {annotations: {rbac.authorization.kubernetes.io/autoupdate: "false"}, labels: {kubernetes.io/bootstrapping: rbac-defaults}}}`, false},
		{"a local APIService", "apiservices.apiregistration.k8s.io", `{spec: {group: apps}}`, true},
		{"an aggregated APIService", "apiservices.apiregistration.k8s.io", `{spec: {service: {name: x}}}`, false},
		{"what goes", "configmaps", `{metadata: {name: a, deletionTimestamp: "2030-01-01T00:00:00Z"}}`, true},
	} {
		if reason, omit := Omit(resourceNamed(t, test.resource), object(t, test.object)); omit != test.want || (reason != "") != test.want {
			t.Errorf("%s: %v because %q, want %v", test.name, omit, reason, test.want)
		}
	}
}

func TestClean(t *testing.T) {
	const server = `resourceVersion: "1", generation: 3, selfLink: /x, managedFields: [{manager: x}]`
	for name, test := range map[string]struct{ resource, in, want string }{
		"metadata":                   {"configmaps", `{metadata: {name: a, uid: u, creationTimestamp: "2030-01-01T00:00:00Z", ` + server + `}, data: {a: b}}`, `{metadata: {name: a, uid: u, creationTimestamp: "2030-01-01T00:00:00Z"}, data: {a: b}}`},
		"status":                     {"deployments.apps", `{metadata: {name: a}, spec: {replicas: 1}, status: {replicas: 1}}`, `{metadata: {name: a}, spec: {replicas: 1}}`},
		"status of a Job":            {"jobs.batch", `{status: {succeeded: 1}}`, `{status: {succeeded: 1}}`},
		"status of custom resources": {"widgets.example.com", `{status: {phase: x}}`, `{status: {phase: x}}`},
		"a token": {"secrets", `{metadata: {name: web, annotations: {kubernetes.io/service-account.name: web, kubernetes.io/service-account.uid: u}, labels: {kubernetes.io/legacy-token-last-used: "2030-01-01", a: b}}, type: kubernetes.io/service-account-token, data: {token: c2VjcmV0, ca.crt: YQ==, namespace: YQ==, extra: YQ==}}`,
			`{metadata: {name: web, annotations: {kubernetes.io/service-account.name: web}, labels: {a: b}}, type: kubernetes.io/service-account-token, data: {extra: YQ==}}`},
		"odd metadata": {"configmaps", `{metadata: [1]}`, `{metadata: [1]}`},
	} {
		got := object(t, test.in)
		Clean(resourceNamed(t, test.resource), got)
		if diff := cmp.Diff(object(t, test.want), got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestOrder(t *testing.T) {
	// Each depends on the one before it.
	chains := [][]string{
		{"customresourcedefinitions.apiextensions.k8s.io", "widgets.example.com", "deployments.apps", "validatingwebhookconfigurations.admissionregistration.k8s.io"},
		{"namespaces", "serviceaccounts", "rolebindings.rbac.authorization.k8s.io", "pods", "deployments.apps", "resourcequotas"},
		{"persistentvolumes", "persistentvolumeclaims", "pods", "replicasets.apps"},
		{"namespaces", "configmaps", "secrets", "services", "endpoints", "jobs.batch"},
		{"networkpolicies.networking.k8s.io", "pods"},
	}
	for _, chain := range chains {
		for i := 1; i < len(chain); i++ {
			if a, b := resourceNamed(t, chain[i-1]), resourceNamed(t, chain[i]); Rank(a) >= Rank(b) {
				t.Errorf("%s is not before %s", a.Name(), b.Name())
			}
		}
	}
	seen := map[string]bool{}
	for _, names := range order {
		for _, name := range names {
			if seen[name] {
				t.Errorf("%s is listed twice", name)
			}
			seen[name] = true
		}
	}
	list := []Resource{resources["deployments.apps"], resources["widgets.example.com"], resources["namespaces"], resources["secrets"], resources["configmaps"]}
	Sort(list)
	var names []string
	for _, r := range list {
		names = append(names, r.Name())
	}
	if diff := cmp.Diff([]string{"namespaces", "configmaps", "secrets", "widgets.example.com", "deployments.apps"}, names); diff != "" {
		t.Error(diff)
	}
}
