package upgrade

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

const federatedAPI = "types.kubefed.io/v1beta1"

// world has something of every default type, which a spec holds, and policies that change it.
const world = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: policy.fedctl.io/v1alpha1
kind: OverridePolicy
metadata: {name: zone, namespace: shop}
spec:
  rules:
  - env: [{name: ZONE, value: a}]
  - deriveTolerations: {}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata: {name: shop, namespace: shop}
spec: {placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: canary, namespace: shop}
spec:
  template: {data: {release: none}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: settings, namespace: shop}
spec:
  template: {metadata: {labels: {app: web}}, data: {currency: EUR, number: "007", text: "yes"}}
  placement: {clusters: [{name: member-1}, {name: member-2}]}
  overrides: [{clusterName: member-2, clusterOverrides: [{path: /data/currency, value: USD}]}]
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedSecret
metadata: {name: password, namespace: shop}
spec:
  template: {stringData: {password: secret}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedServiceAccount
metadata: {name: web, namespace: shop}
spec:
  template: {automountServiceAccountToken: false}
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
kind: FederatedReplicaSet
metadata: {name: bare, namespace: shop}
spec:
  template:
    spec:
      replicas: 1
      selector: {matchLabels: {app: bare}}
      template: {metadata: {labels: {app: bare}}, spec: {containers: [{name: main, image: "example.com/bare:1"}]}}
  placement: {clusterSelector: {}}
  retainReplicas: true
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
kind: FederatedIngress
metadata: {name: web, namespace: shop}
spec:
  template: {spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}
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

// inMembers are the kinds of which a member holds something that is federated.
var inMembers = []kit.Ref{
	kit.Named("v1", "Namespace", "", ""), kit.Named("v1", "ConfigMap", "", ""), kit.Named("v1", "Secret", "", ""), kit.Named("v1", "ServiceAccount", "", ""),
	kit.Named("v1", "Service", "", ""), kit.Named("apps/v1", "Deployment", "", ""), kit.Named("apps/v1", "ReplicaSet", "", ""), kit.Named("batch/v1", "Job", "", ""),
	kit.Named("networking.k8s.io/v1", "Ingress", "", ""), kit.Named("rbac.authorization.k8s.io/v1", "ClusterRole", "", ""), kit.Named("backup.fedctl.io/v1alpha1", "Backup", "", ""),
}

func list(ctx context.Context, c *framework.Cluster, of kit.Ref, options ...client.ListOption) []unstructured.Unstructured {
	GinkgoHelper()
	found := &unstructured.UnstructuredList{}
	found.SetGroupVersionKind(of.GroupVersionKind)
	found.SetKind(of.Kind + "List")
	Expect(c.List(ctx, found, options...)).To(Succeed(), "%s in cluster %s", of.Kind, c.Name)
	return found.Items
}

// snapshot is what must not change: which objects the members hold, and in which version.
// The status of a Backup is fedctl's own word, and may be another one in another release.
func snapshot(ctx context.Context) map[string]string {
	GinkgoHelper()
	all := map[string]string{}
	for _, c := range members {
		for _, of := range inMembers {
			for _, u := range list(ctx, c, of, client.MatchingLabels{"kubefed.io/managed": "true"}) {
				version := u.GetResourceVersion()
				if of.Kind == "Backup" {
					version = fmt.Sprint(u.GetGeneration(), kit.AsJSON(u.GetLabels()), kit.AsJSON(u.GetAnnotations()))
				}
				if u.GetName() != "canary" {
					all[fmt.Sprintf("%s %s %s/%s", c.Name, of.Kind, u.GetNamespace(), u.GetName())] = string(u.GetUID()) + " " + version
				}
			}
		}
		for _, of := range []string{"ReplicaSet", "Pod"} {
			apiVersion := map[string]string{"ReplicaSet": "apps/v1", "Pod": "v1"}[of]
			for _, u := range list(ctx, c, kit.Named(apiVersion, of, "", ""), client.InNamespace("shop")) {
				all[c.Name+" made "+of+" "+u.GetName()] = string(u.GetUID())
			}
		}
	}
	return all
}

// expectAllDone waits until every federated object says that it is in the members as it
// should be, and works, as the controller that runs now sees it.
func expectAllDone(ctx context.Context) {
	GinkgoHelper()
	objects, err := framework.ParseYAML(world)
	Expect(err).NotTo(HaveOccurred())
	for _, object := range objects {
		if !strings.HasPrefix(object.GetKind(), "Federated") {
			continue
		}
		Eventually(ctx, func(g Gomega) {
			u, err := kit.Read(ctx, host, kit.Named(federatedAPI, object.GetKind(), object.GetNamespace(), object.GetName()))
			g.Expect(err).NotTo(HaveOccurred())
			clusters, _ := kit.At(u.Object, "/status/clusters").(kit.Values)
			var said []any
			for _, item := range clusters {
				said = append(said, kit.At(item, "/status"))
			}
			want := []any{nil, nil}
			if u.GetName() == "once" {
				want = []any{"Completed", "Completed"}
			}
			g.Expect(said).To(ConsistOf(want...), "%s %s: %v", u.GetKind(), u.GetName(), u.Object["status"])
			g.Expect(kit.At(u.Object, "/status/observedGeneration")).To(Equal(u.GetGeneration()))
		}).Should(Succeed())
	}
}
