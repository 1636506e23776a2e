package union

import "time"

// Ending is how the watch of a cluster has ended.
type Ending int

// The endings.
const (
	Ends    Ending = iota // as watches do
	Fails                 // with an error, or before it began
	Expires               // the cluster does not remember where it was: it is listed again
)

const leastPause = time.Second

// Pauses is how long a cluster is left alone until it is asked again. One that fails is
// asked ever more seldom, and so is one of which each list is too old for a watch as soon as it is
// made: to list is the dearest request that there is.
type Pauses struct {
	// Most is the longest pause. A watch that has lasted for as long ends the count.
	Most time.Duration

	last    time.Duration
	expired int
}

// After is the pause after a watch that has lasted for some time and ended so.
func (p *Pauses) After(how Ending, lasted time.Duration) time.Duration {
	if lasted >= p.Most {
		*p = Pauses{Most: p.Most}
	}
	switch {
	case how == Expires:
		p.expired++
	case how == Ends && p.expired == 0:
		p.last = 0
	}
	if how == Fails || p.Fleeting() {
		p.last = min(2*max(p.last, leastPause), p.Most)
	}
	return max(p.last, leastPause)
}

// Fleeting says that the cluster's watches do not hold: one has expired, and of those that came
// after it another one, before any has lasted. That it happens once is usual.
func (p *Pauses) Fleeting() bool { return p.expired > 1 }

// NoHold is what is said of such a cluster, with what it says itself.
func NoHold(says string) string {
	return "its watches do not hold, so it is listed from time to time: " + says
}
