package capacity

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	resourcev1client "k8s.io/client-go/kubernetes/typed/resource/v1"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/accelerator/devices"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// drivers are what the drivers of a member's devices offer.
type drivers struct {
	slices  *fleet.Table[devices.Slice]
	classes *fleet.Table[devices.Class]
	// rules taint devices of any driver; few members serve them. rulesWatch is theirs.
	rules      *fleet.Table[devices.TaintRule]
	rulesWatch *fleet.Watch[devices.TaintRule]
	watches    []interface {
		Problem() error
		Lacks() bool
		Age() time.Duration
	}
	judge *devices.Judge
	// judged are the devices whose classes are known; nil before all have been read.
	judged atomic.Pointer[devices.Judged]
	news   chan struct{} // holds one
}

// What is held of a member's devices, in bytes: of 5,000 nodes with 16 devices each, and of
// more classes and DeviceTaintRules than are judged; and of 100,000 ResourceClaims. What a list tells of them is more, and let go one by one.
const (
	mostOfSlices  = 12 << 20
	mostOfClasses = 1 << 20
	mostOfRules   = 1 << 20
	mostOfClaims  = 16 << 20
	mostToldOf    = 512 << 20
)

// unservedRetry is how often it is asked whether a member has come to serve devices.
const unservedRetry = 30 * time.Second

// followDrivers begins to follow what drivers offer in a member, until ctx ends.
func followDrivers(ctx context.Context, client resourcev1client.ResourceV1Interface, objects dynamic.Interface, served fleet.Discovery, cluster string, log logr.Logger, changed func()) *drivers {
	d := newDrivers()
	slicesSource := devicesSource(served, cluster, "resourceslices", &resourcev1.ResourceSlice{}, log, changed,
		func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return client.ResourceSlices().List(ctx, o)
		}, client.ResourceSlices().Watch)
	slicesSource.Streams = mostToldOf
	d.watches = append(d.watches, fleet.Follow(ctx, slicesSource, d.slices),
		fleet.Follow(ctx, devicesSource(served, cluster, "deviceclasses", &resourcev1.DeviceClass{}, log, changed,
			func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				return client.DeviceClasses().List(ctx, o)
			}, client.DeviceClasses().Watch), d.classes))
	d.rulesWatch = followTaintRules(ctx, objects, served, cluster, log, d.rules, func() {
		d.told() // they may be judged without rules now, or are not any more
		changed()
	})
	go d.keepJudging(ctx, changed)
	return d
}

// newDrivers returns drivers of which nothing is known.
func newDrivers() *drivers {
	d := &drivers{judge: devices.NewJudge(), news: make(chan struct{}, 1)}
	d.slices = fleet.NewTable(fleet.Rules[devices.Slice]{
		Read:  read(func(s *resourcev1.ResourceSlice) *devices.Slice { return devices.SliceOf(&s.Spec) }),
		Weigh: (*devices.Slice).Weight, MostWeight: mostOfSlices, Lighten: (*devices.Slice).Light,
		OnChange: func(types.NamespacedName, *devices.Slice, *devices.Slice) { d.told() }, OnSynced: d.told,
	})
	d.classes = fleet.NewTable(fleet.Rules[devices.Class]{
		Read:  read(devices.ClassOf),
		Weigh: (*devices.Class).Weight, MostWeight: mostOfClasses, Lighten: (*devices.Class).Light,
		OnChange: func(types.NamespacedName, *devices.Class, *devices.Class) { d.told() }, OnSynced: d.told,
	})
	d.rules = newTaintRules(d.told)
	return d
}

// told has what there is to judge looked at.
func (d *drivers) told() {
	select {
	case d.news <- struct{}{}:
	default:
	}
}

