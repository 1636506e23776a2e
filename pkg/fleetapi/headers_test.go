package fleetapi

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestForMember(t *testing.T) {
	got := forMember(http.Header{
		"Accept": {"a", "b"}, "User-Agent": {"kubectl"}, "Authorization": {"x"}, "Cookie": {"x"}, "X-Remote-User": {"x"}, "Impersonate-User": {"x"},
		"Sec-Websocket-Protocol": {"v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.abc", "BASE64URL.bearer.authorization.k8s.io.abc", "v4.channel.k8s.io"},
	})
	want := http.Header{"Accept": {"a", "b"}, "User-Agent": {"kubectl"}, "Sec-Websocket-Protocol": {"v5.channel.k8s.io, v4.channel.k8s.io"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := forMember(http.Header{"Sec-Websocket-Protocol": {"base64url.bearer.authorization.k8s.io.abc"}}); got.Get("Sec-Websocket-Protocol") != "" {
		t.Errorf("a login passes: %v", got)
	}
	if agent, said := forMember(nil)["User-Agent"]; !said || agent[0] != "" {
		t.Errorf("what Go calls itself would pass: %v", agent)
	}
}

func TestForClient(t *testing.T) {
	for _, test := range []struct{ after, want string }{{"5", "5"}, {"60", "60"}, {"61", ""}, {"-1", ""}, {"Fri, 31 Dec 1999 23:59:59 GMT", ""}, {"", ""}} {
		got := forClient(http.Header{"Retry-After": {test.after}, "Set-Cookie": {"a"}, "Location": {"b"}, "Warning": {"c"}})
		if got.Get("Retry-After") != test.want || got.Get("Warning") != "c" || len(got["Set-Cookie"])+len(got["Location"]) > 0 {
			t.Errorf("%q: %v", test.after, got)
		}
	}
}
