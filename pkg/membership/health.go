package membership

// A verdict is what one probe says of a member.
type verdict string

const (
	verdictReady     verdict = "Ready"     // it answered, and is well
	verdictNotReady  verdict = "NotReady"  // it answered, but not that it is well
	verdictOffline   verdict = "Offline"   // it did not answer
	verdictMalformed verdict = "Malformed" // there is no telling where or as whom to ask
)

// observation is the outcome of one probe.
type observation struct {
	Verdict verdict
	// Detail says why, without the parts of an error that differ each time.
	Detail string
	// Refused: it did not accept the credentials.
	Refused bool
	// Problem says what is wrong with a member that is nevertheless ready, such
	// as new credentials that do not work.
	Problem string
}

// health is what a member counts as, given its probes so far. The zero value is
// that of a member which has not been probed.
type health struct {
	// Known is true from the first probe on.
	Known bool
	Ready bool
	// Why is the last observation that agrees with Ready.
	Why observation
	// Contrary counts the latest probes in a row that disagree with Ready.
	Contrary int
}

type thresholds struct{ Failure, Success int }

// observe returns the health after one more probe. The first probe decides by
// itself, as does a configuration that leaves nothing to probe; after that it
// takes a row of contrary probes as long as the threshold.
func (h health) observe(o observation, t thresholds) health {
	ready := o.Verdict == verdictReady
	switch {
	case !h.Known, ready == h.Ready, o.Verdict == verdictMalformed:
		return health{Known: true, Ready: ready, Why: o}
	case ready && h.Contrary+1 >= t.Success, !ready && h.Contrary+1 >= t.Failure:
		return health{Known: true, Ready: ready, Why: o}
	default:
		h.Contrary++
		return h
	}
}
