package capacity

import "time"

const (
	// settle is how long news are waited for that come together.
	settle = 500 * time.Millisecond
	// pause is the least time between two writes of one ClusterCapacity, and urgentPause where
	// a pool has come that keeps pods out: they may be let into it until that is written.
	pause       = 5 * time.Second
	urgentPause = time.Second
	// share is which part of the time a member is looked at, at most: one of so many.
	share = 10
)

// pace is when a member was looked at and written of last, and how long a look at it takes.
type pace struct {
	written, looked time.Time
	took            time.Duration
}

// next is how long a member is not to be looked at again. early says that it is to be looked at
// though it is early to write of it: of what is urgent something may have to be written.
func (p *pace) next(now time.Time, urgent bool) (wait time.Duration, early bool) {
	rest := max(0, min(share*p.took-now.Sub(p.looked), pause))
	left := pause - now.Sub(p.written)
	switch {
	case left <= 0:
		return rest, false
	case !urgent:
		return max(left, settle), false
	}
	if soon := max(urgentPause-now.Sub(p.written), rest); soon > 0 {
		return min(soon, left), false
	}
	return 0, true
}
