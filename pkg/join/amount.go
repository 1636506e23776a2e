package join

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/fedctl/fedctl/pkg/reach"
)

func isEverything(rule rbacv1.PolicyRule) bool {
	return slices.Contains(rule.APIGroups, "*") && slices.Contains(rule.Resources, "*") && slices.Contains(rule.Verbs, "*")
}

// amountTo says what follows from the rules and is not read in them: who has some rights
// can get himself any other.
func (r memberRules) amountTo() []string {
	where := "in the member"
	rules := r.Cluster
	if r.inNamespace {
		where, rules = "in the control plane's namespace there", r.Namespaced
	}
	if slices.ContainsFunc(rules, isEverything) {
		return []string{"the controller may do anything " + where}
	}
	if what := granting(slices.Concat(rules, r.Bound)); len(what) > 0 {
		return []string{fmt.Sprintf("the controller may do anything %s, because it may grant any right: %s. Disable what you do not need of these types (fedctl disable) and join again", where, strings.Join(what, ", "))}
	}
	if r.mode == RBACNamespaces {
		return r.amountBound()
	}
	if what := runningAs(rules); len(what) > 0 && !r.inNamespace {
		return []string{fmt.Sprintf("the controller may write %s in all namespaces, kube-system included: that is enough to get an administrator's rights in the member", strings.Join(what, ", "))}
	}
	return nil
}

// amountBound is amountTo for rights by namespace.
func (r memberRules) amountBound() (lines []string) {
	if slices.ContainsFunc(r.Cluster, func(rule rbacv1.PolicyRule) bool { return slices.Contains(rule.Resources, "secrets") }) {
		lines = append(lines, "the controller may read secrets in all namespaces, kube-system included: where they hold an administrator's token, that is enough to get his rights (fedctl disable secrets, and join again, if you do not need it)")
	}
	if len(r.Bound) == 0 {
		return lines
	}
	where := "any other namespace, kube-system included: the cluster knows no ValidatingAdmissionPolicies, which would bar it"
	if !r.unguarded {
		where = "any other but those of Kubernetes (" + reach.KubernetesPrefix + "*) and the control plane's"
	}
	return append(lines, "the controller may write in the namespaces that are federated to the member, and binds that right there itself; who has its token could do so in "+where)
}

// granting lists the rights to give what one does not have, but for a role that is named.
func granting(rules []rbacv1.PolicyRule) []string {
	var what []string
	for _, rule := range rules {
		if len(rule.ResourceNames) == 0 && (slices.Contains(rule.Verbs, "escalate") || slices.Contains(rule.Verbs, "bind")) {
			what = append(what, fmt.Sprintf("%s of %s", strings.Join(rule.Verbs, " and "), strings.Join(rule.Resources, " and ")))
		}
	}
	return what
}

// powerful are types that whoever writes them in all namespaces can make use of any
// service account with: a token for it, or a pod that runs as it, or a node's files.
var powerful = []groupResource{
	{"", "pods"}, {"", "replicationcontrollers"}, {"", "secrets"}, {"", "serviceaccounts"},
	{"apps", "daemonsets"}, {"apps", "deployments"}, {"apps", "replicasets"}, {"apps", "statefulsets"},
	{"batch", "cronjobs"}, {"batch", "jobs"},
}

func runningAs(rules []rbacv1.PolicyRule) []string {
	var what []string
	for _, t := range powerful {
		if slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
			return len(rule.ResourceNames) == 0 && slices.Contains(rule.APIGroups, t.group) && slices.Contains(rule.Resources, t.resource) && slices.Contains(rule.Verbs, "create")
		}) {
			what = append(what, t.String())
		}
	}
	return what
}
