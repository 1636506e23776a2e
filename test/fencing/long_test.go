package fencing

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

const (
	// many objects are propagated while controllers are paused and killed, so many times.
	many   = 1000
	rounds = 20
	// changed and unplaced are how many of them change in a round, and how many are not
	// wanted for a part of it.
	changed, unplaced = 300, 30
)

var managed = client.MatchingLabels{"kubefed.io/managed": "true"}

// crowd is what users want of many objects.
type crowd struct {
	namespace string
	versions  [many]int
	placed    [many]bool
	random    *rand.Rand
}

func (c *crowd) name(i int) string { return fmt.Sprintf("object-%03d", i) }

// some of the objects.
func (c *crowd) some(n int) []int { return c.random.Perm(many)[:n] }

func (c *crowd) spec(i int) map[string]any {
	clusters := []any{}
	if c.placed[i] {
		clusters = append(clusters, map[string]any{"name": member.Name})
	}
	return map[string]any{
		"template":  map[string]any{"data": map[string]any{"version": fmt.Sprint(c.versions[i])}},
		"placement": map[string]any{"clusters": clusters},
	}
}

// write has the host want of objects what the crowd does.
func (c *crowd) write(ctx context.Context, objects []int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, i := range objects {
		object := federated("FederatedConfigMap", c.namespace, c.name(i), c.spec(i))
		group.Go(func() error {
			return host.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("user"), client.ForceOwnership)
		})
	}
	return group.Wait()
}

// change changes what is wanted of objects.
func (c *crowd) change(objects []int, placed bool) {
	for _, i := range objects {
		c.versions[i]++
		c.placed[i] = placed
	}
}

// look returns the UIDs of what the member holds, and how many objects are not as wanted.
func (c *crowd) look(ctx context.Context) (uids map[string]types.UID, wrong int, err error) {
	var list corev1.ConfigMapList
	if err := member.List(ctx, &list, managed, client.InNamespace(c.namespace)); err != nil {
		return nil, 0, err
	}
	versions := map[string]string{}
	uids = map[string]types.UID{}
	for i := range list.Items {
		versions[list.Items[i].Name], uids[list.Items[i].Name] = list.Items[i].Data["version"], list.Items[i].UID
	}
	for i := range many {
		if c.placed[i] != (versions[c.name(i)] == fmt.Sprint(c.versions[i])) {
			wrong++
		}
	}
	return uids, wrong, nil
}

// held are the UIDs of what the member holds, once that is what is wanted.
func (c *crowd) held(ctx context.Context) (uids map[string]types.UID) {
	GinkgoHelper()
	Eventually(ctx, func() (wrong int, err error) {
		uids, wrong, err = c.look(ctx)
		return wrong, err
	}).WithPolling(500 * time.Millisecond).Should(BeZero())
	return uids
}

// settled is how many of the federated objects say that all is as it is to be.
func (c *crowd) settled(ctx context.Context) (int, error) {
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("types.kubefed.io/v1beta1")
	list.SetKind("FederatedConfigMapList")
	if err := host.List(ctx, list, client.InNamespace(c.namespace)); err != nil {
		return 0, err
	}
	n := 0
	for i := range list.Items {
		conditions, _, _ := unstructured.NestedSlice(list.Items[i].Object, "status", "conditions")
		for _, item := range conditions {
			if condition, ok := item.(map[string]any); ok && condition["type"] == "Propagation" && condition["status"] == "True" {
				n++
			}
		}
	}
	return n, nil
}

// leading says which of the controllers leads, once one does, and which does not.
func leading(ctx context.Context, controllers []*framework.Controller) (leader, other *framework.Controller) {
	GinkgoHelper()
	Eventually(ctx, func(ctx context.Context) bool {
		for i, c := range controllers {
			if leads, err := c.Metric(ctx, "leader_election_master_status"); err == nil && leads >= 1 {
				leader, other = c, controllers[1-i]
				return true
			}
		}
		revive(ctx, controllers)
		return false
	}).Should(BeTrue())
	return leader, other
}

// revive starts those again that have ended, as a Deployment would.
func revive(ctx context.Context, controllers []*framework.Controller) {
	GinkgoHelper()
	for _, c := range controllers {
		if !c.Running() {
			Expect(c.Stop(ctx)).To(Succeed()) // it has ended
			Expect(c.Launch()).To(Succeed())
		}
	}
}

