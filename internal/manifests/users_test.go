package manifests

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// What is added to Kubernetes' roles for users names each type, and none that carries rights
// with it, in no verb that writes.
func TestUsersGetNoTypesThatCarryRights(t *testing.T) {
	objects, err := Build(Options{})
	if err != nil {
		t.Fatal(err)
	}
	harmless := []string{
		"federatedconfigmaps", "federateddeployments", "federatedingresses", "federatedjobs", "federatednamespaces", "federatedreplicasets",
		"federatedsecrets", "federatedserviceaccounts", "federatedservices", "replicaschedulingpreferences", "overridepolicies",
	}
	reading := []string{"get", "list", "watch"}
	aggregated := 0
	for _, role := range ofKind[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		if !slices.ContainsFunc([]string{"admin", "edit", "view"}, func(to string) bool { return role.Labels["rbac.authorization.k8s.io/aggregate-to-"+to] == "true" }) {
			continue
		}
		aggregated++
		for _, rule := range role.Rules {
			if slices.Contains(rule.APIGroups, "") || strings.Contains(strings.Join(slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs), " "), "*") {
				t.Errorf("%s: %v", role.Name, rule)
			}
			if !slices.ContainsFunc(rule.Verbs, func(verb string) bool { return !slices.Contains(reading, verb) }) {
				if role.Labels["rbac.authorization.k8s.io/aggregate-to-view"] == "true" && slices.Contains(rule.Resources, "federatedsecrets") {
					t.Errorf("%s reads federated Secrets", role.Name)
				}
				continue
			}
			for _, resource := range rule.Resources {
				if !slices.Contains(harmless, resource) {
					t.Errorf("%s may write %s", role.Name, resource)
				}
			}
		}
	}
	if aggregated != 3 {
		t.Errorf("%d roles are added to those of users", aggregated)
	}
}
