package disable

import (
	"bytes"
	"testing"
)

func TestTellsHowMembersLoseTheRightToGrant(t *testing.T) {
	for want, commands := range map[string][]string{
		"": nil,
		"\nwarning: in each member the controller may go on to grant any right, which clusterroles.rbac.authorization.k8s.io needed. Join each again to take that away:\n" +
			"  fedctl join a\n  fedctl join b --cluster-context c\n": {"fedctl join a", "fedctl join b --cluster-context c"},
	} {
		var out bytes.Buffer
		printRights(&out, "clusterroles.rbac.authorization.k8s.io", commands)
		if out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}
