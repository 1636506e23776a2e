package main

import (
	"fmt"
	"io"
	"time"
)

// report is the result; times are in nanoseconds in JSON.
type report struct {
	Objects  int `json:"objects"`
	Clusters int `json:"clusters"`
	// Different is for how many of its clusters an object is different, on average.
	Different float64 `json:"differentForEachObject"`
	// Time and Allocations are for each object and cluster, beyond decoding the object.
	Time        time.Duration `json:"timeForEach"`
	Allocations float64       `json:"allocationsForEach"`
	// TimeMade and AllocationsMade are the same, spread over those that had to be made.
	TimeMade        time.Duration `json:"timeForEachMade"`
	AllocationsMade float64       `json:"allocationsForEachMade"`
	// Decoding is what it takes to decode one federated object.
	Decoding time.Duration `json:"timeToDecodeOne"`
	// Size is that of what is rendered, in bytes, on average.
	Size float64 `json:"bytesForEach"`

	bytes, made uint64
}

func (r *report) conclude(decoding, rendering counted) {
	pairs := float64(r.Objects) * float64(r.Clusters)
	each := func(of counted, over float64) (time.Duration, float64) {
		return time.Duration(float64(of.took) / over), float64(of.allocations) / over
	}
	r.Different, r.Size = float64(r.made)/float64(r.Objects), float64(r.bytes)/pairs
	r.Time, r.Allocations = each(rendering, pairs)
	r.TimeMade, r.AllocationsMade = each(rendering, float64(r.made))
	r.Decoding, _ = each(decoding, float64(r.Objects))
}

func (r *report) print(w io.Writer) {
	_, _ = fmt.Fprintf(w, `%d objects of %.0f bytes for each of %d clusters, four policies, derived tolerations
for each object and cluster:  %v, %.1f allocations
different for each object:    %.0f of %d clusters
for each that is different:   %v, %.0f allocations
decoding one object:          %v, once
`, r.Objects, r.Size, r.Clusters, r.Time, r.Allocations, r.Different, r.Clusters, r.TimeMade, r.AllocationsMade, r.Decoding)
}
