package federate

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// run runs the command without a cluster and returns all that it says.
func run(input string, args ...string) (out, errOut string, err error) {
	var stdout, stderr bytes.Buffer
	cmd := NewCommand(cmdutil.NewFactory(genericiooptions.IOStreams{In: strings.NewReader(input), Out: &stdout, ErrOut: &stderr}))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err = cmd.Execute()
	return stdout.String(), stderr.String(), err
}

func TestArguments(t *testing.T) {
	for args, want := range map[string]string{
		"":                              "give the TYPE and the NAME of an object, such as deployments web",
		"deployments":                   `give the NAME of the object after the type "deployments"`,
		"deployments a b":               `give one object: "b" is too much`,
		"deployments web -f x":          `give TYPE NAME or --filename, not both ("deployments web")`,
		"deployments web -o wide":       `--output takes json, yaml or name, not "wide"`,
		"deployments/web -o yaml -t":    "--output only prints, so it cannot be used with --enable-type; it needs no enabled type",
		"-f /does/not/exist":            "open /does/not/exist: no such file or directory",
		"deployments web --no-such":     "unknown flag: --no-such",
		"--filename /does/not/exist -t": "open /does/not/exist: no such file or directory",
	} {
		if _, _, err := run("", strings.Fields(args)...); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}

const manifests = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
# Nothing but a comment.
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop, uid: 1a}
spec: {maxReplicas: 5}
status: {currentReplicas: 1}
---
apiVersion: v1
kind: List
items:
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRole
  metadata: {name: reader}
- apiVersion: v1
  kind: Pod
  metadata: {name: web-1, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: 2b, controller: true}]}
`

const federatedManifests = `---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata:
  name: shop
  namespace: shop
spec:
  placement:
    clusterSelector:
      matchLabels: {}
  template:
    apiVersion: v1
    kind: Namespace
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedHorizontalPodAutoscaler
metadata:
  name: web
  namespace: shop
spec:
  placement:
    clusterSelector:
      matchLabels: {}
  template:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    spec:
      maxReplicas: 5
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedClusterRole
metadata:
  name: reader
