package upgrade

import (
	"context"
	"fmt"
	"maps"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/kit"
)

const federatedAPI = "types.kubefed.io/v1beta1"

// world has something of every default type, which a spec holds, and policies that change it.
const world = kit.Shop + `---
apiVersion: policy.fedctl.io/v1alpha1
kind: OverridePolicy
metadata: {name: zone, namespace: shop}
spec:
  rules:
  - env: [{name: ZONE, value: a}]
  - deriveTolerations: {}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: canary, namespace: shop}
spec:
  template: {data: {release: none}}
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
kind: FederatedIngress
metadata: {name: web, namespace: shop}
spec:
  template: {spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}}
  placement: {clusterSelector: {}}
`

// autoscaler is of a type that releases have since they leave replicas to autoscalers. What it
// scales has replicas that are not the federation's in any release.
const autoscaler = `
apiVersion: types.kubefed.io/v1beta1
kind: FederatedHorizontalPodAutoscaler
metadata: {name: bare, namespace: shop}
spec:
  template: {spec: {scaleTargetRef: {apiVersion: apps/v1, kind: ReplicaSet, name: bare}, minReplicas: 1, maxReplicas: 3}}
  placement: {clusterSelector: {}}
`

// defaultTypes are the kinds that the release which is installed federates.
func defaultTypes(ctx context.Context) map[string]bool {
	GinkgoHelper()
	kinds := map[string]bool{}
	for _, t := range kit.List(ctx, host, kit.Named("core.kubefed.io/v1beta1", "FederatedTypeConfig", "", "")) {
		kind, _ := kit.At(t.Object, "/spec/federatedType/kind").(string)
		kinds[kind] = true
	}
	return kinds
}

// manifestsFor are what a release with those default types can be given.
func manifestsFor(types map[string]bool) string {
	if types["FederatedHorizontalPodAutoscaler"] {
		return world + "---" + autoscaler
	}
	return world
}

// inMembers are the kinds of which a member holds something that is federated.
var inMembers = []kit.Ref{
	kit.Named("v1", "Namespace", "", ""), kit.Named("v1", "ConfigMap", "", ""), kit.Named("v1", "Secret", "", ""), kit.Named("v1", "ServiceAccount", "", ""),
	kit.Named("v1", "Service", "", ""), kit.Named("apps/v1", "Deployment", "", ""), kit.Named("apps/v1", "ReplicaSet", "", ""), kit.Named("batch/v1", "Job", "", ""),
	kit.Named("networking.k8s.io/v1", "Ingress", "", ""), kit.Named("rbac.authorization.k8s.io/v1", "ClusterRole", "", ""), kit.Named("backup.fedctl.io/v1alpha1", "Backup", "", ""),
	kit.Named("autoscaling/v2", "HorizontalPodAutoscaler", "", ""),
}

// snapshot is what must not change: which objects the members hold, and in which version.
// The status of a Backup is fedctl's own word, and may be another one in another release; that
// of a HorizontalPodAutoscaler is written whenever its controller looks.
func snapshot(ctx context.Context) map[string]string {
	GinkgoHelper()
	all := map[string]string{}
	for _, c := range members {
		for _, of := range inMembers {
			for _, u := range kit.List(ctx, c, of, client.MatchingLabels{"kubefed.io/managed": "true"}) {
				version := u.GetResourceVersion()
				if of.Kind == "Backup" || of.Kind == "HorizontalPodAutoscaler" {
					version = fmt.Sprint(u.GetGeneration(), kit.AsJSON(u.GetLabels()), kit.AsJSON(u.GetAnnotations()))
				}
				if u.GetName() != "canary" {
					all[fmt.Sprintf("%s %s %s/%s", c.Name, of.Kind, u.GetNamespace(), u.GetName())] = string(u.GetUID()) + " " + version
				}
			}
		}
		maps.Copy(all, kit.ShopPods(ctx, c))
	}
	return all
}

// federated are the federated objects that there are.
func federated() []kit.Ref {
	GinkgoHelper()
	var all []kit.Ref
	for _, object := range kit.Objects(manifests) {
		if strings.HasPrefix(object.GetKind(), "Federated") {
			all = append(all, kit.Named(federatedAPI, object.GetKind(), object.GetNamespace(), object.GetName()))
		}
	}
	return all
}

// expectAllDone waits until every federated object says that it is in the members as it
// should be, and works, as the controller that runs now sees it: each has a change that
// concerns no member, which only that controller can have observed.
func expectAllDone(ctx context.Context, release string) {
	GinkgoHelper()
	for _, of := range federated() {
		kit.Change(ctx, host, of, func(u *unstructured.Unstructured) {
			overrides, _ := kit.At(u.Object, "/spec/overrides").(kit.Values)
			kit.Set(u.Object, "/spec/overrides", append(overrides, kit.Fields{
				"clusterName":      "none-" + release,
				"clusterOverrides": kit.Values{kit.Fields{"path": "/metadata/labels", "value": kit.Fields{"release": release}}},
			}))
		})
	}
	for _, of := range federated() {
		statuses := []any{nil, nil}
		if of.Name == "once" {
			statuses = []any{"Completed", "Completed"}
		}
		kit.ExpectPropagated(ctx, host, of, statuses...)
	}
}
