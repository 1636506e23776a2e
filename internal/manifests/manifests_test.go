package manifests

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/types"
)

func TestParseImage(t *testing.T) {
	for _, test := range []struct {
		image string
		want  types.Image
	}{
		{"controller", types.Image{Name: controllerImage, NewName: "controller", NewTag: "latest"}},
		{"example.com/fedctl/controller:v1", types.Image{Name: controllerImage, NewName: "example.com/fedctl/controller", NewTag: "v1"}},
		{"localhost:5000/controller", types.Image{Name: controllerImage, NewName: "localhost:5000/controller", NewTag: "latest"}},
		{"localhost:5000/controller:v1", types.Image{Name: controllerImage, NewName: "localhost:5000/controller", NewTag: "v1"}},
		{"example.com/c@sha256:abc", types.Image{Name: controllerImage, NewName: "example.com/c", Digest: "sha256:abc"}},
		{"example.com:443/c:v1@sha256:abc", types.Image{Name: controllerImage, NewName: "example.com:443/c", Digest: "sha256:abc"}},
	} {
		if diff := cmp.Diff(test.want, parseImage(test.image)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.image, diff)
		}
	}
}

func TestBuild(t *testing.T) {
	objects, err := Build(Options{Namespace: "elsewhere", Image: "example.com/c:v1"})
	if err != nil {
		t.Fatal(err)
	}
	byKind := map[string][]*unstructured.Unstructured{}
	last := 0
	for _, object := range objects {
		byKind[object.GetKind()] = append(byKind[object.GetKind()], object)
		if rank(object) < last {
			t.Errorf("%s %s comes too late", object.GetKind(), object.GetName())
		}
		last = rank(object)
		if data, err := object.MarshalJSON(); err != nil || strings.Contains(string(data), "kube-federation-system") {
			t.Errorf("%s %s names another namespace (%v)", object.GetKind(), object.GetName(), err)
		}
	}
	for kind, want := range map[string]int{
		"Namespace": 1, "ServiceAccount": 1, "Deployment": 1, "KubeFedConfig": 1, "FederatedTypeConfig": 12, "CustomResourceDefinition": 26,
	} {
		if got := len(byKind[kind]); got != want {
			t.Errorf("%d objects of kind %s, want %d", got, kind, want)
		}
	}
	if name := byKind["Namespace"][0].GetName(); name != "elsewhere" {
		t.Errorf("the namespace is called %s", name)
	}
	containers, _, _ := unstructured.NestedSlice(byKind["Deployment"][0].Object, "spec", "template", "spec", "containers")
	if image := containers[0].(map[string]any)["image"]; image != "example.com/c:v1" { //nolint:forcetypeassert // a test may panic
		t.Errorf("the image is %v", image)
	}
}

// What two control planes in a cluster both have must be the same in both.
func TestControlPlanesDoNotCollide(t *testing.T) {
	planes := []Options{{}, {Namespace: "team-a", Scope: ScopeNamespaced}, {Namespace: "team-b", Scope: ScopeNamespaced}, {Namespace: "team-c"}}
	seen := map[string]*unstructured.Unstructured{}
	own := map[string]int{}
	for _, plane := range planes {
		objects, err := Build(plane)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			key := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
			if earlier, ok := seen[key]; !ok {
				own[plane.Namespace]++
			} else if diff := cmp.Diff(earlier.Object, object.Object); diff != "" {
				t.Errorf("%s differs in %q\n%s", key, plane.Namespace, diff)
			}
			seen[key] = object
			if scope, found, _ := unstructured.NestedString(object.Object, "spec", "scope"); object.GetKind() == "KubeFedConfig" && (!found || (scope == ScopeNamespaced) != (plane.Scope == ScopeNamespaced)) {
				t.Errorf("%s: scope %q", key, scope)
			}
		}
	}
	if own["team-b"] < 20 {
		t.Errorf("team-b has %d objects of its own", own["team-b"])
	}
}

