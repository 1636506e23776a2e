package devices

import (
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// Count is what there is on nodes, by node and resource.
type Count struct {
	// Offered are the devices that claims can be given, and Taken those of them that some have.
	Offered, Taken map[string]map[string]int64
	// Products are what the devices of a node say they are, and Drivers who offers any there,
	// taken, tainted or not.
	Products map[string]string
	Drivers  map[string][]string
	// Incomplete are the resources of which there may be more: our own bounds left some out.
	Incomplete map[string]bool
	// Problems say what was left out, and why.
	Problems []string
	// Rules says which DeviceTaintRules are not carried out: what they taint is offered.
	Rules []string
}

// Count counts the devices of each class on each node. Devices with a taint that keeps
// claims away, their own or a rule's, are none. A device of two classes is counted in both. taken may be nil where
// nobody wants to know.
func (j *Judged) Count(taken []ID) Count {
	count := Count{
		Offered: map[string]map[string]int64{}, Taken: map[string]map[string]int64{}, Products: map[string]string{},
		Drivers: map[string][]string{}, Incomplete: make(map[string]bool, len(j.incomplete)), Problems: slices.Clone(j.problems), Rules: j.rules,
	}
	for _, class := range j.incomplete {
		count.Incomplete[v1alpha1.DeviceClassPrefix+class] = true
	}
	gone := make(map[ID]bool, len(taken))
	for _, id := range taken {
		gone[id] = true
	}
	for i := range j.slices {
		count.add(&j.slices[i], gone)
	}
	return count
}

func (count *Count) add(slice *judgedSlice, taken map[ID]bool) {
	if slice.offers && !slices.Contains(count.Drivers[slice.node], slice.driver) {
		count.Drivers[slice.node] = append(count.Drivers[slice.node], slice.driver)
	}
	if slice.product != "" && (count.Products[slice.node] == "" || slice.product < count.Products[slice.node]) {
		count.Products[slice.node] = slice.product
	}
	for i, device := range slice.devices {
		if slice.closed != nil && slice.closed[i] {
			continue
		}
		gone := taken[ID{slice.driver, slice.pool, device.name}]
		for _, class := range device.classes {
			if strings.HasPrefix(class, criterionPrefix) {
				break // what rules ask for comes last
			}
			increase(count.Offered, slice.node, v1alpha1.DeviceClassPrefix+class)
			if gone {
				increase(count.Taken, slice.node, v1alpha1.DeviceClassPrefix+class)
			}
		}
	}
}

func increase(counts map[string]map[string]int64, node, resource string) {
	if counts[node] == nil {
		counts[node] = map[string]int64{}
	}
	counts[node][resource]++
}

// mostTaken is how many devices one ResourceClaim has at most, and more than an API server lets it have.
const mostTaken = 2 * resourcev1.AllocationResultsMaxSize

// Claim is what is kept of a ResourceClaim: the devices that it has been given, without those it
// only looks at.
type Claim struct {
	Taken []ID
	// Excessive says that it has more than is taken, and so none.
	Excessive bool
}

// Weight is about how many bytes the devices take, and what is left without them is Light.
func (c *Claim) Weight() (bytes int) {
	for i := range c.Taken {
		bytes += 48 + len(c.Taken[i].Driver) + len(c.Taken[i].Pool) + len(c.Taken[i].Device)
	}
	return bytes
}

// Light is the claim without its devices.
func (*Claim) Light() *Claim { return &Claim{Excessive: true} }

// ClaimOf keeps of a ResourceClaim what counts.
func ClaimOf(claim *resourcev1.ResourceClaim) *Claim {
	c := &Claim{}
	if claim.Status.Allocation == nil {
		return c
	}
	results := claim.Status.Allocation.Devices.Results
	if len(results) > mostTaken {
		return c.Light()
	}
	for i := range results {
		result := &results[i]
		if max(len(result.Driver), len(result.Pool), len(result.Device)) > mostOfText {
			continue // it is in no slice that is taken
		}
		if result.AdminAccess == nil || !*result.AdminAccess {
			c.Taken = append(c.Taken, ID{shared(result.Driver), shared(result.Pool), shared(result.Device)})
		}
	}
	c.Taken = slices.Clip(c.Taken)
	return c
}