// strike pauses or kills a controller, or both, and returns the one that is paused.
func (c *crowd) strike(ctx context.Context, leader, other *framework.Controller) (paused *framework.Controller) {
	GinkgoHelper()
	switch way := c.random.IntN(10); {
	case way < 6:
		paused = leader
	case way < 7:
		paused = other
	case way < 9:
		Expect(leader.Kill(ctx)).To(Succeed())
	default:
		Expect(leader.Kill(ctx)).To(Succeed())
		Expect(other.Kill(ctx)).To(Succeed())
	}
	if paused != nil && paused.Running() { // one that lost its Lease to a slow machine has ended
		Expect(paused.Pause()).To(Succeed())
	}
	return paused
}

// round changes objects, strikes meanwhile, wants again what was not wanted, and wakes
// what was paused when the member holds all of that. uids are those of before.
func (c *crowd) round(ctx context.Context, pair []*framework.Controller, uids map[string]types.UID) map[string]types.UID {
	GinkgoHelper()
	leader, other := leading(ctx, pair)
	gone := c.some(unplaced)
	writing := make(chan error, 1)
	touched := append(c.some(changed), gone...)
	c.change(touched, true)
	c.change(gone, false)
	go func() { writing <- c.write(ctx, touched) }()
	time.Sleep(time.Duration(c.random.IntN(4000)) * time.Millisecond) // at any moment
	paused := c.strike(ctx, leader, other)
	revive(ctx, pair)
	Expect(<-writing).To(Succeed())
	c.change(gone, true)
	Expect(c.write(ctx, gone)).To(Succeed())

	now := c.held(ctx)
	before := maps.Clone(uids)
	for _, i := range gone {
		before[c.name(i)] = now[c.name(i)] // it may have been deleted
	}
	Expect(now).To(Equal(before), "something was wanted all the time, and was deleted")
	if paused != nil {
		_ = paused.Resume() // it may have ended
	}
	if paused == leader {
		Eventually(ctx, leader.Running).Should(BeFalse(), "it led before it was paused")
	}
	Consistently(ctx, func() (map[string]types.UID, error) {
		uids, _, err := c.look(ctx)
		return uids, err
	}).WithTimeout(2 * time.Second).WithPolling(500 * time.Millisecond).Should(Equal(now))
	revive(ctx, pair)
	return now
}

// start has two controllers propagate the crowd, until the spec ends.
func (c *crowd) start(ctx context.Context, flags ...string) (pair []*framework.Controller) {
	GinkgoHelper()
	flags = append([]string{
		"--leader-elect-lease-duration=8s", "--leader-elect-renew-deadline=6s", "--leader-elect-retry-period=1s",
		"--request-timeout=10m", "--backups=false",
	}, flags...)
	pair = []*framework.Controller{prepare(ctx, c.namespace+"-a", flags...), prepare(ctx, c.namespace+"-b", flags...)}
	DeferCleanup(func(ctx SpecContext) {
		for _, one := range pair {
			_ = one.Resume() // it may not be paused
			Expect(one.Stop(ctx)).To(Succeed())
		}
	}, NodeTimeout(time.Minute))
	Expect(host.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}})).To(Succeed())
	here := map[string]any{"clusters": []any{map[string]any{"name": member.Name}}}
	Expect(host.Create(ctx, federated("FederatedNamespace", c.namespace, c.namespace, map[string]any{"placement": here}))).To(Succeed())
	revive(ctx, pair)
	all := c.some(many)
	c.change(all, true)
	Expect(c.write(ctx, all)).To(Succeed())
	return pair
}

var _ = Describe("Controllers that are paused and killed at any time", Label("long"), func() {
	DescribeTable("write only while they lead, delete nothing that is wanted, and take nothing back", func(ctx SpecContext, namespace string, flags ...string) {
		c := &crowd{namespace: namespace, random: rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0))}
		pair := c.start(ctx, flags...)
		uids := c.held(ctx)
		watched := watchVersions(ctx, member, namespace)
		for round := range rounds {
			By(fmt.Sprintf("round %d", round))
			uids = c.round(ctx, pair, uids)
		}
		Eventually(ctx, c.settled).WithPolling(time.Second).Should(Equal(many))
		events, older := watched.found()
		Expect(older).To(BeEmpty())
		Expect(events).To(BeNumerically(">", many))
		writes, leaders := expectOneWriter(audit)
		Expect(writes).To(BeNumerically(">", many))
		Expect(leaders).To(BeNumerically(">", rounds/2))
		AddReportEntry("Held", fmt.Sprintf("%d changes in the member, %d writes, %d leaders", events, writes, leaders))
	},
		Entry("without a limit of requests", SpecTimeout(50*time.Minute), "crowd"),
		Entry("with a limit of requests", SpecTimeout(50*time.Minute), "limited-crowd", "--member-qps=40", "--member-burst=10"),
	)
})
