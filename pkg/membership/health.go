package membership

import "github.com/fedctl/fedctl/pkg/reach"

// health is what a member counts as, given its probes so far. The zero value is
// that of a member which has not been probed.
type health struct {
	// Known is true from the first probe on.
	Known bool
	Ready bool
	// Why is the last reach.Observation that agrees with Ready.
	Why reach.Observation
	// Contrary counts the latest probes in a row that disagree with Ready.
	Contrary int
}

type thresholds struct{ Failure, Success int }

// observe returns the health after one more probe. The first probe decides by
// itself, as does a configuration that leaves nothing to probe, and a member that may
// not be used; after that it takes a row of contrary probes as long as the threshold.
func (h health) observe(o reach.Observation, t thresholds) health {
	ready := o.Verdict == reach.Ready
	switch {
	case !h.Known, ready == h.Ready, o.Verdict == reach.Malformed, barred(o.Verdict):
		return health{Known: true, Ready: ready, Why: o}
	case ready && h.Contrary+1 >= t.Success, !ready && h.Contrary+1 >= t.Failure:
		return health{Known: true, Ready: ready, Why: o}
	default:
		h.Contrary++
		return h
	}
}
