package capacity

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	resourcev1client "k8s.io/client-go/kubernetes/typed/resource/v1"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/accelerator/devices"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// claimed are the devices that a ResourceClaim has been given.
type claimed []devices.ID

// drivers are what the drivers of a member's devices offer.
type drivers struct {
	slices  *fleet.Table[devices.Slice]
	classes *fleet.Table[devices.Class]
	watches []interface {
		Problem() error
		Unserved() bool
		Age() time.Duration
	}
	counter *devices.Counter
}

// What is held of a member's devices, in bytes: of 5,000 nodes with 16 devices each, and of
// more classes than are judged.
const (
	mostOfSlices  = 128 << 20
	mostOfClasses = 1 << 20
)

// unservedRetry is how often it is asked whether a member has come to serve devices.
const unservedRetry = 30 * time.Second

// followDrivers begins to follow what drivers offer in a member, until ctx ends.
func followDrivers(ctx context.Context, client resourcev1client.ResourceV1Interface, timeout time.Duration, cluster string, log logr.Logger, changed func()) *drivers {
	served := discovery{client.RESTClient(), timeout}
	d := &drivers{counter: devices.NewCounter()}
	d.slices = fleet.NewTable(fleet.Rules[devices.Slice]{
		Read:  read(func(s *resourcev1.ResourceSlice) *devices.Slice { return devices.SliceOf(&s.Spec) }),
		Weigh: (*devices.Slice).Weight, MostWeight: mostOfSlices, Lighten: (*devices.Slice).Light,
		OnChange: func(types.NamespacedName, *devices.Slice, *devices.Slice) { changed() }, OnSynced: changed,
	})
	d.classes = fleet.NewTable(fleet.Rules[devices.Class]{
		Read:  read(devices.ClassOf),
		Weigh: (*devices.Class).Weight, MostWeight: mostOfClasses, Lighten: (*devices.Class).Light,
		OnChange: func(types.NamespacedName, *devices.Class, *devices.Class) { changed() }, OnSynced: changed,
	})
	d.watches = append(d.watches,
		fleet.Follow(ctx, devicesSource(served, cluster, "resourceslices", &resourcev1.ResourceSlice{}, log, changed,
			func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				return client.ResourceSlices().List(ctx, o)
			}, client.ResourceSlices().Watch), d.slices),
		fleet.Follow(ctx, devicesSource(served, cluster, "deviceclasses", &resourcev1.DeviceClass{}, log, changed,
			func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				return client.DeviceClasses().List(ctx, o)
			}, client.DeviceClasses().Watch), d.classes))
	return d
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
func devicesSource(served discovery, cluster, resource string, example runtime.Object, log logr.Logger, changed func(),
	list func(context.Context, metav1.ListOptions) (runtime.Object, error), follow func(context.Context, metav1.ListOptions) (watch.Interface, error),
) fleet.Source {
	return fleet.Source{
		List: list, Watch: follow, Example: example, Type: resource, Name: "member " + cluster + ": " + resource, Log: log, OnTrouble: changed,
		RetryMax: unservedRetry, WhyNotFound: served.whyNotFound(resourcev1.SchemeGroupVersion.WithResource(resource)),
	}
}

// followClaims follows the devices that a member's ResourceClaims have been given.
func followClaims(ctx context.Context, client resourcev1client.ResourceV1Interface, timeout time.Duration, cluster string, log logr.Logger, changed func()) (*fleet.Table[claimed], *fleet.Watch[claimed]) {
	claims := fleet.NewTable(fleet.Rules[claimed]{
		Read: read(func(claim *resourcev1.ResourceClaim) *claimed {
			taken := claimed(devices.TakenBy(claim))
			return &taken
		}),
		Same:     func(before, after *claimed) bool { return slices.Equal(*before, *after) },
		OnChange: func(types.NamespacedName, *claimed, *claimed) { changed() }, OnSynced: changed,
	})
	return claims, fleet.Follow(ctx, devicesSource(discovery{client.RESTClient(), timeout}, cluster, "resourceclaims", &resourcev1.ResourceClaim{}, log, changed,
		func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return client.ResourceClaims("").List(ctx, o)
		}, client.ResourceClaims("").Watch), claims)
}

// unserved says that the member serves no devices, as far as that is known.
func (d *drivers) unserved() bool {
	for _, w := range d.watches {
		if w.Unserved() {
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

// known says that all that drivers offer has been read, now or earlier.
func (d *drivers) known() bool { return d.slices.Synced() && d.classes.Synced() }

// listing says that it is being read, and nothing is wrong.
func (d *drivers) listing() bool {
	return !d.known() && !d.unserved() && d.problem() == nil && d.watches[0].Age() < listingTime
}

// devicesUnreadable says that devices are not known, or not all that there is to know of them.
func devicesUnreadable(why string) *metav1.Condition {
	return &metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDevicesUnreadable, Message: why}
}

// keepDevices has what was said before of devices said again while nothing has been read: who was
// let onto the nodes by it is not to be sent away. What is free of them is not known.
func (s *seen) keepDevices(problem error, previous v1alpha1.ClusterCapacityStatus) *metav1.Condition {
	for _, pool := range previous.Pools {
		if accelerator.IsDevice(pool.Resource) {
			pool.Requested, pool.Free, pool.LargestFree = nil, nil, nil
			s.kept = append(s.kept, pool)
		}
	}
	if problem == nil {
		return &metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonListing, Message: "devices are being read, and what is said of them is what was known last"}
	}
	return devicesUnreadable("devices cannot be read, and what is said of them is what was known last: " + errtext.Stable(problem))
}

// offer adds to nodes and requests the devices there are, and says what is known of them;
// nil where the member serves none. q is nil where nobody wants to know what is taken, and
// previous is what was said before.
func (d *drivers) offer(s *seen, q *requests, previous v1alpha1.ClusterCapacityStatus) *metav1.Condition {
	if d.unserved() {
		return nil
	}
	problem := d.problem()
	if !d.known() {
		return s.keepDevices(problem, previous)
	}
	var taken []devices.ID
	var unclaimed error
	if q != nil {
		if unclaimed = q.claimsWatch.Problem(); unclaimed == nil {
			for _, ids := range valuesOf(q.claims) {
				taken = append(taken, *ids...)
			}
		}
	}
	count := d.counter.Count(valuesOf(d.classes), valuesOf(d.slices), taken)
	s.take(count)
	s.claimsUnknown = unclaimed != nil
	switch {
	case problem != nil:
		return devicesUnreadable("devices cannot be read, and what is said of them is what was known last: " + errtext.Stable(problem))
	case len(count.Problems) > 0:
		return devicesUnreadable(strings.Join(count.Problems, "; "))
	case unclaimed != nil:
		return devicesUnreadable("the ResourceClaims cannot be read, so that it is not known which devices are free: " + errtext.Stable(unclaimed))
	}
	return &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFollowed, Message: "devices are followed"}
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
