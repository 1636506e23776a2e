package join

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/autoscaler"
)

// RBACMode says how much the controller may do in a member.
type RBACMode string

const (
	// RBACNamespaces lets the controller write what the enabled types need in the namespaces
	// alone that the federation places in the member, and read it in all.
	RBACNamespaces RBACMode = "namespaces"
	// RBACTypes grants what the enabled types need, and no more.
	RBACTypes RBACMode = "types"
	// RBACUsual grants that and what the usual types need, enabled or not.
	RBACUsual RBACMode = "usual"
	// RBACAdmin grants everything, as KubeFed does.
	RBACAdmin RBACMode = "admin"
)

// RBACModes are all there are, the narrowest first.
var RBACModes = []RBACMode{RBACNamespaces, RBACTypes, RBACUsual, RBACAdmin}

type groupResource struct{ group, resource string }

func (r groupResource) String() string {
	if r.group == "" {
		return r.resource
	}
	return r.resource + "." + r.group
}

// usualTypes may be enabled later without joining again, with RBACUsual. ClusterRoles
// are left out on purpose: who may write any of them may do anything.
var usualTypes = []groupResource{
	{"", "configmaps"},
	{"", "namespaces"},
	{"", "secrets"},
	{"", "serviceaccounts"},
	{"", "services"},
	{"apps", "deployments"},
	{"apps", "replicasets"},
	{"autoscaling", "horizontalpodautoscalers"},
	{"backup.fedctl.io", "backups"},
	{"batch", "jobs"},
	{"networking.k8s.io", "ingresses"},
}

var (
	readVerbs = []string{"get", "list", "watch"}
	allVerbs  = []string{"get", "list", "watch", "create", "update", "patch", "delete"}
	// writeVerbs are all others than readVerbs.
	writeVerbs = []string{"create", "update", "patch", "delete"}

	healthRule = rbacv1.PolicyRule{
		NonResourceURLs: []string{"/healthz", "/livez", "/readyz", "/version", "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"},
		Verbs:           []string{"get"},
	}
	// Whether a type that is not served any more is still defined: its objects may be there.
	definitionsRule = rbacv1.PolicyRule{APIGroups: []string{apiextensionsv1.GroupName}, Resources: []string{"customresourcedefinitions"}, Verbs: []string{"get"}}
	nodesRule       = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: readVerbs}
	// What drivers offer on nodes, and what taints it: nothing of it is any user's.
	devicesRule = rbacv1.PolicyRule{APIGroups: []string{"resource.k8s.io"}, Resources: []string{"deviceclasses", "devicetaintrules", "resourceslices"}, Verbs: readVerbs}
	// How far a member can grow, where Karpenter is there.
	nodePoolsRule = rbacv1.PolicyRule{APIGroups: []string{"karpenter.sh"}, Resources: []string{"nodepools"}, Verbs: readVerbs}
	// ... and where Cluster API or OpenShift's Machine API are: by the kinds of pkg/capacity.
	nodeGroupsRules = []rbacv1.PolicyRule{
		{APIGroups: []string{"cluster.x-k8s.io"}, Resources: []string{"machinedeployments", "machinepools", "machinesets"}, Verbs: readVerbs},
		{APIGroups: []string{"infrastructure.cluster.x-k8s.io"}, Resources: []string{"awsmachinepools", "awsmanagedmachinepools"}, Verbs: readVerbs},
		{APIGroups: []string{"machine.openshift.io"}, Resources: []string{"machinesets"}, Verbs: readVerbs},
	}
	claimsRule   = rbacv1.PolicyRule{APIGroups: []string{"resource.k8s.io"}, Resources: []string{"resourceclaims"}, Verbs: readVerbs}
	identityRule = rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{metav1.NamespaceSystem}, Verbs: []string{"get"},
	}
	everythingRule = rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}
	allPathsRule   = rbacv1.PolicyRule{NonResourceURLs: []string{"*"}, Verbs: []string{"get"}}
)

