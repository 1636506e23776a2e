package fleetapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/transport"
)

func TestImpersonated(t *testing.T) {
	for _, test := range []struct {
		name string
		user user.DefaultInfo
		want transport.ImpersonationConfig
		err  string
	}{
		{
			"a person", user.DefaultInfo{Name: "alice", UID: "u", Groups: []string{"dev", "system:authenticated"}, Extra: map[string][]string{"example.com/team": {"a"}}},
			transport.ImpersonationConfig{UserName: "alice", UID: "u", Groups: []string{"dev", "host:system:authenticated"}, Extra: map[string][]string{"example.com/team": {"a"}}}, "",
		},
		{
			"an administrator", user.DefaultInfo{Name: "root", Groups: []string{"system:masters"}},
			transport.ImpersonationConfig{UserName: "root", Groups: []string{"host:system:masters"}}, "",
		},
		{
			"a ServiceAccount", user.DefaultInfo{
				Name: "system:serviceaccount:a:b", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:a"},
				Extra: map[string][]string{"authentication.kubernetes.io/node-name": {"n"}},
			},
			transport.ImpersonationConfig{
				UserName: "host:system:serviceaccount:a:b", Groups: []string{"host:system:serviceaccounts", "host:system:serviceaccounts:a"},
				Extra: map[string][]string{"host:authentication.kubernetes.io/node-name": {"n"}},
			}, "",
		},
		{"a component", user.DefaultInfo{Name: "system:kube-scheduler"}, transport.ImpersonationConfig{UserName: "host:system:kube-scheduler"}, ""},
		{"a name that only begins alike", user.DefaultInfo{Name: "systems", Extra: map[string][]string{"notkubernetes.io/x": {"y"}}},
			transport.ImpersonationConfig{UserName: "systems", Extra: map[string][]string{"notkubernetes.io/x": {"y"}}}, ""},
		{"nobody", user.DefaultInfo{Name: "system:anonymous", Groups: []string{"system:unauthenticated"}}, transport.ImpersonationConfig{}, "without a login"},
		{"no name", user.DefaultInfo{}, transport.ImpersonationConfig{}, "without a login"},
		{"a name with the prefix", user.DefaultInfo{Name: "host:system:serviceaccount:a:b"}, transport.ImpersonationConfig{}, `begins with "host:"`},
		{"a group with the prefix", user.DefaultInfo{Name: "eve", Groups: []string{"host:x"}}, transport.ImpersonationConfig{}, `the group "host:x" begins with`},
		{"a field with the prefix", user.DefaultInfo{Name: "eve", Extra: map[string][]string{"host:x": {"y"}}}, transport.ImpersonationConfig{}, "begins with"},
		{"a name that is trimmed", user.DefaultInfo{Name: " system:admin"}, transport.ImpersonationConfig{}, "spaces around it"},
		{"a group that is trimmed", user.DefaultInfo{Name: "eve", Groups: []string{"system:masters\t"}}, transport.ImpersonationConfig{}, "spaces around it"},
		{"a space of another script", user.DefaultInfo{Name: "eve", Groups: []string{"\u00a0system:masters"}}, transport.ImpersonationConfig{}, "spaces around it"},
		{"a second header", user.DefaultInfo{Name: "eve\r\nImpersonate-Group: system:masters"}, transport.ImpersonationConfig{}, "control characters"},
		{"an empty group", user.DefaultInfo{Name: "eve", Groups: []string{""}}, transport.ImpersonationConfig{}, "is empty"},
		{"a field in capitals", user.DefaultInfo{Name: "eve", Extra: map[string][]string{"Scopes": {"y"}}}, transport.ImpersonationConfig{}, "cannot be told"},
		{"a value with a line", user.DefaultInfo{Name: "eve", Extra: map[string][]string{"scopes": {"y\nz"}}}, transport.ImpersonationConfig{}, "cannot be told"},
		{"an odd UID", user.DefaultInfo{Name: "eve", UID: "a\x00"}, transport.ImpersonationConfig{}, "UID"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := impersonated(&test.user, "host:")
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want one with %q", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); err == nil && diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Whatever the host says of somebody, in a member he has no name that means something by
// itself, and one that is unlike all others'.
func FuzzImpersonated(f *testing.F) {
	f.Add("alice", "system:masters", "host:")
	f.Add("host:system:x", "", "host:")
	f.Add(" system:x", "system:", "h")
	f.Fuzz(func(t *testing.T, name, group, prefix string) {
		if !plain(prefix) || strings.HasPrefix(prefix, reserved) || strings.HasPrefix(reserved, prefix) {
			t.Skip()
		}
		got, err := impersonated(&user.DefaultInfo{Name: name, Groups: []string{group}}, prefix)
		if err != nil {
			return
		}
		for from, to := range map[string]string{name: got.UserName, group: got.Groups[0]} {
			if strings.HasPrefix(strings.TrimSpace(to), reserved) {
				t.Errorf("%q becomes %q", from, to)
			}
			if back, had := strings.CutPrefix(to, prefix); had && (back != from || !strings.HasPrefix(from, reserved)) || !had && to != from {
				t.Errorf("%q becomes %q, which is that of another", from, to)
			}
		}
	})
}