spec:
  placement:
    clusterSelector:
      matchLabels: {}
  template:
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
`

func TestFile(t *testing.T) {
	out, errOut, err := run(manifests, "-f", "-", "-n", "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(federatedManifests, out); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := "warning: --namespace has no effect with --filename\nskipped pods web-1: it is controlled by ReplicaSet \"web\"; federate that\n"; errOut != want {
		t.Errorf("%s, want %s", errOut, want)
	}
	out, _, err = run(`{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}`, "-f", "-", "--federated-group", "fed.example.com", "--federated-version", "v1")
	if err != nil || !strings.HasPrefix(out, "---\napiVersion: fed.example.com/v1\nkind: FederatedConfigMap\n") {
		t.Errorf("%v in %s", err, out)
	}
}

func TestFileWithoutAPIVersion(t *testing.T) {
	out, errOut, err := run(`{kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: 1}}`, "-f", "-")
	if err != nil || !strings.Contains(out, "apiVersion: apps/v1\n") || !strings.Contains(out, "kind: FederatedDeployment\n") {
		t.Errorf("%v in %s", err, out)
	}
	if want := "warning: Deployment \"web\" names no apiVersion, and is taken for apps/v1\n"; errOut != want {
		t.Errorf("%s, want %s", errOut, want)
	}
	for kind, want := range map[string]string{"Event": "v1", "Ingress": "networking.k8s.io/v1", "HorizontalPodAutoscaler": "autoscaling/v2", "Widget": ""} {
		if got := versionOf(kind); got != want {
			t.Errorf("%s is taken for %q", kind, got)
		}
	}
}

func TestBadFile(t *testing.T) {
	for input, want := range map[string]string{
		"":                                    "-: there is nothing in it that can be federated",
		"a: b":                                "-: document 1: Object 'Kind' is missing",
		"{":                                   "-: document 1: ",
		"7":                                   "-: document 1: ",
		"kind: List\nitems: [7]":              "-: document 1: ",
		"kind: List\nitems: 7":                "-: document 1: ",
		"---\n---\nkind: Service":             `-: document 2: Service "": metadata.name must be set`,
		"{kind: Widget, metadata: {name: w}}": `-: document 1: Widget "w": apiVersion must be set: Kubernetes has no such kind of its own`,
		"{apiVersion: v1, kind: Secret, metadata: {generateName: s}}":       `-: document 1: Secret "": metadata.name must be set`,
		"{apiVersion: v1, kind: Event, metadata: {name: e, namespace: n}}":  "-: there is nothing in it that can be federated",
		"{apiVersion: v1, kind: ConfigMap, metadata: [], data: {}}":         `-: document 1: `,
		"{apiVersion: v1, kind: 'a b', metadata: {name: c, namespace: n1}}": `-: a b "c": `,
	} {
		if _, _, err := run(input, "-f", "-"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", input, err, want)
		}
	}
}

func TestSkips(t *testing.T) {
	deployments := metav1.APIResource{Group: "apps", Name: "deployments", SingularName: "deployment", Kind: "Deployment", ShortNames: []string{"deploy"}}
	for _, name := range []string{"apps", "deployments", "deployment", "Deployment", "deploy", "deployments.apps", "DEPLOY"} {
		if !skips(name, deployments) {
			t.Errorf("%s does not skip deployments", name)
		}
	}
	secrets := metav1.APIResource{Name: "secrets", Kind: "Secret"} // in the group "", with no singular
	for _, name := range []string{"", "apps", "deployments", "secrets.apps"} {
		if skips(name, secrets) {
			t.Errorf("%q skips secrets", name)
		}
	}
}

func TestContentTypes(t *testing.T) {
	verbs := metav1.Verbs{"create", "delete", "get", "list", "patch", "update", "watch"}
	list := func(gv string, kinds ...string) *metav1.APIResourceList {
		out := &metav1.APIResourceList{GroupVersion: gv}
		for _, kind := range kinds {
			out.APIResources = append(out.APIResources, metav1.APIResource{Name: strings.ToLower(kind) + "s", Kind: kind, Namespaced: kind != "Namespace", Verbs: verbs})
		}
		return out
	}
	s := &source{
		opts: &Options{Skip: []string{"secret", "batch", "nonsense"}},
		types: []typeconfig.Type{{Federated: typeconfig.Resource{
			GVR: schema.GroupVersionResource{Group: "fed.example.com", Version: "v1", Resource: "federatedwidgets"},
		}}},
	}
	s.served.lists = []*metav1.APIResourceList{
		list("v1", "Secret", "Pod", "Event", "ConfigMap", "Namespace"),
		list("apps/v1", "Deployment", "ControllerRevision"),
		list("extensions/v1beta1", "Deployment"),
		list("batch/v1", "Job"),
		list("types.kubefed.io/v1beta1", "FederatedConfigMap"),
		list("scheduling.kubefed.io/v1alpha1", "ReplicaSchedulingPreference"),
		list("fed.example.com/v1", "FederatedWidget"),
		{GroupVersion: "authorization.k8s.io/v1", APIResources: []metav1.APIResource{{Name: "localsubjectaccessreviews", Kind: "LocalSubjectAccessReview", Namespaced: true, Verbs: metav1.Verbs{"create"}}}},
		{GroupVersion: "a/b/c"},
	}
	targets, unknown := s.contentTypes()
	var names []string
	for _, target := range targets {
		names = append(names, resourceName(target))
	}
	if got, want := strings.Join(names, " "), "configmaps deployments.apps pods"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := strings.Join(unknown, " "); got != "nonsense" {
		t.Errorf("unknown names: %s", got)
	}
}

func TestRefuseDisabled(t *testing.T) {
	batches := []batch{{typ: typeconfig.Type{Name: "namespaces"}, enabled: true}, {typ: typeconfig.Type{Name: "roles.x"}}, {typ: typeconfig.Type{Name: "statefulsets.apps"}}}
	one := &Options{Name: "web"}
	if err := one.refuseDisabled(batches[:1]); err != nil {
		t.Error(err)
	}
	if err := one.refuseDisabled(batches[1:2]); err == nil || err.Error() != `roles.x is not a federated type: enable it with "fedctl enable roles.x", or add --enable-type` {
		t.Error(err)
	}
	err := (&Options{Name: "shop", Contents: true}).refuseDisabled(batches)
	if err == nil || !strings.HasPrefix(err.Error(), "namespace shop has objects of types that are not federated: roles.x, statefulsets.apps. Nothing was done.") ||
		!strings.HasSuffix(err.Error(), "--skip-api-resources roles.x,statefulsets.apps") {
		t.Error(err)
	}
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	objects, err := decode(strings.NewReader(text))
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, %v in %s", len(objects), err, text)
	}
	return objects[0]
}
