package hostlost

import (
	"context"
	"fmt"
	"maps"

	. "github.com/onsi/ginkgo/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
const world = kit.Shop + `---
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
kind: FederatedConfigMap
metadata: {name: golden, namespace: shop}
spec:
  template: {data: {a: b}}
  placement: {clusterSelector: {matchLabels: {tier: gold}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedWidget
metadata: {name: large, namespace: shop}
spec:
  template: {spec: {size: 3}}
  placement: {clusterSelector: {}}
`

// inMembers are the kinds of which a member holds something that is federated.
var inMembers = []kit.Ref{
	kit.Named("v1", "Namespace", "", ""), kit.Named("v1", "ConfigMap", "", ""), kit.Named("v1", "Secret", "", ""), kit.Named("v1", "Service", "", ""),
	kit.Named("apps/v1", "Deployment", "", ""), kit.Named("batch/v1", "Job", "", ""), kit.Named("rbac.authorization.k8s.io/v1", "ClusterRole", "", ""),
	kit.Named("backup.fedctl.io/v1alpha1", "Backup", "", ""), kit.Named("example.com/v1", "Widget", "", ""),
}

// snapshot is what must not change: all managed objects of the members, whole but for what
// their own controllers say of them, and what a rollout would change. version is left out
// where others write them as well.
func snapshot(ctx context.Context) map[string]string {
	GinkgoHelper()
	all := map[string]string{}
	for _, c := range members {
		for _, of := range inMembers {
			for _, u := range kit.List(ctx, c, of, client.MatchingLabels{"kubefed.io/managed": "true"}) {
				delete(u.Object, "status")
				if of.Kind == "Deployment" || of.Kind == "Job" || of.Kind == "Backup" { // their status is written by others
					u.SetResourceVersion("")
					u.SetManagedFields(nil)
				}
				all[fmt.Sprintf("%s %s %s/%s", c.Name, of.Kind, u.GetNamespace(), u.GetName())] = kit.AsJSON(u.Object)
			}
		}
		maps.Copy(all, kit.ShopPods(ctx, c))
	}
	return all
}
