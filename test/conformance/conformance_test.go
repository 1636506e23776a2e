// Package conformance runs Kubernetes' own end-to-end specs of API machinery, as far as they
// need no nodes, against a member directly and against clusters/NAME/proxy of the API of the
// fleet: each gives there what it gives here. It is nightly: make conformance.
package conformance

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/internal/localcluster"
	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// containers of specs that need no nodes.
var containers = []string{
	"Discovery", "AggregatedDiscovery", "OpenAPIV3", "server version", "client-go should negotiate",
	"Servers with support for Table transformation", "Servers with support for API chunking",
	"Watchers", `API Streaming \(aka. WatchList\)`, "Server request timeout", "ServerSideApply", "FieldValidation",
	"CustomResourceDefinition resources", "CustomResourceDefinition Watch", "CustomResourceValidationRules", "CRDValidationRatcheting",
	"ValidatingAdmissionPolicy", "MutatingAdmissionPolicy", "Generated clientset", "OrderedNamespaceDeletion", "health handlers",
	"API priority and fairness should support", "Garbage collector should (support|not be blocked)",
	"ResourceQuota should (manage the lifecycle|be able to update)",
}

// skipped are specs of these that take many minutes, want the cluster for themselves, or a
// controller that local clusters do not run (the one that checks the types in policies), are
// flaky, or are of features that are off.
const skipped = `\[Slow\]|\[Serial\]|\[Flaky\]|\[Feature:|\[Disruptive\]|Aggregated APIServer|should type check`

// The fewest specs that have to run: a name that has changed would leave them out silently.
const fewest = 85

func TestConformance(t *testing.T) {
	RegisterFailHandler(Fail)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(klog.NewKlogr())
	RunSpecs(t, "Kubernetes' own specs")
}

var _ = Describe("Kubernetes' own specs of API machinery", func() {
	It("give through the API of the fleet what they give directly", func(ctx SpecContext) {
		system, err := framework.Prepare(ctx, GinkgoWriter, 1, func(o *localcluster.Options) { o.GPUMembers = 0 })
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Close(ctx)).To(Succeed()) }, NodeTimeout(5*time.Minute))
		member := system.Members()[0]
		Expect(system.StartControlPlane(ctx)).To(Succeed())
		server, err := system.InstallFleetAPI(ctx)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx SpecContext) { Expect(server.Stop(ctx)).To(Succeed()) }, NodeTimeout(time.Minute))
		kit.Fedctl(ctx, system, "join", member.Name, "--cluster-context", member.Name, "--fleet-access")
		Expect(system.WaitForMember(ctx, member.Name, true)).To(Succeed())
		Expect(member.Create(ctx, &rbacv1.ClusterRoleBinding{ // the host's administrator is nobody special there
			ObjectMeta: metav1.ObjectMeta{Name: "administrators-of-the-host"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "host:system:masters"}},
		})).To(Succeed())

		through := rest.CopyConfig(system.Host().Config)
		through.Host += fleetv1alpha1.ProxyPath(member.Name)
		directly, there := run(ctx, system, member.Config, "directly"), run(ctx, system, through, "through")
		for _, name := range slices.Sorted(maps.Keys(directly)) {
			AddReportEntry(name, directly[name].String()+" directly, "+there[name].String()+" through")
		}
		Expect(len(directly)).To(BeNumerically(">=", fewest))
		Expect(there).To(Equal(directly))
		for name, state := range directly {
			Expect(state).To(Equal(types.SpecStatePassed), "%s, directly", name)
		}
	}, NodeTimeout(50*time.Minute))
})

// run runs the specs against a cluster and returns how each has ended.
func run(ctx context.Context, system *framework.System, config *rest.Config, way string) map[string]types.SpecState {
	GinkgoHelper()
	root, err := framework.Root()
	Expect(err).NotTo(HaveOccurred())
	kubeconfig, report := filepath.Join(system.Dir(), way+".kubeconfig"), filepath.Join(system.Dir(), way+".json")
	writeKubeconfig(kubeconfig, config)
	command := exec.CommandContext(ctx, filepath.Join(root, "bin", "conformance"),
		"--kubeconfig="+kubeconfig, "--ginkgo.focus="+`\[sig-api-machinery\] (`+strings.Join(containers, "|")+")", "--ginkgo.skip="+skipped,
		"--ginkgo.json-report="+report, "--ginkgo.no-color", "--ginkgo.timeout=20m")
	command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
	runErr := command.Run() // which fails where a spec has: the report says which
	content, err := os.ReadFile(report)
	Expect(err).NotTo(HaveOccurred(), "%s: %v", way, runErr)
	var reports []types.Report
	Expect(json.Unmarshal(content, &reports)).To(Succeed())
	states := map[string]types.SpecState{}
	for i := range reports {
		for _, spec := range reports[i].SpecReports {
			if spec.LeafNodeType == types.NodeTypeIt && spec.State != types.SpecStateSkipped {
				states[spec.FullText()] = spec.State
			}
		}
	}
	return states
}

func writeKubeconfig(path string, c *rest.Config) {
	GinkgoHelper()
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["c"] = &clientcmdapi.Cluster{Server: c.Host, CertificateAuthorityData: c.CAData}
	kubeconfig.AuthInfos["c"] = &clientcmdapi.AuthInfo{ClientCertificateData: c.CertData, ClientKeyData: c.KeyData}
	kubeconfig.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "c"}
	kubeconfig.CurrentContext = "c"
	Expect(clientcmd.WriteToFile(*kubeconfig, path)).To(Succeed())
}
