package capacity

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/dynamic"
	resourcev1client "k8s.io/client-go/kubernetes/typed/resource/v1"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/fleet"
)

// A resource is not served where an API server says so. Another 404 says nothing: it would take
// away what was known of the member.
func TestNotServed(t *testing.T) {
	groups := func(names ...string) string {
		all := make([]string, 0, len(names))
		for _, name := range names {
			group, version, _ := strings.Cut(name, "/")
			all = append(all, `{"name":"`+group+`","versions":[{"groupVersion":"`+name+`","version":"`+version+`"}]}`)
		}
		return `{"kind":"APIGroupList","apiVersion":"v1","groups":[` + strings.Join(all, ",") + `]}`
	}
	served := groups("resource.k8s.io/v1", "karpenter.sh/v1")
	resources := func(group string, names ...string) string {
		return `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"` + group + `","resources":[{"name":"` + strings.Join(names, `"},{"name":"`) + `"}]}`
	}
	for name, tt := range map[string]struct {
		answers  map[string]string // others are a 404
		unserved bool
	}{
		"an API server without the groups":        {map[string]string{"/apis": groups("apps/v1")}, true},
		"an API server with other versions":       {map[string]string{"/apis": groups("resource.k8s.io/v1beta1", "karpenter.sh/v1beta1")}, true},
		"an API server with other resources":      {map[string]string{"/apis": served, "/apis/resource.k8s.io/v1": resources("resource.k8s.io/v1", "x"), "/apis/karpenter.sh/v1": resources("karpenter.sh/v1", "nodeclaims")}, true},
		"an API server that serves it after all":  {map[string]string{"/apis": served, "/apis/resource.k8s.io/v1": resources("resource.k8s.io/v1", "resourceslices", "deviceclasses", "devicetaintrules"), "/apis/karpenter.sh/v1": resources("karpenter.sh/v1", "nodepools")}, false},
		"one of which more is not known":          {map[string]string{"/apis": served}, false},
		"a load balancer without anything behind": {nil, false},
		"something that says yes to everything":   {map[string]string{"/apis": `{}`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer, ok := tt.answers[r.URL.Path]
				if !ok {
					http.NotFound(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(answer))
			}))
			t.Cleanup(server.Close)
			config := &rest.Config{Host: server.URL}
			devices, pools := resourcev1client.NewForConfigOrDie(config), dynamic.NewForConfigOrDie(config)
			d := followDrivers(t.Context(), devices, pools, fleet.NewDiscovery(devices.RESTClient(), time.Minute), "m", logr.Discard(), func() {})
			k := followNodePools(t.Context(), pools, fleet.NewDiscovery(devices.RESTClient(), time.Minute), "m", logr.Discard(), func() {})
			for _, w := range append(d.watches, d.rulesWatch, k.watch) {
				for began := time.Now(); w.Problem() == nil; time.Sleep(10 * time.Millisecond) {
					if time.Since(began) > time.Minute {
						t.Fatal("nothing is wrong")
					}
				}
				if w.Lacks() != tt.unserved {
					t.Errorf("lacks is %t: %v", w.Lacks(), w.Problem())
				}
			}
			if d.unserved() != tt.unserved || k.unserved() != tt.unserved {
				t.Errorf("unserved: %t, %t", d.unserved(), k.unserved())
			}
		})
	}
}
