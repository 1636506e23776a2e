package fence

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is the time since the machine started, that in which it slept included,
// which Go's own monotonic clock leaves out. Nobody can set it.
func bootTime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		panic("fence: no CLOCK_BOOTTIME: " + err.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(now.Nano())
}
