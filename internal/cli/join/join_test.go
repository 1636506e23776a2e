package join

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

func joined() *fedcorev1beta1.KubeFedCluster {
	cluster := &fedcorev1beta1.KubeFedCluster{}
	cluster.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"))
	cluster.Namespace, cluster.Name = "kube-federation-system", "berlin"
	cluster.Spec.APIEndpoint, cluster.Spec.SecretRef.Name = "https://berlin", "berlin-credentials"
	return cluster
}

func TestPrintJoined(t *testing.T) {
	old := joined()
	old.Status.Conditions = []fedcorev1beta1.ClusterCondition{{Type: "Ready", Status: corev1.ConditionTrue}}
	for name, test := range map[string]struct {
		format  string
		cluster *fedcorev1beta1.KubeFedCluster
		want    string
	}{
		"name": {"name", joined(), "kubefedcluster.core.kubefed.io/berlin\n"},
		"yaml": {"yaml", joined(), `apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata:
  name: berlin
  namespace: kube-federation-system
spec:
  apiEndpoint: https://berlin
  proxyURL: ""
  secretRef:
    name: berlin-credentials
`},
		"yaml of one that had joined": {"yaml", old, `apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata:
  name: berlin
  namespace: kube-federation-system
spec:
  apiEndpoint: https://berlin
  proxyURL: ""
  secretRef:
    name: berlin-credentials
status:
  conditions:
  - lastProbeTime: null
    status: "True"
    type: Ready
`},
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, out, _ := genericiooptions.NewTestIOStreams()
			o := &Options{factory: cmdutil.NewFactory(streams), Output: cmdutil.Output{Format: test.format}}
			if err := o.printJoined(test.cluster); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrintRBACIsYAMLUnlessAskedOtherwise(t *testing.T) {
	account := &corev1.ServiceAccount{}
	account.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
	account.Name = "a"
	for format, want := range map[string]string{
		"":     "---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n",
		"name": "serviceaccount/a\n",
	} {
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		o := &Options{factory: cmdutil.NewFactory(streams), Output: cmdutil.Output{Format: format}}
		if err := o.printRBAC([]client.Object{account}); err != nil || out.String() != want {
			t.Errorf("-o %q: %v\n%s", format, err, out.String())
		}
	}
}

func TestAnEmptyEndpointIsRefused(t *testing.T) {
	cmd := NewCommand(cmdutil.NewFactory(genericiooptions.NewTestIOStreamsDiscard()))
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs([]string{"berlin", "--api-endpoint", ""})
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "--api-endpoint is empty") {
		t.Errorf("%v", err)
	}
}

func TestNameOfAContextIsNotTakenForThatOfACluster(t *testing.T) {
	for context, want := range map[string]string{
		"arn:aws:eks:eu-west-1:123:cluster/Prod": "fedctl join prod --cluster-context arn:aws:eks:eu-west-1:123:cluster/Prod",
		"admin@berlin":                           "fedctl join berlin --cluster-context admin@berlin",
		"gke_project_zone_c1":                    "fedctl join c1 --cluster-context gke_project_zone_c1",
		"@@":                                     "fedctl join NAME --cluster-context @@",
	} {
		o := &Options{}
		o.Join.ClusterName = context
		if err := o.checkClusterName(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", context, err)
		}
	}
	o := &Options{}
	o.Join.ClusterName = "berlin"
	if err := o.checkClusterName(); err != nil {
		t.Error(err)
	}
}
