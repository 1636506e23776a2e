package fleetapi

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// fleetClient is a client of the host for the API of the fleet.
func fleetClient() client.WithWatch {
	GinkgoHelper()
	scheme := runtime.NewScheme()
	Expect(fleetv1alpha1.AddToScheme(scheme)).To(Succeed())
	c, err := client.NewWithWatch(host.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// onHost runs kubectl on the host.
func onHost(ctx context.Context, args ...string) string {
	GinkgoHelper()
	root, err := framework.Root()
	Expect(err).NotTo(HaveOccurred())
	args = append([]string{"kubectl", "--kubeconfig", system.Kubeconfig(), "--context", host.Name, "--cache-dir", GinkgoT().TempDir()}, args...)
	out, err := exec.CommandContext(ctx, filepath.Join(root, "bin", "kubernetes"), args...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "kubectl %v: %s", args, out)
	return string(out)
}

var _ = Describe("The clusters of the fleet", func() {
	It("are a resource as any other: in discovery, explained, got, listed in columns", func(ctx SpecContext) {
		Expect(onHost(ctx, "api-resources", "--api-group=fleet.fedctl.io", "-o", "wide")).To(MatchRegexp(`clusters +fleet\.fedctl\.io/v1alpha1 +false +Cluster +get,list,watch`))
		Eventually(ctx, func() string { return onHost(ctx, "explain", "clusters.fleet.fedctl.io.status") }).Should(And(
			ContainSubstring("how a member cluster fares"), ContainSubstring("accelerators"), ContainSubstring("region")))
		out := onHost(ctx, "get", "clusters.fleet.fedctl.io", "member-1", "member-2")
		Expect(out).To(MatchRegexp(`NAME +READY +VERSION +REGION +NODES +ACCELERATORS +AGE\n`))
		Expect(out).To(MatchRegexp(`member-1 +True +v1\.\d+\.\d+ +eu-west`))
		Expect(onHost(ctx, "get", "clusters.fleet.fedctl.io", "-o", "name")).To(ContainSubstring("cluster.fleet.fedctl.io/member-2"))
	}, NodeTimeout(3*time.Minute))

	It("are what the controller says of the members, page by page and by label", func(ctx SpecContext) {
		c := fleetClient()
		one := &fleetv1alpha1.Cluster{}
		Expect(c.Get(ctx, client.ObjectKey{Name: "member-1"}, one)).To(Succeed())
		Expect(one.Status.Ready).To(Equal(corev1.ConditionTrue))
		list := &fleetv1alpha1.ClusterList{}
		Expect(c.List(ctx, list, client.Limit(1))).To(Succeed())
		Expect(list.Items).To(HaveLen(1))
		Expect(list.Continue).NotTo(BeEmpty())
		kfc := kit.Named(framework.KubeFedCluster.GroupVersion().String(), "KubeFedCluster", framework.KubeFedNamespace, "member-2")
		kit.Change(ctx, host, kfc, func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{"tier": "gold"}) })
		Expect(c.List(ctx, list, client.MatchingLabels{"tier": "gold"})).To(Succeed())
		Expect(list.Items).To(HaveLen(1))
		Expect(list.Items[0].Name).To(Equal("member-2"))
	}, NodeTimeout(time.Minute))

	It("are watched, and cannot be written", func(ctx SpecContext) {
		c := fleetClient()
		list := &fleetv1alpha1.ClusterList{}
		Expect(c.List(ctx, list)).To(Succeed())
		events, err := c.Watch(ctx, &fleetv1alpha1.ClusterList{}, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
		Expect(err).NotTo(HaveOccurred())
		defer events.Stop()
		kfc := kit.Named(framework.KubeFedCluster.GroupVersion().String(), "KubeFedCluster", framework.KubeFedNamespace, "member-1")
		kit.Change(ctx, host, kfc, func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{"seen": "yes"}) })
		Eventually(ctx, events.ResultChan()).Should(Receive(WithTransform(func(e watch.Event) string {
			cluster, _ := e.Object.(*fleetv1alpha1.Cluster)
			if cluster == nil {
				return ""
			}
			return cluster.Name + cluster.Labels["seen"]
		}, Equal("member-1yes"))))
		Expect(c.Delete(ctx, &fleetv1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "member-1"}})).To(MatchError(ContainSubstring("does not allow this method")))
	}, NodeTimeout(time.Minute))

	It("are seen by who has the role for it, without what is the administrators' alone", func(ctx SpecContext) {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "kim-sees"}, Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "kim"}},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fedctl-fleet-api-view"},
		}
		Expect(host.Create(ctx, binding)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, binding)).To(Succeed()) }, NodeTimeout(time.Minute))
		Eventually(ctx, func() string { return onHost(ctx, "get", "clusters.fleet.fedctl.io", "-o", "yaml", "--as", "kim") }).
			Should(And(ContainSubstring("name: member-1"), Not(ContainSubstring("apiEndpoint")), Not(ContainSubstring("annotations"))))
	}, NodeTimeout(time.Minute))
})