// Whatever control planes are in a cluster, the names of no two meet: a name that
// ends as another one begins bars the namespaces that would make the two equal.
func TestNamespacesThatWouldCollide(t *testing.T) {
	const other = "other"
	names := map[string][]string{} // by kind: those that get the namespace appended
	for _, scope := range []string{ScopeCluster, ScopeNamespaced} {
		objects, err := Build(Options{Namespace: other, Scope: scope})
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			if name, own := strings.CutSuffix(object.GetName(), "-"+other); own && object.GetNamespace() == "" {
				names[object.GetKind()] = append(names[object.GetKind()], name)
			}
		}
	}
	var words []string
	for _, list := range names {
		for _, short := range list {
			for _, long := range list {
				if word, found := strings.CutPrefix(long, short+"-"); found {
					words = append(words, word)
				}
			}
		}
	}
	words = append(words, obsoleteWord)
	slices.Sort(words)
	if diff := cmp.Diff(slices.Compact(words), takenWords); diff != "" {
		t.Errorf("takenWords (-want +got)\n%s", diff)
	}
	for namespace, refused := range map[string]bool{
		"webhook": true, "namespaced": true, "webhook-a": true, "namespaced-team": true, "metrics": true,
		"kube-federation-system": false, "webhooks": false, "my-webhook": false, "team-a": false,
	} {
		if err := CheckNamespace(namespace); (err != nil) != refused {
			t.Errorf("%s: %v", namespace, err)
		}
	}
}

// A control plane for one namespace gets no right to federated objects elsewhere.
func TestRightsOfANamespacedControlPlane(t *testing.T) {
	objects, err := Build(Options{Namespace: "team-a", Scope: ScopeNamespaced})
	if err != nil {
		t.Fatal(err)
	}
	var bound []string
	for _, object := range objects {
		if object.GetKind() == "ClusterRoleBinding" {
			role, _, _ := unstructured.NestedString(object.Object, "roleRef", "name")
			bound = append(bound, object.GetName()+" "+role)
		}
	}
	want := []string{"fedctl-controller-metrics-team-a fedctl-controller-metrics", "fedctl-controller-namespaced-team-a fedctl-controller-namespaced"}
	slices.Sort(bound)
	if diff := cmp.Diff(want, bound); diff != "" {
		t.Errorf("roles for the whole cluster (-want +got)\n%s", diff)
	}
}

// Without an image that somebody names, it is the one of the same version.
func TestImageOfAVersion(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"a release":              {Options{Version: "v1.2.3"}, "ghcr.io/fedctl/controller:v1.2.3"},
		"a build with changes":   {Options{Version: "v1.2.3+dirty"}, "ghcr.io/fedctl/controller:v1.2.3-dirty"},
		"a build that knows not": {Options{Version: "devel"}, "ghcr.io/fedctl/controller:latest"},
		"another image":          {Options{Version: "v1.2.3", Image: "example.com/c:v2"}, "example.com/c:v2"},
	} {
		objects, err := Build(test.options)
		if err != nil {
			t.Fatal(err)
		}
		var images []string
		for _, object := range objects {
			if containers, ok, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers"); ok {
				image, _, _ := unstructured.NestedString(containers[0].(map[string]any), "image")
				images = append(images, image)
			}
		}
		if diff := cmp.Diff([]string{test.want}, images); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestBuildWithoutController(t *testing.T) {
	objects, err := Build(Options{WithoutController: true})
	if err != nil {
		t.Fatal(err)
	}
	account := false
	for _, object := range objects {
		if kind := object.GetKind(); kind == "Deployment" || kind == "Service" {
			t.Errorf("%s %s is part of the controller", kind, object.GetName())
		}
		account = account || object.GetKind() == "ServiceAccount"
	}
	if !account {
		t.Error("a controller that runs elsewhere needs the ServiceAccount")
	}
}

// The controller's rights are what somebody reads first. Wildcards are limited to
// the resources of the group of federated types.
func TestRightsOfTheController(t *testing.T) {
	objects, err := Build(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() != "ClusterRole" && object.GetKind() != "Role" {
			continue
		}
		var role rbacv1.ClusterRole
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			groups, resources, verbs := strings.Join(rule.APIGroups, ","), strings.Join(rule.Resources, ","), strings.Join(rule.Verbs, ",")
			if strings.Contains(groups, "*") || strings.Contains(verbs, "*") || strings.Contains(resources, "*") && groups != "types.kubefed.io" {
				t.Errorf("%s %s: too much: %v", role.Kind, role.Name, rule)
			}
			if role.Kind == "ClusterRole" && strings.Contains(","+resources+",", ",secrets,") {
				t.Errorf("%s %s: reads secrets of all namespaces", role.Kind, role.Name)
			}
		}
	}
}

