package kubeconfig

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

// What is in the user's kubeconfig by the name of a context and leads elsewhere stays as it
// is, and is not said to be merged.
func TestMergeInto(t *testing.T) {
	host := &cmdutil.HostThrough{Context: "h", AuthInfo: "me", Cluster: &clientcmdapi.Cluster{Server: "https://h/", CertificateAuthorityData: []byte("new")}}
	ours := &clientcmdapi.Cluster{Server: host.Server("a"), CertificateAuthorityData: []byte("old"), LocationOfOrigin: "file"}
	for name, test := range map[string]struct {
		cluster *clientcmdapi.Cluster
		context *clientcmdapi.Context
		want    map[string]string
		err     string
	}{
		"nothing is there":      {want: map[string]string{"h/a": "added", "h/b": "added"}},
		"it is there":           {cluster: ours, context: &clientcmdapi.Context{Cluster: "h/a", AuthInfo: "me", Namespace: "own"}, want: map[string]string{"h/a": "up to date", "h/b": "added"}},
		"a cluster elsewhere":   {cluster: &clientcmdapi.Cluster{Server: "https://x:y@z"}, err: `another cluster "h/a", at https://z:`},
		"a context elsewhere":   {cluster: ours, context: &clientcmdapi.Context{Cluster: "other", AuthInfo: "me"}, err: `another context "h/a", to cluster "other" as user "me"`},
		"a context of somebody": {cluster: ours, context: &clientcmdapi.Context{Cluster: "h/a", AuthInfo: "root"}, err: `another context "h/a", to cluster "h/a" as user "root"`},
	} {
		t.Run(name, func(t *testing.T) {
			config := clientcmdapi.NewConfig()
			if test.cluster != nil {
				config.Clusters["h/a"] = test.cluster.DeepCopy()
			}
			if test.context != nil {
				config.Contexts["h/a"] = test.context.DeepCopy()
			}
			before := config.DeepCopy()
			verbs, err := mergeInto(config, through(host, []string{"a", "b"}))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				if diff := cmp.Diff(before, config); diff != "" {
					t.Error(diff)
				}
				return
			}
			if err != nil || !maps.Equal(verbs, test.want) {
				t.Errorf("%v, %v", verbs, err)
			}
			if a := config.Clusters["h/a"]; a == nil || a.Server != "https://h/apis/fleet.fedctl.io/v1alpha1/clusters/a/proxy" || string(a.CertificateAuthorityData) != "new" {
				t.Errorf("the cluster is %v", a)
			}
			if test.context != nil && config.Contexts["h/a"].Namespace != "own" {
				t.Error("the context has lost its namespace")
			}
		})
	}
}
