package cases

import "strings"

// Type is a type of objects that the cases federate.
type Type struct {
	APIVersion, Kind string
	// Resource is the type's name, as for kubectl: plural[.group].
	Resource   string
	Namespaced bool
	// Enabled says when: with the control plane, by command before the members join,
	// or after they have joined.
	Enabled Enabled
}

// Enabled says when a type is enabled.
type Enabled int

// The moments of enabling a type.
const (
	ByDefault Enabled = iota
	BeforeJoin
	AfterJoin
)

// Types are those that the cases may use.
var Types = []Type{
	{"v1", "Namespace", "namespaces", false, ByDefault},
	{"v1", "ConfigMap", "configmaps", true, ByDefault},
	{"v1", "Secret", "secrets", true, ByDefault},
	{"v1", "Service", "services", true, ByDefault},
	{"v1", "ServiceAccount", "serviceaccounts", true, ByDefault},
	{"apps/v1", "Deployment", "deployments.apps", true, ByDefault},
	{"apps/v1", "ReplicaSet", "replicasets.apps", true, ByDefault},
	{"batch/v1", "Job", "jobs.batch", true, ByDefault},
	{"networking.k8s.io/v1", "Ingress", "ingresses.networking.k8s.io", true, ByDefault},
	{"rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles.rbac.authorization.k8s.io", false, ByDefault},

	{"apps/v1", "StatefulSet", "statefulsets.apps", true, BeforeJoin},
	{"apps/v1", "DaemonSet", "daemonsets.apps", true, BeforeJoin},
	{"batch/v1", "CronJob", "cronjobs.batch", true, BeforeJoin},
	{"v1", "PersistentVolumeClaim", "persistentvolumeclaims", true, BeforeJoin},
	{"v1", "ResourceQuota", "resourcequotas", true, BeforeJoin},
	{"v1", "LimitRange", "limitranges", true, BeforeJoin},
	{"networking.k8s.io/v1", "NetworkPolicy", "networkpolicies.networking.k8s.io", true, BeforeJoin},
	{"rbac.authorization.k8s.io/v1", "Role", "roles.rbac.authorization.k8s.io", true, BeforeJoin},
	{"rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings.rbac.authorization.k8s.io", true, BeforeJoin},
	{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings.rbac.authorization.k8s.io", false, BeforeJoin},
	{"policy/v1", "PodDisruptionBudget", "poddisruptionbudgets.policy", true, BeforeJoin},
	{"autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers.autoscaling", true, BeforeJoin},
	{"scheduling.k8s.io/v1", "PriorityClass", "priorityclasses.scheduling.k8s.io", false, BeforeJoin},
	{"storage.k8s.io/v1", "StorageClass", "storageclasses.storage.k8s.io", false, BeforeJoin},
	{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations.admissionregistration.k8s.io", false, BeforeJoin},
	{"example.com/v1", "Widget", "widgets.example.com", true, BeforeJoin},

	{"v1", "PodTemplate", "podtemplates", true, AfterJoin},
}

// Definitions are what custom types need, in the host and in the members.
const Definitions = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets, singular: widget}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              shape: {type: string}
              size: {type: integer, default: 1}
              groups: {type: array, items: {type: string}}
              list: {type: array, items: {type: object, properties: {name: {type: string}, value: {type: string}}}}
              plain: {type: object, properties: {groups: {type: array, items: {type: string}}}}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

// Ref names an object: what a case needs to know of it to find it.
type Ref struct {
	APIVersion, Kind, Name string
	Namespaced             bool
}

// String is the ref as cases write it.
func (r Ref) String() string { return r.Kind + "/" + r.Name }

// typeOf finds what objects of a kind are, federated ones as well.
func typeOf(kind string) (Ref, bool) {
	switch {
	case kind == "ReplicaSchedulingPreference":
		return Ref{APIVersion: "scheduling.kubefed.io/v1alpha1", Kind: kind, Namespaced: true}, true
	case strings.HasPrefix(kind, "Federated"):
		target, ok := typeOf(strings.TrimPrefix(kind, "Federated"))
		namespaced := target.Namespaced || target.Kind == "Namespace"
		return Ref{APIVersion: "types.kubefed.io/v1beta1", Kind: kind, Namespaced: namespaced}, ok
	}
	for _, t := range Types {
		if t.Kind == kind {
			return Ref{APIVersion: t.APIVersion, Kind: kind, Namespaced: t.Namespaced}, true
		}
	}
	return Ref{}, false
}
