package federate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// Bounds of what the members add to a federated object: it has to stay writable, and an
// API server stores no more than 1.5 MiB.
const (
	// MostCollected is for the status of one cluster's object.
	MostCollected = 64 << 10
	// MostCollectedOfMember is for those of all objects of a type in one cluster, which
	// are kept in memory.
	MostCollectedOfMember = 64 << 20
	// MostCollectedTogether is for those of all clusters.
	MostCollectedTogether = 512 << 10
	mostMessagesTogether  = 256 << 10
	mostForeignTogether   = 64 << 10
	mostHealthTogether    = 128 << 10
	leastMessage          = 64
)

// boundMessages keeps what the clusters say within errtext.Cluster each, and less where
// there are many.
func boundMessages(clusters []ClusterStatus) {
	said := 0
	for i := range clusters {
		if clusters[i].Message != "" {
			said++
		}
	}
	if said == 0 {
		return
	}
	most := min(errtext.Cluster, max(leastMessage, mostMessagesTogether/said))
	for i := range clusters {
		clusters[i].Message = errtext.Bounded(clusters[i].Message, most)
	}
}

// boundForeign keeps what is said of other managers within a bound for all clusters together:
// what there is no room for is only counted as there.
func boundForeign(clusters []ClusterStatus) {
	left := mostForeignTogether
	for i := range clusters {
		said := &clusters[i].AlsoWrittenBy
		if left -= len(*said); left < 0 && *said != "" {
			*said = "…"
		}
	}
}

// TooLarge stands for a RemoteStatus of so many bytes that was not kept, because of
// its own size, or else because of what is kept of the cluster's other objects.
type TooLarge int

// BoundCollected leaves out what is too large, the largest first, so that a member that
// says too much takes nothing from the others. It says whose status was left out, by name.
func BoundCollected(clusters []ClusterStatus) (tooLarge []string) {
	sizes := make(map[int]int, len(clusters))
	var kept []int
	together := 0
	for i := range clusters {
		sizes[i] = sizeOf(clusters[i].RemoteStatus)
		if _, unkept := clusters[i].RemoteStatus.(TooLarge); !unkept && sizes[i] > 0 && sizes[i] <= MostCollected {
			kept = append(kept, i)
			together += sizes[i]
		}
	}
	all := together
	slices.SortStableFunc(kept, func(a, b int) int { return cmp.Compare(sizes[b], sizes[a]) })
	over := map[int]bool{}
	for _, i := range kept {
		if together <= MostCollectedTogether {
			break
		}
		over[i] = true
		together -= sizes[i]
	}
	for i := range clusters {
		c := &clusters[i]
		_, unkept := c.RemoteStatus.(TooLarge)
		switch {
		case sizes[i] > MostCollected:
			tooLarge = append(tooLarge, fmt.Sprintf("the status in cluster %s has %d bytes, of which at most %d are collected", c.Name, sizes[i], MostCollected))
		case over[i]:
			tooLarge = append(tooLarge, fmt.Sprintf("the status in cluster %s has %d bytes: together they have %d, of which at most %d are collected", c.Name, sizes[i], all, MostCollectedTogether))
		case unkept:
			tooLarge = append(tooLarge, fmt.Sprintf("the status in cluster %s has %d bytes: those of this type's other objects there have used up the %d that are kept", c.Name, sizes[i], MostCollectedOfMember))
		default:
			continue
		}
		c.RemoteStatus = nil
	}
	return tooLarge
}

// sizeOf is how many bytes a collected status has as JSON.
func sizeOf(status any) int {
	switch s := status.(type) {
	case nil:
		return 0
	case TooLarge:
		return int(s)
	}
	raw, err := json.Marshal(status)
	if err != nil {
		return MostCollected + 1 // it cannot be written
	}
	return len(raw)
}
