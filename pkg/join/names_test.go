package join

import (
	"cmp"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestHostClusterName(t *testing.T) {
	for context, want := range map[string]string{
		"host": "host", "kind-Host": "kind-host", "admin@prod": "admin-prod", "gke_p_z_c": "gke-p-z-c", "arn:aws:eks/x.": "arn-aws-eks-x",
	} {
		if got := HostClusterName(context); got != want {
			t.Errorf("HostClusterName(%q) = %q, want %q", context, got, want)
		}
	}
}

func TestNamesAreCheckedBeforeAnythingIsWritten(t *testing.T) {
	long := strings.Repeat("x", 63)
	for _, good := range []Options{
		{ClusterName: "member", HostClusterName: "host", KubeFedNamespace: "ns"},
		{ClusterName: long, DefaultHostClusterName: "host", KubeFedNamespace: long, SecretName: "a.b"},
	} {
		if err := good.validateNames(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for name, bad := range map[string]Options{
		"no name":                 {},
		"upper case":              {ClusterName: "Member"},
		"underscore":              {ClusterName: "a_b"},
		"slash":                   {ClusterName: "a/b"},
		"longer than a label":     {ClusterName: long + "x"},
		"account name too long":   {ClusterName: long, HostClusterName: strings.Repeat("y", 190)},
		"host name":               {ClusterName: "member", HostClusterName: "a_b"},
		"namespace":               {ClusterName: "member", KubeFedNamespace: "a.b"},
		"namespace of 64":         {ClusterName: "member", KubeFedNamespace: long + "x"},
		"Secret":                  {ClusterName: "member", SecretName: "A"},
		"Secret longer than 253":  {ClusterName: "member", SecretName: strings.Repeat("s", 254)},
		"host name that ends bad": {ClusterName: "member", HostClusterName: "host-"},
	} {
		bad.HostClusterName = cmp.Or(bad.HostClusterName, "host")
		bad.KubeFedNamespace = cmp.Or(bad.KubeFedNamespace, "ns")
		if bad.validateNames() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Names that a member tells are copied into a shell by whoever follows the advice.
func TestAdvisedCommandsAreOneCommand(t *testing.T) {
	o := Options{ClusterName: "m", ClusterContext: "a'; reboot #"}
	for name, want := range map[string]string{
		"m-host":         "serviceaccount m-host " + HostUIDAnnotation + "=u",
		"x; curl e | sh": "serviceaccount 'x; curl e | sh' " + HostUIDAnnotation + "=u",
		"--server=e":     "serviceaccount server=e " + HostUIDAnnotation + "=u",
	} {
		got := claimCommand(client.ObjectKey{Namespace: "ns", Name: name}, "u", o)
		if got != `kubectl --context 'a'\''; reboot #' --namespace ns annotate --overwrite `+want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