// keepJudging judges devices whenever there are others, until ctx ends. That may take seconds,
// for which nobody waits; of one member it is not done all the time.
func (d *drivers) keepJudging(ctx context.Context, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.news:
		}
		began := time.Now()
		if d.judgeAll() {
			changed()
		}
		rest := settle
		if time.Since(began) > settle {
			rest = pause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

// judgeAll judges what is known now; false while not all has been read.
func (d *drivers) judgeAll() bool {
	if !d.slices.Synced() || !d.classes.Synced() || !d.rules.Synced() && d.rulesWatch.Problem() == nil {
		return false
	}
	d.judged.Store(d.judge.Judge(valuesOf(d.classes), valuesOf(d.slices), valuesOf(d.rules)))
	return true
}

// read takes what is kept from an object of a type.
func read[O any, V any](keep func(*O) *V) func(metav1.Object) (*V, error) {
	return func(object metav1.Object) (*V, error) {
		typed, ok := any(object).(*O)
		if !ok {
			return nil, fmt.Errorf("a %T was expected, and is a %T", new(O), object)
		}
		return keep(typed), nil
	}
}

// devicesSource is what is watched of resource.k8s.io/v1, which not every member serves.
func devicesSource(served fleet.Discovery, cluster, resource string, example runtime.Object, log logr.Logger, changed func(),
	list func(context.Context, metav1.ListOptions) (runtime.Object, error), follow func(context.Context, metav1.ListOptions) (watch.Interface, error),
) fleet.Source {
	return served.Explain(fleet.Source{
		List: list, Watch: follow, Example: example, Type: resource, Name: "member " + cluster + ": " + resource, Log: log, OnTrouble: changed,
		RetryMax: unservedRetry,
	}, resourcev1.SchemeGroupVersion.WithResource(resource))
}

// followClaims follows the devices that a member's ResourceClaims have been given.
func followClaims(ctx context.Context, client resourcev1client.ResourceV1Interface, served fleet.Discovery, cluster string, log logr.Logger, changed func()) (*fleet.Table[devices.Claim], *fleet.Watch[devices.Claim]) {
	claims := newClaims(changed)
	return claims, fleet.Follow(ctx, devicesSource(served, cluster, "resourceclaims", &resourcev1.ResourceClaim{}, log, changed,
		func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return client.ResourceClaims("").List(ctx, o)
		}, client.ResourceClaims("").Watch), claims)
}

// newClaims returns a table of ResourceClaims; changed is told of news.
func newClaims(changed func()) *fleet.Table[devices.Claim] {
	return fleet.NewTable(fleet.Rules[devices.Claim]{
		Read:  read(devices.ClaimOf),
		Weigh: (*devices.Claim).Weight, MostWeight: mostOfClaims, Lighten: (*devices.Claim).Light,
		Same:     func(before, after *devices.Claim) bool { return reflect.DeepEqual(before, after) },
		OnChange: func(types.NamespacedName, *devices.Claim, *devices.Claim) { changed() }, OnSynced: changed,
	})
}

// unserved says that the member serves no devices, as far as that is known.
func (d *drivers) unserved() bool {
	for _, w := range d.watches {
		if w.Lacks() {
			return true
		}
	}
	return false
}

// problem says why what drivers offer cannot be read.
func (d *drivers) problem() error {
	for _, w := range d.watches {
		if problem := w.Problem(); problem != nil {
			return problem
		}
	}
	return nil
}

// known says that all that drivers offer has been read and judged, now or earlier.
func (d *drivers) known() bool { return d.judged.Load() != nil }

// listing says that it is being read, and nothing is wrong.
func (d *drivers) listing() bool {
	return !d.known() && !d.unserved() && d.problem() == nil && d.watches[0].Age() < listingTime
}

// devicesNot says why devices are not known as they are now.
func devicesNot(reason, why string) *metav1.Condition {
	return &metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: why}
}

// keptDevices are pools of devices that were known earlier and are not now. What is free of them
// is not known.
func keptDevices(previous []v1alpha1.Pool, is func(resource string) bool) (kept []v1alpha1.Pool) {
	for _, pool := range previous {
		if accelerator.IsDevice(pool.Resource) && is(pool.Resource) {
			pool.Requested, pool.Free, pool.LargestFree = nil, nil, nil
			kept = append(kept, pool)
		}
	}
	return kept
}

// devicesWereRead says whether devices have been read earlier.
func devicesWereRead(previous v1alpha1.ClusterCapacityStatus) bool {
	known := meta.FindStatusCondition(previous.Conditions, v1alpha1.ConditionDevicesKnown)
	return known != nil && accelerator.DevicesRead(known) ||
		slices.ContainsFunc(previous.Pools, func(p v1alpha1.Pool) bool { return accelerator.IsDevice(p.Resource) })
}

// keepDevices has what was said before of devices said again while nothing has been read: who was
// let onto the nodes by it is not to be sent away. Which nodes have devices is not known, and so
// not which lack a device plugin either: that is said as before, too.
func (s *seen) keepDevices(problem error, previous v1alpha1.ClusterCapacityStatus) *metav1.Condition {
	const last = ", and what is said of them is what was known last"
	if !devicesWereRead(previous) {
		if problem == nil {
			return devicesNot(v1alpha1.ReasonListing, "devices are being read")
		}
		return devicesNot(v1alpha1.ReasonDevicesUnreadable, "devices cannot be read: "+errtext.Stable(problem))
	}
	s.devicesStale = true
	s.kept = keptDevices(previous.Pools, accelerator.IsDevice)
	for i := range previous.Pools {
		if p := &previous.Pools[i]; p.StartingNodes+p.NodesWithoutPlugin > 0 && p.AvailableNodes == 0 && !accelerator.IsDevice(p.Resource) {
			s.kept = append(s.kept, *p)
		}
	}
	if problem == nil {
		return devicesNot(v1alpha1.ReasonDevicesStale, "devices are being read"+last)
	}
	return devicesNot(v1alpha1.ReasonDevicesStale, "devices cannot be read"+last+": "+errtext.Stable(problem))
}

