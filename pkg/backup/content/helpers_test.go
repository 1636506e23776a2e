package content

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// object reads YAML as an API client would: integers are int64.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	out := map[string]any{}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatalf("%v in: %s", err, data)
	}
	return out
}

// resources by their names, as servers have them.
var resources = func() map[string]Resource {
	out := map[string]Resource{}
	for _, r := range []Resource{
		{"", "v1", "pods", "Pod", true}, {"", "v1", "configmaps", "ConfigMap", true}, {"", "v1", "secrets", "Secret", true},
		{"", "v1", "services", "Service", true}, {"", "v1", "endpoints", "Endpoints", true}, {"", "v1", "serviceaccounts", "ServiceAccount", true},
		{"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true}, {"", "v1", "persistentvolumes", "PersistentVolume", false},
		{"", "v1", "namespaces", "Namespace", false}, {"", "v1", "nodes", "Node", false}, {"", "v1", "events", "Event", true},
		{"", "v1", "resourcequotas", "ResourceQuota", true},
		{"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true},
		{"apps", "v1", "deployments", "Deployment", true}, {"apps", "v1", "replicasets", "ReplicaSet", true},
		{"batch", "v1", "jobs", "Job", true}, {"batch", "v1", "cronjobs", "CronJob", true},
		{"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false}, {"rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true},
		{"networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", true},
		{"admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", false},
		{"apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false},
		{"apiregistration.k8s.io", "v1", "apiservices", "APIService", false},
		{"flowcontrol.apiserver.k8s.io", "v1", "flowschemas", "FlowSchema", false},
		{"rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false},
		{"backup.fedctl.io", "v1alpha1", "backups", "Backup", true}, {"backup.fedctl.io", "v1alpha1", "backuprepositories", "BackupRepository", true},
		{"types.kubefed.io", "v1beta1", "federatedbackups", "FederatedBackup", true}, {"types.kubefed.io", "v1beta1", "federatednamespaces", "FederatedNamespace", true},
		{"example.com", "v1", "widgets", "Widget", true},
	} {
		out[r.Name()] = r
	}
	return out
}()

func resourceNamed(t testing.TB, name string) Resource {
	t.Helper()
	r, ok := resources[name]
	if !ok {
		t.Fatalf("no resource %s", name)
	}
	return r
}
