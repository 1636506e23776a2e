package orphaning

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

func TestNamespaceFor(t *testing.T) {
	namespaced := typeconfig.Type{Federated: typeconfig.Resource{Namespaced: true}}
	namespace := typeconfig.Type{IsNamespace: true, Federated: typeconfig.Resource{Namespaced: true}}
	for _, test := range []struct {
		typ  typeconfig.Type
		flag string
		want string
	}{
		{typ: typeconfig.Type{}, flag: "shop", want: ""},
		{typ: namespaced, flag: "shop", want: "shop"},
		{typ: namespace, flag: "", want: "name"},
		{typ: namespace, flag: "shop", want: "shop"},
	} {
		got, err := (&Options{Name: "name", Namespace: test.flag}).namespaceFor(test.typ)
		if err != nil || got != test.want {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
}

func TestGetError(t *testing.T) {
	gvk := schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedDeployment"}
	typ := typeconfig.Type{Name: "deployments.apps", Federated: typeconfig.Resource{GVK: gvk}}
	missing := apierrors.NewNotFound(schema.GroupResource{}, "web")
	for want, err := range map[string]error{
		`the host cluster has no FederatedDeployment "web" in namespace shop: choose another namespace with -n, or see "fedctl status deployments.apps -A"`: getError(typ, "shop", "web", missing),
		`the host cluster has no FederatedDeployment "web": see "fedctl status deployments.apps -A"`:                                                        getError(typ, "", "web", missing),
		`reading FederatedDeployment "web" in namespace shop: no`:                                                                                           getError(typ, "shop", "web", errors.New("no")),
	} {
		if err.Error() != want {
			t.Errorf("%s, want %s", err, want)
		}
	}
}

func TestPatch(t *testing.T) {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetUID("1a")
	for enable, want := range map[bool]string{
		true:  `{"metadata":{"annotations":{"kubefed.io/orphan":"true"},"uid":"1a"}}`,
		false: `{"metadata":{"annotations":{"kubefed.io/orphan":null},"uid":"1a"}}`,
	} {
		if got := string(patch(u, enable)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestStatusSaysWhatTheControllerWillDo(t *testing.T) {
	for value, want := range map[string]string{"": "Disabled\n", "false": "Disabled\n", "true": "Enabled\n", "True": "Enabled\n", "maybe": ""} {
		u := &unstructured.Unstructured{Object: map[string]any{"kind": "FederatedConfigMap"}}
		u.SetName("settings")
		u.SetAnnotations(map[string]string{"kubefed.io/orphan": value})
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		err := (&Options{factory: cmdutil.NewFactory(streams)}).printStatus(u)
		if out.String() != want || (err != nil) != (value == "maybe") {
			t.Errorf("%q: printed %q, %v", value, out.String(), err)
		}
		if err != nil && !strings.Contains(err.Error(), `must be "true" or "false", is "maybe": the object is not deleted before that is mended`) {
			t.Error(err)
		}
	}
}

func TestSubcommands(t *testing.T) {
	cmd := NewCommand(cmdutil.NewFactory(genericiooptions.NewTestIOStreamsDiscard()))
	for _, name := range []string{"enable", "disable", "status"} {
		sub, _, err := cmd.Find([]string{name})
		if err != nil || sub.Name() != name {
			t.Errorf("%s: %v, %v", name, sub, err)
		}
	}
}
