package federate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestStrip(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"metadata that a server keeps": {
			in: `
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: shop
  uid: 6f1c
  resourceVersion: "12"
  generation: 3
  creationTimestamp: "2030-01-01T00:00:00Z"
  deletionTimestamp: "2030-01-01T00:00:00Z"
  deletionGracePeriodSeconds: 0
  generateName: set
  selfLink: /x
  finalizers: [example.com/keep]
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: other, uid: 1a2b}]
  managedFields: [{manager: kubectl}]
  labels: {app: web, kubefed.io/managed: "true"}
  annotations:
    note: kept
    kubectl.kubernetes.io/last-applied-configuration: "{}"
    kubefed.io/orphan: "true"
data: {a: b}
immutable: true
`,
			want: `
metadata: {labels: {app: web}, annotations: {note: kept}}
data: {a: b}
immutable: true
`,
		},
		"nothing left of metadata": {
			in:   `{apiVersion: v1, kind: Secret, metadata: {name: s, labels: {kubefed.io/managed: "true"}, annotations: {}}, type: Opaque, data: {a: Yg==}}`,
			want: `{type: Opaque, data: {a: Yg==}}`,
		},
		"Namespace": {
			in:   `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {kubernetes.io/metadata.name: shop}}, spec: {finalizers: [kubernetes]}, status: {phase: Active}}`,
			want: `{}`,
		},
		"Service": {
			in: `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  clusterIP: 10.0.0.7
  clusterIPs: [10.0.0.7]
  healthCheckNodePort: 32000
  externalTrafficPolicy: Local
  ports: [{name: http, port: 80, targetPort: 8080, nodePort: 31000}, {port: 443}, null]
status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}
`,
			want: `
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  ports: [{name: http, port: 80, targetPort: 8080}, {port: 443}, null]
`,
		},
		"Service without an address": {
			in:   `{apiVersion: v1, kind: Service, metadata: {name: db}, spec: {clusterIP: None, clusterIPs: [None], selector: {app: db}}}`,
			want: `{spec: {clusterIP: None, selector: {app: db}}}`,
		},
		"a Service of another group": {
			in:   `{apiVersion: serving.example.com/v1, kind: Service, metadata: {name: s}, spec: {clusterIP: 1.2.3.4}}`,
			want: `{spec: {clusterIP: 1.2.3.4}}`,
		},
		"ServiceAccount": {
			in:   `{apiVersion: v1, kind: ServiceAccount, metadata: {name: builder}, secrets: [{name: builder-token-x}], imagePullSecrets: [{name: registry}]}`,
			want: `{imagePullSecrets: [{name: registry}]}`,
		},
		"Deployment": {
			in: `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {deployment.kubernetes.io/revision: "4"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {creationTimestamp: null, labels: {app: web}}, spec: {containers: [{name: c, image: i, resources: {}}]}}
status: {replicas: 2}
`,
			want: `
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i, resources: {}}]}}
`,
		},
		"ReplicaSet": {
			in: `
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web-1, labels: {app: web, pod-template-hash: 1f}, annotations: {deployment.kubernetes.io/desired-replicas: "1", deployment.kubernetes.io/max-replicas: "2"}}
spec:
  selector: {matchLabels: {app: web, pod-template-hash: 1f}}
  template: {metadata: {labels: {app: web, pod-template-hash: 1f}}}
`,
			want: `
metadata: {labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}}
`,
		},
		"Job": {
			in: `
apiVersion: batch/v1
kind: Job
metadata:
  name: once
  labels: {app: once, controller-uid: 1a, batch.kubernetes.io/controller-uid: 1a, job-name: once, batch.kubernetes.io/job-name: once}
  annotations: {batch.kubernetes.io/job-tracking: ""}
spec:
  suspend: false
  selector: {matchLabels: {batch.kubernetes.io/controller-uid: 1a}}
  template:
    metadata: {labels: {controller-uid: 1a, batch.kubernetes.io/controller-uid: 1a, job-name: once, batch.kubernetes.io/job-name: once}}
    spec: {restartPolicy: Never}
`,
			want: `
metadata: {labels: {app: once}}
spec: {suspend: false, template: {spec: {restartPolicy: Never}}}
`,
		},
		"Job with a selector of its own": {
			in:   `{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {manualSelector: true, selector: {matchLabels: {job-name: j}}, template: {metadata: {labels: {job-name: j}}}}}`,
			want: `{spec: {manualSelector: true, selector: {matchLabels: {job-name: j}}, template: {metadata: {labels: {job-name: j}}}}}`,
		},
		"PersistentVolumeClaim": {
			in: `
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
  annotations: {pv.kubernetes.io/bind-completed: "yes", pv.kubernetes.io/bound-by-controller: "yes", volume.kubernetes.io/selected-node: n, volume.kubernetes.io/storage-provisioner: p}
spec: {volumeName: pvc-1, storageClassName: fast}
`,
			want: `{spec: {storageClassName: fast}}`,
		},
		"PersistentVolume": {
			in:   `{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {claimRef: {name: data, namespace: shop, uid: 1a, resourceVersion: "3"}}}`,
			want: `{spec: {claimRef: {name: data, namespace: shop}}}`,
		},
		"unexpected types": {
			in:   `{apiVersion: v1, kind: Service, metadata: [], spec: 3, status: null}`,
			want: `{spec: 3}`,
		},
		"unexpected types within": {
			in:   `{apiVersion: batch/v1, kind: Job, metadata: {labels: [], annotations: 7}, spec: {selector: x, template: []}}`,
			want: `{metadata: {labels: [], annotations: 7}, spec: {template: []}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := object(t, test.in)
			before := in.DeepCopy()
			got := Strip(in)
			if diff := cmp.Diff(object(t, test.want).Object, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			scribble(got)
			if diff := cmp.Diff(before.Object, in.Object); diff != "" {
				t.Errorf("the object was modified, or is shared (-before +after):\n%s", diff)
			}
		})
	}
	if got := Strip(&unstructured.Unstructured{}); len(got) != 0 {
		t.Errorf("nothing becomes %v", got)
	}
}

// scribble changes every map and list in v.
func scribble(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			scribble(v[key])
			v[key] = "scribbled"
		}
	case []any:
		for i := range v {
			scribble(v[i])
			v[i] = "scribbled"
		}
	}
}
