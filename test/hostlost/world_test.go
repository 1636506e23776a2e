package hostlost

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// widget is a type that somebody has installed, but not on the successor.
const widget = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
`

// world is what users have written on the host.
const world = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}, annotations: {note: "yes"}}
---
apiVersion: policy.fedctl.io/v1alpha1
kind: OverridePolicy
metadata: {name: zone, namespace: shop}
spec:
  rules:
  - env: [{name: ZONE, value: a}]
---
apiVersion: policy.fedctl.io/v1alpha1
kind: ClusterOverridePolicy
metadata: {name: mirror}
spec:
  rules:
  - images: [{registry: mirror.example.com}]
---
apiVersion: fedctl.io/v1alpha1
kind: WorkloadKind
metadata: {name: training.example.com}
spec: {group: example.com, kind: Training, components: [{path: spec.template}]}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata: {name: shop, namespace: shop}
spec: {placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: settings, namespace: shop, labels: {app: web}, annotations: {example.com/owner: me}}
spec:
  template: {metadata: {labels: {app: web}}, data: {currency: EUR, number: "007", text: "yes"}}
  placement: {clusters: [{name: member-1}, {name: member-2}]}
  overrides: [{clusterName: member-2, clusterOverrides: [{path: /data/currency, value: USD}]}]
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: golden, namespace: shop}
spec:
  template: {data: {a: b}}
  placement: {clusterSelector: {matchLabels: {tier: gold}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedSecret
metadata: {name: password, namespace: shop}
spec:
  template: {stringData: {password: planted-secret}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedDeployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      replicas: 2
      selector: {matchLabels: {app: web}}
      template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: "example.com/web:1"}]}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedDeployment
metadata: {name: spread, namespace: shop}
spec:
  template:
    spec:
      selector: {matchLabels: {app: spread}}
      template: {metadata: {labels: {app: spread}}, spec: {containers: [{name: main, image: "example.com/spread:1"}]}}
  placement: {clusterSelector: {}}
---
apiVersion: scheduling.kubefed.io/v1alpha1
kind: ReplicaSchedulingPreference
metadata: {name: spread, namespace: shop}
spec: {targetKind: FederatedDeployment, totalReplicas: 4}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedJob
metadata: {name: once, namespace: shop}
spec:
  template:
    spec:
      ttlSecondsAfterFinished: 1
      template: {spec: {restartPolicy: Never, containers: [{name: main, image: "example.com/once:1"}]}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedJob
metadata: {name: stays, namespace: shop}
spec:
  template: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: "example.com/stays:1"}]}}}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedService
metadata: {name: web, namespace: shop}
spec:
  template: {spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedClusterRole
metadata: {name: reader}
spec:
  template: {rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedBackup
metadata: {name: nightly, namespace: shop}
spec:
  template: {spec: {schedule: "0 3 * * *", repositoryRef: {name: store}, source: {namespaces: [shop]}}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedWidget
metadata: {name: large, namespace: shop}
spec:
  template: {spec: {size: 3}}
  placement: {clusterSelector: {}}
`

// inMembers are the kinds of which a member holds something that is federated.
var inMembers = []struct{ apiVersion, kind string }{
	{"v1", "Namespace"}, {"v1", "ConfigMap"}, {"v1", "Secret"}, {"v1", "Service"}, {"apps/v1", "Deployment"}, {"batch/v1", "Job"},
	{"rbac.authorization.k8s.io/v1", "ClusterRole"}, {"backup.fedctl.io/v1alpha1", "Backup"}, {"example.com/v1", "Widget"},
}

// snapshot is what must not change: all managed objects of the members, whole but for what
// their own controllers say of them, and what a rollout would change. version is left out
// where others write them as well.
func snapshot(ctx context.Context) map[string]string {
	GinkgoHelper()
	all := map[string]string{}
	for _, c := range members {
		for _, of := range inMembers {
			list := kit.Named(of.apiVersion, of.kind+"List", "", "").Empty()
			objects, err := listOf(ctx, c, list)
			Expect(err).NotTo(HaveOccurred())
			for i := range objects {
				u := &objects[i]
				delete(u.Object, "status")
				if of.kind == "Deployment" || of.kind == "Job" || of.kind == "Backup" { // their status is written by others
					u.SetResourceVersion("")
					u.SetManagedFields(nil)
				}
				all[fmt.Sprintf("%s %s %s/%s", c.Name, of.kind, u.GetNamespace(), u.GetName())] = kit.AsJSON(u.Object)
			}
		}
		rollouts(ctx, c, all)
	}
	return all
}

func rollouts(ctx context.Context, c *framework.Cluster, all map[string]string) {
	GinkgoHelper()
	sets, pods := &appsv1.ReplicaSetList{}, &corev1.PodList{}
	Expect(c.List(ctx, sets, client.InNamespace("shop"))).To(Succeed())
	for i := range sets.Items {
		s := &sets.Items[i]
		all[c.Name+" ReplicaSet "+s.Name] = fmt.Sprint(s.UID, s.Labels["pod-template-hash"], *s.Spec.Replicas)
	}
	Expect(c.List(ctx, pods, client.InNamespace("shop"))).To(Succeed())
	for i := range pods.Items {
		all[c.Name+" Pod "+pods.Items[i].Name] = string(pods.Items[i].UID)
	}
}
