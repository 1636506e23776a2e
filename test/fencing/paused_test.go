package fencing

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// count of objects, of which a controller that sends one request in five seconds has
// sent one or two when it is paused.
const count = 8

var _ = Describe("a leader that was paused for longer than its Lease", Ordered, ContinueOnFailure, func() {
	BeforeAll(func(ctx SpecContext) {
		Expect(quick.Start(ctx)).To(Succeed())
		for i := range count {
			name := fmt.Sprintf("%s%d", ours, i)
			Expect(host.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
			here := []any{map[string]any{"name": member.Name}}
			Expect(host.Create(ctx, federated("FederatedNamespace", name, name, map[string]any{"placement": map[string]any{"clusters": here}}))).To(Succeed())
			Expect(host.Create(ctx, federated("FederatedConfigMap", name, "settings", map[string]any{
				"template":  map[string]any{"data": map[string]any{"version": "v1"}},
				"placement": map[string]any{"clusters": here},
			}))).To(Succeed())
		}
		Eventually(ctx, versions).Should(And(HaveLen(count), HaveEach("v1")))
		for i := range count {
			name := fmt.Sprintf("%s%d", ours, i)
			Expect(member.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "of-the-member"}})).To(Succeed())
		}
		Expect(quick.Stop(ctx)).To(Succeed())
	}, NodeTimeout(10*time.Minute))

	AfterEach(func(ctx SpecContext) {
		_ = limited.Resume() // it has ended, usually
		Expect(limited.Stop(ctx)).To(Succeed())
		Expect(quick.Stop(ctx)).To(Succeed())
	}, NodeTimeout(3*time.Minute))

	It("writes nothing of what it had decided", func(ctx SpecContext) {
		Expect(limited.Start(ctx)).To(Succeed())
		setVersions(ctx, "v2")
		Eventually(ctx, versions).Should(ContainElement("v2"))
		Expect(limited.Pause()).To(Succeed())
		Expect(versions(ctx)).To(ContainElement("v1"), "it has sent everything already")

		Expect(quick.Start(ctx)).To(Succeed())
		setVersions(ctx, "v3")
		Eventually(ctx, versions).Should(And(HaveLen(count), HaveEach("v3")))
		written, err := resourceVersions(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(limited.Resume()).To(Succeed())
		Eventually(ctx, limited.Running).Should(BeFalse())
		Consistently(ctx, resourceVersions).Should(Equal(written))
	}, SpecTimeout(15*time.Minute))

	It("deletes nothing that is wanted again", func(ctx SpecContext) {
		before, err := namespaces(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(limited.Start(ctx)).To(Succeed())
		setPlacements(ctx, `[]`)
		Eventually(ctx, namespaces).ShouldNot(HaveLen(count))
		Expect(limited.Pause()).To(Succeed())
		Expect(namespaces(ctx)).NotTo(BeEmpty(), "it has sent everything already")

		setPlacements(ctx, `[{"name":"`+member.Name+`"}]`)
		Expect(quick.Start(ctx)).To(Succeed())
		Eventually(ctx, namespaces).Should(HaveLen(count))
		Eventually(ctx, versions).Should(HaveLen(count))
		wanted, err := namespaces(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(limited.Resume()).To(Succeed())
		Eventually(ctx, limited.Running).Should(BeFalse())
		Consistently(ctx, namespaces).Should(Equal(wanted))
		for name, uid := range wanted {
			if before[name] == uid { // not one that was deleted before the pause
				Expect(member.Get(ctx, client.ObjectKey{Namespace: name, Name: "of-the-member"}, &corev1.Secret{})).To(Succeed())
			}
		}
	}, SpecTimeout(15*time.Minute))

	It("deletes nothing either that is wanted again by the time its turn comes, while it leads", func(ctx SpecContext) {
		Expect(limited.Start(ctx)).To(Succeed())
		setPlacements(ctx, `[]`)
		Eventually(ctx, namespaces).ShouldNot(HaveLen(count))
		setPlacements(ctx, `[{"name":"`+member.Name+`"}]`)
		left, err := namespaces(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(len(left)).To(BeNumerically(">", count/2), "it has sent everything already")
		// One that is let pass while the host's news is on its way cannot be called back.
		Consistently(ctx, func() (int, error) {
			now, err := namespaces(ctx)
			gone := 0
			for name, uid := range left {
				if now[name] != uid {
					gone++
				}
			}
			return gone, err
		}).WithTimeout(30 * time.Second).Should(BeNumerically("<=", 1))
	}, SpecTimeout(15*time.Minute))
})

var _ = Describe("a controller without an election", func() {
	It("has no fence", func(ctx SpecContext) {
		Expect(host.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "unfenced"}})).To(Succeed())
		here := map[string]any{"clusters": []any{map[string]any{"name": member.Name}}}
		Expect(host.Create(ctx, federated("FederatedNamespace", "unfenced", "unfenced", map[string]any{"placement": here}))).To(Succeed())
		Expect(quick.Launch("--leader-elect=false")).To(Succeed())
		Eventually(ctx, func() error {
			return member.Get(ctx, client.ObjectKey{Name: "unfenced"}, &corev1.Namespace{})
		}).Should(Succeed())
		Expect(quick.Stop(ctx)).To(Succeed())
	}, SpecTimeout(10*time.Minute))
})

func setVersions(ctx context.Context, version string) {
	GinkgoHelper()
	for i := range count {
		patch(ctx, federated("FederatedConfigMap", fmt.Sprintf("%s%d", ours, i), "settings", nil), `{"spec":{"template":{"data":{"version":%q}}}}`, version)
	}
}

func setPlacements(ctx context.Context, clusters string) {
	GinkgoHelper()
	for i := range count {
		name := fmt.Sprintf("%s%d", ours, i)
		patch(ctx, federated("FederatedNamespace", name, name, nil), `{"spec":{"placement":{"clusters":%s}}}`, clusters)
	}
}

// ours begins the names of the namespaces of these specs. Others have theirs, and specs come
// in any order.
const ours = "fenced-"

// configMaps are the propagated ones in the member; a namespace that is being deleted
// has none that counts.
func configMaps(ctx context.Context, what func(*corev1.ConfigMap) string) (map[string]string, error) {
	var list corev1.ConfigMapList
	if err := member.List(ctx, &list, client.HasLabels{"kubefed.io/managed"}); err != nil {
		return nil, err
	}
	found := map[string]string{}
	for i := range list.Items {
		if c := &list.Items[i]; c.DeletionTimestamp == nil && strings.HasPrefix(c.Namespace, ours) {
			found[c.Namespace] = what(c)
		}
	}
	return found, nil
}

// versions of the templates that the member holds, by namespace.
func versions(ctx context.Context) (map[string]string, error) {
	return configMaps(ctx, func(c *corev1.ConfigMap) string { return c.Data["version"] })
}

// resourceVersions change with each write, also with one that is repaired at once.
func resourceVersions(ctx context.Context) (map[string]string, error) {
	return configMaps(ctx, func(c *corev1.ConfigMap) string { return c.ResourceVersion })
}

// namespaces are those in the member that are not being deleted, with their UIDs.
func namespaces(ctx context.Context) (map[string]string, error) {
	var list corev1.NamespaceList
	if err := member.List(ctx, &list, client.HasLabels{"kubefed.io/managed"}); err != nil {
		return nil, err
	}
	found := map[string]string{}
	for i := range list.Items {
		if n := &list.Items[i]; n.DeletionTimestamp == nil && strings.HasPrefix(n.Name, ours) {
			found[n.Name] = string(n.UID)
		}
	}
	return found, nil
}
