package join

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

func typeConfig(name string, scope apiextensionsv1.ResourceScope, enabled bool) fedcorev1beta1.FederatedTypeConfig {
	config := fedcorev1beta1.FederatedTypeConfig{}
	config.Name = name
	plural, group, _ := strings.Cut(name, ".")
	config.Spec.TargetType = fedcorev1beta1.APIResource{Group: group, PluralName: plural, Scope: scope}
	config.Spec.Propagation = fedcorev1beta1.PropagationDisabled
	if enabled {
		config.Spec.Propagation = fedcorev1beta1.PropagationEnabled
	}
	return config
}

// render writes rules as "group: resources: verbs" or "paths: verbs", for reading.
func render(rules []rbacv1.PolicyRule) []string {
	var lines []string
	for _, r := range rules {
		verbs := strings.Join(r.Verbs, ",")
		switch {
		case len(r.NonResourceURLs) > 0:
			lines = append(lines, "paths: "+verbs)
		case len(r.ResourceNames) > 0:
			lines = append(lines, r.APIGroups[0]+": "+strings.Join(r.Resources, ",")+"/"+strings.Join(r.ResourceNames, ",")+": "+verbs)
		default:
			lines = append(lines, r.APIGroups[0]+": "+strings.Join(r.Resources, ",")+": "+verbs)
		}
	}
	return lines
}

