package content

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestDecide is the plan of single objects.
func TestDecide(t *testing.T) {
	beside := moved
	beside.Originals = map[string]bool{"shop": true}
	const binding = "clusterrolebindings.rbac.authorization.k8s.io"
	for name, test := range map[string]struct {
		resource, saved, live string
		options               Options
		existing              string
		fresh                 bool
		want                  Action
		why                   string
	}{
		"one that is not there":              {"configmaps", `{metadata: {name: a}, data: {a: b}}`, "", back, "", false, Create, ""},
		"one that is as it was":              {"configmaps", `{metadata: {name: a}, data: {a: b}}`, `{metadata: {name: a, uid: u, resourceVersion: "1"}, data: {a: b}}`, back, "Update", false, Leave, ""},
		"an addition, Skip":                  {"configmaps", `{data: {a: b}}`, `{data: {a: b, debug: x}}`, back, "Skip", false, Leave, "/data/debug was not there; set existing to Update"},
		"an addition, Update":                {"configmaps", `{data: {a: b}}`, `{data: {a: b, debug: x}}`, back, "Update", false, Update, ""},
		"an addition, Fail":                  {"configmaps", `{data: {a: b}}`, `{data: {a: b, debug: x}}`, back, "Fail", false, Conflict, "/data/debug was not there"},
		"one that is as it was, Fail":        {"configmaps", `{data: {a: b}}`, `{data: {a: b}}`, back, "Fail", false, Conflict, ""},
		"a definition as it was, Fail":       {"customresourcedefinitions.apiextensions.k8s.io", `{spec: {a: b}}`, `{spec: {a: b}}`, back, "Fail", false, Leave, ""},
		"the account of a namespace, Fail":   {"serviceaccounts", `{metadata: {name: default}}`, `{metadata: {name: default}}`, back, "Fail", false, Leave, ""},
		"in a namespace that was made":       {"serviceaccounts", `{metadata: {name: default}, imagePullSecrets: [{name: a}]}`, `{metadata: {name: default}}`, back, "Skip", true, Update, ""},
		"one that is going":                  {"configmaps", `{data: {a: b}}`, `{metadata: {deletionTimestamp: "2030-01-01T00:00:00Z", finalizers: [a.io/x]}}`, back, "Update", false, Wait, "held by its finalizers [a.io/x]"},
		"a Job that has ended":               {"jobs.batch", `{status: {conditions: [{type: Complete, status: "True"}]}}`, "", back, "", false, Leave, "would run again"},
		"a binding of the original, Update":  {binding, `{metadata: {name: b}, subjects: [{kind: ServiceAccount, namespace: shop, name: web}]}`, `{metadata: {name: b}, subjects: [{kind: ServiceAccount, namespace: shop, name: web}]}`, beside, "Update", false, Leave, "serves namespace shop and is left as it is; what the copy lacks is /subjects/0/namespace with shop2 in place of shop: make a ClusterRoleBinding of another name"},
		"a binding of the original, Skip":    {binding, `{metadata: {name: b}, subjects: [{kind: ServiceAccount, namespace: shop, name: web}]}`, `{metadata: {name: b}, subjects: [{kind: ServiceAccount, namespace: shop, name: web}]}`, beside, "Skip", false, Leave, "serves namespace shop"},
		"a binding of a copy elsewhere":      {binding, `{metadata: {name: b}, subjects: [{kind: ServiceAccount, namespace: shop, name: web}]}`, `{metadata: {name: b}, subjects: [{kind: ServiceAccount, namespace: shop2, name: old}]}`, moved, "Update", false, Update, ""},
		"a role of the original, Update":     {"clusterroles.rbac.authorization.k8s.io", `{metadata: {name: r}, rules: [a]}`, `{metadata: {name: r}, rules: [b]}`, beside, "Update", false, Leave, "serves namespace shop, too"},
		"a role without an original, Update": {"clusterroles.rbac.authorization.k8s.io", `{metadata: {name: r}, rules: [a]}`, `{metadata: {name: r}, rules: [b]}`, moved, "Update", false, Update, ""},
		"a binding in a namespace that stays": {"rolebindings.rbac.authorization.k8s.io", `{metadata: {namespace: ops, name: b}, subjects: [{kind: ServiceAccount, namespace: shop, name: web}]}`, `{metadata: {namespace: ops, name: b}, subjects: [{kind: ServiceAccount, namespace: shop, name: web}]}`,
			beside, "Update", false, Leave, "serves namespace shop and is left"},
		"an object of the copy, Update": {"configmaps", `{metadata: {namespace: shop, name: a}, data: {a: b}}`, `{metadata: {namespace: shop2, name: a}, data: {a: c}}`, beside, "Update", false, Update, ""},
		"the volume of the original, Update": {"persistentvolumes", `{metadata: {name: v}, spec: {persistentVolumeReclaimPolicy: Delete, claimRef: {namespace: shop, name: data}}}`,
			`{metadata: {name: v}, spec: {persistentVolumeReclaimPolicy: Retain, claimRef: {namespace: shop, name: data, uid: u}}}`, beside, "Update", false, Leave, "the claim of the copy needs a volume of its own"},
		"an owner that is missing": {"configmaps", `{metadata: {name: a, ownerReferences: [{kind: A, name: a, uid: u}]}}`, `{metadata: {name: a}}`, back, "Skip", false, Leave, "/metadata/ownerReferences is missing"},
		"an owner that is known":   {"configmaps", `{metadata: {name: a, ownerReferences: [{kind: A, name: a, uid: u}]}}`, `{metadata: {name: a, ownerReferences: [{kind: A, name: a, uid: v}]}}`, back, "Skip", false, Leave, ""},
	} {
		t.Run(name, func(t *testing.T) {
			situation := Situation{Resource: resourceNamed(t, test.resource), APIVersion: "v1", Saved: object(t, test.saved), Options: test.options, Existing: test.existing, Fresh: test.fresh}
			if test.live != "" {
				situation.Live = object(t, test.live)
				situation.Live["apiVersion"], situation.Live["kind"] = "v1", situation.Resource.Kind
			}
			step := Decide(situation)
			if step.Action != test.want || !strings.Contains(step.Why, test.why) || (test.why == "") != (step.Why == "") && test.want != Conflict {
				t.Errorf("%s because %q, want %s because %q", step.Action, step.Why, test.want, test.why)
			}
			if diff := cmp.Diff(object(t, test.saved), situation.Saved); diff != "" {
				t.Errorf("changes what was saved:\n%s", diff)
			}
		})
	}
}