func TestForMember(t *testing.T) {
	for name, test := range map[string]struct {
		options MemberOptions
		want    []string
	}{
		"the API":    {MemberOptions{}, nil},
		"no rights":  {MemberOptions{Rights: RightsNone}, nil},
		"to save":    {MemberOptions{Rights: RightsSave}, []string{"ClusterRole/fedctl-backup-save", "Role/fedctl-backup-lease"}},
		"to restore": {MemberOptions{Rights: RightsRestore}, []string{"ClusterRole/fedctl-backup-save", "ClusterRole/fedctl-backup-restore", "Role/fedctl-backup-lease"}},
		"an executor": {MemberOptions{Rights: RightsSave, Executor: true}, []string{
			"Namespace/elsewhere", "ServiceAccount/fedctl-backup-executor", "ClusterRole/fedctl-backup-save",
			"ClusterRole/fedctl-backup-executor-metrics", "ClusterRoleBinding/fedctl-backup-executor-metrics-elsewhere",
			"ClusterRoleBinding/fedctl-backup-save:elsewhere:fedctl-backup-executor", "Role/fedctl-backup-lease",
			"RoleBinding/fedctl-backup-lease:fedctl-backup-executor", "Deployment/fedctl-backup-executor",
			"NetworkPolicy/fedctl-backup-executor",
		}},
	} {
		objects, err := ForMember(Options{Namespace: "elsewhere", Image: "example.com/c:v1"}, test.options)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		definitions := 0
		for _, object := range objects {
			if data, err := object.MarshalJSON(); err != nil || strings.Contains(string(data), "kube-federation-system") || strings.Contains(string(data), `"ghcr.io/fedctl/controller"`) {
				t.Errorf("%s: %s %s names another namespace or image (%v)", name, object.GetKind(), object.GetName(), err)
			}
			if object.GetKind() == "CustomResourceDefinition" {
				definitions++
				continue
			}
			got = append(got, object.GetKind()+"/"+object.GetName())
		}
		if diff := cmp.Diff(test.want, got); diff != "" || definitions != 4 {
			t.Errorf("%s: %d definitions and\n%s", name, definitions, diff)
		}
	}
}

// What another control plane uses as well is shared; nothing of one's own is.
func TestClusterWide(t *testing.T) {
	own, shared, err := ClusterWide("team-a")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range own {
		if !strings.HasSuffix(object.GetName(), "-team-a") {
			t.Errorf("%s %s does not bear the name of its control plane", object.GetKind(), object.GetName())
		}
	}
	for _, object := range shared {
		if strings.Contains(object.GetName(), "team-a") {
			t.Errorf("%s %s is not another control plane's as well", object.GetKind(), object.GetName())
		}
	}
	for _, object := range slices.Concat(own, shared) {
		if kind := object.GetKind(); object.GetNamespace() != "" || kind == "CustomResourceDefinition" || kind == "Namespace" {
			t.Errorf("%s %s/%s is not to be deleted with a control plane", kind, object.GetNamespace(), object.GetName())
		}
	}
	if len(own) < 5 || len(shared) < 5 {
		t.Errorf("%d of its own and %d shared are few", len(own), len(shared))
	}
}

func TestScopesThereAre(t *testing.T) {
	if _, err := Build(Options{Scope: "namespaced"}); err == nil || !strings.Contains(err.Error(), "Namespaced") {
		t.Error(err)
	}
}

// A namespace may consist of digits: that is no number.
func TestNamespaceOfDigits(t *testing.T) {
	for _, scope := range Scopes {
		objects, err := Build(Options{Namespace: "123", Scope: scope})
		if err != nil {
			t.Fatal(err)
		}
		member, err := ForMember(Options{Namespace: "123"}, MemberOptions{Rights: RightsRestore, Executor: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range slices.Concat(objects, member) {
			data, err := object.MarshalJSON()
			if err != nil || strings.Contains(string(data), ":123,") || strings.Contains(string(data), ":123}") {
				t.Errorf("%s %s has a number for its namespace (%v)", object.GetKind(), object.GetName(), err)
			}
		}
	}
}