// offer adds to nodes and requests the devices there are, and says what is known of them;
// nil where the member serves none. q is nil where nobody wants to know what is taken, and
// previous is what was said before.
func (d *drivers) offer(s *seen, q *requests, previous v1alpha1.ClusterCapacityStatus) *metav1.Condition {
	if d.unserved() {
		return nil
	}
	problem, judged := d.problem(), d.judged.Load()
	if judged == nil {
		return s.keepDevices(problem, previous)
	}
	taken, unclaimed := q.taken()
	count := judged.Count(taken)
	s.take(count)
	s.claimsUnknown = unclaimed != nil
	s.kept = keptDevices(previous.Pools, func(resource string) bool { return count.Incomplete[resource] })
	switch {
	case problem != nil:
		return devicesNot(v1alpha1.ReasonDevicesStale, "devices cannot be read, and what is said of them is what was known last: "+errtext.Stable(problem))
	case len(count.Problems) > 0:
		reason, why := v1alpha1.ReasonDevicesUnreadable, strings.Join(count.Problems, "; ")
		if len(s.kept) > 0 {
			reason, why = v1alpha1.ReasonDevicesStale, why+"; of these classes, what was known last counts as well"
		}
		return devicesNot(reason, why)
	case unclaimed != nil:
		return devicesNot(v1alpha1.ReasonClaimsUnreadable, "it is not known which devices are free: "+errtext.Stable(unclaimed))
	}
	if left := d.withoutRules(count); left != "" {
		return &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonTaintRulesUnreadable, Message: left}
	}
	return &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFollowed, Message: "devices are followed"}
}

// survey adds to nodes what devices they have, and which lack a device plugin, and returns when
// to look at that again; the zero time if that is not needed.
func (s *seen) survey(d *drivers, q *requests, previous v1alpha1.ClusterCapacityStatus) (again time.Time) {
	s.devices = d.offer(s, q, previous)
	if s.devicesStale {
		return again
	}
	return accelerator.FindMissing(s.nodes, time.Now())
}

// taken are the devices that claims have been given, or why that is not known. Of no requests
// nobody wants to know.
func (q *requests) taken() (taken []devices.ID, problem error) {
	if q == nil {
		return nil, nil
	}
	if problem = q.claimsWatch.Problem(); problem != nil {
		return nil, fmt.Errorf("the ResourceClaims cannot be read: %w", problem)
	}
	excessive := 0
	for _, claim := range valuesOf(q.claims) {
		if taken = append(taken, claim.Taken...); claim.Excessive {
			excessive++
		}
	}
	if excessive > 0 {
		return nil, fmt.Errorf("%d ResourceClaims are left out: they have more devices than are taken", excessive)
	}
	return taken, nil
}

// take adds devices to the nodes that they are on. What was known of nodes and requests is
// shared with others, and not changed.
func (s *seen) take(count devices.Count) {
	for i := range s.nodes {
		node := &s.nodes[i]
		if len(count.Drivers[node.Name]) == 0 {
			continue
		}
		node.Drivers = count.Drivers[node.Name]
		node.Allocatable = together(node.Allocatable, count.Offered[node.Name])
		if node.Product == "" {
			node.Product = errtext.Bounded(count.Products[node.Name], mostOfProduct)
		}
	}
	if s.requests == nil || len(count.Taken) == 0 {
		return
	}
	requests := maps.Clone(s.requests)
	for name, taken := range count.Taken {
		requests[name] = together(requests[name], taken)
	}
	s.requests = requests
}

func together(a, b map[string]int64) map[string]int64 {
	all := make(map[string]int64, len(a)+len(b))
	maps.Copy(all, a)
	for name, amount := range b {
		if accelerator.IsCounted(name) && isClean(name) {
			all[name] += amount
		}
	}
	return all
}

// valuesOf are all values of a table.
func valuesOf[V any](table *fleet.Table[V]) []*V {
	keys := table.Keys("")
	values := make([]*V, 0, len(keys))
	for _, key := range keys {
		if value := table.Get(key); value != nil {
			values = append(values, value)
		}
	}
	return values
}