func TestRulesFor(t *testing.T) {
	const (
		all   = ": get,list,watch,create,update,patch,delete"
		read  = ": get,list,watch"
		write = ": create,update,patch,delete"
	)
	usual := []string{
		": configmaps,namespaces,secrets,serviceaccounts,services" + all,
		"apps: deployments,replicasets" + all,
		"autoscaling: horizontalpodautoscalers" + all,
		"backup.fedctl.io: backups" + all,
		"batch: jobs" + all,
		"networking.k8s.io: ingresses" + all,
	}
	health := []string{"paths: get", ": nodes" + read, "resource.k8s.io: deviceclasses,devicetaintrules,resourceslices" + read, "karpenter.sh: nodepools" + read,
		"cluster.x-k8s.io: machinedeployments,machinepools,machinesets" + read, "infrastructure.cluster.x-k8s.io: awsmachinepools,awsmanagedmachinepools" + read, "machine.openshift.io: machinesets" + read, ": namespaces/kube-system: get", "apiextensions.k8s.io: customresourcedefinitions: get"}
	pods, claims := ": pods"+read, "resource.k8s.io: resourceclaims"+read
	// Beside HorizontalPodAutoscalers, which are one of the usual types.
	others := []string{"autoscaling.k8s.io: verticalpodautoscalers" + read, "keda.sh: scaledobjects" + read}
	scaling := append([]string{"autoscaling: horizontalpodautoscalers" + read}, others...)
	concat := func(lists ...[]string) (all []string) {
		for _, list := range lists {
			all = append(all, list...)
		}
		return all
	}
	for _, tc := range []struct {
		name                string
		mode                RBACMode
		scope               apiextensionsv1.ResourceScope
		types               []fedcorev1beta1.FederatedTypeConfig
		cluster, namespaced []string
		bound               []string
	}{
		{
			name: "by namespace", mode: RBACNamespaces, scope: apiextensionsv1.ClusterScoped,
			types: []fedcorev1beta1.FederatedTypeConfig{
				typeConfig("namespaces", apiextensionsv1.ClusterScoped, true),
				typeConfig("secrets", apiextensionsv1.NamespaceScoped, true),
				typeConfig("deployments.apps", apiextensionsv1.NamespaceScoped, true),
				typeConfig("rolebindings.rbac.authorization.k8s.io", apiextensionsv1.NamespaceScoped, true),
				typeConfig("configmaps", apiextensionsv1.NamespaceScoped, false),
			},
			cluster: concat(health, []string{": namespaces" + all, ": secrets" + read, "apps: deployments" + read, "rbac.authorization.k8s.io: rolebindings" + read, pods, claims}, scaling),
			bound: []string{": secrets" + write, "apps: deployments" + write, "rbac.authorization.k8s.io: rolebindings" + write,
				"rbac.authorization.k8s.io: clusterroles,roles: bind"},
		},
		{
			name: "by namespace, though the type of Namespaces is said to be in namespaces", mode: RBACNamespaces, scope: apiextensionsv1.ClusterScoped,
			types:   []fedcorev1beta1.FederatedTypeConfig{typeConfig("namespaces", apiextensionsv1.NamespaceScoped, true)},
			cluster: concat(health, []string{": namespaces" + all}),
		},
		{
			name: "no types", mode: RBACTypes, scope: apiextensionsv1.ClusterScoped,
			cluster: health,
		},
		{
			name: "one type", mode: RBACTypes, scope: apiextensionsv1.ClusterScoped,
			types: []fedcorev1beta1.FederatedTypeConfig{
				typeConfig("configmaps", apiextensionsv1.NamespaceScoped, true),
				typeConfig("secrets", apiextensionsv1.NamespaceScoped, false),
			},
			cluster: concat(health, []string{": configmaps" + all}),
		},
		{
			name: "a type with replicas", mode: RBACTypes, scope: apiextensionsv1.ClusterScoped,
			types:   []fedcorev1beta1.FederatedTypeConfig{typeConfig("deployments.apps", apiextensionsv1.NamespaceScoped, true)},
			cluster: concat(health, []string{"apps: deployments" + all, pods, claims}, scaling),
		},
		{
			name: "no types, but the usual ones", mode: RBACUsual, scope: apiextensionsv1.ClusterScoped,
			cluster: concat(health, usual, []string{pods, claims}, others),
		},
		{
			name: "types of known and other groups; disabled ones do not count", mode: RBACUsual, scope: apiextensionsv1.ClusterScoped,
			types: []fedcorev1beta1.FederatedTypeConfig{
				typeConfig("deployments.apps", apiextensionsv1.NamespaceScoped, true),
				typeConfig("daemonsets.apps", apiextensionsv1.NamespaceScoped, true),
				typeConfig("widgets.example.com", apiextensionsv1.NamespaceScoped, true),
				typeConfig("gadgets.example.com", apiextensionsv1.NamespaceScoped, false),
			},
			cluster: concat(health, []string{
				usual[0], "apps: daemonsets,deployments,replicasets" + all, usual[2], usual[3], usual[4],
				"example.com: widgets" + all, usual[5], pods, claims,
			}, others),
		},
		{
			name: "roles and bindings need the right to grant", mode: RBACUsual, scope: apiextensionsv1.ClusterScoped,
			types: []fedcorev1beta1.FederatedTypeConfig{
				typeConfig("clusterroles.rbac.authorization.k8s.io", apiextensionsv1.ClusterScoped, true),
				typeConfig("rolebindings.rbac.authorization.k8s.io", apiextensionsv1.NamespaceScoped, true),
				typeConfig("clusterrolebindings.rbac.authorization.k8s.io", apiextensionsv1.ClusterScoped, true),
				typeConfig("pods", apiextensionsv1.NamespaceScoped, true),
			},
			cluster: concat(health, []string{
				": configmaps,namespaces,pods,secrets,serviceaccounts,services" + all,
			}, usual[1:], []string{
				"rbac.authorization.k8s.io: clusterrolebindings,clusterroles,rolebindings" + all, claims,
			}, others, []string{
				"rbac.authorization.k8s.io: clusterroles: bind,escalate",
				"rbac.authorization.k8s.io: clusterroles,roles: bind",
			}),
		},
		{
			name: "a control plane of one namespace", mode: RBACTypes, scope: apiextensionsv1.NamespaceScoped,
			types: []fedcorev1beta1.FederatedTypeConfig{
				typeConfig("clusterroles.rbac.authorization.k8s.io", apiextensionsv1.ClusterScoped, true),
				typeConfig("configmaps", apiextensionsv1.NamespaceScoped, true),
			},
			cluster:    health,
			namespaced: []string{": configmaps" + all},
		},
		{
			name: "a control plane of one namespace, the usual types", mode: RBACUsual, scope: apiextensionsv1.NamespaceScoped,
			types:      []fedcorev1beta1.FederatedTypeConfig{typeConfig("clusterroles.rbac.authorization.k8s.io", apiextensionsv1.ClusterScoped, true)},
			cluster:    health,
			namespaced: concat([]string{": configmaps,secrets,serviceaccounts,services" + all}, usual[1:], []string{pods, claims}, others),
		},
		{
			name: "admin", mode: RBACAdmin, scope: apiextensionsv1.ClusterScoped,
			cluster: []string{"*: *: *", "paths: get"},
		},
		{
			name: "admin of one namespace", mode: RBACAdmin, scope: apiextensionsv1.NamespaceScoped,
			cluster:    health,
			namespaced: []string{"*: *: *"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := rulesFor(tc.mode, tc.scope, tc.types)
			if diff := cmp.Diff(tc.cluster, render(got.Cluster)); diff != "" {
				t.Errorf("rules of the ClusterRole (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.namespaced, render(got.Namespaced)); diff != "" {
				t.Errorf("rules of the Role (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.bound, render(got.Bound)); diff != "" {
				t.Errorf("rules of the ClusterRole that is bound by namespace (-want +got):\n%s", diff)
			}
		})
	}
}
