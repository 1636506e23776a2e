package fleet

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

var scaledObjects = typeconfig.Resource{
	GVR: schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"},
	GVK: schema.GroupVersionKind{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"}, Namespaced: true,
}

// standIn answers with what is set, by path, and to everything else with a code.
type standIn struct {
	answers map[string]string
	code    int
	asked   []string
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, r.URL.Path)
	answer, ok := s.answers[r.URL.Path]
	if !ok {
		http.Error(w, "no", s.code)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(answer))
}

// discoveries are what an API server says of the groups that it serves.
func discoveries(groupVersions ...string) string {
	all := make([]string, 0, len(groupVersions))
	for _, name := range groupVersions {
		group, version, _ := strings.Cut(name, "/")
		all = append(all, `{"name":"`+group+`","versions":[{"groupVersion":"`+name+`","version":"`+version+`"}]}`)
	}
	return `{"kind":"APIGroupList","apiVersion":"v1","groups":[` + strings.Join(all, ",") + `]}`
}

func resourcesOf(groupVersion, name string) string {
	return `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"` + groupVersion + `","resources":[{"name":"` + name + `"}]}`
}

// There are no objects of a resource where an API server says that it does not serve it. Any
// other 404, and a 403 in any case, says nothing.
func TestDiscovery(t *testing.T) {
	const version = "keda.sh/v1alpha1"
	for name, test := range map[string]struct {
		answers map[string]string
		code    int
		lacks   bool
		asked   int // beside the list itself
	}{
		"without the group":                  {map[string]string{"/apis": discoveries("apps/v1")}, 404, true, 1},
		"with another version":               {map[string]string{"/apis": discoveries("keda.sh/v2")}, 404, true, 1},
		"with another resource":              {map[string]string{"/apis": discoveries(version), "/apis/" + version: resourcesOf(version, "scaledjobs")}, 404, true, 2},
		"served after all":                   {map[string]string{"/apis": discoveries(version), "/apis/" + version: resourcesOf(version, "scaledobjects")}, 404, false, 2},
		"half of it cannot be asked":         {map[string]string{"/apis": discoveries(version)}, 404, false, 2},
		"a load balancer":                    {nil, 404, false, 1},
		"something that agrees to all":       {map[string]string{"/apis": `{}`}, 404, false, 1},
		"refused, without the group":         {map[string]string{"/apis": discoveries("apps/v1")}, 403, true, 1},
		"refused, with another version":      {map[string]string{"/apis": discoveries("keda.sh/v2")}, 403, true, 1},
		"refused, and served":                {map[string]string{"/apis": discoveries(version), "/apis/" + version: resourcesOf(version, "scaledobjects")}, 403, false, 2},
		"refused by something else":          {nil, 403, false, 1},
		"an error is no absence":             {map[string]string{"/apis": discoveries("apps/v1")}, 500, false, 0},
		"the credentials are no longer good": {map[string]string{"/apis": discoveries("apps/v1")}, 401, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := &standIn{answers: test.answers, code: test.code}
			d, source := s.start(t)
			ctx, end := context.WithCancel(t.Context())
			source.Retry = time.Hour // one try
			failed := make(chan struct{}, 1)
			source.Patience = time.Millisecond
			source.OnTrouble = func() {
				select {
				case failed <- struct{}{}:
				default:
				}
			}
			w := Follow(ctx, d.Explain(source, scaledObjects.GVR), NewTable(Rules[value]{Read: readValue}))
			<-failed
			end()
			<-w.Done()
			if w.Lacks() != test.lacks || w.Undefined() != test.lacks || w.Synced() != test.lacks || w.Problem() == nil {
				t.Errorf("lacks: %t, undefined: %t, synced: %t: %v", w.Lacks(), w.Undefined(), w.Synced(), w.Problem())
			}
			asked := slices.DeleteFunc(s.asked, func(path string) bool { return strings.HasSuffix(path, "/scaledobjects") })
			if len(asked) != test.asked {
				t.Errorf("asked %v", asked)
			}
		})
	}
}

// What nobody can say now is as it was said last, but not to who is refused: it may have come
// to be served, and not to be read.
func TestDiscoveryRemembers(t *testing.T) {
	s := &standIn{}
	d, source := s.start(t)
	source = d.Explain(source, scaledObjects.GVR)
	w := NewWatch(t.Context(), NewTable(Rules[value]{Read: readValue}))
	for _, then := range []struct {
		answer string
		code   int
		lacks  bool
	}{
		{"", 404, false},
		{discoveries("apps/v1"), 404, true},
		{"", 404, true},
		{"", 500, true},
		{"", 403, false},
		{discoveries("apps/v1"), 403, true},
		{"", 404, true},
	} {
		s.answers, s.code = nil, then.code
		if then.answer != "" {
			s.answers = map[string]string{"/apis": then.answer}
		}
		_, err := source.List(t.Context(), metav1.ListOptions{})
		w.failed(t.Context(), source, err)
		if w.Lacks() != then.lacks {
			t.Errorf("after %d and %q: lacks is %t: %v", then.code, then.answer, w.Lacks(), err)
		}
	}
}

// start begins to answer, until the test ends.
func (s *standIn) start(t *testing.T) (Discovery, Source) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, QPS: -1}
	source := Objects(dynamic.NewForConfigOrDie(config), scaledObjects, "")
	source.Log = logr.Discard()
	return Discovery{Paths: kubernetes.NewForConfigOrDie(config).Discovery().RESTClient(), Timeout: time.Minute}, source
}
