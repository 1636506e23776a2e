package join

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/reach"
)

// serviceAccountName is KubeFed's name of the account in the member, and of its
// token Secret there.
func serviceAccountName(clusterName, hostClusterName string) string {
	return clusterName + "-" + hostClusterName
}

// roleName is KubeFed's name of the role and its binding in the member.
func roleName(serviceAccount string) string { return reach.RoleName(serviceAccount) }

// namespaceRoleName is the name of the cluster role that is bound by namespace, and of its bindings.
func namespaceRoleName(serviceAccount string) string { return reach.NamespaceRole(serviceAccount) }

// healthRoleName is KubeFed's name of the cluster role for health checks that
// goes with a role limited to one namespace.
func healthRoleName(serviceAccount, namespace string) string {
	return fmt.Sprintf("%s:%s:healthcheck-%s", kubefedconfig.KubeFedController, namespace, serviceAccount)
}

// tokenRoleName is the name of the role with which the account renews its own token.
func tokenRoleName(serviceAccount string) string { return roleName(serviceAccount) + ":token" }

// hostSecretName is the default name of the Secret in the host.
func hostSecretName(clusterName string) string { return clusterName + "-credentials" }

var notInNames = regexp.MustCompile(`[^a-z0-9.-]+`)

// HostClusterName makes a name that can be part of an object's name out of the
// host cluster's context, which may be "admin@host" or "gke_project_zone_host".
func HostClusterName(context string) string {
	name := notInNames.ReplaceAllString(strings.ToLower(context), "-")
	return strings.Trim(name, "-.")
}

// validateNames checks the names of all that Join writes, before anything is written.
func (o *Options) validateNames() error {
	if problems := validation.IsDNS1123Subdomain(o.ClusterName); len(problems) > 0 {
		return fmt.Errorf("cluster name %q cannot be the name of a KubeFedCluster: %s", o.ClusterName, problems[0])
	}
	if len(o.ClusterName) > validation.LabelValueMaxLength {
		return fmt.Errorf("cluster name %q has %d characters: it becomes the value of a label, which has %d at most", o.ClusterName, len(o.ClusterName), validation.LabelValueMaxLength)
	}
	if problems := validation.IsDNS1123Subdomain(serviceAccountName(o.ClusterName, o.hostName())); len(problems) > 0 {
		return fmt.Errorf("host cluster name %q cannot be part of the name of the account in the member (%s): set --host-cluster-name", o.hostName(), problems[0])
	}
	if problems := validation.IsDNS1123Label(o.KubeFedNamespace); len(problems) > 0 {
		return fmt.Errorf("%q cannot be the name of a namespace (%s): set --kubefed-namespace", o.KubeFedNamespace, problems[0])
	}
	if problems := validation.IsDNS1123Subdomain(o.SecretName); o.SecretName != "" && len(problems) > 0 {
		return fmt.Errorf("%q cannot be the name of a Secret (%s): set --secret-name", o.SecretName, problems[0])
	}
	return nil
}