// TestOverwrite: what is updated is what was saved, and what is not the writer's.
func TestOverwrite(t *testing.T) {
	scaled := `managedFields: [{manager: kube-controller-manager, subresource: scale, fieldsV1: {f:spec: {f:replicas: {}}}}]`
	for name, test := range map[string]struct{ resource, saved, live, want string }{
		"additions go":         {"configmaps", `{metadata: {name: a, labels: {tier: a}}, data: {a: b}}`, `{metadata: {name: a, uid: u, resourceVersion: "7", labels: {tier: a, more: x}}, data: {a: b, debug: x}}`, `{metadata: {name: a, uid: u, resourceVersion: "7", labels: {tier: a}}, data: {a: b}}`},
		"annotations":          {"deployments.apps", `{metadata: {annotations: {note: x}}}`, `{metadata: {annotations: {deployment.kubernetes.io/revision: "3", other: y}}}`, `{metadata: {annotations: {note: x, deployment.kubernetes.io/revision: "3"}}}`},
		"finalizers":           {"configmaps", `{metadata: {finalizers: [a.io/x]}}`, `{metadata: {finalizers: [b.io/y]}}`, `{metadata: {finalizers: [b.io/y, a.io/x]}}`},
		"addresses":            {"services", `{metadata: {}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80, nodePort: 30001}]}}`, `{spec: {clusterIP: 10.0.0.9, ports: [{port: 81, nodePort: 30009}]}}`, `{metadata: {}, spec: {clusterIP: 10.0.0.9, ports: [{port: 80, nodePort: 30001}]}}`},
		"a headless Service":   {"services", `{metadata: {}, spec: {clusterIP: None}}`, `{spec: {clusterIP: 10.0.0.9}}`, `{metadata: {}, spec: {clusterIP: None}}`},
		"a claim":              {"persistentvolumeclaims", `{metadata: {}, spec: {volumeName: old, dataSource: {name: s}}}`, `{spec: {volumeName: now}}`, `{metadata: {}, spec: {volumeName: now}}`},
		"a volume with claim":  {"persistentvolumes", `{metadata: {}, spec: {claimRef: {name: other}}}`, `{spec: {claimRef: {name: data, uid: u}}}`, `{metadata: {}, spec: {claimRef: {name: data, uid: u}}}`},
		"a volume without":     {"persistentvolumes", `{metadata: {}, spec: {claimRef: {name: data}}}`, `{spec: {claimRef: {name: other}}}`, `{metadata: {}, spec: {claimRef: {name: data}}}`},
		"replicas":             {"deployments.apps", `{metadata: {}, spec: {replicas: 1}}`, `{spec: {replicas: 7}}`, `{metadata: {}, spec: {replicas: 1}}`},
		"replicas of a scaler": {"deployments.apps", `{metadata: {}, spec: {replicas: 1}}`, `{metadata: {` + scaled + `}, spec: {replicas: 7}}`, `{metadata: {` + scaled + `}, spec: {replicas: 7}}`},
		"an injected CA": {"validatingwebhookconfigurations.admissionregistration.k8s.io", `{metadata: {annotations: {cert-manager.io/inject-ca-from: x}}, webhooks: [{name: b, clientConfig: {}}, {name: a, clientConfig: {caBundle: old}}]}`,
			`{metadata: {annotations: {cert-manager.io/inject-ca-from: x}}, webhooks: [{name: a, clientConfig: {caBundle: new}}]}`, `{metadata: {annotations: {cert-manager.io/inject-ca-from: x}}, webhooks: [{name: b, clientConfig: {}}, {name: a, clientConfig: {caBundle: new}}]}`},
		"a token":      {"secrets", `{metadata: {annotations: {kubernetes.io/service-account.name: web}}, type: kubernetes.io/service-account-token}`, `{metadata: {annotations: {kubernetes.io/service-account.uid: u}}, type: kubernetes.io/service-account-token, data: {token: x, other: y}}`, `{metadata: {annotations: {kubernetes.io/service-account.name: web, kubernetes.io/service-account.uid: u}}, type: kubernetes.io/service-account-token, data: {token: x}}`},
		"a Job":        {"jobs.batch", `{metadata: {}, spec: {template: {metadata: {labels: {app: a}}}}}`, `{spec: {selector: {a: b}, template: {metadata: {labels: {job-name: j, more: x}}}}}`, `{metadata: {}, spec: {selector: {a: b}, template: {metadata: {labels: {app: a, job-name: j}}}}}`},
		"a pod":        {"pods", `{metadata: {}, spec: {containers: [{name: c}]}}`, `{spec: {nodeName: node, volumes: [{name: kube-api-access-1}, {name: x}], containers: [{name: c, volumeMounts: [{name: kube-api-access-1}]}]}}`, `{metadata: {}, spec: {nodeName: node, volumes: [{name: kube-api-access-1}], containers: [{name: c, volumeMounts: [{name: kube-api-access-1}]}]}}`},
		"a controller": {"configmaps", `{metadata: {}}`, `{metadata: {ownerReferences: [{kind: A, name: a, uid: u, controller: true}, {kind: B, name: b, uid: v}]}}`, `{metadata: {ownerReferences: [{kind: A, name: a, uid: u, controller: true}]}}`},
		"a Namespace":  {"namespaces", `{metadata: {labels: {team: shop}}}`, `{metadata: {labels: {kubernetes.io/metadata.name: shop, injected: "yes"}}, spec: {finalizers: [kubernetes]}, status: {phase: Active}}`, `{metadata: {labels: {kubernetes.io/metadata.name: shop, team: shop}}, spec: {finalizers: [kubernetes]}, status: {phase: Active}}`},
	} {
		t.Run(name, func(t *testing.T) {
			resource, saved, live := resourceNamed(t, test.resource), object(t, test.saved), object(t, test.live)
			got := Overwrite(resource, saved, live)
			if diff := cmp.Diff(object(t, test.want), got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]map[string]any{object(t, test.saved), object(t, test.live)}, []map[string]any{saved, live}); diff != "" {
				t.Errorf("changes its input:\n%s", diff)
			}
			if again := Overwrite(resource, saved, runtime.DeepCopyJSON(got)); cmp.Diff(got, again) != "" {
				t.Errorf("does not come to rest:\n%s", cmp.Diff(got, again))
			}
		})
	}
}

