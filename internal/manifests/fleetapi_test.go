package manifests

import (
	"encoding/base64"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Everything is in the control plane's namespace but what Kubernetes has elsewhere, and may
// read no Secrets.
func TestFleetAPI(t *testing.T) {
	objects, err := FleetAPI(Options{Namespace: "team-a", Image: "example.com/c:v1"}, FleetAPIOptions{
		Address: "gateway.example:7443", Certificate: []byte("c"), Key: []byte("k"), Authority: []byte("a"),
	})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		found[object.GetKind()+" "+object.GetNamespace()+"/"+object.GetName()] = object
	}
	for _, name := range []string{
		"APIService /v1alpha1.fleet.fedctl.io", "Service team-a/fedctl-fleet-api", "Secret team-a/fedctl-fleet-api", "ServiceAccount team-a/fedctl-fleet-api",
		"RoleBinding kube-system/fedctl-fleet-api-authentication-team-a", "ClusterRoleBinding /fedctl-fleet-api-team-a",
	} {
		if found[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
	service, _, _ := unstructured.NestedMap(found["APIService /v1alpha1.fleet.fedctl.io"].Object, "spec", "service")
	if service["namespace"] != "team-a" || service["port"] != int64(7443) {
		t.Errorf("the APIService leads to %v", service)
	}
	if ca, _, _ := unstructured.NestedString(found["APIService /v1alpha1.fleet.fedctl.io"].Object, "spec", "caBundle"); ca != base64.StdEncoding.EncodeToString([]byte("a")) {
		t.Errorf("the authority is %q", ca)
	}
	if name, _, _ := unstructured.NestedString(found["Service team-a/fedctl-fleet-api"].Object, "spec", "externalName"); name != "gateway.example" {
		t.Errorf("the Service leads to %q", name)
	}
	for _, role := range ofKind[rbacv1.Role](t, objects, "Role") {
		for _, rule := range role.Rules {
			if strings.Join(rule.Resources, ",") != "kubefedclusters" {
				t.Errorf("Role %s: %v", role.Name, rule)
			}
		}
	}
	for name := range found {
		if strings.HasPrefix(name, "Deployment ") {
			t.Errorf("%s, though it runs elsewhere", name)
		}
	}
}

func TestFleetAPIAddresses(t *testing.T) {
	for _, address := range []string{"10.0.0.1:443", "host", "host:0", "host:70000", ":443", "a b:443", "[::1]:443"} {
		if _, err := FleetAPI(Options{}, FleetAPIOptions{Address: address}); err == nil || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// What is installed one after the other writes nothing over: of one name there is one object.
func TestPartsDoNotCollide(t *testing.T) {
	for _, namespace := range []string{"", "team-a"} {
		for _, scope := range Scopes {
			options := Options{Namespace: namespace, Scope: scope, ClusterProfiles: true}
			all, err := Build(options)
			if err != nil {
				t.Fatal(err)
			}
			fleet, err := FleetAPI(options, FleetAPIOptions{Certificate: []byte("c"), Key: []byte("k")})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, object := range append(all, fleet...) {
				name := object.GroupVersionKind().GroupKind().String() + " " + object.GetNamespace() + "/" + object.GetName()
				if seen[name] {
					t.Errorf("%s control plane in %q: there are two of %s", scope, namespace, name)
				}
				seen[name] = true
			}
		}
	}
}
