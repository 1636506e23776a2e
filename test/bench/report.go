package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the result; times are in nanoseconds in JSON, memory in bytes.
type report struct {
	Objects     int     `json:"objects"`
	Members     int     `json:"members"`
	Concurrency int     `json:"concurrency"`
	Phases      []phase `json:"phases"`
	Single      latency `json:"singleChange"`
	// PeakMemory is the controller's largest resident size before the restart or after.
	PeakMemory int64 `json:"peakMemoryBytes"`
	// What server-side apply costs beside create and update; the last one changes nothing.
	ApplyCreateRatio  float64 `json:"applyToCreateRatio"`
	ApplyUpdateRatio  float64 `json:"applyToUpdateRatio"`
	ApplyNothingRatio float64 `json:"applyUnchangedToUpdateRatio"`

	applyCreate, applyUpdate, applyNothing time.Duration
	sameCreate, sameUpdate, sameDelete     time.Duration
}

// floors are what a phase is compared with: the plain writes to the members
// alone, and all requests that the controller and the bench make, made plainly.
type floors struct{ raw, same time.Duration }

// phase is one measured phase. Floor is what plain client-go took for the same
// writes to the members; Same, what it took for all the same requests, those to
// the host included.
type phase struct {
	Name      string        `json:"name"`
	Time      time.Duration `json:"time"`
	Floor     time.Duration `json:"floor"`
	Same      time.Duration `json:"sameRequests,omitempty"`
	Requests  requests      `json:"requests"`
	Processor time.Duration `json:"controllerProcessorTime"`
}

type latency struct {
	Median      time.Duration `json:"median"`
	P99         time.Duration `json:"p99"`
	FloorMedian time.Duration `json:"floorMedian"`
	FloorP99    time.Duration `json:"floorP99"`
}

func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "\n%d federated ConfigMaps, %d members, %d requests at a time to each cluster\n\n", r.Objects, r.Members, r.Concurrency)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "PHASE\tTIME\tRAW FLOOR\tRATIO\tSAME REQUESTS\tRATIO\tCPU PER OBJECT AND CLUSTER\tHOST REQUESTS PER OBJECT\tMEMBER REQUESTS PER OBJECT AND CLUSTER")
	places := r.Objects * r.Members
	for _, p := range r.Phases {
		same, sameRatio := "", ""
		if p.Same > 0 {
			same, sameRatio = round(p.Same).String(), fmt.Sprintf("%.2f", ratio(p.Time, p.Same))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.2f\t%s\t%s\t%s\t%s\t%s\n", p.Name, round(p.Time), round(p.Floor), ratio(p.Time, p.Floor), same, sameRatio,
			(p.Processor / time.Duration(places)).Round(time.Microsecond), per(p.Requests.Host, r.Objects), per(p.Requests.Members, places))
	}
	fmt.Fprintf(w, "one change, median\t%s\t%s\t%.2f\t\t\t\t\t\n", round(r.Single.Median), round(r.Single.FloorMedian), ratio(r.Single.Median, r.Single.FloorMedian))
	fmt.Fprintf(w, "one change, p99\t%s\t%s\t%.2f\t\t\t\t\t\n", round(r.Single.P99), round(r.Single.FloorP99), ratio(r.Single.P99, r.Single.FloorP99))
	_ = w.Flush() // out is standard output
	fmt.Fprintf(out, "\nPeak memory of the controller: %d MiB.\n", r.PeakMemory>>20)
	fmt.Fprintf(out, "Server-side apply took %.2f× the time of create, %.2f× of update, %.2f× of update when nothing changes.\n",
		r.ApplyCreateRatio, r.ApplyUpdateRatio, r.ApplyNothingRatio)
	fmt.Fprintln(out, "The raw floor is plain client-go doing create, update and delete in the members alone. The same requests are all that the phase makes,")
	fmt.Fprintln(out, "in host and members, made by plain client-go at once. Requests to the host include the bench's own.")
}

func round(d time.Duration) time.Duration {
	if d < 100*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(10 * time.Millisecond)
}

// per lists requests by verb, each divided by n.
func per(requests map[string]float64, n int) string {
	var list []string
	for _, verb := range slices.Sorted(maps.Keys(requests)) {
		list = append(list, fmt.Sprintf("%s %.3g", verb, requests[verb]/float64(n)))
	}
	if list == nil {
		return "none"
	}
	return strings.Join(list, ", ")
}
