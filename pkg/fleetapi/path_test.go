package fleetapi

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"
)

const below = "/apis/fleet.fedctl.io/v1alpha1/clusters/m/proxy"

func TestMemberPath(t *testing.T) {
	for _, test := range []struct {
		path, want string
		err        error
	}{
		{below, "/", nil},
		{below + "/", "/", nil},
		{below + "/api/v1/pods", "/api/v1/pods", nil},
		{below + "/api/v1/namespaces/a/services/b:80/proxy/x//y", "/api/v1/namespaces/a/services/b:80/proxy/x//y", nil},
		{below + "/a/..b/c...", "/a/..b/c...", nil},
		{below + "/100%", "/100%", nil},
		{below + "/../x", "", errDots},
		{below + "/a/./b", "", errDots},
		{below + "/a/..", "", errDots},
		{below + "/%2e%2e/x", "", errDots},
		{below + "/%252e%252e/x", "", errDots},
		{below + "/..%2fx", "", errDots},
		{below + `/..\x`, "", errDots},
		{below + "/..;a=b/x", "", errDots},
		{below + "//other.example", "", errHost},
		{below + "x/y", "", errPath},
		{"/apis/fleet.fedctl.io/v1alpha1/clusters/n/proxy/x", "", errPath},
		{"/x", "", errPath},
	} {
		if got, err := memberPath(test.path, "m"); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %q, %v", test.path, got, err)
		}
	}
}

// Nothing gets out of the path at which a member is known, however often it is decoded.
func FuzzMemberPath(f *testing.F) {
	for _, seed := range []string{"/api", "/../x", "/%2e%2e/", "/%25%32%65./x", "//x", "/a/.%2e/b", "/%"} {
		f.Add(seed)
	}
	endpoint := &url.URL{Scheme: "https", Host: "gateway.example", Path: "/k8s/clusters/c-1"}
	f.Fuzz(func(t *testing.T, rest string) {
		got, err := memberPath(below+rest, "m")
		if err != nil {
			return
		}
		to := memberURL(endpoint, got, "")
		if to.Host != endpoint.Host || to.Scheme != endpoint.Scheme {
			t.Fatalf("%q leads to %s", rest, to)
		}
		for p := to.Path; ; {
			if clean := path.Clean(p); clean != endpoint.Path && !strings.HasPrefix(clean, endpoint.Path+"/") {
				t.Fatalf("%q leads to %s", rest, clean)
			}
			again, err := url.PathUnescape(p)
			if err != nil || again == p {
				return
			}
			p = again
		}
	})
}
