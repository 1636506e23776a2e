package kit

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// Shop is what users have federated in a namespace "shop", for the suites that hold what a
// change of the control plane must not do to it: to two members called member-1 and member-2.
const Shop = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}, annotations: {note: "yes"}}
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
      template: {metadata: {labels: {app: web}}, spec: {serviceAccountName: default, containers: [{name: main, image: "example.com/web:1"}]}}
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
`

// ShopPods notes, of the ReplicaSets and Pods that the shop has in a member, what a rollout
// would change.
func ShopPods(ctx context.Context, c *framework.Cluster) map[string]string {
	ginkgo.GinkgoHelper()
	all := map[string]string{}
	for _, of := range []Ref{Named("apps/v1", "ReplicaSet", "", ""), Named("v1", "Pod", "", "")} {
		for _, u := range List(ctx, c, of, client.InNamespace("shop")) {
			all[c.Name+" made "+of.Kind+" "+u.GetName()] = string(u.GetUID()) + " " + AsJSON(At(u.Object, "/spec/replicas"))
		}
	}
	return all
}
