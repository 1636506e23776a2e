package fencing

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// propagated are as many objects as show whether a start costs something for each.
const propagated = 60

// held are the versions of the ConfigMaps that a namespace of the member holds, as the
// API server counts them.
func held(ctx context.Context, namespace string) (map[string]string, error) {
	var list corev1.ConfigMapList
	if err := member.List(ctx, &list, managed, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for i := range list.Items {
		versions[list.Items[i].Name] = list.Items[i].ResourceVersion
	}
	return versions, nil
}

// counted are the requests to a cluster until now.
func counted(ctx context.Context, c *framework.Cluster) framework.Requests {
	GinkgoHelper()
	requests, err := framework.CountRequests(ctx, c)
	Expect(err).NotTo(HaveOccurred())
	return requests
}

var _ = Describe("A host whose API server cannot be reached for longer than the leader tries", func() {
	var (
		controller *framework.Controller
		namespace  string
		before     map[string]string
	)
	of := func(name string) client.Object { return federated("FederatedConfigMap", namespace, name, nil) }
	data := func(ctx context.Context, name string) (string, error) {
		var found corev1.ConfigMap
		err := member.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &found)
		return found.Data["version"], err
	}

	BeforeEach(func(ctx SpecContext) {
		namespace = fmt.Sprintf("away-%d", time.Now().UnixNano())
		controller = prepare(ctx, namespace, "--backups=false")
		Expect(host.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		placement := map[string]any{"clusters": []any{map[string]any{"name": member.Name}}}
		Expect(host.Create(ctx, federated("FederatedNamespace", namespace, namespace, map[string]any{"placement": placement}))).To(Succeed())
		for i := range propagated {
			Expect(host.Create(ctx, federated("FederatedConfigMap", namespace, fmt.Sprintf("o-%d", i), map[string]any{
				"template": map[string]any{"data": map[string]any{"version": "v1"}}, "placement": placement,
			}))).To(Succeed())
		}
		Expect(controller.Start(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(controller.Stop(ctx)).To(Succeed()) }, NodeTimeout(time.Minute))
		c := &crowd{namespace: namespace}
		Eventually(ctx, c.settled).Should(Equal(propagated))
		var err error
		before, err = held(ctx, namespace)
		Expect(err).NotTo(HaveOccurred())
		Expect(before).To(HaveLen(propagated))
	}, NodeTimeout(4*time.Minute))

	DescribeTable("has the controller end, which loses nothing, and costs lists when it is started again", func(ctx SpecContext, strike, recover func(context.Context)) {
		strike(ctx)
		Eventually(ctx, controller.Running).Should(BeFalse())
		Expect(controller.LogTail(1)).To(And(ContainSubstring("the controller ends, and is to be started again"), ContainSubstring("a Pod is, a process is not")))
		drifted := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "o-0"}}
		Expect(member.Patch(ctx, drifted, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"version":"drift"}}`)))).To(Succeed())
		recover(ctx)
		patch(ctx, of("o-1"), `{"spec":{"template":{"data":{"version":"v2"}}}}`)
		Expect(host.Delete(ctx, of("o-2"))).To(Succeed())
		Expect(controller.Stop(ctx)).To(Succeed()) // it has ended
		hostBefore, memberBefore, writtenBefore := counted(ctx, host), counted(ctx, member), len(written(audit))

		Expect(controller.Start(ctx)).To(Succeed())
		Eventually(ctx, data).WithArguments("o-0").Should(Equal("v1"))
		Eventually(ctx, data).WithArguments("o-1").Should(Equal("v2"))
		Eventually(ctx, func() bool {
			return apierrors.IsNotFound(host.Get(ctx, client.ObjectKeyFromObject(of("o-2")), of("o-2")))
		}).Should(BeTrue())
		c := &crowd{namespace: namespace}
		Eventually(ctx, c.settled).Should(Equal(propagated - 1))
		after, err := held(ctx, namespace)
		Expect(err).NotTo(HaveOccurred())
		for name, version := range before {
			if name != "o-0" && name != "o-1" && name != "o-2" {
				Expect(after).To(HaveKeyWithValue(name, version))
			}
		}
		for _, r := range written(audit)[writtenBefore:] {
			if r.ObjectRef.Namespace == namespace {
				Expect(r.ObjectRef.Name).To(BeElementOf("o-0", "o-1", "o-2"), "%s %s", r.Verb, r.ObjectRef.Resource)
			}
		}
		for cluster, made := range map[string]framework.Requests{host.Name: counted(ctx, host).Since(hostBefore), member.Name: counted(ctx, member).Since(memberBefore)} {
			gets := made.Sum(func(verb, resource string) bool {
				return verb == "GET" && (resource == "configmaps" || resource == "federatedconfigmaps.types.kubefed.io")
			})
			Expect(gets).To(BeNumerically("<", propagated/2), "objects that were read one by one in %s: %v", cluster, made)
		}
	},
		Entry("because it is slow", SpecTimeout(5*time.Minute),
			func(context.Context) { Expect(system.Faults().Pause(host.Name)).To(Succeed()) },
			func(context.Context) { Expect(system.Faults().Resume(host.Name)).To(Succeed()) }),
		Entry("because it is away for two minutes", Label("long"), SpecTimeout(10*time.Minute),
			func(ctx context.Context) { Expect(system.Faults().StopMember(ctx, host.Name)).To(Succeed()) },
			func(ctx context.Context) {
				time.Sleep(2 * time.Minute)
				Expect(system.Faults().StartMember(ctx, host.Name)).To(Succeed())
			}),
	)
})
