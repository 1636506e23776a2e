package members

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

func TestPathsOfObjects(t *testing.T) {
	for path, want := range map[string]bool{
		"/api/v1/pods":                                  false,
		"/api/v1/namespaces":                            false,
		"/api/v1/namespaces/shop":                       true,
		"/api/v1/namespaces/shop/pods":                  false,
		"/api/v1/namespaces/shop/pods/web":              true,
		"/apis/apps/v1/deployments":                     false,
		"/apis/apps/v1/namespaces/shop/deployments":     false,
		"/apis/apps/v1/namespaces/shop/deployments/web": true,
		"/apis/rbac.authorization.k8s.io/v1/x/name":     true,
	} {
		if got := isNamed(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func partOf(t *testing.T, list string, form union.Form) *part {
	t.Helper()
	p := &part{objects: union.NewKnown()}
	if err := p.take(strings.NewReader(list), form); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestListsOfMembersBecomeOne(t *testing.T) {
	found := &Reached{Missing: []union.Missing{{Cluster: "z", Reason: NoContext}}}
	absent := apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "x")
	got, _, err := joined(map[string]*part{
		"b": partOf(t, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"y","uid":"2"}}]}`, union.Form{}),
		"a": partOf(t, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"x","uid":"1"}}]}`, union.Form{}),
		"c": {notFound: absent},
		"d": partOf(t, `{"kind":"SecretList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"s","uid":"3"}}]}`, union.Form{}),
	}, union.Form{}, found)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	for _, want := range []string{`"kind":"PodList"`, `"fleet.fedctl.io/cluster":"a"`, `"fleet.fedctl.io/cluster":"b"`, `"resourceVersion":"a=5,b=7"`, `\"z\"`, `\"d\"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
	if strings.Index(text, `"x"`) > strings.Index(text, `"y"`) || strings.Contains(text, `"name":"s"`) {
		t.Errorf("%s", text)
	}
	if _, _, err := joined(map[string]*part{"c": {notFound: absent}}, union.Form{}, found); !errors.Is(err, absent) {
		t.Errorf("what nobody has is %v", err)
	}
	if _, _, err := joined(nil, union.Form{}, found); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("where nobody answers: %v", err)
	}
}

func TestJointTablesHaveTheClusterFirst(t *testing.T) {
	form := union.Form{As: union.Table, Version: "v1"}
	table := `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"1"},"columnDefinitions":[{"name":"Name"}],"rows":[{"cells":["web"],"object":{"metadata":{"name":"web"}}}]}`
	got, _, err := joined(map[string]*part{"oslo": partOf(t, table, form)}, form, &Reached{})
	if err != nil || !strings.Contains(string(got), `"cells":["oslo","web"]`) || !strings.Contains(string(got), `[{"name":"Cluster"`) {
		t.Errorf("%s %v", got, err)
	}
}