// memberRules are the rights the controller needs in a member.
type memberRules struct {
	// Cluster is for a ClusterRole, Namespaced for a Role in the KubeFed namespace;
	// a control plane of Cluster scope has no Namespaced ones.
	Cluster, Namespaced []rbacv1.PolicyRule
	// Bound is for a ClusterRole that the controller binds by namespace.
	Bound []rbacv1.PolicyRule
	// unguarded says that nothing in the member holds the account to where it may bind them.
	unguarded bool
	// mode is what they were computed for, and inNamespace says that the control plane is
	// a Namespaced one, though there may be no rule.
	mode        RBACMode
	inNamespace bool
}

// rulesFor computes the rights from the types that the host federates. In a
// Namespaced control plane they hold in the KubeFed namespace only, but for the
// cluster's health, nodes and identity.
func rulesFor(mode RBACMode, scope apiextensionsv1.ResourceScope, types []fedcorev1beta1.FederatedTypeConfig) memberRules {
	inventory := slices.Concat([]rbacv1.PolicyRule{healthRule, nodesRule, devicesRule, nodePoolsRule}, nodeGroupsRules, []rbacv1.PolicyRule{identityRule, definitionsRule})
	namespaced, others := targetsOf(mode, types)
	switch {
	case scope == apiextensionsv1.NamespaceScoped && mode == RBACAdmin:
		return memberRules{Cluster: inventory, Namespaced: []rbacv1.PolicyRule{everythingRule}, mode: mode, inNamespace: true}
	case scope == apiextensionsv1.NamespaceScoped:
		return memberRules{Cluster: inventory, Namespaced: rulesOf(namespaced, allVerbs), mode: mode, inNamespace: true}
	case mode == RBACAdmin:
		return memberRules{Cluster: []rbacv1.PolicyRule{everythingRule, allPathsRule}, mode: mode}
	case mode == RBACNamespaces:
		reads := slices.Concat(resourceRules(namespaced, readVerbs), podsRules(namespaced), autoscalersRules(namespaced))
		return memberRules{
			Cluster: slices.Concat(inventory, rulesOf(others, allVerbs), reads),
			Bound:   append(resourceRules(namespaced, writeVerbs), grantingRules(namespaced)...), mode: mode,
		}
	}
	return memberRules{Cluster: append(inventory, rulesOf(append(namespaced, others...), allVerbs)...), mode: mode}
}

// targetsOf lists the types that propagate, and with RBACUsual the usual ones: those in
// namespaces, and others.
func targetsOf(mode RBACMode, types []fedcorev1beta1.FederatedTypeConfig) (namespaced, others []groupResource) {
	if mode == RBACUsual {
		namespaced = slices.Clone(usualTypes)
	}
	for i := range types {
		target := types[i].Spec.TargetType
		if types[i].Spec.Propagation != fedcorev1beta1.PropagationEnabled {
			continue
		}
		resource := groupResource{target.Group, pluralOf(types[i])}
		if target.Scope == apiextensionsv1.NamespaceScoped {
			namespaced = append(namespaced, resource)
		} else {
			others = append(others, resource)
		}
	}
	namespaces := groupResource{"", "namespaces"}
	if slices.Contains(namespaced, namespaces) { // whatever is said of their scope
		namespaced = slices.DeleteFunc(namespaced, func(t groupResource) bool { return t == namespaces })
		others = append(others, namespaces)
	}
	return namespaced, others
}

// rulesOf lists the rules for types, then what some types need besides.
func rulesOf(targets []groupResource, verbs []string) []rbacv1.PolicyRule {
	return slices.Concat(resourceRules(targets, verbs), podsRules(targets), autoscalersRules(targets), grantingRules(targets))
}

