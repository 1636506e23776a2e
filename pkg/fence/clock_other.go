//go:build !linux

package fence

import "time"

var started = time.Now()

// bootTime is the time since the program started. Where the monotonic clock stops
// while the machine sleeps, that on the wall goes on; one that is set forward closes
// a fence too early, which costs a restart and does no harm.
func bootTime() time.Duration {
	now := time.Now()
	return max(now.Sub(started), now.Round(0).Sub(started.Round(0)))
}
