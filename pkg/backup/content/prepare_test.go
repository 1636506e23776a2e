package content

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
)

var (
	back      = Options{SameCluster: true}
	elsewhere = Options{}
	moved     = Options{SameCluster: true, NamespaceMapping: map[string]string{"shop": "shop2"}}
)

func TestPrepare(t *testing.T) {
	known := back
	known.NewUID = func(old string) (string, bool) { return "new-" + old, old == "u1" }
	snapshot := back
	snapshot.VolumeSnapshot = "snap"
	free := back
	free.Volume = VolumeFree
	scratch := elsewhere
	scratch.Scratch = true
	for name, test := range map[string]struct {
		resource string
		options  Options
		in, want string
		notes    int
	}{
		"metadata": {"configmaps", back, `{metadata: {name: a, uid: u, resourceVersion: "1", creationTimestamp: "2030-01-01T00:00:00Z", labels: {kubefed.io/managed: "true"}, finalizers: [a.io/x, orphan]}}`,
			`{metadata: {name: a, labels: {kubefed.io/managed: "true"}, finalizers: [a.io/x]}}`, 0},
		"metadata elsewhere": {"configmaps", elsewhere, `{metadata: {name: a, labels: {kubefed.io/managed: "true"}, finalizers: [a.io/x]}}`, `{metadata: {name: a}}`, 1},
		"an owner that is known": {"configmaps", known, `{metadata: {ownerReferences: [{kind: A, name: a, uid: u1}, {kind: B, name: b, uid: u2}, 7]}}`,
			`{metadata: {ownerReferences: [{kind: A, name: a, uid: new-u1}]}}`, 0},
		"a Service": {"services", back, `{metadata: {namespace: shop, name: a}, spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], ports: [{port: 1, nodePort: 30000}]}, status: {loadBalancer: {}}}`,
			`{metadata: {namespace: shop, name: a}, spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], ports: [{port: 1, nodePort: 30000}]}}`, 0},
		"a Service elsewhere": {"services", elsewhere, `{spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], ipFamilies: [IPv4], ipFamilyPolicy: SingleStack, healthCheckNodePort: 30001, ports: [{port: 1, nodePort: 30000}]}}`,
			`{spec: {ipFamilyPolicy: SingleStack, healthCheckNodePort: 30001, ports: [{port: 1, nodePort: 30000}]}}`, 0},
		"a Service that is only looked at": {"services", scratch, `{spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], healthCheckNodePort: 30001, ports: [{port: 1, nodePort: 30000}]}}`, `{spec: {ports: [{port: 1}]}}`, 0},
		"a headless Service elsewhere":     {"services", elsewhere, `{spec: {clusterIP: None, clusterIPs: [None]}}`, `{spec: {clusterIP: None, clusterIPs: [None]}}`, 0},
		"a claim whose volume is gone": {"persistentvolumeclaims", back,
			`{metadata: {annotations: {pv.kubernetes.io/bind-completed: "yes", volume.kubernetes.io/selected-node: n}, finalizers: [kubernetes.io/pvc-protection]}, spec: {volumeName: v, storageClassName: s, dataSource: {name: old}, dataSourceRef: {name: old}}}`,
			`{metadata: {}, spec: {storageClassName: s}}`, 1},
		"a claim whose volume is free":  {"persistentvolumeclaims", free, `{spec: {volumeName: v}}`, `{spec: {volumeName: v}}`, 0},
		"a claim with a snapshot":       {"persistentvolumeclaims", snapshot, `{spec: {volumeName: v}}`, `{spec: {dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: snap}}}`, 0},
		"a claim that was never bound":  {"persistentvolumeclaims", back, `{spec: {storageClassName: s}}`, `{spec: {storageClassName: s}}`, 0},
		"a volume":                      {"persistentvolumes", back, `{metadata: {annotations: {pv.kubernetes.io/bound-by-controller: "yes"}}, spec: {claimRef: {namespace: a, name: b, uid: u, resourceVersion: "1"}}}`, `{metadata: {}, spec: {claimRef: {namespace: a, name: b}}}`, 0},
		"a Job":                         {"jobs.batch", back, `{metadata: {labels: {controller-uid: u, app: a}}, spec: {selector: {matchLabels: {controller-uid: u}}, template: {metadata: {labels: {batch.kubernetes.io/controller-uid: u, job-name: j}}}}, status: {active: 1}}`, `{metadata: {labels: {app: a}}}`, 0},
		"a Job with a selector":         {"jobs.batch", back, `{spec: {manualSelector: true, selector: {matchLabels: {controller-uid: u}}}}`, `{spec: {manualSelector: true, selector: {matchLabels: {controller-uid: u}}}}`, 0},
		"a ServiceAccount":              {"serviceaccounts", back, `{metadata: {name: web}, secrets: [{name: web-token-abcde}, {name: keys}], imagePullSecrets: [{name: web-dockercfg-x}]}`, `{metadata: {name: web}, secrets: [{name: keys}]}`, 0},
		"a pod":                         {"pods", back, `{spec: {nodeName: n, priority: 0, volumes: [{name: kube-api-access-x}, {name: v}], containers: [{name: c, volumeMounts: [{name: kube-api-access-x}]}]}}`, `{spec: {volumes: [{name: v}], containers: [{name: c}]}}`, 0},
		"a Namespace":                   {"namespaces", back, `{metadata: {name: shop, labels: {kubernetes.io/metadata.name: shop}}, spec: {finalizers: [kubernetes]}}`, `{metadata: {name: shop}}`, 0},
		"status of custom resources":    {"widgets.example.com", back, `{spec: {}, status: {a: b}}`, `{spec: {}, status: {a: b}}`, 0},
		"a Deployment":                  {"deployments.apps", back, `{metadata: {annotations: {deployment.kubernetes.io/revision: "3", note: x}}}`, `{metadata: {annotations: {note: x}}}`, 0},
		"a Namespace that moves":        {"namespaces", moved, `{metadata: {name: shop}}`, `{metadata: {name: shop2}}`, 0},
		"an object that moves":          {"widgets.example.com", moved, `{metadata: {name: a, namespace: shop, finalizers: [a.io/x]}}`, `{metadata: {name: a, namespace: shop2}}`, 1},
		"an object that does not":       {"widgets.example.com", moved, `{metadata: {name: a, namespace: other, finalizers: [a.io/x]}}`, `{metadata: {name: a, namespace: other, finalizers: [a.io/x]}}`, 0},
		"a RoleBinding that moves":      {"rolebindings.rbac.authorization.k8s.io", moved, `{metadata: {namespace: shop}, subjects: [{kind: ServiceAccount, namespace: shop, name: a}, {kind: User, name: "system:serviceaccount:shop:a"}, {kind: Group, name: "system:serviceaccounts:shop"}, {kind: User, name: shop}]}`, `{metadata: {namespace: shop2}, subjects: [{kind: ServiceAccount, namespace: shop2, name: a}, {kind: User, name: "system:serviceaccount:shop2:a"}, {kind: Group, name: "system:serviceaccounts:shop2"}, {kind: User, name: shop}]}`, 0},
		"a NetworkPolicy that moves":    {"networkpolicies.networking.k8s.io", moved, `{metadata: {namespace: shop}, spec: {ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}], egress: [{to: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [shop, b]}]}}]}]}}`, `{metadata: {namespace: shop2}, spec: {ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop2}}}]}], egress: [{to: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [shop2, b]}]}}]}]}}`, 0},
		"a webhook whose Service moves": {"validatingwebhookconfigurations.admissionregistration.k8s.io", moved, `{metadata: {name: w}, webhooks: [{clientConfig: {service: {namespace: shop, name: a}}}]}`, `{metadata: {name: w}, webhooks: [{clientConfig: {service: {namespace: shop2, name: a}}}]}`, 0},
		"affinity that moves":           {"cronjobs.batch", moved, `{metadata: {namespace: shop}, spec: {jobTemplate: {spec: {template: {spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{namespaces: [shop]}]}}}}}}}}`, `{metadata: {namespace: shop2}, spec: {jobTemplate: {spec: {template: {spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{namespaces: [shop2]}]}}}}}}}}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, resource := object(t, test.in), resourceNamed(t, test.resource)
			prepared := Prepare(resource, got, test.options)
			if prepared.Skip != "" || len(prepared.Notes) != test.notes {
				t.Errorf("%+v", prepared)
			}
			if diff := cmp.Diff(object(t, test.want), got); diff != "" {
				t.Error(diff)
			}
			again := runtime.DeepCopyJSON(got)
			test.options.NamespaceMapping, test.options.NewUID = nil, nil
			if owners := at(again, "metadata", "ownerReferences"); owners == nil && test.options.VolumeSnapshot == "" {
				Prepare(resource, again, test.options)
				if diff := cmp.Diff(got, again); diff != "" {
					t.Errorf("preparing again changes it:\n%s", diff)
				}
			}
		})
	}
}

func TestPrepareReturnsOwnersThatAreNotKnown(t *testing.T) {
	in := object(t, `{metadata: {ownerReferences: [{kind: A, name: a, uid: u1}]}}`)
	prepared := Prepare(resources["configmaps"], in, back)
	if diff := cmp.Diff([]any{map[string]any{"kind": "A", "name": "a", "uid": "u1"}}, prepared.PendingOwners); diff != "" {
		t.Error(diff)
	}
	if at(in, "metadata", "ownerReferences") != nil {
		t.Error(in)
	}
}

func TestPrepareSkips(t *testing.T) {
	const dynamic = `metadata: {annotations: {pv.kubernetes.io/provisioned-by: x}}`
	for _, test := range []struct {
		name, resource, object string
		options                Options
		want                   bool
	}{
		{"a Job that has succeeded", "jobs.batch", `{status: {conditions: [{type: Complete, status: "True"}]}}`, back, true},
		{"a Job that has failed", "jobs.batch", `{status: {conditions: [{type: Failed, status: "True"}]}}`, back, true},
		{"a Job that runs", "jobs.batch", `{status: {conditions: [{type: Suspended, status: "True"}, {type: Failed, status: "False"}]}}`, back, false},
		{"a volume whose disk is deleted", "persistentvolumes", `{` + dynamic + `, spec: {persistentVolumeReclaimPolicy: Delete}}`, back, true},
		{"a volume whose disk is kept", "persistentvolumes", `{` + dynamic + `, spec: {persistentVolumeReclaimPolicy: Retain}}`, back, false},
		{"a disk of another cluster", "persistentvolumes", `{` + dynamic + `, spec: {persistentVolumeReclaimPolicy: Retain}}`, elsewhere, true},
		{"a volume that somebody wrote", "persistentvolumes", `{spec: {nfs: {server: a}}}`, elsewhere, false},
	} {
		if prepared := Prepare(resourceNamed(t, test.resource), object(t, test.object), test.options); (prepared.Skip != "") != test.want {
			t.Errorf("%s: %q", test.name, prepared.Skip)
		}
	}
}
