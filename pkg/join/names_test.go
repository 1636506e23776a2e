package join

import (
	"strings"
	"testing"
)

func TestHostClusterName(t *testing.T) {
	for context, want := range map[string]string{
		"host": "host", "kind-Host": "kind-host", "admin@prod": "admin-prod", "gke_p_z_c": "gke-p-z-c", "arn:aws:eks/x.": "arn-aws-eks-x",
	} {
		if got := HostClusterName(context); got != want {
			t.Errorf("HostClusterName(%q) = %q, want %q", context, got, want)
		}
	}
	if err := validateNames("member", "host"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "Member", "a_b", "a/b", strings.Repeat("x", 254)} {
		if validateNames(bad, "host") == nil {
			t.Errorf("name %q accepted", bad)
		}
	}
}
