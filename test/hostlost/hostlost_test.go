package hostlost

import (
	"context"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

const (
	federatedAPI = "types.kubefed.io/v1beta1"
	coreAPI      = "core.kubefed.io/v1beta1"
	plane        = framework.KubeFedNamespace
)

// flags have the controllers notice what changes soon.
var flags = []string{"--cluster-health-check-period=500ms", "--cluster-health-check-timeout=3s", "--cluster-health-check-failure-threshold=2",
	"--leader-elect-lease-duration=25s", "--leader-elect-renew-deadline=20s", "--leader-elect-retry-period=1s"}

func controllerOf(ctx context.Context, c *framework.Cluster) *framework.Controller {
	GinkgoHelper()
	controller, err := framework.NewControllerIn(ctx, system.Programs.Controller, system.Dir(), c, "of-"+c.Name, plane)
	Expect(err).NotTo(HaveOccurred())
	controller.Flags = append(controller.Flags, flags...)
	return controller
}

func federated(kind, namespace, name string) kit.Ref {
	return kit.Named(federatedAPI, kind, namespace, name)
}

// expectAllOK waits until everything of the world is in the members.
func expectAllOK(ctx context.Context, c *framework.Cluster) {
	GinkgoHelper()
	kit.ExpectPropagated(ctx, c, federated("FederatedConfigMap", "shop", "golden"), nil)
	kit.ExpectPropagated(ctx, c, federated("FederatedClusterRole", "", "reader"), nil, nil)
	kit.ExpectPropagated(ctx, c, federated("FederatedJob", "shop", "once"), "Completed", "Completed")
	for _, of := range []struct{ kind, name string }{
		{"FederatedNamespace", "shop"}, {"FederatedConfigMap", "settings"}, {"FederatedSecret", "password"}, {"FederatedDeployment", "web"}, {"FederatedDeployment", "spread"},
		{"FederatedJob", "stays"}, {"FederatedService", "web"}, {"FederatedBackup", "nightly"}, {"FederatedWidget", "large"},
	} {
		kit.ExpectPropagated(ctx, c, federated(of.kind, "shop", of.name), nil, nil)
	}
}

// spread is where the preference has put replicas.
func spread(ctx context.Context, c *framework.Cluster) string {
	GinkgoHelper()
	return kit.AsJSON(kit.Found(ctx, c, kit.Named(federatedAPI, "FederatedDeployment", "shop", "spread")).Object["spec"])
}

var _ = Describe("A federation whose host is lost", Ordered, func() {
	var (
		dir      string
		before   map[string]string
		old, new *framework.Controller //nolint:predeclared // as opposed to old
		spec     string
	)

	BeforeAll(func(ctx SpecContext) {
		dir = filepath.Join(GinkgoT().TempDir(), "federation")
		mustOn(ctx, host, "install", "--without-controller")
		for _, c := range []*framework.Cluster{host, members[0], members[1]} {
			kit.Create(ctx, c, widget)
		}
		By("with what is in a member before it is federated")
		kit.Create(ctx, members[0], "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
		old = controllerOf(ctx, host)
		Expect(old.Start(ctx)).To(Succeed())
		mustOn(ctx, host, "enable", "widgets.example.com")
		for _, c := range members {
			mustOn(ctx, host, "install", "--member", c.Name)
			mustOn(ctx, host, "join", c.Name)
		}
		mustOn(ctx, host, "join", members[1].Name, "--labels", "tier=gold")
		kit.Create(ctx, host, world)
		expectAllOK(ctx, host)
		By("with settings that are not the defaults")
		config := kit.Named(coreAPI, "KubeFedConfig", plane, "kubefed").Empty()
		Expect(host.Patch(ctx, config, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"syncController":{"adoptResources":"Disabled"}}}`)))).To(Succeed())
		capacity := kit.Named("cluster.fedctl.io/v1alpha1", "ClusterCapacity", plane, members[0].Name).Empty()
		Eventually(ctx, func() error {
			return host.Patch(ctx, capacity, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"startupTaints":[{"key":"example.com/starting","effect":"NoSchedule"}]}}`)))
		}).Should(Succeed())
		for _, c := range members {
			for _, name := range []string{"web", "spread"} {
				kit.ExpectField(ctx, c, kit.Named("apps/v1", "Deployment", "shop", name), "/status/readyReplicas", 2)
			}
		}
	}, NodeTimeout(10*time.Minute))

	AfterAll(func(ctx SpecContext) {
		for _, controller := range []*framework.Controller{old, new} {
			if controller != nil && controller.Running() {
				Expect(controller.Kill(ctx)).To(Succeed())
			}
		}
	})

	JustAfterEach(func() {
		kit.ReportLog(old, 30)
		kit.ReportLog(new, 30)
	})

	It("is exported, without the tokens of members, and with Secrets only as somebody says", func(ctx SpecContext) {
		_, _, err := on(ctx, host, "export", dir)
		Expect(err).To(MatchError(ContainSubstring("FederatedSecret")))
		_, _, err = on(ctx, host, "export", dir, "--kubefed-namespace", "elsewhere")
		Expect(err).To(MatchError(ContainSubstring("there is no FederatedTypeConfig in namespace elsewhere, and so nothing to export")))
		Expect(dir).NotTo(BeADirectory())
		without := dir + "-omit"
		mustOn(ctx, host, "export", without, "--secrets", "omit")
		files, err := filepath.Glob(without + "/*")
		Expect(err).NotTo(HaveOccurred())
		for _, file := range files {
			Expect(readFile(file)).NotTo(ContainSubstring("planted-secret"))
		}
		out := mustOn(ctx, host, "export", dir, "--secrets", "include")
		Expect(out).To(ContainSubstring("2 member(s); federated Secrets are in it, in clear"))
		files, err = filepath.Glob(dir + "/*")
		Expect(err).NotTo(HaveOccurred())
		Expect(len(files)).To(BeNumerically(">", 10))
		for _, c := range members {
			secret := kit.Found(ctx, host, kit.Named("v1", "Secret", plane, c.Name+"-credentials"))
			token, _ := kit.At(secret.Object, "/data/token").(string)
			Expect(token).NotTo(BeEmpty())
			for _, file := range files {
				Expect(readFile(file)).NotTo(ContainSubstring(token))
			}
		}
		Expect(filepath.Join(dir, "08-federatedsecrets.types.kubefed.io.yaml")).To(BeARegularFile())
		info, err := os.Stat(dir)
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o700)))
		mustOn(ctx, host, "export", dir+".tar.gz", "--secrets", "include")
		_, _, err = on(ctx, host, "import", dir+".tar.gz")
		Expect(err).To(MatchError(ContainSubstring("the controller of this host is at work")))
	})

	It("is imported by another host, again where that has not ended, and not where another federation is", func(ctx SpecContext) {
		Expect(old.Kill(ctx)).To(Succeed())
		before, spec = snapshot(ctx), spread(ctx, host)
		_, _, err := on(ctx, successor, "import", dir)
		Expect(err).To(MatchError(ContainSubstring("has no control plane in namespace kube-federation-system: run \"fedctl install --without-controller\" first")))
		mustOn(ctx, successor, "install", "--without-controller")

		By("saying what it would do")
		out, errOut, err := on(ctx, successor, "import", dir+".tar.gz", "--dry-run")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(MatchRegexp(`FederatedDeployment +2 +0 +0 +0 +0`))
		Expect(errOut).To(ContainSubstring("the type widgets.example.com is not installed on this host"))
		_, err = kit.Read(ctx, successor, kit.Named(coreAPI, "KubeFedCluster", plane, members[0].Name))
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		Expect(err).To(HaveOccurred())

		By("refusing where somebody has begun another federation")
		foreign := kit.Parse(`{apiVersion: policy.fedctl.io/v1alpha1, kind: ClusterOverridePolicy, metadata: {name: foreign}, spec: {rules: [{annotations: {a: b}}]}}`)
		Expect(successor.Create(ctx, foreign)).To(Succeed())
		_, _, err = on(ctx, successor, "import", dir)
		Expect(err).To(MatchError(ContainSubstring("this host has a federation with 1 object(s) that are not in the export: ClusterOverridePolicy foreign")))
		Expect(successor.Delete(ctx, foreign)).To(Succeed())

		By("importing")
		out = mustOn(ctx, successor, "import", dir)
		Expect(out).To(MatchRegexp(`fedctl join member-1 --kubeconfig \S+ --host-cluster-context ` + successor.Name + ` --take-over\n`))
		Expect(out).To(MatchRegexp(`kubectl --kubeconfig \S+ --context ` + successor.Name + ` -n kube-federation-system scale`))
		kit.ExpectField(ctx, successor, kit.Named(coreAPI, "KubeFedConfig", plane, "kubefed"), "/spec/syncController/adoptResources", "Disabled")
		kit.ExpectField(ctx, successor, kit.Named("v1", "Namespace", "", "shop"), "/metadata/labels/team", "a")
		kit.ExpectField(ctx, successor, kit.Named("cluster.fedctl.io/v1alpha1", "ClusterCapacity", plane, members[0].Name), "/spec/startupTaints/0/key", "example.com/starting")
		kit.ExpectField(ctx, successor, kit.Named(federatedAPI, "FederatedConfigMap", "shop", "settings"), "/spec/template/data/number", "007")

		By("doing the rest where it was interrupted")
		Expect(successor.Delete(ctx, kit.Named(federatedAPI, "FederatedConfigMap", "shop", "settings").Empty())).To(Succeed())
		Expect(successor.Delete(ctx, kit.Named(coreAPI, "KubeFedCluster", plane, members[1].Name).Empty())).To(Succeed())
		out = mustOn(ctx, successor, "import", dir)
		Expect(out).To(MatchRegexp(`FederatedConfigMap +1 +0 +1 +0 +0`))
		Expect(out).To(MatchRegexp(`KubeFedCluster +1 +0 +1 +0 +0`))

		By("leaving alone what was changed since, unless told otherwise")
		settings := kit.Named(federatedAPI, "FederatedConfigMap", "shop", "settings")
		kit.Change(ctx, successor, settings, func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/template/data/currency", "CHF") })
		_, _, err = on(ctx, successor, "import", dir)
		Expect(err).To(MatchError(ContainSubstring("1 object(s) of this host differ from the export: FederatedConfigMap shop/settings")))
		Expect(mustOn(ctx, successor, "import", dir, "--existing", "keep")).To(MatchRegexp(`FederatedConfigMap +0 +0 +1 +1 +0`))
		kit.ExpectField(ctx, successor, settings, "/spec/template/data/currency", "CHF")
		Expect(mustOn(ctx, successor, "import", dir, "--existing", "update")).To(MatchRegexp(`FederatedConfigMap +0 +1 +1 +0 +0`))
		kit.ExpectField(ctx, successor, settings, "/spec/template/data/currency", "EUR")
	}, NodeTimeout(5*time.Minute))

	It("goes on under the other host as if nothing had happened, also while a member is away", func(ctx SpecContext) {
		By("joining one member, by an account of the name that the lost host has given it")
		_, _, err := on(ctx, successor, "join", members[0].Name, "--host-cluster-name", "host")
		Expect(err).To(MatchError(ContainSubstring("If that host is lost, run the command again with --take-over")))
		out := mustOn(ctx, successor, "join", members[0].Name, "--host-cluster-name", "host", "--take-over")
		Expect(out).To(ContainSubstring("was another host's, and goes with its tokens"))
		new = controllerOf(ctx, successor)
		Expect(new.Start(ctx)).To(Succeed())
		kit.ExpectPropagated(ctx, successor, federated("FederatedConfigMap", "shop", "settings"), nil, "ClusterNotReady")
		kit.ExpectField(ctx, successor, kit.Named("scheduling.kubefed.io/v1alpha1", "ReplicaSchedulingPreference", "shop", "spread"), "/status/conditions/0/reason", "ClusterAwaited")
		Expect(snapshot(ctx)).To(Equal(before))
		Expect(spread(ctx, successor)).To(Equal(spec))

		By("joining the other one, by a name of its own")
		_, _, err = on(ctx, successor, "join", "renamed", "--cluster-context", members[1].Name)
		Expect(err).To(MatchError(ContainSubstring("this cluster has already joined as member-2")))
		out = mustOn(ctx, successor, "join", members[1].Name, "--take-over")
		Expect(out).To(ContainSubstring("member-2-host in member-2 was another host's, and goes with its tokens"))
		expectAllOK(ctx, successor)
		kit.ExpectField(ctx, successor, kit.Named("scheduling.kubefed.io/v1alpha1", "ReplicaSchedulingPreference", "shop", "spread"), "/status/conditions/0/reason", "Scheduled")
		Expect(spread(ctx, successor)).To(Equal(spec))
		Consistently(ctx, func() map[string]string { return snapshot(ctx) }).Should(Equal(before))
	}, NodeTimeout(5*time.Minute))

	It("is let alone by the lost host when it comes back", func(ctx SpecContext) {
		Expect(old.Start(ctx)).To(Succeed())
		for _, c := range members {
			Eventually(ctx, func(g Gomega) {
				u, err := kit.Read(ctx, host, kit.Named(coreAPI, "KubeFedCluster", plane, c.Name))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(kit.AsJSON(kit.At(u.Object, "/status/conditions"))).To(ContainSubstring(`"status":"False","type":"Ready"`))
			}).Should(Succeed())
		}
		By("changing and deleting something there")
		kit.Change(ctx, host, kit.Named(federatedAPI, "FederatedDeployment", "shop", "web"), func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/template/spec/replicas", 5)
		})
		Expect(host.Delete(ctx, kit.Named(federatedAPI, "FederatedConfigMap", "shop", "golden").Empty())).To(Succeed())
		Consistently(ctx, func() map[string]string { return snapshot(ctx) }).Should(Equal(before))
		out, _, _ := on(ctx, host, "get", "clusters")
		GinkgoWriter.Println(out)
		Expect(out).To(ContainSubstring("False"))
	}, NodeTimeout(5*time.Minute))

	It("is what it was for those who write on the other host", func(ctx SpecContext) {
		kit.Change(ctx, successor, kit.Named(federatedAPI, "FederatedConfigMap", "shop", "settings"), func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/template/data/number", nil)
		})
		for _, c := range members {
			kit.ExpectField(ctx, c, kit.Named("v1", "ConfigMap", "shop", "settings"), "/data/number", nil)
		}
		By("deleting the namespace, which one member had before")
		Expect(successor.Delete(ctx, kit.Named(federatedAPI, "FederatedNamespace", "shop", "shop").Empty())).To(Succeed())
		kit.ExpectGone(ctx, members[1], kit.Named("v1", "Namespace", "", "shop"))
		kit.ExpectField(ctx, members[0], kit.Named("v1", "Namespace", "", "shop"), "/metadata/labels/kubefed.io~1managed", nil)
	}, NodeTimeout(5*time.Minute))
})