var _ = Describe("Commands", func() {
	It("make a kubeconfig with the members, and merge it", func(ctx SpecContext) {
		file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
		out := kit.Fedctl(ctx, system, "kubeconfig", "member-1")
		Expect(writeFile(file, out)).To(Succeed())
		allow(ctx, members[0], "masters-by-command", group("host:system:masters"), podReader)
		Eventually(ctx, func() (string, error) { return kubectlOf(ctx, "--kubeconfig", file, "get", "namespaces", "-o", "name") }).
			Should(ContainSubstring("namespace/kube-system"))

		By("merging it, twice")
		raw := kit.Fedctl(ctx, system, "kubeconfig")
		Expect(raw).To(And(ContainSubstring("host/member-1"), ContainSubstring("host/member-2")))
		own := system.With(copyOf(system.Kubeconfig()))
		for _, verb := range []string{"added", "up to date"} {
			merged, err := own.Run(ctx, "kubeconfig", "--merge")
			Expect(err).NotTo(HaveOccurred())
			Expect(merged).To(ContainSubstring("context host/member-1 " + verb))
		}
		_, err := system.Run(ctx, "kubeconfig", "nowhere")
		Expect(err).To(MatchError(ContainSubstring("cluster nowhere has not joined")))
	}, NodeTimeout(2*time.Minute))

	It("run kubectl on a member", func(ctx SpecContext) {
		allow(ctx, members[1], "masters-by-kubectl", group("host:system:masters"), podReader)
		root, err := framework.Root()
		Expect(err).NotTo(HaveOccurred())
		kubectl := func(ctx context.Context, cluster string) (out string, code int) {
			command := exec.CommandContext(ctx, system.Fedctl, "kubectl", "--cluster", cluster, "--kubeconfig", system.Kubeconfig(), "--host-cluster-context", host.Name,
				"--", "get", "namespaces", "-o", "name")
			command.Env = []string{"PATH=/nowhere", "FEDCTL_KUBERNETES=" + filepath.Join(root, "bin", "kubernetes"), "HOME=" + GinkgoT().TempDir()}
			said, _ := command.CombinedOutput() // its code tells
			return string(said), command.ProcessState.ExitCode()
		}
		Eventually(ctx, func(g Gomega) {
			out, code := kubectl(ctx, "member-2")
			g.Expect(out).To(ContainSubstring("namespace/kube-system"))
			g.Expect(code).To(BeZero())
		}).Should(Succeed())
		out, code := kubectl(ctx, "nosuch")
		Expect(out).To(Equal("error: cluster nosuch has not joined; see \"fedctl get clusters\"\n"))
		Expect(code).To(Equal(1))
	}, NodeTimeout(2*time.Minute))

	It("take the access to a member away again, and leave nothing behind", Serial, func(ctx SpecContext) {
		kit.Fedctl(ctx, system, "join", "member-1", "--cluster-context", "member-1", "--fleet-access=false")
		DeferCleanup(func(ctx SpecContext) {
			kit.Fedctl(ctx, system, "join", "member-1", "--cluster-context", "member-1", "--fleet-access")
		}, NodeTimeout(2*time.Minute))
		Eventually(ctx, func() string {
			return throughHost(ctx, http.MethodGet, proxyPath("member-1", "/api"), nil).status().Message
		}).
			Should(ContainSubstring("has not let users of the host in"))
		var accounts corev1.ServiceAccountList
		Expect(members[0].List(ctx, &accounts, client.InNamespace(framework.KubeFedNamespace))).To(Succeed())
		for i := range accounts.Items {
			Expect(accounts.Items[i].Name).NotTo(HaveSuffix("-fleet"))
		}
		var roles rbacv1.ClusterRoleList
		Expect(members[0].List(ctx, &roles)).To(Succeed())
		for i := range roles.Items {
			Expect(roles.Items[i].Name).NotTo(HavePrefix("fedctl-fleet-access"))
		}
	}, NodeTimeout(3*time.Minute))

	It("take it away with the membership, in both clusters", Serial, func(ctx SpecContext) {
		kit.Fedctl(ctx, system, "unjoin", "member-1", "--cluster-context", "member-1")
		DeferCleanup(func(ctx SpecContext) {
			kit.Fedctl(ctx, system, "join", "member-1", "--cluster-context", "member-1", "--fleet-access")
			Expect(system.WaitForMember(ctx, "member-1", true)).To(Succeed())
		}, NodeTimeout(3*time.Minute))
		for _, object := range []client.Object{&corev1.Secret{}, &rbacv1.Role{}, &rbacv1.RoleBinding{}} {
			err := host.Get(ctx, client.ObjectKey{Namespace: framework.KubeFedNamespace, Name: "member-1-fleet-access"}, object)
			Expect(err).To(MatchError(apierrors.IsNotFound, "is not found"), "%T in the host", object)
		}
		var roles rbacv1.ClusterRoleList
		Expect(members[0].List(ctx, &roles)).To(Succeed())
		for i := range roles.Items {
			Expect(roles.Items[i].Name).NotTo(HavePrefix("fedctl-fleet-access"))
		}
		Eventually(ctx, func() int { return throughHost(ctx, http.MethodGet, proxyPath("member-1", "/api"), nil).Code }).Should(Equal(http.StatusNotFound))
	}, NodeTimeout(3*time.Minute))
})