// TestReferences: what is known to name a namespace is mapped, what seems to is named.
func TestReferences(t *testing.T) {
	for name, test := range map[string]struct {
		resource, in, want string
		note               string
	}{
		"an ExternalName":       {"services", `{metadata: {namespace: shop}, spec: {externalName: web.shop.svc.cluster.local}}`, `{metadata: {namespace: shop2}, spec: {externalName: web.shop2.svc.cluster.local}}`, ""},
		"a name of the outside": {"services", `{metadata: {namespace: shop}, spec: {externalName: web.shop.example.com}}`, `{metadata: {namespace: shop2}, spec: {externalName: web.shop.example.com}}`, ""},
		"a CSI volume":          {"persistentvolumes", `{metadata: {name: v}, spec: {csi: {nodeStageSecretRef: {name: s, namespace: shop}}}}`, `{metadata: {name: v}, spec: {csi: {nodeStageSecretRef: {name: s, namespace: shop2}}}}`, ""},
		"a custom resource":     {"widgets.example.com", `{metadata: {namespace: shop}, spec: {backendRef: {name: web, namespace: shop}, text: shop}}`, `{metadata: {namespace: shop2}, spec: {backendRef: {name: web, namespace: shop}, text: shop}}`, "/spec/backendRef/namespace (shop)"},
		"a URL in a ConfigMap":  {"configmaps", `{metadata: {namespace: shop}, data: {url: "http://web.shop.svc:80/"}}`, `{metadata: {namespace: shop2}, data: {url: "http://web.shop.svc:80/"}}`, "/data/url (shop)"},
		"a URL in a Secret":     {"secrets", `{metadata: {namespace: shop}, data: {url: aHR0cDovL3dlYi5zaG9wLnN2Yw==}}`, `{metadata: {namespace: shop2}, data: {url: aHR0cDovL3dlYi5zaG9wLnN2Yw==}}`, "/data/url (shop)"},
		"another host":          {"configmaps", `{metadata: {namespace: shop}, data: {url: "web.shop.svcs, x.workshop.svc"}}`, `{metadata: {namespace: shop2}, data: {url: "web.shop.svcs, x.workshop.svc"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := object(t, test.in)
			prepared := Prepare(resourceNamed(t, test.resource), got, moved)
			if diff := cmp.Diff(object(t, test.want), got); diff != "" {
				t.Error(diff)
			}
			if notes := strings.Join(prepared.Notes, "; "); !strings.Contains(notes, test.note) || (test.note == "") != (notes == "") {
				t.Errorf("%q, want %q", notes, test.note)
			}
		})
	}
	seen := map[string]bool{}
	for _, row := range references {
		if seen[row.resource+row.path] || row.source == "" {
			t.Errorf("%s %s is listed twice, or without a source", row.resource, row.path)
		}
		seen[row.resource+row.path] = true
	}
	for _, row := range ownedFields {
		if row.source == "" {
			t.Errorf("%s %s has no source", row.resource, row.path)
		}
	}
}

// TestOwnObjects: a copy of a Backup saves nothing unless that is wanted.
func TestOwnObjects(t *testing.T) {
	keep, stay := moved, back
	keep.KeepBackups = true
	for name, test := range map[string]struct {
		resource string
		options  Options
		in, want string
	}{
		"in its place":          {"backups.backup.fedctl.io", stay, `{metadata: {namespace: shop}, spec: {source: {namespaces: [shop]}}}`, `{metadata: {namespace: shop}, spec: {source: {namespaces: [shop]}}}`},
		"a copy":                {"backups.backup.fedctl.io", moved, `{metadata: {namespace: shop}, spec: {source: {namespaces: [shop, b]}}}`, `{metadata: {namespace: shop2}, spec: {suspend: true, source: {namespaces: [shop2, b]}}}`},
		"a copy that is to run": {"backups.backup.fedctl.io", keep, `{metadata: {namespace: shop}, spec: {source: {namespaces: [shop]}}}`, `{metadata: {namespace: shop2}, spec: {source: {namespaces: [shop2]}}}`},
		"a federated one":       {"federatedbackups.types.kubefed.io", moved, `{metadata: {namespace: shop}, spec: {template: {spec: {source: {namespaces: [shop]}}}}}`, `{metadata: {namespace: shop2}, spec: {template: {spec: {suspend: true, source: {namespaces: [shop2]}}}}}`},
		"a place elsewhere":     {"backuprepositories.backup.fedctl.io", elsewhere, `{metadata: {namespace: shop}, spec: {s3: {}}}`, `{metadata: {namespace: shop}, spec: {readOnly: true, s3: {}}}`},
		"a FederatedNamespace":  {"federatednamespaces.types.kubefed.io", moved, `{metadata: {namespace: shop, name: shop}}`, `{metadata: {namespace: shop2, name: shop2}}`},
	} {
		got := object(t, test.in)
		Prepare(resourceNamed(t, test.resource), got, test.options)
		if diff := cmp.Diff(object(t, test.want), got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
