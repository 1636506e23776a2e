package deletion

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// step is one deletion of a world; where are the members that can be written to.
type step struct {
	name string
	do   func(ctx context.Context, w *world, where []*framework.Cluster) error
}

// steps are the deletions.
var steps = []step{
	{"objects", func(ctx context.Context, w *world, _ []*framework.Cluster) error {
		return drop(ctx, host, w.own, w.common)
	}},
	{"FederatedNamespace", func(ctx context.Context, w *world, _ []*framework.Cluster) error {
		return drop(ctx, host, w.federatedNamespace)
	}},
	{"namespace", func(ctx context.Context, w *world, _ []*framework.Cluster) error { return drop(ctx, host, w.namespace) }},
	{"FederatedTypeConfig", func(ctx context.Context, w *world, _ []*framework.Cluster) error { return drop(ctx, host, w.config) }},
	{"definition of the federated type", func(ctx context.Context, w *world, _ []*framework.Cluster) error {
		return drop(ctx, host, w.definition)
	}},
	{"definition of the target", func(ctx context.Context, w *world, where []*framework.Cluster) error {
		for _, c := range where {
			if err := drop(ctx, c, w.target); err != nil {
				return err
			}
		}
		return nil
	}},
}

// order is two steps in a world of their own.
type order struct {
	*world
	first, second step
}

// everyPair has walk take all ordered pairs of steps.
var everyPair = []int{1, 2, 3, 4, 5}

// walk makes a world for each ordered pair of steps that are so far apart in the
// list, takes all first steps, lets something happen, and takes all second ones.
func walk(ctx context.Context, apart []int, where []*framework.Cluster, meanwhile func()) []*world {
	GinkgoHelper()
	var orders []*order
	for i, first := range steps {
		for _, distance := range apart {
			orders = append(orders, &order{first: first, second: steps[(i+distance)%len(steps)]})
		}
	}
	eachOf(orders, func(o *order) error {
		var err error
		o.world, err = newWorld(ctx)
		return err
	})
	worlds := make([]*world, len(orders))
	for i, o := range orders {
		o.settle(ctx)
		worlds[i] = o.world
		_, _ = fmt.Fprintf(GinkgoWriter, "%s: %s, then %s\n", o.name, o.first.name, o.second.name)
	}
	eachOf(orders, func(o *order) error { return o.first.do(ctx, o.world, where) })
	meanwhile()
	eachOf(orders, func(o *order) error { return o.second.do(ctx, o.world, where) })
	return worlds
}

// finish deletes what is left of the worlds in the host.
func finish(ctx context.Context, worlds []*world) {
	GinkgoHelper()
	eachOf(worlds, func(w *world) error {
		return drop(ctx, host, w.own, w.common, w.federatedNamespace, w.config, w.definition, w.target, w.namespace)
	})
}

// eachOf does something for each, eight at a time, and expects no errors.
func eachOf[T any](all []T, do func(T) error) {
	GinkgoHelper()
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := worker; i < len(all); i += 8 {
				errs[i] = do(all[i])
			}
		})
	}
	wait.Wait()
	Expect(errs).To(HaveEach(BeNil()))
}

// expectWaiting waits until everything of the worlds that is being deleted either
// is gone, or says that it waits for the cluster and how to give it up.
func expectWaiting(ctx context.Context, worlds []*world, c *framework.Cluster) (waiting int) {
	GinkgoHelper()
	for _, w := range worlds {
		for _, object := range w.federated() {
			Eventually(ctx, func(g Gomega) {
				u, err := read(ctx, host, object)
				if isGone(err) {
					return
				}
				g.Expect(err).NotTo(HaveOccurred())
				if u.GetDeletionTimestamp() == nil || len(u.GetFinalizers()) == 0 {
					return
				}
				status := fmt.Sprint(u.Object["status"])
				g.Expect(status).To(And(ContainSubstring(c.Name), ContainSubstring("WaitingForRemoval"), ContainSubstring("fedctl unjoin "+c.Name+" --force")),
					"%s %s", object.GetKind(), w.name)
				g.Expect(strings.Count(status, "WaitingForRemoval")).To(BeNumerically("<=", 2), "only %s is waited for: %s", c.Name, status)
				waiting++
			}).Should(Succeed())
		}
	}
	return waiting
}