// resourceRules lists one rule per API group, sorted.
func resourceRules(targets []groupResource, verbs []string) []rbacv1.PolicyRule {
	targets = slices.Clone(targets)
	slices.SortFunc(targets, func(a, b groupResource) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.resource, b.resource))
	})
	var rules []rbacv1.PolicyRule
	for _, t := range slices.Compact(targets) {
		if last := len(rules) - 1; last >= 0 && rules[last].APIGroups[0] == t.group {
			rules[last].Resources = append(rules[last].Resources, t.resource)
			continue
		}
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{t.group}, Resources: []string{t.resource}, Verbs: verbs})
	}
	return rules
}

// autoscalersRules let what scales objects of the types be read: a number of an autoscaler is
// not undone.
func autoscalersRules(targets []groupResource) []rbacv1.PolicyRule {
	if !slices.ContainsFunc(targets, maybeScaled) {
		return nil
	}
	var scaling []groupResource
	for _, kind := range autoscaler.Kinds() {
		if resource := (groupResource{kind.Group, kind.Resource}); !slices.Contains(targets, resource) {
			scaling = append(scaling, resource)
		}
	}
	return resourceRules(scaling, readVerbs)
}

// maybeScaled says whether objects of a type may have replicas. Of Kubernetes' own types it is
// known; of those of others it is not.
func maybeScaled(t groupResource) bool {
	switch t.group {
	case "":
		return t.resource == "replicationcontrollers"
	case "apps":
		return hasReplicas(t) || t.resource == "statefulsets"
	case backupv1alpha1.GroupVersion.Group:
		return false
	}
	return strings.Contains(t.group, ".") && !strings.HasSuffix(t.group, ".k8s.io")
}

// podsRules let the pods of types with replicas be looked at, and the devices that they
// have claimed.
func podsRules(targets []groupResource) []rbacv1.PolicyRule {
	switch {
	case !slices.ContainsFunc(targets, hasReplicas):
		return nil
	case slices.Contains(targets, groupResource{"", "pods"}):
		return []rbacv1.PolicyRule{claimsRule}
	}
	return []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: readVerbs}, claimsRule}
}

// bindingRules let an account bind the rights that it has by namespace, and nothing else:
// an API server checks the name also where an object is created by being applied.
func bindingRules(serviceAccount string) []rbacv1.PolicyRule {
	name := []string{namespaceRoleName(serviceAccount)}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings"}, ResourceNames: name, Verbs: []string{"get", "list", "watch", "create", "patch", "delete"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: name, Verbs: []string{"bind"}},
	}
}

// hasReplicas: a ReplicaSchedulingPreference shares out the replicas of the type, and
// has their pods looked at where not all are ready.
func hasReplicas(t groupResource) bool {
	return t.group == "apps" && (t.resource == "deployments" || t.resource == "replicasets")
}

// grantingRules let the controller write roles and bindings that grant what it
// does not have itself; the API server refuses that otherwise.
func grantingRules(targets []groupResource) []rbacv1.PolicyRule {
	var escalate, bind []string
	for _, t := range targets {
		switch t {
		case groupResource{rbacv1.GroupName, "clusterroles"}, groupResource{rbacv1.GroupName, "roles"}:
			escalate = append(escalate, t.resource)
		case groupResource{rbacv1.GroupName, "clusterrolebindings"}:
			bind = append(bind, "clusterroles")
		case groupResource{rbacv1.GroupName, "rolebindings"}:
			bind = append(bind, "clusterroles", "roles")
		}
	}
	var rules []rbacv1.PolicyRule
	if len(escalate) > 0 {
		slices.Sort(escalate)
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: escalate, Verbs: []string{"bind", "escalate"}})
	}
	if len(bind) > 0 {
		slices.Sort(bind)
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: slices.Compact(bind), Verbs: []string{"bind"}})
	}
	return rules
}

// pluralOf is the target's plural name, or what KubeFed makes it when not given:
// the first part of the FederatedTypeConfig's name.
func pluralOf(config fedcorev1beta1.FederatedTypeConfig) string {
	if plural := config.Spec.TargetType.PluralName; plural != "" {
		return plural
	}
	plural, _, _ := strings.Cut(config.Name, ".")
	return plural
}
