package main

import (
	"fmt"
	"io"
	"slices"
)

// comparison is one kind of request both ways.
type comparison struct {
	What string `json:"what"`
	// Seconds.
	DirectMedian  float64 `json:"directMedian"`
	ThroughMedian float64 `json:"throughMedian"`
	DirectP99     float64 `json:"directP99"`
	ThroughP99    float64 `json:"throughP99"`
}

// measured is what reaching one member costs.
type measured struct {
	Requests []comparison `json:"requests"`
	// Seconds from a write until a watch tells of it.
	Watch comparison `json:"watch"`
	// By clients at a time.
	DirectThroughput  throughput `json:"directThroughput"`
	ThroughThroughput throughput `json:"throughThroughput"`
}

// throughput is how many requests were answered in a second, and what part of the machine's
// processors was busy meanwhile, with whatever it was: near 1, it is they that set the limit.
type throughput struct {
	PerSecond float64 `json:"perSecond"`
	Busy      float64 `json:"busy"`
}

type result struct {
	// Near is on the host's machine; Far is so many seconds away, there and back.
	Near  measured `json:"near"`
	Far   measured `json:"far"`
	Delay float64  `json:"delay"`
	// All is several members one after the other, directly, and as one.
	All comparison `json:"all"`
	// Bytes of the server's process: before any watch, and with all of them open.
	MemoryBefore float64 `json:"memoryBefore"`
	MemoryWith   float64 `json:"memoryWith"`
	Watches      int     `json:"watches"`
	// Seconds of processor time of the server for each GET.
	ProcessorTime float64 `json:"processorTime"`
}

// compared makes a comparison of the times taken.
func compared(what string, took [2][]float64) comparison {
	return comparison{what, quantile(took[0], 0.5), quantile(took[1], 0.5), quantile(took[0], 0.99), quantile(took[1], 0.99)}
}

func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	return values[min(int(float64(len(values))*q), len(values)-1)]
}

const (
	milli   = 1000
	percent = 100
)

func (r result) print(to io.Writer) {
	_, _ = fmt.Fprintln(to, "\nWith all on one machine:")
	r.Near.print(to)
	_, _ = fmt.Fprintf(to, "%-28s %.2f ms of the server for each GET\n", "processor time", r.ProcessorTime*milli)
	_, _ = fmt.Fprintf(to, "%-28s %.0f MiB, with %d watches %.0f MiB\n", "memory of the server", r.MemoryBefore/(1<<20), r.Watches, r.MemoryWith/(1<<20))
	_, _ = fmt.Fprintf(to, "\nWith members %.0f ms away:\n", r.Delay*milli)
	r.Far.print(to)
	r.All.print(to, "one after the other", "as one")
}

func (m measured) print(to io.Writer) {
	for _, c := range append(m.Requests, m.Watch) {
		c.print(to, "directly", "through")
	}
	_, _ = fmt.Fprintf(to, "%-28s %.2f ms in the median\n", "added to a watch", (m.Watch.ThroughMedian-m.Watch.DirectMedian)*milli)
	_, _ = fmt.Fprintf(to, "%-28s %.0f a second directly, %.0f through: %.2f   (processors %.0f %% busy, and %.0f %%)\n", "throughput of GETs",
		m.DirectThroughput.PerSecond, m.ThroughThroughput.PerSecond, m.ThroughThroughput.PerSecond/m.DirectThroughput.PerSecond,
		m.DirectThroughput.Busy*percent, m.ThroughThroughput.Busy*percent)
}

func (c comparison) print(to io.Writer, one, other string) {
	_, _ = fmt.Fprintf(to, "%-28s median %7.2f ms %s, %7.2f ms %s: %.2f   p99 %7.2f ms, %7.2f ms: %.2f\n", c.What,
		c.DirectMedian*milli, one, c.ThroughMedian*milli, other, c.ThroughMedian/c.DirectMedian,
		c.DirectP99*milli, c.ThroughP99*milli, c.ThroughP99/c.DirectP99)
}