var _ = Describe("Deletions, in every order, end", func() {
	It("with all clusters well", func(ctx SpecContext) {
		worlds := walk(ctx, everyPair, clusters(), func() {})
		expectEnded(ctx, worlds)
		finish(ctx, worlds)
		expectGone(ctx, worlds)
		expectUnmanaged(ctx, worlds, members...)
	}, NodeTimeout(10*time.Minute))

	It("with the controller killed in between", func(ctx SpecContext) {
		worlds := walk(ctx, []int{4}, clusters(), func() { Expect(system.Controller.Kill(ctx)).To(Succeed()) })
		Expect(system.Controller.Start(ctx)).To(Succeed())
		expectEnded(ctx, worlds)
		finish(ctx, worlds)
		expectGone(ctx, worlds)
		expectUnmanaged(ctx, worlds, members...)
	}, NodeTimeout(10*time.Minute))

	It("with a member unjoined in between", func(ctx SpecContext) {
		worlds := walk(ctx, []int{5}, clusters(), func() { fedctl(ctx, "unjoin", members[1].Name) })
		expectEnded(ctx, worlds)
		finish(ctx, worlds)
		expectGone(ctx, worlds)
		expectUnmanaged(ctx, worlds, members[0], members[2])

		By("joining it again: what it has kept loses the label")
		Expect(system.Join(ctx, members[1].Name)).To(Succeed())
		expectUnmanaged(ctx, worlds, members[1])
	}, NodeTimeout(10*time.Minute))

	DescribeTable("with a member that does not answer, once it is given up",
		func(ctx SpecContext, apart []int, breakIt func(ctx context.Context, c *framework.Cluster)) {
			broken := members[1]
			rest := []*framework.Cluster{host, members[0], members[2]}
			worlds := walk(ctx, apart, rest, func() {
				breakIt(ctx, broken)
				Expect(system.WaitForMember(ctx, broken.Name, false)).To(Succeed())
			})
			Expect(expectWaiting(ctx, worlds, broken)).To(BeNumerically(">", 0), "nothing has waited")
			fedctl(ctx, "unjoin", broken.Name, "--force")
			expectEnded(ctx, worlds)
			finish(ctx, worlds)
			expectGone(ctx, worlds)
		},
		Entry("stopped", []int{1}, func(ctx context.Context, c *framework.Cluster) {
			Expect(system.Faults().StopMember(ctx, c.Name)).To(Succeed())
		}, NodeTimeout(10*time.Minute)),
		Entry("hung", []int{2}, func(_ context.Context, c *framework.Cluster) {
			Expect(system.Faults().Pause(c.Name)).To(Succeed())
		}, NodeTimeout(10*time.Minute)),
	)

	It("with a member stopped, by itself with unready-deletion-timeout", func(ctx SpecContext) {
		broken := members[1]
		Expect(system.Controller.Restart(ctx, "--unready-deletion-timeout=3s")).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Controller.Restart(ctx)).To(Succeed()) })
		worlds := walk(ctx, []int{3}, []*framework.Cluster{host, members[0], members[2]}, func() {
			Expect(system.Faults().StopMember(ctx, broken.Name)).To(Succeed())
			Expect(system.WaitForMember(ctx, broken.Name, false)).To(Succeed())
		})
		expectEnded(ctx, worlds)
		finish(ctx, worlds)
		expectGone(ctx, worlds)

		By("starting it again: what it has kept loses the label")
		Expect(system.Faults().StartMember(ctx, broken.Name)).To(Succeed())
		expectUnmanaged(ctx, worlds, members...)
	}, NodeTimeout(10*time.Minute))
})
